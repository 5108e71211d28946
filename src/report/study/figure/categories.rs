//! Every row's mean in each category: categories downwards, rows by colour and shape.

use super::dots::{Base, Dots, Lane, Mark, Panel};
use super::look::{Entry, Fill, Sign};
use super::means::CUT;
use crate::report::plot::scale::Scale;
use crate::report::spell::heading;
use crate::report::study::Comparison;
use crate::sweep::Study;

/// How far apart the rows of a category stand, nominal pixels.
const STEP: f64 = 7.5;

/// The plot by category; `None` with fewer than two categories, or without any figure.
pub fn categories(study: &Study, comparison: &Comparison) -> Option<Dots> {
    let value = |row: usize, name: &str, category: &str| comparison.lines.get(row)?.figures.get(name)?.categories.get(category).copied();
    let rows: Vec<usize> = (0..study.rows.len()).filter(|&row| !study.is_quoted(row)).collect();
    let offset = |place: usize| STEP * (place as f64 - (rows.len() as f64 - 1.0) / 2.0);
    let mark = |(place, &row): (usize, &usize), name: &str, category: &str| {
        let value = 100.0 * value(row, name, category)?;
        let has = |&seed: &u64| study.summary(row, category, seed).is_some_and(|run| run.metric("", name).is_some());
        let fill = if study.seeds.iter().all(has) { Fill::Full } else { Fill::Open };
        Some(Mark { value, interval: None, sign: Sign::of_row(row).filled(fill), offset: offset(place) })
    };
    let panel = |name: &String| {
        let of = |category: &String| rows.iter().enumerate().filter_map(|at| mark(at, name, category)).collect::<Vec<Mark>>();
        let marks: Vec<Vec<Mark>> = study.categories.iter().map(of).collect();
        let values: Vec<f64> = marks.iter().flatten().map(|m| m.value).collect();
        Panel { title: format!("{}, %", heading(name)), scale: Scale::around(values.into_iter(), [0.0, 100.0]), base: Base::Cut, marks }
    };
    let panels: Vec<Panel> = comparison.metrics.iter().map(panel).collect();
    if study.categories.len() < 2 || panels.iter().all(|p| p.marks.iter().all(Vec::is_empty)) {
        return None;
    }
    let key = rows.iter().map(|&row| (Entry::Sign(Sign::of_row(row)), study.rows[row].name.clone())).collect();
    let seeds = match study.seeds.len() {
        1 => "one seed".to_owned(),
        n => format!("mean over {n} seeds"),
    };
    let planned = rows.len() * study.categories.len();
    let missing =
        |name: &String| study.categories.iter().map(|c| rows.iter().filter(|&&r| value(r, name, c).is_none()).count()).sum::<usize>();
    let missing = comparison.metrics.iter().map(missing).max().unwrap_or(0);
    let gaps =
        if missing > 0 { format!(" {missing} of {planned} marks are missing: no run of theirs is finished.") } else { String::new() };
    let open = panels.iter().flat_map(|p| p.marks.iter().flatten()).any(|m| m.sign.fill == Fill::Open);
    let open = if open { " Open marks: some of their seeds are missing." } else { "" };
    let remark = format!("Each mark: {seeds}; within a category, rows stand in their order from above.{open}{gaps} {CUT}");
    let lanes = study.categories.iter().map(|c| Lane { label: c.clone(), note: None }).collect();
    let lane_px = STEP * rows.len() as f64 + 12.0;
    Some(Dots { title: format!("{}: every category", study.title), lanes, panels, key, remark, lane_px })
}
