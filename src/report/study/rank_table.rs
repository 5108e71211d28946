//! Average ranks as a table: which system is ahead over all categories and seeds, in every metric.

use super::build::title;
use super::ranks::{Ranks, System};
use super::table::{Table, TableLine, TextColumn};
use crate::names::counted;
use crate::report::spell::{NOTHING, metric_name, p_words};
use crate::sweep::Study;

/// Systems and categories from which on ranks say something.
const LEAST: (usize, usize) = (3, 2);

impl Table {
    /// One line for each row that is ranked in some metric, best by the first one first; none with fewer than three of them or two
    /// categories.
    pub fn ranks(study: &Study) -> Option<Self> {
        let all: Vec<Ranks> = study.metrics.iter().filter_map(|metric| Ranks::of(study, metric)).collect();
        let mut rows: Vec<&System> = all.first()?.systems.iter().collect();
        rows.sort_by(|a, b| a.average_rank.total_cmp(&b.average_rank));
        for system in all.iter().flat_map(|ranks| &ranks.systems) {
            if rows.iter().all(|known| known.row != system.row) {
                rows.push(system);
            }
        }
        if rows.len() < LEAST.0 || study.categories.len() < LEAST.1 {
            return None;
        }
        let column = |ranks: &Ranks| {
            let of = |row: usize| ranks.systems.iter().find(|system| system.row == row);
            let column = |heading: String, text: &dyn Fn(&System) -> String| TextColumn {
                heading,
                cells: rows.iter().map(|system| of(system.row).map_or_else(|| NOTHING.to_owned(), text)).collect(),
            };
            let record = |system: &System| match system.record {
                Some(record) => format!("{}/{}/{}", record.wins, record.ties, record.losses),
                None => NOTHING.to_owned(),
            };
            let name = metric_name(study, &ranks.metric);
            [column(format!("{name}: rank"), &|system| format!("{:.1}", system.average_rank)), column("w/t/l".to_owned(), &record)]
        };
        let line = |system: &&System| TableLine {
            name: system.name.clone(),
            n: study.planned(system.row),
            planned: study.planned(system.row),
            cells: vec![],
            training: None,
        };
        Some(Self {
            title: format!("{}: average ranks", title(study)),
            lines: rows.iter().map(line).collect(),
            texts: all.iter().flat_map(column).collect(),
            notes: notes(study, &all),
            legend: "Average rank over category and seed, 1 is best; w/t/l: runs better than, equal to and worse than the reference's."
                .to_owned(),
            ..Self::default()
        })
    }
}

fn notes(study: &Study, all: &[Ranks]) -> Vec<String> {
    let blocks = counted(all[0].blocks, "block", "blocks");
    let mut notes = vec![format!(
        "rank: 1 is best within each of {blocks} of category and seed, averaged; equal figures share their ranks. w/t/l: blocks won, tied and \
         lost against {}.",
        study.rows[all[0].reference].name
    )];
    for ranks in all {
        let critical = ranks
            .critical_difference
            .map_or(String::new(), |difference| format!("; average ranks {difference:.1} apart differ (Nemenyi's test at 0.05)"));
        let name = metric_name(study, &ranks.metric);
        notes.push(format!("{name}: Friedman's test of whether all are alike: p {}{critical}.", p_words(ranks.friedman.p)));
    }
    notes.push("Seeds of one category are not independent samples of other data.".to_owned());
    notes
}

#[cfg(test)]
mod tests {
    use super::super::{Form, Format, example, render};
    use super::*;

    #[test]
    fn systems_stand_best_first_with_their_record() {
        let mut study = example::study(&["a", "b", "c"], 3, |row, place, seed, _| {
            0.8 + [0.0, 0.02, -0.03][row] + 0.01 * place as f64 + 0.001 * seed as f64
        });
        study.metrics.truncate(1);
        let table = Table::ranks(&study).unwrap();
        let shown = render(&table, Form::Full, Format::Markdown);
        assert!(shown.contains("| b | 6 | 1.0 | 6/0/0 |\n| a | 6 | 2.0 | — |\n| c | 6 | 3.0 | 0/0/6 |"), "{shown}");
        assert!(shown.contains("Friedman's test") && shown.contains("(Nemenyi's test at 0.05)"), "{shown}");
        study.rows.truncate(2);
        study.cells.retain(|cell| cell.row < 2);
        assert!(Table::ranks(&study).is_none());
    }
}
