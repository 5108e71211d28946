//! What a study found, in at most three sentences: what is best, what each thing that varies does, and what cannot be told.

use super::comparison::{Comparison, Line};
use super::difference::{Difference, LEVEL};
use super::effect::Effect;
use super::effect_table::name;
use super::findings::more_seeds;
use super::verdict::{Judgement, verdicts};
use crate::names::counted;
use crate::num;
use crate::report::spell::{metric_name, p_words, percent, points};
use crate::sweep::design::ROW;
use crate::sweep::{Against, Study};

/// Names that are listed before the rest is counted.
const MOST: usize = 4;

/// The answer by the study's first metric; empty where no row is complete.
pub fn answer(study: &Study, comparison: &Comparison) -> Vec<String> {
    let Some(metric) = study.metrics.first() else { return vec![] };
    let Some(best) = best(study, comparison, metric) else { return vec![] };
    let effects =
        if comparison.effects.is_empty() { rows(comparison, study).into_iter().collect() } else { factors(study, comparison, metric) };
    std::iter::once(best).chain(effects).chain(untold(study, comparison, metric)).take(3).collect()
}

/// Which row is highest, with those that print alike.
fn best(study: &Study, comparison: &Comparison, metric: &str) -> Option<String> {
    let complete = |line: &&Line| line.planned > 0 && line.figures[metric].complete;
    let mean = |line: &Line| line.figures[metric].mean.unwrap_or(f64::NEG_INFINITY);
    let lines: Vec<&Line> = comparison.lines.iter().filter(complete).collect();
    let first = lines.iter().copied().reduce(|a, b| if mean(b) > mean(a) { b } else { a })?;
    let alike: Vec<&str> = lines.iter().filter(|line| percent(mean(line)) == percent(mean(first))).map(|line| line.name.as_str()).collect();
    let spread = first.figures[metric].deviation.map_or(String::new(), |d| format!(" ± {}", percent(d)));
    let others = lines.len() < comparison.lines.iter().filter(|line| line.planned > 0).count();
    let of = if others { ", of the rows that are complete" } else { "" };
    let spread = if alike.len() == 1 { spread } else { String::new() };
    Some(format!("{} is highest for {}: {}{spread} %{of}.", metric_name(study, metric), listed(&alike), percent(mean(first))))
}

/// What each factor does on average, in one sentence for keys and one for named rows.
fn factors(study: &Study, comparison: &Comparison, metric: &str) -> Vec<String> {
    let effects = &comparison.effects;
    let (rows, keys): (Vec<_>, Vec<_>) = effects.chunk_by(|a, b| a.factor == b.factor).partition(|levels| levels[0].factor == ROW);
    let key = |levels: &&[Effect]| {
        let of = |effect: &Effect| effect.figures[metric].mean.filter(|_| effect.figures[metric].complete);
        let highest =
            levels.iter().filter(|effect| of(effect).is_some()).max_by(|a, b| of(a).partial_cmp(&of(b)).expect("means are finite"))?;
        let told = levels.iter().filter_map(|effect| effect.figures[metric].difference.as_ref()).any(|d| d.p_holm < LEVEL);
        Some(match (told, &highest.figures[metric].difference) {
            (false, _) => format!("{} makes no difference that can be told{}", study.label(&highest.factor), range(levels, metric)),
            (true, Some(d)) => format!("{} is best ({})", name(study, highest), difference(d)),
            (true, None) => {
                let rest = levels.iter().filter_map(|effect| Some((effect, effect.figures[metric].difference.as_ref()?)));
                let rest: Vec<String> = rest.map(|(effect, d)| format!("{} {}", effect.level, difference(d))).collect();
                format!("{} is best ({})", name(study, highest), rest.join("; "))
            }
        })
    };
    let keys: Vec<String> = keys.iter().filter_map(key).collect();
    let keys = (!keys.is_empty()).then(|| format!("On average over all else, {}.", keys.join("; ")));
    let row = |effect: &Effect| {
        let d = effect.figures[metric].difference.as_ref()?;
        let told = if d.p_holm < LEVEL { "" } else { ", within the noise" };
        let cells = settings(comparison, effect, &effects[d.against], metric);
        Some(format!("{} against {}: {}{told}{cells}", effect.level, effects[d.against].level, difference(d)))
    };
    let rows: Vec<String> = rows.iter().flat_map(|levels| levels.iter()).filter_map(row).collect();
    let rows = (!rows.is_empty()).then(|| format!("{}.", listed(&rows.iter().map(String::as_str).collect::<Vec<_>>())));
    keys.into_iter().chain(rows).collect()
}

/// `; higher at 3 of 4 settings`: at how many of the other levels a row's mean is above its counterpart's.
fn settings(comparison: &Comparison, own: &Effect, other: &Effect, metric: &str) -> String {
    let mean = |row: usize| comparison.lines[row].figures[metric].mean.filter(|_| comparison.lines[row].figures[metric].complete);
    let pairs: Vec<(f64, f64)> = own.rows.iter().zip(&other.rows).filter_map(|(a, b)| mean(*a).zip(mean(*b))).collect();
    let above = pairs.iter().filter(|(a, b)| a > b).count();
    format!("; higher at {above} of {}", counted(pairs.len(), "setting", "settings"))
}

/// ` (75.0 to 75.4)`: between which means a key's values lie.
fn range(levels: &[Effect], metric: &str) -> String {
    let means: Vec<f64> = levels.iter().filter_map(|effect| effect.figures[metric].mean).collect();
    let (low, high) = means.iter().fold((f64::MAX, f64::MIN), |(low, high), m| (low.min(*m), high.max(*m)));
    if means.is_empty() { String::new() } else { format!(" ({} to {} %)", percent(low), percent(high)) }
}

/// What the rows do, by their verdicts on all metrics.
fn rows(comparison: &Comparison, study: &Study) -> Option<String> {
    let all = verdicts(study, comparison);
    let modules = study.against == Against::Previous;
    let words = |judgement: Judgement| match (judgement, modules) {
        (Judgement::Earns, false) => ["is better", "are better"],
        (Judgement::Costs, false) => ["is worse", "are worse"],
        (Judgement::Mixed, false) => ["is better in one metric and worse in another", "are better in one metric and worse in another"],
        (Judgement::Earns, true) => ["earns its place", "earn their place"],
        (Judgement::Costs, true) => ["costs", "cost"],
        (Judgement::Mixed, true) => ["gains in one metric and loses in another", "gain in one metric and lose in another"],
        (Judgement::Within, _) => ["is within the noise", "are within the noise"],
        (Judgement::Untold, _) => ["cannot be told", "cannot be told"],
    };
    let order = [Judgement::Earns, Judgement::Mixed, Judgement::Costs, Judgement::Within];
    let part = |judgement: Judgement| {
        let names: Vec<&str> = all.iter().filter(|v| v.judgement == judgement).map(|v| comparison.lines[v.row].name.as_str()).collect();
        (!names.is_empty()).then(|| format!("{} {}", listed(&names), words(judgement)[usize::from(names.len() > 1)]))
    };
    let parts: Vec<String> = order.into_iter().filter_map(part).collect();
    let metrics = counted(study.metrics.len(), "metric", "metrics");
    (!parts.is_empty()).then(|| format!("By all {metrics}, {}.", parts.join("; ")))
}

/// What the number of runs cannot show, or how many more would.
fn untold(study: &Study, comparison: &Comparison, metric: &str) -> Option<String> {
    let count = comparison.compared();
    if count > 0 && num::smallest_p(comparison.pairs, count) >= LEVEL {
        let (pairs, count) = (counted(comparison.pairs, "pair", "pairs"), counted(count, "comparison", "comparisons"));
        return Some(format!("{pairs} and {count} are too few to tell any difference from noise."));
    }
    let open = if comparison.effects.is_empty() { lines(comparison, metric) } else { levels(study, comparison, metric) };
    let (name, difference) = open.into_iter().max_by(|(_, a), (_, b)| a.mean.abs().total_cmp(&b.mean.abs()))?;
    let seeds = more_seeds(study, comparison, difference)?;
    Some(format!("To tell {} of {name} from noise would take {seeds}.", points(difference.mean)))
}

/// Rows within the noise.
fn lines<'a>(comparison: &'a Comparison, metric: &str) -> Vec<(String, &'a Difference)> {
    let of = |line: &'a Line| Some((line.name.clone(), line.figures[metric].difference.as_ref()?));
    comparison.lines.iter().filter_map(of).filter(|(_, d)| d.n == comparison.pairs && d.p_holm >= LEVEL).collect()
}

/// Levels within the noise.
fn levels<'a>(study: &Study, comparison: &'a Comparison, metric: &str) -> Vec<(String, &'a Difference)> {
    let of = |effect: &'a Effect| Some((name(study, effect), effect.figures[metric].difference.as_ref()?));
    comparison.effects.iter().filter_map(of).filter(|(_, d)| d.p_holm >= LEVEL).collect()
}

/// `+4.0 points, p < 0.001`.
fn difference(d: &Difference) -> String {
    format!("{} points, p {}", points(d.mean), p_words(d.p_holm))
}

/// `a, b and c`; of more than so many the rest is counted.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [some @ .., last] if names.len() <= MOST => format!("{} and {last}", some.join(", ")),
        _ => format!("{} and {} more", names[..MOST - 1].join(", "), names.len() - (MOST - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::sweep::Outcome;

    #[test]
    fn a_grid_of_rows_and_keys_is_answered_in_three_sentences() {
        let study = example::crossed_over(5);
        let expected = [
            "image AUROC is highest for texture · loss.score.gamma=2, loss.score.lambda=0.5 and texture · loss.score.gamma=2, \
             loss.score.lambda=1: 79.5 %.",
            "On average over all else, loss.score.gamma=2 is best (+4.0 points, p = 0.006); loss.score.lambda makes no difference that \
             can be told (76.5 to 76.5 %).",
            "texture against plain: +2.0 points, p = 0.006; higher at 4 of 4 settings.",
        ];
        assert_eq!(answer(&study, &Comparison::of(&study)), expected);
    }

    #[test]
    fn too_few_pairs_are_said_to_be_too_few() {
        let study = example::ladder();
        let said = answer(&study, &Comparison::of(&study));
        assert_eq!(said[0], "image AUROC is highest for + self-calibration and + STLNet: 91.0 %.");
        assert_eq!(said[1..], ["6 pairs and 2 comparisons are too few to tell any difference from noise."]);
    }

    #[test]
    fn named_rows_are_answered_by_their_verdicts_and_by_what_more_seeds_would_tell() {
        let study = example::study(&["a", "b", "c"], 5, |row, place, seed, _| {
            let wobble = if (place as u64 + seed).is_multiple_of(2) { 0.02 } else { -0.014 };
            0.8 + [0.0, 0.01, 0.01][row] + 0.001 * (seed * row as u64) as f64 + if row == 2 { wobble } else { 0.0 }
        });
        let said = answer(&study, &Comparison::of(&study));
        assert_eq!(said[1], "By all 3 metrics, b earns its place; c is within the noise.");
        assert!(said[2].starts_with("To tell +0.5 of c from noise would take ") && said[2].ends_with(" more seeds."), "{said:?}");
    }

    #[test]
    fn a_study_without_a_complete_row_has_no_answer_and_long_lists_are_counted() {
        let mut study = example::ladder();
        study.cells.iter_mut().for_each(|cell| cell.outcome = Outcome::Missing);
        assert!(answer(&study, &Comparison::of(&study)).is_empty());
        assert_eq!([listed(&["a", "b"]), listed(&["a"; 4]), listed(&["a"; 6])], ["a and b", "a, a, a and a", "a, a, a and 3 more"]);
    }
}
