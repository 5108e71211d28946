//! One metric by category: a small plot for each category, all on one axis, with every row, its seeds and their mean.

use super::dots::{Base, Dots, Lane, Mark, Panel};
use super::look::{Entry, Fill, Sign, names, with_shared};
use super::means::CUT;
use crate::num;
use crate::report::plot::scale::Scale;
use crate::report::spell::metric_name;
use crate::sweep::Study;

/// The plots of `metric`; `None` with fewer than two categories, or without any figure.
pub fn categories(study: &Study, metric: &str) -> Option<Dots> {
    let rows: Vec<usize> = (0..study.rows.len()).filter(|&row| !study.is_quoted(row)).collect();
    let panel = |category: &String| -> Vec<Vec<Mark>> { rows.iter().map(|&row| marks(study, row, category, metric)).collect() };
    let marks: Vec<Vec<Vec<Mark>>> = study.categories.iter().map(panel).collect();
    let every = || marks.iter().flatten().flatten();
    if study.categories.len() < 2 || every().next().is_none() {
        return None;
    }
    let scale = Scale::around(every().map(|mark| mark.value), [0.0, 100.0]);
    let has = |sign: Sign| every().any(|mark| mark.sign == sign);
    let signs = [(Sign::MEAN, "mean over seeds"), (Sign::INCOMPLETE, "mean of the seeds that are finished"), (Sign::SEED, "one seed")];
    let key = signs.into_iter().filter(|(sign, _)| has(*sign)).map(|(sign, words)| (Entry::Sign(sign), words.to_owned())).collect();
    let planned = rows.len() * study.categories.len();
    let missing = marks.iter().flatten().filter(|marks| marks.is_empty()).count();
    let gaps = match missing {
        0 => String::new(),
        n => format!(" {n} of {planned} marks are missing: no finished run has this metric there."),
    };
    let panels = study.categories.iter().zip(marks);
    let names = names(study);
    Some(Dots {
        title: format!("{}: {} by category", study.title, metric_name(study, metric)),
        lanes: rows.iter().map(|&row| Lane { number: row + 1, label: names.names[row].clone(), note: None }).collect(),
        panels: panels.map(|(category, marks)| Panel { title: format!("{category}, %"), scale, base: Base::Cut, marks }).collect(),
        key,
        remark: with_shared(&format!("All categories have the same axis.{gaps} {CUT}"), &names),
        lane_px: 22.0,
    })
}

/// A row's seeds in a category, if there are several, and their mean; open where some are missing.
fn marks(study: &Study, row: usize, category: &str, metric: &str) -> Vec<Mark> {
    let of = |&seed: &u64| study.summary(row, category, seed)?.metric("", metric);
    let seeds: Vec<f64> = study.seeds.iter().filter_map(of).collect();
    let mark = |value: f64, sign: Sign, offset: f64| Mark { value: 100.0 * value, interval: None, sign, offset };
    let Some(mean) = num::mean(&seeds) else { return vec![] };
    let fill = if seeds.len() == study.seeds.len() { Fill::Full } else { Fill::Open };
    let single = if study.seeds.len() > 1 { &seeds[..] } else { &[] };
    single.iter().map(|&value| mark(value, Sign::SEED, 6.0)).chain([mark(mean, Sign::MEAN.filled(fill), 0.0)]).collect()
}
