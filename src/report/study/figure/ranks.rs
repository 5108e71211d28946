//! Many systems at a glance: the average rank of each with half of the critical difference to either side, and its paired difference
//! from the reference.

use super::dots::{Base, Dots, Lane, Mark, Panel};
use super::look::{Entry, Sign, names, with_shared};
use crate::report::plot::scale::Scale;
use crate::report::spell::{metric_name, p_words};
use crate::report::study::ranks::{Ranks, Record, System};
use crate::sweep::Study;

/// From so many systems on there is something to rank.
const FEWEST: usize = 3;

/// The plot, best first; `None` with fewer than three systems or two categories.
pub fn ranks(study: &Study, ranks: &Ranks) -> Option<Dots> {
    if ranks.systems.len() < FEWEST || study.categories.len() < 2 {
        return None;
    }
    let mut systems: Vec<&System> = ranks.systems.iter().collect();
    systems.sort_by(|a, b| a.average_rank.total_cmp(&b.average_rank).then(a.row.cmp(&b.row)));
    let names = names(study);
    let panels = vec![average_ranks(ranks, &systems), differences(study, ranks, &systems)];
    let mut key = vec![match ranks.critical_difference {
        Some(_) => (Entry::Interval(Sign::MEAN), "average rank ± half of the critical difference".to_owned()),
        None => (Entry::Sign(Sign::MEAN), "average rank".to_owned()),
    }];
    if systems.iter().any(|system| system.difference.is_some_and(|d| d.interval.is_some())) {
        key.push((Entry::Interval(DIFFERENCE), "mean difference with its 95 % interval".to_owned()));
    }
    let lane = |system: &&System| {
        let note = match system.record {
            Some(Record { wins, ties, losses }) => {
                let counts = [(wins, "won"), (ties, "tied"), (losses, "lost")];
                counts
                    .iter()
                    .filter(|(n, word)| *n > 0 || *word != "tied")
                    .map(|(n, word)| format!("{n} {word}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            None => "the reference".to_owned(),
        };
        Lane { number: system.row + 1, label: names.names[system.row].clone(), note: Some(note) }
    };
    Some(Dots {
        title: format!("{}: ranks in {}", study.title, metric_name(study, &ranks.metric)),
        lanes: systems.iter().map(lane).collect(),
        panels,
        key,
        remark: with_shared(&remark(study, ranks), &names),
        lane_px: 34.0,
    })
}

/// Of differences, apart from ranks.
const DIFFERENCE: Sign = Sign { colour: crate::report::plot::palette::VERMILLION, ..Sign::MEAN };

fn average_ranks(ranks: &Ranks, systems: &[&System]) -> Panel {
    let half = ranks.critical_difference.map(|difference| difference / 2.0);
    let mark = |system: &&System| {
        let rank = system.average_rank;
        vec![Mark { value: rank, interval: half.map(|half| [rank - half, rank + half]), sign: Sign::MEAN, offset: 0.0 }]
    };
    let reach = half.unwrap_or(0.0);
    let [low, high] = [systems[0].average_rank - reach, systems[systems.len() - 1].average_rank + reach];
    let scale = Scale::Linear { low: low.min(1.0).floor(), high: high.max(systems.len() as f64).ceil() };
    Panel { title: "average rank, 1 is best".into(), scale, base: Base::Free, marks: systems.iter().map(mark).collect() }
}

fn differences(study: &Study, ranks: &Ranks, systems: &[&System]) -> Panel {
    let mark = |system: &&System| -> Vec<Mark> {
        let paired = system.difference.iter();
        paired
            .map(|d| Mark {
                value: 100.0 * d.mean,
                interval: d.interval.map(|ends| ends.map(|v| 100.0 * v)),
                sign: DIFFERENCE,
                offset: 0.0,
            })
            .collect()
    };
    let marks: Vec<Vec<Mark>> = systems.iter().map(mark).collect();
    let values = marks.iter().flatten().flat_map(|m| std::iter::once(m.value).chain(m.interval.into_iter().flatten()));
    // Zero belongs to the axis whatever the values are.
    let values: Vec<f64> = values.chain([0.0]).collect();
    let scale = Scale::around(values.into_iter(), [-100.0, 100.0]);
    Panel { title: format!("Δ {}, points", metric_name(study, &ranks.metric)), scale, base: Base::Zero, marks }
}

fn remark(study: &Study, ranks: &Ranks) -> String {
    let name = |row: usize| study.rows.get(row).map_or("", |row| row.name.as_str());
    let blocks = format!("{} blocks, one for each category and seed", ranks.blocks);
    let mut words = format!("Ranks are within each of {blocks}, and averaged; equal figures share their ranks. ");
    if let Some(difference) = ranks.critical_difference {
        words += &format!(
            "Two systems differ where their intervals do not overlap: their average ranks are then more than the critical difference of \
             {difference:.2} apart (Nemenyi's test at 0.05). "
        );
    }
    words += &format!(
        "Friedman's test of whether all are alike: p {}. Differences are those from {}, paired by block. Seeds of one category are not \
         independent samples of other data.",
        p_words(ranks.friedman.p),
        name(ranks.reference)
    );
    if !ranks.left_out.is_empty() {
        let rows: Vec<&str> = ranks.left_out.iter().map(|&row| name(row)).collect();
        words += &format!(" Without rows of which runs are missing: {}.", rows.join("; "));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::plot::svg;
    use crate::report::study::example;

    #[test]
    fn systems_stand_best_first_with_their_critical_difference_and_record() {
        let study = example::ladder();
        let of_metric = Ranks::of(&study, "image_auroc").unwrap();
        let figure = ranks(&study, &of_metric).unwrap();
        let labels: Vec<&str> = figure.lanes.iter().map(|lane| lane.label.as_str()).collect();
        assert_eq!(labels, ["+ self-calibration", "+ STLNet", "baseline"]);
        assert_eq!(figure.lanes[0].note.as_deref(), Some("6 won, 0 lost"));
        let half = of_metric.critical_difference.unwrap() / 2.0;
        assert_eq!(figure.panels[0].marks[2][0].interval, Some([3.0 - half, 3.0 + half]));
        assert!(figure.panels[1].marks[2].is_empty() && figure.panels[1].marks[0][0].value > 4.9);
        assert!(figure.remark.contains("Friedman") && svg(&figure).unwrap().contains("the reference"));
    }

    #[test]
    fn two_systems_or_one_category_are_nothing_to_rank() {
        let mut study = example::ladder();
        study.categories.truncate(1);
        assert!(ranks(&study, &Ranks::of(&study, "image_auroc").unwrap()).is_none());
        let mut study = example::ladder();
        study.rows.truncate(2);
        study.cells.retain(|cell| cell.row < 2);
        assert!(ranks(&study, &Ranks::of(&study, "image_auroc").unwrap()).is_none());
    }
}
