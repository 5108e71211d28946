//! What stands below a table: how its numbers came about and what they cannot say.

use super::comparison::{Comparison, comparisons};
use super::layout::p_value;
use super::published;
use super::table::{Table, heading};
use crate::run::Summary;
use crate::sweep::{Against, Study};

/// Missing runs that are named; of more, the number.
const NAMED: usize = 20;

/// Below the table of rows and metrics.
pub fn of(study: &Study, comparison: &Comparison, table: &Table) -> Vec<String> {
    let means = "the mean over categories of the means over seeds";
    let mut notes = vec![format!("In percent, over {}: {means}{}.", grid(study), spread(study))];
    notes.extend(test(study, comparison, table));
    notes.extend(paper(study, table));
    notes.extend(common(study, comparison, table));
    notes
}

/// Below a table with a column a category.
pub fn by_category(study: &Study, comparison: &Comparison, table: &Table, metric: &str) -> Vec<String> {
    let seeds = counted(study.seeds.len(), "seed", "seeds");
    let mut notes = vec![format!("{} in percent, the mean over {seeds}{}.", heading(metric), spread(study))];
    notes.extend(paper(study, table));
    notes.extend(common(study, comparison, table));
    notes
}

/// Below a table over two keys.
pub fn pivot(study: &Study, comparison: &Comparison, table: &Table, metric: &str) -> Vec<String> {
    let mut notes = vec![format!("{} in percent; each cell is a mean over {}{}.", heading(metric), grid(study), spread(study))];
    notes.extend(common(study, comparison, table));
    notes
}

/// `2 categories x 3 seeds`.
fn grid(study: &Study) -> String {
    format!("{} x {}", counted(study.categories.len(), "category", "categories"), counted(study.seeds.len(), "seed", "seeds"))
}

fn spread(study: &Study) -> &'static str {
    if study.seeds.len() > 1 { "; ± is the sample standard deviation over seeds" } else { "; one seed shows no spread" }
}

/// How differences were tested, and what the test is silent about.
fn test(study: &Study, comparison: &Comparison, table: &Table) -> Vec<String> {
    if !cells(table).any(|cell| cell.difference.is_some()) {
        return vec![];
    }
    let against = match study.against {
        Against::Previous => "the row above".to_owned(),
        Against::Row(row) => format!("\"{}\"", study.rows[row].name),
    };
    let rows = counted(comparisons(study), "comparison", "comparisons");
    vec![
        format!(
            "Δ: mean paired difference to {against} in points over {} of category and seed; p: two-sided sign-flip test, adjusted by Holm \
             over {rows}. The smallest p that can be reached is {}.",
            counted(comparison.pairs, "pair", "pairs"),
            p_value(comparison.smallest_p)
        ),
        "The test holds for these categories only: seeds within a category are no independent draws of categories.".to_owned(),
    ]
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
    let mut notes = vec![format!(
        "paper: the paper's own figures ({}), on MVTec AD; Δ: ours less the paper's. These runs are on {} with the {} profile.",
        names.join(", "),
        study.data,
        study.profile
    )];
    for published in study.rows.iter().filter_map(|row| row.paper.as_ref()) {
        for metric in table.columns.iter().map(|c| &c.metric) {
            let Some(d) = published::discrepancy(published, metric) else { continue };
            let (name, printed, computed) = (heading(metric), 100.0 * d.printed, 100.0 * d.computed);
            let line = &published.line;
            let note = format!("The paper prints {printed:.1} as {line}'s average {name}; its categories give {computed:.2}.");
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    notes
}

/// Protocol, backbone and missing runs.
fn common(study: &Study, comparison: &Comparison, table: &Table) -> Vec<String> {
    let mut notes = Vec::new();
    // In the order of the table, not of execution.
    let mut cells: Vec<_> = study.cells.iter().collect();
    cells.sort_by_key(|c| (c.row, study.categories.iter().position(|n| *n == c.category), c.seed));
    for summary in cells.iter().filter_map(|c| c.summary()) {
        for note in lineage(summary) {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
    }
    if self::cells(table).any(|cell| cell.mean.is_some() && !cell.is_complete()) {
        notes.push("* of an incomplete grid: not comparable with the other rows.".to_owned());
    }
    let missing: Vec<String> = cells.iter().filter(|c| c.summary().is_none()).map(|c| c.id.to_string()).collect();
    if !missing.is_empty() {
        let more = missing.len().saturating_sub(NAMED);
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let planned: usize = comparison.lines.iter().map(|l| l.planned).sum();
        let named = missing[..missing.len().min(NAMED)].join(", ");
        notes.push(format!("Missing: {} of {planned} runs ({named}{rest}).", missing.len()));
    }
    notes
}

/// How a run was evaluated and what it started from.
fn lineage(summary: &Summary) -> Vec<String> {
    let protocol = summary.protocol["text"].as_str().unwrap_or("unknown");
    let backbone = &summary.backbone;
    let stride = if backbone.weights_hash.is_some() { format!(", stride in {}", backbone.stride_in) } else { String::new() };
    let mut notes = vec![format!("Protocol: {protocol}."), format!("Backbone: {} ({}{stride}).", backbone.name, backbone.lineage)];
    if summary.metrics.keys().any(|key| key.starts_with("best_on_test/")) {
        notes.push("Runs whose epoch was chosen on the test set have no figure here: see best_on_test/* in their summary.json.".to_owned());
    }
    notes
}

fn cells(table: &Table) -> impl Iterator<Item = &super::table::Cell> {
    table.lines.iter().flat_map(|line| &line.cells)
}

/// `1 seed`, `3 seeds`.
pub fn counted(n: usize, one: &str, several: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { several })
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
        summary.backbone = Default::default();
        summary.metrics.insert("best_on_test/image_auroc".into(), Some(0.99));
        cell.outcome = Outcome::Finished(Box::new(summary));
        let all = notes(&study);
        assert_eq!(all.iter().filter(|n| n.starts_with("Protocol:")).count(), 2);
        assert_eq!(all.iter().filter(|n| n.starts_with("Backbone:")).count(), 2);
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
    fn of_many_missing_runs_the_first_are_named() {
        let mut study = example::study(&["a", "b"], 8, |_, _, _, _| 0.5);
        study.cells.iter_mut().for_each(|c| c.outcome = Outcome::Missing);
        let all = notes(&study);
        let missing = all.last().unwrap();
        assert!(missing.starts_with("Missing: 32 of 32 runs (row-1/0000000000-s0, row-1/0000000000-s1"), "{missing}");
        assert!(missing.ends_with("and 12 more)."), "{missing}");
    }
}
