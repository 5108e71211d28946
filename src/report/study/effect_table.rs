//! Main effects as a table: each row and each value of a key, averaged over everything else that varies.

use super::build::{columns, shown, title};
use super::comparison::Comparison;
use super::effect::Effect;
use super::notes;
use super::table::{Cell, Incomplete, Table, TableLine, rank};
use crate::sweep::Study;
use crate::sweep::design::ROW;

impl Table {
    /// One line for each level; none where fewer than two things vary. Best and second are those of each factor.
    pub fn effects(study: &Study, comparison: &Comparison, incomplete: Incomplete) -> Option<Self> {
        let effects = &comparison.effects;
        if effects.is_empty() {
            return None;
        }
        let cell = |effect: &Effect, metric: &String| {
            let figure = &effect.figures[metric];
            let change = figure.difference.as_ref().map(|d| d.named(&effects[d.against].level, comparison.pairs));
            let cell = Cell {
                mean: figure.mean,
                deviation: figure.deviation,
                n: effect.n,
                planned: effect.planned,
                difference: change,
                ..Cell::default()
            };
            shown(cell, incomplete)
        };
        let line = |effect: &Effect| TableLine {
            name: name(study, effect),
            n: effect.n,
            planned: effect.planned,
            cells: study.metrics.iter().map(|metric| cell(effect, metric)).collect(),
            training: None,
        };
        let lines = effects.iter().map(line).collect();
        let title = format!("{}: each row and value on average over the rest", title(study));
        let mut table = Self { title, columns: columns(study), lines, ..Self::default() };
        for factor in effects.chunk_by(|a, b| a.factor == b.factor) {
            let first = effects.iter().position(|effect| effect.factor == factor[0].factor).expect("it is one of them");
            for column in 0..table.columns.len() {
                rank(table.lines[first..first + factor.len()].iter_mut().map(|line| &mut line.cells[column]).collect());
            }
        }
        table.notes = notes::effects(study, comparison);
        table.legend = notes::effect_legend(study, comparison);
        table.lead = format!("Each row and each value of a key is compared with {}, on average over all else.", notes::reference(study));
        Some(table)
    }
}

/// `+ STLNet`, `loss.score.gamma=2`.
pub fn name(study: &Study, effect: &Effect) -> String {
    if effect.factor == ROW { effect.level.clone() } else { format!("{}={}", study.label(&effect.factor), effect.level) }
}

#[cfg(test)]
mod tests {
    use super::super::{Form, Format, example, render};
    use super::*;

    #[test]
    fn main_effects_stand_below_one_another_with_their_tests() {
        let mut study = example::crossed();
        study.metrics.truncate(1);
        let table = Table::effects(&study, &Comparison::of(&study), Incomplete::Refuse).unwrap();
        let shown = render(&table, Form::Full, Format::Terminal);
        let expected = "\
What each part adds: each row and value on average over the rest
Each row and each value of a key is compared with the first of each, on average over all else.

                        n  image AUROC         Δ (p)
────────────────────────────────────────────────────
plain                  16   74.0 ± 0.7             —
texture                16   76.0 ± 0.7  +2.0 (0.375)
loss.score.gamma=1     16   73.0 ± 0.7             —
loss.score.gamma=2     16   77.0 ± 0.7  +4.0 (0.375)
loss.score.lambda=0.5  16   75.0 ± 0.7             —
loss.score.lambda=1    16   75.0 ± 0.7   0.0 (1.000)

Δ: against the first of each";
        assert!(shown.starts_with(expected), "{shown}");
        assert!(shown.contains("adjusted by Holm over 3 comparisons"), "{shown}");
    }

    #[test]
    fn labels_name_keys() {
        let labels = [("loss.score.gamma".to_owned(), "γ".to_owned()), ("texture".to_owned(), "+ STLNet".to_owned())].into();
        let study = example::crossed().labelled(&labels);
        assert_eq!(study.rows[6].name, "+ STLNet · γ=2, loss.score.lambda=0.5");
        let table = Table::effects(&study, &Comparison::of(&study), Incomplete::Refuse).unwrap();
        assert_eq!((table.lines[1].name.as_str(), table.lines[3].name.as_str()), ("+ STLNet", "γ=2"));
    }

    #[test]
    fn a_level_of_which_runs_are_missing_is_left_out() {
        let mut study = example::crossed();
        example::outcome(&mut study, 5, "gear", 1, crate::sweep::Outcome::Missing);
        let table = Table::effects(&study, &Comparison::of(&study), Incomplete::Refuse).unwrap();
        let shown: Vec<bool> = table.lines.iter().map(|line| line.cells[0].mean.is_some()).collect();
        assert_eq!(shown, [true, false, false, true, true, false]);
        assert_eq!(table.lines[3].cells[0].difference, None, "its counterpart is not complete");
    }
}
