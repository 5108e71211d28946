//! Whether one factor matters at all values of another: a line for each value of one, over the values of the other.

use serde_json::Value;

use super::course::{Course, Line, Panel, Point};
use super::group::groups;
use super::look::{Sign, with_shared};
use super::means::{CUT, sample};
use crate::report::label::shortened;
use crate::report::plot::scale::Scale;
use crate::report::spell::{metric_name, spelled};
use crate::report::study::{Comparison, Figure};
use crate::sweep::{Axis, Study};

/// One plot's rows: `rows[line][level]`.
struct Crossed {
    /// What else they have in common; empty where it is nothing.
    of: String,
    rows: Vec<Vec<Option<usize>>>,
}

/// Both factors.
struct Factors {
    /// The key along the axis and its values.
    key: String,
    levels: Vec<String>,
    /// What the lines are called, and what is left out of their names.
    lines: crate::report::label::Shortened,
    plots: Vec<Crossed>,
    /// A sentence about what the lines are.
    words: String,
}

/// Neighbouring lines stand so much beside one another, as a share of the distance of two levels, so that their intervals show.
const APART: f64 = 0.07;

/// The plot; `None` unless two keys are varied, or one that is no number beside rows with names, and two lines have figures.
pub fn interaction(study: &Study, comparison: &Comparison) -> Option<Course> {
    let factors = match &study.axes[..] {
        [one, other] => two_keys(study, one, other),
        [key] if key.values.iter().any(|value| value.as_f64().is_none()) => rows_and_key(study, key)?,
        _ => return None,
    };
    let figure = |row: usize, name: &str| comparison.lines.get(row)?.figures.get(name);
    let panel = |name: &String, plot: &Crossed| {
        let count = plot.rows.len() as f64;
        let line = |(i, rows): (usize, &Vec<Option<usize>>)| {
            let beside = APART * (i as f64 - (count - 1.0) / 2.0);
            let point = |(level, row): (usize, &Option<usize>)| point(level as f64 + beside, row.and_then(|row| figure(row, name)));
            let points = rows.iter().enumerate().map(point).collect();
            Line { name: factors.lines.names[i].clone(), sign: Sign::of_row(i), points }
        };
        let lines: Vec<Line> = plot.rows.iter().enumerate().map(line).collect();
        let ends = |p: &Point| [p.mean, p.mean.zip(p.deviation).map(|(m, d)| m - d), p.mean.zip(p.deviation).map(|(m, d)| m + d)];
        let values: Vec<f64> = lines.iter().flat_map(|line| &line.points).flat_map(ends).flatten().collect();
        Panel {
            of: plot.of.clone(),
            title: format!("{}, %", metric_name(study, name)),
            y: Scale::around(values.into_iter(), [0.0, 100.0]),
            lines,
        }
    };
    let panels: Vec<Panel> = comparison
        .metrics
        .iter()
        .flat_map(|name| factors.plots.iter().map(move |plot| (name, plot)))
        .map(|(name, plot)| panel(name, plot))
        .collect();
    let drawn = |line: &&Line| line.points.iter().any(|point| point.mean.is_some());
    if !panels.iter().any(|panel| panel.lines.iter().filter(drawn).count() > 1) {
        return None;
    }
    let remark = format!(
        "{} {} Where lines run in parallel, one matters as much at all values of the other. Intervals are the deviation over seeds; \
         values stand side by side, whatever their distance, and lines a little beside one another. {CUT}",
        sample(study),
        factors.words
    );
    let last = factors.levels.len() as f64 - 1.0;
    Some(Course {
        title: format!("{}: interaction with {}", study.title, factors.key),
        x: Scale::Linear { low: -0.4, high: last + 0.4 },
        remark: with_shared(&remark, &factors.lines),
        key: factors.key,
        levels: factors.levels,
        panels,
    })
}

fn point(x: f64, figure: Option<&Figure>) -> Point {
    let percent = |value: Option<f64>| value.map(|v| 100.0 * v);
    let figure = figure.cloned().unwrap_or_default();
    Point { x, mean: percent(figure.mean), deviation: percent(figure.deviation), complete: figure.complete, published: None }
}

/// The key of more values along the axis, a line for each value of the other; a plot for each setting of all else.
fn two_keys(study: &Study, one: &Axis, other: &Axis) -> Factors {
    let (across, lines) = if other.values.len() > one.values.len() { (other, one) } else { (one, other) };
    let groups = groups(study, &study.axes);
    let names = shortened(&groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>());
    let is = |row: usize, key: &str, value: &Value| study.rows[row].settings.get(key) == Some(value);
    let plot = |(group, name): (&super::group::Group, &String)| {
        let row = |a: &Value, b: &Value| group.rows.iter().copied().find(|&row| is(row, &lines.key, a) && is(row, &across.key, b));
        let rows = lines.values.iter().map(|a| across.values.iter().map(|b| row(a, b)).collect()).collect();
        Crossed { of: if groups.len() > 1 { name.clone() } else { String::new() }, rows }
    };
    let named: Vec<String> = lines.values.iter().map(|value| format!("{}={}", study.label(&lines.key), spelled(value))).collect();
    Factors {
        key: study.label(&across.key).to_owned(),
        levels: across.values.iter().map(spelled).collect(),
        lines: shortened(&named),
        plots: groups.iter().zip(&names.names).map(plot).collect(),
        words: format!("A line for each value of {}, over {}.", study.label(&lines.key), study.label(&across.key)),
    }
}

/// The key along the axis, a line for each setting of all else.
fn rows_and_key(study: &Study, axis: &Axis) -> Option<Factors> {
    let groups = groups(study, &study.axes);
    let is = |row: usize, value: &Value| study.rows[row].settings.get(&axis.key) == Some(value);
    let line =
        |group: &super::group::Group| axis.values.iter().map(|value| group.rows.iter().copied().find(|&row| is(row, value))).collect();
    let plot = Crossed { of: String::new(), rows: groups.iter().map(line).collect() };
    (groups.len() > 1).then(|| Factors {
        key: study.label(&axis.key).to_owned(),
        levels: axis.values.iter().map(spelled).collect(),
        lines: shortened(&groups.iter().map(|group| group.name.clone()).collect::<Vec<_>>()),
        plots: vec![plot],
        words: format!("A line for each row, over {}.", study.label(&axis.key)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::svg;
    use crate::report::study::example;

    #[test]
    fn two_keys_give_a_line_for_each_value_of_one_over_the_values_of_the_other() {
        let study = example::grid();
        let figure = interaction(&study, &Comparison::of(&study)).unwrap();
        assert_eq!((figure.key.as_str(), figure.levels.as_slice()), ("pseudo.ratio", &["0.25".to_owned(), "0.5".to_owned()][..]));
        let panel = &figure.panels[0];
        assert_eq!(panel.lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["lr=0.001", "lr=0.01"]);
        let near = |point: &Point, mean: f64| (point.mean.unwrap() - mean).abs() < 1e-9 && point.deviation.is_some();
        // Rows by ratio, then lr: 71.5 and 76.5 at the first ratio, 81.5 and 86.5 at the second.
        for (line, means) in panel.lines.iter().zip([[71.5, 81.5], [76.5, 86.5]]) {
            assert!(line.points.iter().zip(means).all(|(point, mean)| near(point, mean)), "{line:?}");
        }
        assert!(panel.lines[0].points[0].x < 0.0 && panel.lines[1].points[0].x > 0.0, "intervals do not lie on one another");
        let text = svg(&figure).unwrap();
        assert!(text.contains("lr=0.01") && text.contains("pseudo.ratio") && figure.remark.contains("“optim.”"));
    }

    #[test]
    fn rows_with_names_stand_beside_a_key_of_words_and_a_number_is_left_to_the_course() {
        let mut study = example::grid();
        let axes = std::mem::take(&mut study.axes);
        assert!(interaction(&study, &Comparison::of(&study)).is_none(), "nothing is varied");
        study.axes = vec![axes[0].clone()];
        for (i, row) in study.rows.iter_mut().enumerate() {
            row.name = format!("{} · pseudo.ratio={}", ["plain", "calibrated"][i % 2], i / 2);
        }
        assert!(interaction(&study, &Comparison::of(&study)).is_none(), "a course shows numbers at their distance");
        study.axes[0].values = ["a", "b"].map(Value::from).to_vec();
        for (i, row) in study.rows.iter_mut().enumerate() {
            row.settings.insert("pseudo.ratio".into(), ["a", "b"][i / 2].into());
        }
        let figure = interaction(&study, &Comparison::of(&study)).unwrap();
        assert_eq!(figure.panels[0].lines.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["plain", "calibrated"]);
        assert_eq!(figure.panels[0].lines[1].points.iter().filter_map(|p| p.mean).count(), 2);
    }

    #[test]
    fn a_missing_run_leaves_an_open_sign_and_no_run_a_gap() {
        let mut study = example::grid();
        study.cells.iter_mut().filter(|cell| cell.row == 3).for_each(|cell| cell.outcome = crate::sweep::Outcome::Missing);
        example::outcome(&mut study, 0, "gear", 1, crate::sweep::Outcome::Missing);
        let figure = interaction(&study, &Comparison::of(&study)).unwrap();
        let lines = &figure.panels[0].lines;
        assert_eq!((lines[1].points[1].mean, lines[0].points[0].complete, lines[0].points[1].complete), (None, false, true));
    }
}
