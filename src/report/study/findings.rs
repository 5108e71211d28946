//! What a comparison says, in sentences: which differences are larger than their noise, which contradict the paper, what the
//! number of runs can show at all, and where a gain may be an underfitted counterpart's loss.

use serde::Serialize;

use super::comparison::{Comparison, Line};
use super::difference::{Difference, LEVEL};
use super::effect_table;
use crate::names::counted;
use crate::num;
use crate::report::spell::{metric_name, p_value, p_words, percent, points};
use crate::sweep::{Against, Study};
use crate::ui::text::number;

/// A training has underfitted if its loss fell by less than this share of its first epoch's.
const LEAST_FALL: f64 = 0.3;

/// Or if its last gradient is so many times as long as that of the row compared.
const STEEP: f64 = 3.0;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Runs are missing.
    Missing,
    /// What p can be reached.
    Reach,
    /// Larger than its noise.
    Larger,
    /// Not larger than its noise.
    Within,
    /// How many more seeds would tell what is within the noise.
    Seeds,
    /// Runs of different settings that came out equal.
    Equal,
    /// Of the opposite sign to the paper's.
    AgainstPaper,
    /// A gain that may come from an underfitted counterpart.
    Underfit,
}

/// All findings, in the order in which they are read.
pub fn findings(study: &Study, comparison: &Comparison) -> Vec<Finding> {
    let mut all = Vec::new();
    all.extend(missing(comparison));
    all.extend(reach(comparison));
    for metric in &comparison.metrics {
        all.extend(sizes(study, comparison, metric));
        all.extend(seeds(study, comparison, metric));
        all.extend(against_paper(study, comparison, metric));
    }
    all.extend(equal(comparison));
    all.extend((0..comparison.lines.len()).filter_map(|row| underfit(comparison, row)));
    all
}

/// The findings as Markdown: what holds for all in a paragraph, then an item each.
pub fn text(findings: &[Finding]) -> String {
    let (general, items): (Vec<_>, Vec<_>) = findings.iter().partition(|f| matches!(f.kind, Kind::Missing | Kind::Reach));
    let general: Vec<&str> = general.iter().map(|f| f.text.as_str()).collect();
    let items: Vec<String> = items.iter().map(|f| format!("- {}", f.text)).collect();
    let parts = [general.join(" "), items.join("\n")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

fn finding(kind: Kind, text: String) -> Finding {
    Finding { kind, text }
}

fn missing(comparison: &Comparison) -> Option<Finding> {
    let planned: usize = comparison.lines.iter().map(|line| line.planned).sum();
    let count = comparison.missing.len();
    let verb = if count == 1 { "is" } else { "are" };
    let text = format!("{count} of {planned} runs {verb} missing; rows without all of theirs are left out.");
    (count > 0).then(|| finding(Kind::Missing, text))
}

fn reach(comparison: &Comparison) -> Option<Finding> {
    let crossed = !comparison.effects.is_empty();
    let count = comparison.compared();
    let smallest = num::smallest_p(comparison.pairs, count);
    let sized = format!("With {} and {}", counted(comparison.pairs, "pair", "pairs"), counted(count, "comparison", "comparisons"));
    let p = p_value(smallest);
    let begin = if crossed { "Each row and value is averaged over all else that varies. " } else { "" };
    let text = if smallest < LEVEL {
        format!("{begin}{sized}, the smallest adjusted p that can be reached is {p}.")
    } else {
        format!("{begin}{sized}, no adjusted p below {p} can be reached: no difference, however large, can be told from noise at {LEVEL}.")
    };
    (count > 0).then(|| finding(Kind::Reach, text))
}

/// What is compared, with its complete difference in a metric: main effects where several things vary, else rows.
fn measured(study: &Study, comparison: &Comparison, metric: &str) -> Vec<(String, Difference)> {
    if comparison.effects.is_empty() {
        return compared(comparison, metric).into_iter().map(|(line, d)| (line.name.clone(), d.clone())).collect();
    }
    let complete = |place: usize| comparison.effects[place].figures.get(metric).is_some_and(|figure| figure.complete);
    let of = |(place, effect): (usize, &super::Effect)| {
        let difference = effect.figures.get(metric)?.difference.as_ref()?;
        (complete(place) && complete(difference.against)).then(|| (effect_table::name(study, effect), difference.clone()))
    };
    comparison.effects.iter().enumerate().filter_map(of).collect()
}

/// A row with its complete difference in a metric.
fn compared<'a>(comparison: &'a Comparison, metric: &str) -> Vec<(&'a Line, &'a Difference)> {
    let of = |line: &'a Line| Some((line, line.figures.get(metric)?.difference.as_ref().filter(|d| d.n == comparison.pairs)?));
    comparison.lines.iter().filter_map(of).collect()
}

fn sizes(study: &Study, comparison: &Comparison, metric: &str) -> Vec<Finding> {
    let all = measured(study, comparison, metric);
    let (larger, within): (Vec<_>, Vec<_>) = all.iter().partition(|(_, d)| d.p_holm < LEVEL);
    let list = |some: &[&(String, Difference)]| -> String {
        let one = |(name, d): &&(String, Difference)| format!("{name} ({}, p {})", points(d.mean), p_words(d.p_holm));
        some.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let name = metric_name(study, metric);
    let [step, steps] = if comparison.effects.is_empty() { what(study) } else { ["main effect", "main effects"] };
    let counted = |n: usize| counted(n, step, steps);
    let mut findings = Vec::new();
    if !larger.is_empty() {
        let text = format!("{name}: {} larger than the noise, in points: {}.", counted(larger.len()), list(&larger));
        findings.push(finding(Kind::Larger, text));
    }
    if !within.is_empty() {
        let text = format!("{name}: {} not larger than the noise: {}.", counted(within.len()), list(&within));
        findings.push(finding(Kind::Within, text));
    }
    findings
}

/// How many more seeds would tell each difference that is within the noise, if it is as large as it was seen.
fn seeds(study: &Study, comparison: &Comparison, metric: &str) -> Option<Finding> {
    let within = measured(study, comparison, metric).into_iter().filter(|(_, d)| d.p_holm >= LEVEL);
    let one = |(name, d): (String, Difference)| Some(format!("{} of {name} {}", points(d.mean), more_seeds(study, comparison, &d)?));
    let all: Vec<String> = within.filter_map(one).collect();
    let (name, chance) = (metric_name(study, metric), percent(num::POWER).replace(".0", ""));
    let text = format!("{name}: to tell what was seen with {chance} % probability would take: {}.", all.join(", "));
    (!all.is_empty()).then(|| finding(Kind::Seeds, text))
}

/// `12 more seeds`; none where there is no effect to tell or no spread to plan by.
pub(super) fn more_seeds(study: &Study, comparison: &Comparison, difference: &Difference) -> Option<String> {
    /// Beyond which the number itself says nothing.
    const MOST: u64 = 100;
    if points(difference.mean) == "0.0" || difference.n == 0 {
        return None;
    }
    let pairs = num::pairs_needed(difference.mean, difference.deviation?, comparison.compared(), LEVEL)?;
    let seeds = pairs.div_ceil(study.categories.len() as u64);
    let more = seeds.saturating_sub(study.seeds.len() as u64).max(1);
    Some(match more {
        more if more > MOST => format!("more than {MOST} more seeds"),
        _ => format!("about {}", counted(more as usize, "more seed", "more seeds")),
    })
}

/// Rows whose runs came out equal to the bit.
fn equal(comparison: &Comparison) -> Option<Finding> {
    let one = |equal: &super::Equal| {
        let name = |row: usize| &comparison.lines[row].name;
        format!("{} and {} ({} of {} pairs)", name(equal.against), name(equal.row), equal.n, equal.of)
    };
    let all: Vec<String> = comparison.equal.iter().map(one).collect();
    let text =
        format!("Equal to the bit, losses and metrics: {}. What differs between them was never active in these runs.", all.join(", "));
    (!all.is_empty()).then(|| finding(Kind::Equal, text))
}

/// What a study compares: one, and several.
fn what(study: &Study) -> [&'static str; 2] {
    match study.against {
        Against::Previous => ["step", "steps"],
        Against::Row(_) => ["difference", "differences"],
    }
}

/// Differences whose sign, as printed, is the opposite of the paper's.
fn against_paper(study: &Study, comparison: &Comparison, metric: &str) -> Option<Finding> {
    let one = |(line, d): (&Line, &Difference)| {
        let paper = line.figures[metric].published? - comparison.lines[d.against].figures.get(metric)?.published?;
        let (ours, theirs) = (points(d.mean), points(paper));
        // Differences that print as nothing have no sign.
        let contradicts = ours != "0.0" && theirs != "0.0" && (d.mean > 0.0) != (paper > 0.0);
        let sure = if d.p_holm < LEVEL { "larger than the noise" } else { "within the noise" };
        contradicts.then(|| format!("{} ({ours} here, {theirs} in the paper; {sure})", line.name))
    };
    let all: Vec<String> = compared(comparison, metric).into_iter().filter_map(one).collect();
    let [step, steps] = what(study);
    let text = format!(
        "{}: {} with the opposite sign to the paper: {}.",
        metric_name(study, metric),
        counted(all.len(), step, steps),
        all.join(", ")
    );
    (!all.is_empty()).then(|| finding(Kind::AgainstPaper, text))
}

/// A warning where a row gains on a counterpart that did not train as well: a gain by its test or its interval.
fn underfit(comparison: &Comparison, row: usize) -> Option<Finding> {
    let line = &comparison.lines[row];
    let other = &comparison.lines[comparison.counterparts[row]?];
    let gains = line
        .figures
        .values()
        .filter_map(|f| f.difference.as_ref())
        .any(|d| d.n == comparison.pairs && points(d.mean) != "0.0" && is_gain(d));
    let fall = other.training.first_loss.zip(other.training.last_loss).map(|(first, last)| (first, last, (first - last) / first));
    let stuck = fall.filter(|(first, _, fall)| *first > 0.0 && *fall < LEAST_FALL).map(|(first, last, fall)| match fall {
        fall if fall > 0.0 => {
            format!("its last loss {} is only {} % below its first epoch's {}", number(last), percent(fall), number(first))
        }
        _ => format!("its last loss {} is not below its first epoch's {}", number(last), number(first)),
    });
    let norms = other.training.grad_norm.zip(line.training.grad_norm).filter(|(theirs, ours)| *ours > 0.0 && *theirs >= STEEP * ours);
    let steep = norms.map(|(theirs, ours)| {
        format!("its last gradient norm {} is {:.1} times this row's {}", number(theirs), theirs / ours, number(ours))
    });
    let signs: Vec<String> = stuck.into_iter().chain(steep).collect();
    let text = format!("Warning: {} may owe its gain to an underfitted counterpart, {}: {}.", line.name, other.name, signs.join(", and "));
    (gains && !signs.is_empty()).then(|| finding(Kind::Underfit, text))
}

/// Whether a difference can be believed to be above zero.
fn is_gain(d: &Difference) -> bool {
    d.mean > 0.0 && (d.p_holm < LEVEL || d.interval.is_some_and(|[low, _]| low > 0.0))
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::sweep::Outcome;

    fn texts(findings: &[Finding], kind: Kind) -> Vec<&str> {
        findings.iter().filter(|f| f.kind == kind).map(|f| f.text.as_str()).collect()
    }

    #[test]
    fn few_pairs_are_said_to_show_nothing() {
        let study = example::ladder();
        let all = findings(&study, &Comparison::of(&study));
        let expected = "With 6 pairs and 2 comparisons, no adjusted p below 0.062 can be reached: no difference, however large, can be told from noise at 0.05.";
        assert_eq!(texts(&all, Kind::Reach), [expected]);
        assert_eq!(texts(&all, Kind::Larger), Vec::<&str>::new());
        assert_eq!(
            texts(&all, Kind::Within)[0],
            "image AUROC: 2 steps not larger than the noise: + self-calibration (+5.0, p = 0.062), + STLNet (0.0, p = 1.000)."
        );
    }

    /// Five seeds: row b gains a point on every run, row c loses and wins.
    fn longer() -> Study {
        example::study(&["a", "b", "c"], 5, |row, place, seed, _| {
            let wobble = if (place as u64 + seed).is_multiple_of(2) { 0.004 } else { -0.004 };
            0.8 + 0.01 * f64::from(row > 0) + 0.001 * seed as f64 * row as f64 + if row == 2 { wobble } else { 0.0 }
        })
    }

    #[test]
    fn a_steady_gain_is_larger_than_its_noise_and_an_unsteady_one_is_not() {
        let mut study = longer();
        study.metrics.truncate(1);
        let all = findings(&study, &Comparison::of(&study));
        assert_eq!(texts(&all, Kind::Reach), ["With 10 pairs and 2 comparisons, the smallest adjusted p that can be reached is 0.004."]);
        let larger = texts(&all, Kind::Larger);
        assert_eq!(larger, ["image AUROC: 1 step larger than the noise, in points: b (+1.2, p = 0.004)."]);
        assert!(texts(&all, Kind::Within)[0].starts_with("image AUROC: 1 step not larger than the noise: c (+0.2, p = "));
        assert_eq!(all.iter().map(|f| f.kind).collect::<Vec<_>>(), [Kind::Reach, Kind::Larger, Kind::Within, Kind::Seeds, Kind::Underfit]);
        let seeds = texts(&all, Kind::Seeds)[0];
        assert!(seeds.starts_with("image AUROC: to tell what was seen with 80 % probability would take: +0.2 of c about "), "{seeds}");
        assert_eq!(text(&all[..2]), format!("{}\n\n- {}", all[0].text, larger[0]));
        study.against = Against::Row(0);
        let all = findings(&study, &Comparison::of(&study));
        assert!(texts(&all, Kind::Larger)[0].contains("2 differences larger"), "{all:?}");
    }

    #[test]
    fn a_sign_against_the_papers_is_named() {
        let study = example::ladder();
        let all = findings(&study, &Comparison::of(&study));
        // The paper gains 0.87 AUPRO by self-calibration; here it is lost.
        assert_eq!(
            texts(&all, Kind::AgainstPaper),
            ["AUPRO@0.3: 1 step with the opposite sign to the paper: + self-calibration (−2.5 here, +0.9 in the paper; within the noise)."]
        );
    }

    #[test]
    fn a_gain_on_an_underfitted_counterpart_is_warned_of() {
        let study = example::ladder();
        let mut comparison = Comparison::of(&study);
        let warned = |comparison: &Comparison| -> Vec<String> {
            texts(&findings(&study, comparison), Kind::Underfit).into_iter().map(str::to_owned).collect()
        };
        let norm = "its last gradient norm 30.00 is 3.8 times this row's 8.000.";
        let head = "Warning: + self-calibration may owe its gain to an underfitted counterpart, baseline: ";
        assert_eq!(warned(&comparison), [format!("{head}{norm}")]);
        let mut noise = comparison.clone();
        for figure in noise.lines[1].figures.values_mut() {
            figure.difference.as_mut().unwrap().mean = 0.0004;
        }
        assert!(warned(&noise).is_empty(), "what prints as 0.0 is not a gain");
        for figure in noise.lines[1].figures.values_mut() {
            let difference = figure.difference.as_mut().unwrap();
            (difference.mean, difference.interval) = (0.05, Some([-0.01, 0.11]));
        }
        assert!(warned(&noise).is_empty(), "there is no gain to doubt");
        comparison.lines[0].training.first_loss = Some(1.0);
        assert_eq!(warned(&comparison), [format!("{head}its last loss 0.9000 is only 10.0 % below its first epoch's 1.000, and {norm}")]);
        comparison.lines[0].training.first_loss = Some(0.8);
        assert!(warned(&comparison)[0].contains("is not below its first epoch's 0.8000"));
        comparison.lines[0].training.first_loss = Some(2.0);
        comparison.lines[0].training.grad_norm = Some(16.0);
        assert!(warned(&comparison).is_empty(), "a counterpart that trained well");
        comparison.lines[0].training.grad_norm = None;
        assert!(warned(&comparison).is_empty(), "what was not recorded is not a sign");
    }

    #[test]
    fn missing_runs_come_first_and_their_rows_are_left_out() {
        let mut study = example::ladder();
        example::outcome(&mut study, 2, "gear", 0, Outcome::Missing);
        let all = findings(&study, &Comparison::of(&study));
        assert_eq!(all[0].text, "1 of 18 runs is missing; rows without all of theirs are left out.");
        assert!(texts(&all, Kind::Within).iter().all(|text| !text.contains("STLNet")));
    }
}
