//! What each row gains and what it costs: one line for each comparison, with a judgement by stated rules.

use serde::Serialize;

use super::build::{columns, title};
use super::comparison::Comparison;
use super::difference::LEVEL;
use super::table::{Cell, Table, TableLine, TextColumn};
use crate::num;
use crate::report::spell::{NOTHING, points};
use crate::run::Summary;
use crate::sweep::{Against, Study};

/// What a row is by its complete differences in all metrics of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// A gain larger than the noise in one metric at least, and no such loss.
    Earns,
    /// A loss larger than the noise in one metric at least, and no such gain.
    Costs,
    /// Both.
    Mixed,
    /// Neither.
    Within,
    /// So few pairs that no difference, however large, could be told from noise.
    Untold,
}

/// One row beside its counterpart.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// Places of the rows.
    pub row: usize,
    pub against: usize,
    pub judgement: Judgement,
    /// Parameters more than the counterpart's.
    pub parameters: Option<i64>,
    /// Mean seconds of training of a run, and the counterpart's.
    pub training_s: Option<[f64; 2]>,
    /// Mean milliseconds of evaluating a test image, metrics included, and the counterpart's.
    pub image_ms: Option<[f64; 2]>,
}

/// The verdict of every row whose comparison is complete in every metric that it has.
pub fn verdicts(study: &Study, comparison: &Comparison) -> Vec<Verdict> {
    let of = |(row, against): (usize, &Option<usize>)| {
        let against = (*against)?;
        let differences: Vec<_> = comparison.lines[row].figures.values().filter_map(|figure| figure.difference.as_ref()).collect();
        if differences.is_empty() || differences.iter().any(|d| d.n < comparison.pairs) {
            return None;
        }
        let larger = |sign: f64| differences.iter().any(|d| d.p_holm < LEVEL && d.mean * sign > 0.0);
        let judgement = match (larger(1.0), larger(-1.0)) {
            _ if comparison.smallest_p >= LEVEL => Judgement::Untold,
            (true, false) => Judgement::Earns,
            (false, true) => Judgement::Costs,
            (true, true) => Judgement::Mixed,
            (false, false) => Judgement::Within,
        };
        let both = |value: &dyn Fn(&Summary) -> Option<f64>| Some([mean(study, row, value)?, mean(study, against, value)?]);
        let parameters = both(&|run| run.counts.get("parameters").map(|&count| count as f64));
        Some(Verdict {
            row,
            against,
            judgement,
            parameters: parameters.map(|[own, other]| (own - other) as i64),
            training_s: both(&|run| run.timing.parts_s.get("train").copied()),
            image_ms: both(&|run| Some(1e3 * run.timing.parts_s.get("eval")? / *run.counts.get("test_images")? as f64)),
        })
    };
    comparison.counterparts.iter().enumerate().filter_map(of).collect()
}

/// The mean over a row's finished runs; none where one lacks the number.
fn mean(study: &Study, row: usize, value: &dyn Fn(&Summary) -> Option<f64>) -> Option<f64> {
    let runs = study.cells.iter().filter(|cell| cell.row == row).filter_map(|cell| cell.summary());
    num::mean(&runs.map(value).collect::<Option<Vec<_>>>()?)
}

impl Judgement {
    /// In a few words: of modules that build on one another, or of systems and values.
    pub fn words(self, against: Against) -> &'static str {
        let modules = against == Against::Previous;
        match self {
            Self::Earns if modules => "earns its place",
            Self::Costs if modules => "costs",
            Self::Mixed if modules => "gains and costs",
            Self::Earns => "better",
            Self::Costs => "worse",
            Self::Mixed => "better and worse",
            Self::Within => "within the noise",
            Self::Untold => "too few pairs to tell",
        }
    }
}

impl Table {
    /// One line for each comparison: effect with interval and p on each metric, cost, judgement. None without a comparison. Its
    /// times, unlike all that other tables hold, depend on the machine.
    pub fn verdicts(study: &Study, comparison: &Comparison) -> Option<Self> {
        let verdicts = verdicts(study, comparison);
        if verdicts.is_empty() {
            return None;
        }
        let line = |verdict: &Verdict| {
            let own = &comparison.lines[verdict.row];
            let cell = |metric: &String| Cell {
                n: own.n,
                planned: own.planned,
                difference: own.figures[metric].difference.as_ref().map(|d| d.named(&comparison.lines[d.against].name, comparison.pairs)),
                ..Cell::default()
            };
            TableLine {
                name: own.name.clone(),
                n: own.n,
                planned: own.planned,
                cells: study.metrics.iter().map(cell).collect(),
                training: None,
            }
        };
        let texts: [(&str, Spell); 4] = [
            ("parameters", &|v| v.parameters.map_or_else(|| NOTHING.into(), grouped)),
            ("training, s", &|v| pair(v.training_s)),
            ("ms an image", &|v| pair(v.image_ms)),
            ("verdict", &|v| v.judgement.words(study.against).to_owned()),
        ];
        let text =
            |(heading, spell): (&str, Spell)| TextColumn { heading: heading.to_owned(), cells: verdicts.iter().map(spell).collect() };
        Some(Self {
            title: format!("{}: what each row gains and costs", title(study)),
            columns: columns(study),
            lines: verdicts.iter().map(line).collect(),
            texts: texts.map(text).to_vec(),
            notes: notes(study),
            lead: super::notes::lead(study, comparison),
            legend: format!(
                "Difference to {} in points, * p < {LEVEL}; parameters, training and evaluation: more than there, in brackets its own.",
                super::notes::against(study)
            ),
            ..Self::default()
        })
    }
}

fn notes(study: &Study) -> Vec<String> {
    vec![
        format!(
            "Δ: mean paired difference to {} in points with its 95 % interval (BCa bootstrap over the pairs); p as in the main table.",
            super::notes::against(study)
        ),
        format!(
            "Verdict: \"{}\" is a gain larger than the noise (p < {LEVEL}) in one metric at least and no such loss, \"{}\" the reverse, \
             \"{}\" both; \"{}\" neither.",
            Judgement::Earns.words(study.against),
            Judgement::Costs.words(study.against),
            Judgement::Mixed.words(study.against),
            Judgement::Within.words(study.against)
        ),
        "Costs are this row's less its counterpart's; seconds of training a run and milliseconds of evaluating an image, metrics included, \
         are means over the runs on whatever machines they ran, and other work on these counts."
            .to_owned(),
    ]
}

/// How a column of text spells a verdict.
type Spell<'a> = &'a dyn Fn(&Verdict) -> String;

/// `+1 228 800`, `0`.
fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or("")).collect();
    let sign = match count {
        0 => "",
        1.. => "+",
        _ => "−",
    };
    format!("{sign}{}", groups.join(" "))
}

/// `+3.2 (12.5)`: more than the counterpart's, and its own.
fn pair(values: Option<[f64; 2]>) -> String {
    let Some([own, other]) = values else { return NOTHING.into() };
    format!("{} ({own:.1})", points((own - other) / 100.0))
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::sweep::Outcome;

    fn judgements(study: &Study) -> Vec<Judgement> {
        verdicts(study, &Comparison::of(study)).into_iter().map(|verdict| verdict.judgement).collect()
    }

    /// Five seeds: b gains a point on every run, c loses two, d neither.
    fn study() -> Study {
        let shift = [0.0, 0.01, -0.02, 0.0];
        let mut study = example::study(&["a", "b", "c", "d"], 5, |row, place, seed, _| {
            let wobble = if (place as u64 + seed).is_multiple_of(2) { 0.004 } else { -0.004 };
            0.8 + shift[row] + 0.001 * seed as f64 * row as f64 + if row == 3 { wobble } else { 0.0 } * 2.0
        });
        study.against = Against::Row(0);
        study
    }

    #[test]
    fn gains_and_losses_are_judged_by_the_stated_rules() {
        let mut study = study();
        assert_eq!(judgements(&study), [Judgement::Earns, Judgement::Costs, Judgement::Within]);
        study.cells.iter_mut().filter(|cell| cell.row == 1).for_each(|cell| {
            let value = cell.summary().unwrap().metric("", "pixel_auroc").unwrap();
            example::set(cell, "pixel_auroc", value - 0.1);
        });
        assert_eq!(judgements(&study)[0], Judgement::Mixed);
        assert_eq!(judgements(&example::ladder()), [Judgement::Untold; 2], "six pairs reach no p below 0.05");
        example::outcome(&mut study, 1, "gear", 0, Outcome::Missing);
        assert_eq!(judgements(&study).len(), 2, "what is not complete is not judged");
    }

    #[test]
    fn costs_stand_beside_the_effects() {
        let mut study = study();
        study.metrics.truncate(1);
        for cell in &mut study.cells {
            let row = cell.row;
            let Outcome::Finished(summary) = &mut cell.outcome else { continue };
            summary.counts = [("parameters".to_owned(), 1000 + 1_228_800 * row as u64), ("test_images".to_owned(), 10)].into();
            summary.timing.parts_s = [("train".to_owned(), 10.0 + row as f64), ("eval".to_owned(), 0.5)].into();
        }
        let table = Table::verdicts(&study, &Comparison::of(&study)).unwrap();
        let shown = super::super::render(&table, super::super::Form::Full, super::super::Format::Markdown);
        assert!(shown.contains("|  | n | image AUROC: Δ | parameters | training, s | ms an image | verdict |"), "{shown}");
        let line = shown.lines().find(|line| line.starts_with("| b ")).unwrap();
        assert!(line.contains("+1 228 800 | +1.0 (11.0) | 0.0 (50.0) | better |") && line.contains("p = 0.0"), "{line}");
        assert_eq!([grouped(0), grouped(-1234), grouped(56)], ["0", "−1 234", "+56"]);
    }
}
