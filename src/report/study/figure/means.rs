//! Every row's means, one panel a metric, with the spread over seeds, each seed and the paper's figures.

use super::dots::{Base, Dots, Lane, Mark, Panel};
use super::look::{Entry, Fill, Sign, names, with_shared};
use crate::names::counted;
use crate::num;
use crate::report::plot::scale::Scale;
use crate::report::spell::metric_name;
use crate::report::study::{Comparison, Figure};
use crate::sweep::Study;

/// The plot of means; `None` where no row has any figure.
pub fn means(study: &Study, comparison: &Comparison) -> Option<Dots> {
    let panels: Vec<Panel> = comparison.metrics.iter().map(|name| panel(study, comparison, name)).collect();
    let shown = || comparison.lines.iter().flat_map(|line| line.figures.values());
    if !shown().any(|figure| figure.mean.is_some()) {
        return None;
    }
    let has = |sign: Sign| panels.iter().flat_map(|p| p.marks.iter().flatten()).any(|mark| mark.sign == sign);
    let mut key = vec![match shown().any(|figure| figure.deviation.is_some()) {
        true => (Entry::Interval(Sign::MEAN), "mean ± deviation over seeds".to_owned()),
        false => (Entry::Sign(Sign::MEAN), "mean".to_owned()),
    }];
    for (sign, words) in [(Sign::INCOMPLETE, "mean of an incomplete row"), (Sign::SEED, "one seed"), (Sign::PUBLISHED, "published")] {
        if has(sign) {
            key.push((Entry::Sign(sign), words.to_owned()));
        }
    }
    let mut remark = format!("{} ", sample(study));
    if has(Sign::INCOMPLETE) {
        remark += "A mean of an incomplete row leaves runs out and is not comparable with the others. ";
    }
    remark += CUT;
    let remark = with_shared(&remark, &names(study));
    Some(Dots { title: format!("{}: every row", study.title), lanes: lanes(study, comparison), panels, key, remark, lane_px: 26.0 })
}

/// What axes that do not start at zero say.
pub const CUT: &str = "Axes with two strokes at their lower end do not start at zero.";

/// What is averaged, in a sentence.
pub fn sample(study: &Study) -> String {
    let (categories, seeds) = (study.categories.len(), study.seeds.len());
    format!(
        "n = {} a row: {}, {}; seeds are averaged within each category, then categories, each counting the same.{}",
        counted(categories * seeds, "run", "runs"),
        counted(categories, "category", "categories"),
        counted(seeds, "seed", "seeds"),
        if seeds == 1 { " One seed shows no spread." } else { "" }
    )
}

/// The rows with what is missing of them.
pub fn lanes(study: &Study, comparison: &Comparison) -> Vec<Lane> {
    let note = |n: usize, planned: usize| (n < planned).then(|| format!("{n} of {planned} runs"));
    let line = |(i, row): (usize, &String)| {
        let note = comparison.lines.get(i).and_then(|line| note(line.n, line.planned));
        Lane { number: i + 1, label: row.clone(), note }
    };
    names(study).names.iter().enumerate().map(line).collect()
}

fn panel(study: &Study, comparison: &Comparison, name: &str) -> Panel {
    let marks: Vec<Vec<Mark>> = (0..study.rows.len())
        .map(|row| match comparison.lines.get(row).and_then(|line| line.figures.get(name)) {
            Some(figure) => marks(figure, &seeds(study, row, name)),
            None => vec![],
        })
        .collect();
    let values = marks.iter().flatten().flat_map(|m| std::iter::once(m.value).chain(m.interval.into_iter().flatten()));
    let scale = Scale::around(values.collect::<Vec<_>>().into_iter(), [0.0, 100.0]);
    Panel { title: format!("{}, %", metric_name(study, name)), scale, base: Base::Cut, marks }
}

fn marks(figure: &Figure, seeds: &[f64]) -> Vec<Mark> {
    let mut marks = vec![];
    let plain = |value: f64, sign: Sign| Mark { value: 100.0 * value, interval: None, sign, offset: 0.0 };
    if let Some(published) = figure.published {
        marks.push(Mark { offset: -6.0, ..plain(published, Sign::PUBLISHED) });
    }
    if seeds.len() > 1 {
        marks.extend(seeds.iter().map(|&value| Mark { offset: 7.5, ..plain(value, Sign::SEED) }));
    }
    if let Some(mean) = figure.mean {
        let sign = if figure.complete { Sign::MEAN } else { Sign::MEAN.filled(Fill::Open) };
        let interval = figure.deviation.map(|d| [100.0 * (mean - d), 100.0 * (mean + d)]);
        marks.push(Mark { interval, ..plain(mean, sign) });
    }
    marks
}

/// Of each seed that is complete, the mean over categories.
pub fn seeds(study: &Study, row: usize, name: &str) -> Vec<f64> {
    let of = |seed: u64| -> Option<f64> {
        let values = study.categories.iter().map(|category| study.summary(row, category, seed)?.metric("", name));
        num::mean(&values.collect::<Option<Vec<f64>>>()?)
    };
    study.seeds.iter().filter_map(|&seed| of(seed)).collect()
}
