//! What is printed below a table: how its numbers came about and what they cannot say.

use super::comparison::Comparison;
use super::difference::LEVEL;
use super::layout::training;
use super::table::{Table, Training};
use crate::names::counted;
use crate::report::lineage;
use crate::report::spell::{heading, metric_name, p_value};
use crate::run::Summary;
use crate::sweep::design::{Design, ROW};
use crate::sweep::{Against, Cell, Citation, Counterpart, Row, Study, published};

/// Below the table of rows and metrics.
pub fn of(study: &Study, comparison: &Comparison, table: &Table) -> Vec<String> {
    let means = "the mean over categories of the means over seeds";
    let mut notes = vec![format!("In percent, over {}: {means}{}.", grid(study), spread(study))];
    notes.extend(test(study, comparison, table));
    notes.extend(paper(study, table));
    notes.extend(cited(study, table));
    notes.extend(trained(table));
    notes.extend(common(study, table));
    notes
}

/// Which comparison a table of rows makes.
pub fn lead(study: &Study, comparison: &Comparison) -> String {
    if comparison.count() == 0 { String::new() } else { format!("Each row is compared with {}.", against(study)) }
}

/// What a paper prints below the table: what its cells are, and what a star is.
pub fn legend(study: &Study, comparison: &Comparison) -> String {
    let over = match study.seeds.len() {
        1 => format!("Percent: mean over {}", grid(study)),
        _ => format!("Percent: mean over {}, ± standard deviation over seeds", grid(study)),
    };
    let count = counted(comparison.count(), "comparison", "comparisons");
    let star = match comparison.count() {
        0 => String::new(),
        _ => format!("; * p < {LEVEL} against {} (paired sign-flip test, Holm over {count})", against(study)),
    };
    format!("{over}; best bold{star}.")
}

/// Below a table with a column a category.
pub fn by_category(study: &Study, table: &Table, metric: &str) -> Vec<String> {
    let seeds = counted(study.seeds.len(), "seed", "seeds");
    let mut notes = vec![format!("{} in percent, the mean over {seeds}{}.", metric_name(study, metric), spread(study))];
    notes.extend(paper(study, table));
    notes.extend(cited(study, table));
    notes.extend(common(study, table));
    notes
}

/// Below a table of main effects.
pub fn effects(study: &Study, comparison: &Comparison) -> Vec<String> {
    let count = comparison.effects.iter().filter(|effect| effect.against.is_some()).count();
    let against = reference(study);
    vec![
        format!(
            "Δ: against {against}, in points, over {} of category and seed, each the mean over all pairs of runs that differ in this alone; \
             p: two-sided sign-flip test, adjusted by Holm over {}, each metric by itself. Runs of one seed share first weights and order of \
             images: they count as one observation.",
            counted(comparison.pairs, "pair", "pairs"),
            counted(count, "comparison", "comparisons")
        ),
        format!("In percent, over {} and everything else that varies{}.", grid(study), spread(study)),
    ]
}

/// What a paper prints below main effects.
pub fn effect_legend(study: &Study, comparison: &Comparison) -> String {
    let count = comparison.effects.iter().filter(|effect| effect.against.is_some()).count();
    format!(
        "Percent: each row and value on average over {} and all else that varies{}; best of each bold; * p < {LEVEL} against {} (paired \
         sign-flip test, Holm over {}).",
        grid(study),
        if study.seeds.len() > 1 { ", ± standard deviation over seeds" } else { "" },
        reference(study),
        counted(count, "comparison", "comparisons")
    )
}

/// With which level of its factor each level is compared.
pub(super) fn reference(study: &Study) -> &'static str {
    match study.against {
        Against::Previous => "the first of each key, and rows against the one before",
        Against::Row(0) => "the first of each",
        Against::Row(_) => "that of the reference row",
    }
}

/// Below a table over what was asked for; `begin` says what its cells are.
pub fn pivot(study: &Study, table: &Table, begin: Vec<String>) -> Vec<String> {
    let mut notes = begin;
    notes.extend(common(study, table));
    notes
}

/// `2 categories x 3 seeds`.
pub(super) fn grid(study: &Study) -> String {
    format!("{} x {}", counted(study.categories.len(), "category", "categories"), counted(study.seeds.len(), "seed", "seeds"))
}

pub(super) fn spread(study: &Study) -> &'static str {
    if study.seeds.len() > 1 { "; ± is the sample standard deviation over seeds" } else { "; one seed shows no spread" }
}

/// With what a row is compared.
pub(super) fn against(study: &Study) -> String {
    let reference = if let Against::Row(row) = study.against { row } else { 0 };
    if names_one(study) {
        return format!("\"{}\"", study.rows[reference].name);
    }
    let own = |(place, row): (usize, &Row)| row.against.is_some() || study.is_quoted(place) || place == reference;
    if study.rows.iter().any(|row| matches!(row.against, Some(Counterpart::Row(_)))) && study.rows.iter().enumerate().all(own) {
        return "its own counterpart".to_owned();
    }
    let design = Design::of(study);
    let named = design.factors.iter().find(|factor| factor.name == ROW);
    match (study.against, design.is_crossed(), named) {
        (Against::Previous, true, Some(_)) => "the row before at the same values of all keys".to_owned(),
        (Against::Row(row), true, Some(_)) => {
            format!("\"{}\" at the same values of all keys", study.rows[row].entry.as_deref().unwrap_or_default())
        }
        (Against::Row(row), true, None) => format!("\"{}\", of those that differ from it in one key", study.rows[row].name),
        (Against::Previous, true, None) => "the row above, where one key differs".to_owned(),
        (Against::Previous, false, _) => "the row above".to_owned(),
        (Against::Row(row), false, _) => format!("\"{}\"", study.rows[row].name),
    }
}

/// Whether all rows name the same one as their counterpart, whatever else differs.
fn names_one(study: &Study) -> bool {
    let Against::Row(reference) = study.against else { return false };
    let named =
        |(place, row): (usize, &Row)| place == reference || study.is_quoted(place) || row.against == Some(Counterpart::Row(reference));
    study.rows.len() > 1 && study.rows.iter().enumerate().all(named)
}

/// How differences were tested, and what the test is silent about.
fn test(study: &Study, comparison: &Comparison, table: &Table) -> Vec<String> {
    if !cells(table).any(|cell| cell.difference.is_some()) {
        return vec![];
    }
    let rows = counted(comparison.count(), "comparison", "comparisons");
    let firsts = study.firsts();
    let same = |row: usize| {
        let first = firsts[row];
        let (one, other) = (&study.rows[first].name, &study.rows[row].name);
        (first != row).then(|| format!("\"{other}\" is made of the same runs as \"{one}\": it is not compared separately."))
    };
    let mut notes = vec![
        format!(
            "Δ: mean paired difference to {} in points over {} of category and seed; p: two-sided sign-flip test, adjusted by Holm \
             over {rows}, each metric by itself. The smallest p that can be reached is {}.",
            against(study),
            counted(comparison.pairs, "pair", "pairs"),
            p_value(comparison.smallest_p)
        ),
        "The test holds for these categories only: seeds within a category are not independent samples of categories.".to_owned(),
    ];
    notes.extend((0..study.rows.len()).filter_map(same));
    let own = |row: &Row| match row.against? {
        Counterpart::Row(other) => Some(format!("{} is compared with \"{}\".", row.name, study.rows[other].name)),
        Counterpart::None => None,
    };
    if !names_one(study) {
        notes.extend(study.rows.iter().filter_map(own));
    }
    let alone: Vec<&str> = study.rows.iter().filter(|row| row.against == Some(Counterpart::None)).map(|row| row.name.as_str()).collect();
    if !alone.is_empty() {
        notes.push(format!("Not compared: {}.", alone.join("; ")));
    }
    notes
}

/// Where the paper's figures come from, and which of them do not add up.
fn paper(study: &Study, table: &Table) -> Vec<String> {
    if !cells(table).any(|cell| cell.published.is_some()) {
        return vec![];
    }
    let mut tables: Vec<u8> = study.rows.iter().filter_map(|row| Some(row.paper.as_ref()?.table)).collect();
    tables.sort_unstable();
    tables.dedup();
    let names: Vec<String> = tables.iter().map(|t| format!("Table {t}")).collect();
    let of_each = |paper| study.metrics.iter().any(|metric| published::is_of_each(paper, metric, &study.categories));
    let of = same_categories(study.rows.iter().filter_map(|row| row.paper.as_ref()).any(of_each));
    let mut notes = vec![format!(
        "paper: the paper's own figures ({}), on MVTec AD{of}; Δ: ours less the paper's. These runs are on {} with the {} profile.",
        names.join(", "),
        study.data,
        study.profile
    )];
    for published in study.rows.iter().filter_map(|row| row.paper.as_ref()) {
        for metric in table.columns.iter().map(|c| &c.metric) {
            if published::is_of_each(published, metric, &study.categories) {
                continue;
            }
            let Some(d) = published::discrepancy(published, metric) else { continue };
            let (name, printed, computed) = (heading(metric), 100.0 * d.printed, 100.0 * d.computed);
            let line = &published.line;
            let note = format!("† The paper prints {printed:.1} as {line}'s average {name}; its categories give {computed:.2}.");
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// What follows "on MVTec AD" where published means are over some of its categories.
fn same_categories(any: bool) -> &'static str {
    if any { "; a mean is over the same categories" } else { "" }
}

/// Where other figures come from, and what the file says of its rows.
fn cited(study: &Study, table: &Table) -> Vec<String> {
    let mut notes = vec![];
    if cells(table).any(|cell| cell.cited.is_some()) {
        let of_each = |citation: &Citation| study.metrics.iter().any(|metric| citation.of_each(metric, &study.categories).is_some());
        let of = same_categories(study.rows.iter().filter_map(|row| row.published.as_ref()).any(of_each));
        notes.push(format!("cited: figures of others on MVTec AD, in per cent{of}; Δ: ours less theirs."));
        notes.extend(study.rows.iter().filter_map(|row| Some(format!("cited for {}: {}.", row.name, row.published.as_ref()?.describe()))));
    }
    notes.extend(study.rows.iter().filter_map(|row| Some(format!("{}: {}.", row.name, row.note.as_ref()?.trim_end_matches('.')))));
    notes
}

/// What the small table of trainings holds.
fn trained(table: &Table) -> Option<String> {
    training(table)?;
    let losses = |line: &super::TableLine| line.training.is_some_and(|t| t != Training::default());
    let scales =
        if table.lines.iter().filter(|line| losses(line)).count() > 1 { "; rows with other loss terms have other scales" } else { "" };
    Some(format!(
        "training: means over the finished runs of the total loss in the first and the last epoch, and of the gradient's norm in the \
         last{scales}."
    ))
}

/// Protocol, backbone, and what is missing.
fn common(study: &Study, table: &Table) -> Vec<String> {
    let cells = study.ordered();
    let mut notes = lineages(study, &cells);
    let starred = |cell: &super::table::Cell| {
        cell.mean.is_some() && !cell.is_complete() || cell.difference.as_ref().is_some_and(|change| !change.is_complete())
    };
    if self::cells(table).any(starred) {
        notes.push("* of an incomplete grid: not comparable with the other rows.".to_owned());
    }
    let (finished, missing): (Vec<&Cell>, Vec<&Cell>) = cells.into_iter().partition(|cell| cell.summary().is_some());
    if !missing.is_empty() {
        notes.push(format!("Missing: {} of {} runs: {}.", missing.len(), study.cells.len(), places(study, &missing)));
    }
    let mut metrics: Vec<&str> = table.columns.iter().map(|column| column.metric.as_str()).collect();
    metrics.dedup();
    for metric in metrics {
        let lacks = |cell: &&Cell| cell.summary().is_some_and(|summary| summary.metric("", metric).is_none());
        let without: Vec<&Cell> = finished.iter().copied().filter(lacks).collect();
        if !without.is_empty() {
            notes.push(format!("Finished without {}: {}.", heading(metric), places(study, &without)));
        }
    }
    notes
}

/// Runs by their place in the plan, which is the same on every host: `a: gear 0, 2, terrazzo 1; b: all`.
fn places(study: &Study, cells: &[&Cell]) -> String {
    let row = |of_row: &[&Cell]| {
        let (row, name) = (of_row[0].row, &study.rows[of_row[0].row].name);
        if of_row.len() == study.planned(row) {
            return format!("{name}: all");
        }
        let category = |of_category: &[&Cell]| {
            let seeds: Vec<String> = of_category.iter().map(|cell| cell.seed.to_string()).collect();
            format!("{} seed {}", of_category[0].category, seeds.join(", "))
        };
        let categories: Vec<String> = of_row.chunk_by(|a, b| a.category == b.category).map(category).collect();
        format!("{name}: {}", categories.join(", "))
    };
    cells.chunk_by(|a, b| a.row == b.row).map(row).collect::<Vec<_>>().join("; ")
}

/// What the runs say of their lineage, each once; with the rows' names where it is not that of all.
fn lineages(study: &Study, cells: &[&Cell]) -> Vec<String> {
    let mut all: Vec<(usize, String, Vec<usize>)> = vec![];
    for cell in cells {
        for (kind, note) in cell.summary().map(lineage).into_iter().flatten() {
            match all.iter_mut().find(|(_, known, _)| *known == note) {
                Some((.., rows)) if rows.contains(&cell.row) => {}
                Some((.., rows)) => rows.push(cell.row),
                None => all.push((kind, note, vec![cell.row])),
            }
        }
    }
    all.sort_by_key(|(kind, ..)| *kind);
    let finished = cells.chunk_by(|a, b| a.row == b.row).filter(|of_row| of_row.iter().any(|cell| cell.summary().is_some())).count();
    let named = |(kind, note, rows): &(usize, String, Vec<usize>)| {
        let names: Vec<&str> = rows.iter().map(|&row| study.rows[row].name.as_str()).collect();
        let is_all = rows.len() == finished && all.iter().filter(|(other, ..)| other == kind).count() == 1;
        if is_all { format!("{note}.") } else { format!("{note}: {}.", names.join(", ")) }
    };
    all.iter().map(named).collect()
}

/// How a run was evaluated, what it started from and whether the test set chose, each with its kind.
fn lineage(run: &Summary) -> Vec<(usize, String)> {
    let protocol = format!("Protocol: {}", lineage::protocol(run));
    let backbone = lineage::backbone(run).map(|backbone| format!("Backbone: {backbone}"));
    let all = [Some(protocol), backbone, lineage::selection(run).map(str::to_owned)];
    all.into_iter().enumerate().filter_map(|(kind, note)| Some((kind, note?))).collect()
}

fn cells(table: &Table) -> impl Iterator<Item = &super::table::Cell> {
    table.lines.iter().flat_map(|line| &line.cells)
}

#[cfg(test)]
mod tests {
    use super::super::{Incomplete, example};
    use super::*;
    use crate::sweep::{Outcome, Published};

    fn notes(study: &Study) -> Vec<String> {
        Table::of(study, &Comparison::of(study), Incomplete::Refuse).notes
    }

    #[test]
    fn rows_that_each_name_their_counterpart_are_compared_with_it() {
        let mut study = example::ladder();
        let lead = |study: &Study| lead(study, &Comparison::of(study));
        study.rows[1].against = Some(Counterpart::Row(0));
        assert_eq!(lead(&study), "Each row is compared with the row above.");
        study.rows[2].against = Some(Counterpart::Row(0));
        assert_eq!(lead(&study), "Each row is compared with its own counterpart.");
        let all = notes(&study).join("\n");
        assert!(all.contains("difference to its own counterpart") && all.matches("is compared with \"").count() == 2, "{all}");
    }

    #[test]
    fn a_printed_average_that_does_not_add_up_is_said_to_be_one() {
        let mut study = example::ladder();
        study.rows[1].paper = Some(Published { table: 1, line: "PaDiM".into() });
        study.rows[2].paper = Some(Published { table: 2, line: "PaDiM".into() });
        let all = notes(&study).join("\n");
        assert!(all.contains("(Table 1, Table 2, Table 4), on MVTec AD"), "{all}");
        assert!(all.contains("The paper prints 95.5 as PaDiM's average image AUROC; its categories give 95.42."), "{all}");
        assert!(all.contains("The paper prints 92.1 as PaDiM's average AUPRO@0.3; its categories give 92.16."), "{all}");
    }

    #[test]
    fn every_protocol_and_backbone_is_named_once_and_runs_chosen_on_the_test_set_are_owned_up_to() {
        let mut study = example::ladder();
        let cell = &mut study.cells[0];
        let mut summary = cell.summary().unwrap().clone();
        summary.protocol = serde_json::json!({ "text": "grid" });
        summary.backbone.name = "resnet18".into();
        summary.metrics.insert("best_on_test/image_auroc".into(), Some(0.99));
        cell.outcome = Outcome::Finished(Box::new(summary));
        let all = notes(&study);
        assert_eq!(all.iter().filter(|n| n.starts_with("Protocol:")).count(), 2);
        assert_eq!(all.iter().filter(|n| n.starts_with("Backbone:")).count(), 2);
        assert!(all.contains(&"Protocol: grid: baseline.".to_owned()), "{all:?}");
        assert!(all.iter().any(|n| n.contains("chosen on the test set")));
    }

    #[test]
    fn notes_depend_neither_on_the_order_of_execution_nor_on_time() {
        let mut study = example::ladder();
        let before = notes(&study);
        study.cells.reverse();
        for cell in &mut study.cells {
            let mut summary = cell.summary().unwrap().clone();
            summary.timing.wall_s *= 7.0;
            cell.outcome = Outcome::Finished(Box::new(summary));
        }
        assert_eq!(notes(&study), before);
    }

    #[test]
    fn every_missing_run_and_metric_is_named_by_its_place_in_the_plan() {
        let mut study = example::study(&["a", "b", "c"], 3, |_, _, _, _| 0.5);
        for cell in &mut study.cells {
            let gone = cell.row == 1 || (cell.row == 0 && (cell.category == "gear" && cell.seed != 1 || cell.seed == 2));
            if gone {
                cell.outcome = Outcome::Missing;
            } else if cell.row == 2 && cell.seed == 0 {
                let mut summary = cell.summary().unwrap().clone();
                summary.metrics.insert("test/pixel_auroc".into(), None);
                cell.outcome = Outcome::Finished(Box::new(summary));
            }
        }
        let all = notes(&study);
        let expected = [
            "Missing: 9 of 18 runs: a: gear seed 0, 2, terrazzo seed 2; b: all.",
            "Finished without pixel AUROC: c: gear seed 0, terrazzo seed 0.",
        ];
        assert_eq!(all[all.len() - 2..], expected);
        assert!(all.iter().all(|note| !note.contains("row-")), "no id, which depends on the store");
    }

    #[test]
    fn a_cited_figure_is_shown_with_its_source_and_a_row_with_its_note() {
        let mut study = example::ladder();
        study.metrics.truncate(1);
        study.rows.iter_mut().for_each(|row| row.paper = None);
        study.rows[2].published = Some(Citation { system: "CutPaste".into(), source: "own paper, ensemble".into() });
        study.rows[1].note = Some("not what it was".into());
        let table = Table::of(&study, &Comparison::of(&study), Incomplete::Refuse);
        let shown = super::super::render(&table, super::super::Form::Full, super::super::Format::Markdown);
        assert!(shown.contains("| Δ (p) | cited (Δ) |") && shown.contains("| 0.0 (1.000) | 96.1 (−5.1) |"), "{shown}");
        let cited = "cited for + STLNet: CutPaste, own paper, ensemble: 3-way, ResNet-18 from scratch; an ensemble of 5 models; ";
        assert!(table.notes.iter().any(|note| note.starts_with(cited)), "{:?}", table.notes);
        assert!(table.notes.contains(&"+ self-calibration: not what it was.".to_owned()));
        study.rows[2].published = None;
        assert!(notes(&study).iter().all(|note| !note.contains("cited")));
    }
}
