//! Where each row errs most: the good image that it scores highest, and of each kind of defect the one that it scores lowest. Chosen by
//! score, as the sheet says: the opposite of [`super::compare`].

use std::collections::BTreeMap;
use std::path::Path;

use super::compare::{Found, Maps, Panels, Run, all_maps, test_images};
use crate::data::Source;
use crate::eval::{self, OutputStore};
use crate::names::counted;
use crate::report::panel::{self, Case, Section, Sheet};
use crate::store::Store;
use crate::sweep::Study;
use crate::ui::text::number;
use crate::{Error, Result};

/// One image's score: higher is more anomalous.
#[derive(Debug, Clone, PartialEq)]
struct Scored {
    /// Place among the test images.
    index: usize,
    /// `good`, or the kind of defect.
    kind: String,
    anomalous: bool,
    score: f64,
}

/// The sheet of one category, of the study's first seed: of at most `most` rows, those with the best image AUROC.
///
/// # Errors
/// A run's configuration or scores, an image or a mask that cannot be read.
pub fn sheet(study: &Study, store: &Store, category: &str, most: usize) -> Result<Panels> {
    let Some(&seed) = study.seeds.first() else { return Ok(Panels::Nothing) };
    let Some((test, _)) = test_images(study, store, category, seed)? else { return Ok(Panels::Absent) };
    let all = all_maps(study, store, &test, category, seed)?;
    if test.is_empty() || all.iter().all(|row| matches!(row.run, Found::None)) {
        return Ok(Panels::Nothing);
    }
    let auroc = |run: &Run| study.summary(run.row, category, seed).and_then(|summary| summary.metric("", "image_auroc"));
    let mut shown: Vec<(&Maps, &Run)> = all.iter().filter_map(|row| Some((row, row.maps()?))).collect();
    let left_out = shown.len().saturating_sub(most);
    if left_out > 0 {
        shown.sort_by(|a, b| auroc(b.1).unwrap_or(-1.0).total_cmp(&auroc(a.1).unwrap_or(-1.0)).then(a.1.row.cmp(&b.1.row)));
        shown.truncate(most);
        shown.sort_by_key(|(_, run)| run.row);
    }
    if shown.is_empty() {
        return Ok(Panels::Absent);
    }
    let sections = shown.iter().map(|(row, run)| section(&test, row, run, category)).collect::<Result<Vec<Section>>>()?;
    let sheet = Sheet {
        title: format!("{}: worst errors in {category}, seed {seed}", study.title),
        bar: ["colours of the maps, one range for each map of a detector:".into(), "low".into(), "high".into()],
        rows: vec!["image with ground truth".into(), "map".into()],
        sections,
        caption: caption(shown.len(), left_out),
    };
    let gone = all.iter().any(|row| matches!(row.run, Found::Gone));
    Ok(if gone { Panels::Lacking(sheet) } else { Panels::Drawn(sheet) })
}

fn caption(shown: usize, left_out: usize) -> String {
    let others = match (shown, left_out) {
        (_, 0) => String::new(),
        (1, n) => format!(" Of the row with the best image AUROC in this category; {} left out.", counted(n, "row is", "rows are")),
        (shown, n) => {
            let rest = counted(n, "row is", "rows are");
            format!(" Of the {shown} rows with the best image AUROC in this category; {rest} left out.")
        }
    };
    format!(
        "Chosen by score, so these are not typical images: of each row the good image with the highest score, its worst false alarm, and of \
         each kind of defect the image with the lowest score, its worst miss; of equal scores the first by name. Where a miss is above all \
         good images, a threshold tells all of its kind apart. Ground truth is outlined in yellow.{others}"
    )
}

fn section(test: &Source, row: &Maps, run: &Run, category: &str) -> Result<Section> {
    let scores = scores(run, test, category)?;
    let case = |place: usize| {
        let Scored { index, anomalous, .. } = scores[place];
        let item = &test.items()[index];
        let [_, truth] = panel::subject(test, &run.cfg.eval, index)?;
        let heat = panel::heat(test, &run.cfg.eval, index, &run.maps.read(category, &item.key)?, run.range)?;
        let name = item.key.strip_prefix("test/").unwrap_or(&item.key);
        let name = format!("{}: {name}", if anomalous { "miss" } else { "false alarm" });
        Ok(Case { name, figures: standing(&scores, place), tiles: vec![truth, heat] })
    };
    let cases = worst(&scores).into_iter().map(case).collect::<Result<Vec<Case>>>()?;
    let [low, high] = [run.range.0, run.range.1].map(|v| number(f64::from(v)));
    Ok(Section { heading: format!("{}: map {}, colours from {low} to {high}", row.name, run.unit.1), cases })
}

/// Places of the worst false alarm and of the worst miss of each kind, kinds by name.
fn worst(scores: &[Scored]) -> Vec<usize> {
    let good =
        (0..scores.len()).filter(|&i| !scores[i].anomalous).max_by(|&a, &b| scores[a].score.total_cmp(&scores[b].score).then(b.cmp(&a)));
    let mut kinds = BTreeMap::<&str, usize>::new();
    for (place, scored) in scores.iter().enumerate().filter(|(_, scored)| scored.anomalous) {
        let lowest = kinds.entry(&scored.kind).or_insert(place);
        if scored.score < scores[*lowest].score {
            *lowest = place;
        }
    }
    good.into_iter().chain(kinds.into_values()).collect()
}

/// How an image stands among those of the other class.
fn standing(scores: &[Scored], place: usize) -> String {
    let Scored { anomalous, score, .. } = scores[place];
    let others: Vec<f64> = scores.iter().filter(|s| s.anomalous != anomalous).map(|s| s.score).collect();
    let wrong = others.iter().filter(|&&other| if anomalous { other >= score } else { other <= score }).count();
    match (anomalous, wrong) {
        (true, 0) => "above all good images".to_owned(),
        (false, 0) => "below all defective ones".to_owned(),
        (true, n) => format!("not above {n} of {} good", others.len()),
        (false, n) => format!("not below {n} of {} bad", others.len()),
    }
}

/// The scores of a run's test images: from its file, or, as earlier versions wrote none, from its maps.
fn scores(run: &Run, test: &Source, category: &str) -> Result<Vec<Scored>> {
    let path = run.folder.scores_csv();
    if path.exists() {
        return read(&path, test);
    }
    let outputs = run.cfg.detector.outputs(&run.cfg);
    let Some(headline) = eval::names(&outputs).into_iter().find(|name| *name == run.unit.1) else { return Ok(vec![]) };
    let stored = OutputStore::of(&run.folder.maps(), category, &outputs);
    let cfg = &run.cfg.eval;
    let mut scores = vec![];
    for (index, item) in test.items().iter().enumerate() {
        let inside = eval::inside(test, index, cfg)?;
        let (_, score) = eval::scored_within(&stored.read(headline, &item.key)?, eval::size(test, index, cfg)?, inside.as_ref(), cfg)?;
        scores.extend(Scored::of(test, index, f64::from(score)));
    }
    Ok(scores)
}

impl Scored {
    /// `None` where the score is not finite.
    fn of(test: &Source, index: usize, score: f64) -> Option<Self> {
        let item = &test.items()[index];
        score.is_finite().then(|| Self { index, kind: item.defect.clone(), anomalous: !item.is_good(), score })
    }
}

/// The headline's finite scores in a file.
fn read(path: &Path, test: &Source) -> Result<Vec<Scored>> {
    let damaged = |why: String| Error::environment(format!("{}: {why}", path.display()), "score the run again: `harness score --run ID`");
    let content = crate::file::content(path).map_err(|e| Error::io("read", path, &e))?;
    let mut reader = csv::Reader::from_reader(&content[..]);
    let headers = reader.headers().map_err(|e| damaged(e.to_string()))?.clone();
    let column = headers.iter().position(|name| name.starts_with("score")).ok_or_else(|| damaged("it has no scores".into()))?;
    let places: BTreeMap<&str, usize> = test.items().iter().enumerate().map(|(i, item)| (item.key.as_str(), i)).collect();
    let mut scores = vec![];
    for record in reader.records() {
        let record = record.map_err(|e| damaged(e.to_string()))?;
        let (key, score) = (record.get(0).unwrap_or_default(), record.get(column).unwrap_or_default());
        let Some(&index) = places.get(key) else { continue };
        let score: f64 = score.parse().map_err(|_| damaged(format!("`{score}` of {key} is not a score")))?;
        scores.extend(Scored::of(test, index, score));
    }
    scores.sort_by_key(|scored| scored.index);
    Ok(scores)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scored(images: &[(&str, f64)]) -> Vec<Scored> {
        let one = |(index, &(kind, score)): (usize, &(&str, f64))| Scored { index, kind: kind.into(), anomalous: kind != "good", score };
        images.iter().enumerate().map(one).collect()
    }

    #[test]
    fn an_image_says_how_many_of_the_other_class_stand_wrong_to_it() {
        let scores = scored(&[("good", 0.1), ("good", 0.6), ("cut", 0.6), ("cut", 0.9), ("hole", 0.05)]);
        assert_eq!(worst(&scores), [1, 2, 4]);
        assert_eq!(
            [1, 2, 3, 4].map(|i| standing(&scores, i)),
            ["not below 2 of 3 bad", "not above 1 of 2 good", "above all good images", "not above 2 of 2 good"]
        );
        let apart = scored(&[("good", 0.1), ("cut", 0.9)]);
        assert_eq!([0, 1].map(|i| standing(&apart, i)), ["below all defective ones", "above all good images"]);
        assert!(
            worst(&[]).is_empty()
                && caption(6, 2).contains("6 rows with the best image AUROC in this category; 2 rows are left out")
                && caption(2, 0).starts_with("Chosen by score")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn no_image_is_worse_than_those_that_are_shown(images in prop::collection::vec((0..4_usize, 0..9_u32), 0..40)) {
            const KINDS: [&str; 4] = ["good", "cut", "hole", "bent"];
            let images: Vec<(&str, f64)> = images.into_iter().map(|(k, s)| (KINDS[k], f64::from(s))).collect();
            let scores = scored(&images);
            let shown = worst(&scores);
            for kind in KINDS {
                let of_kind: Vec<&Scored> = scores.iter().filter(|s| s.kind == kind).collect();
                let chosen: Vec<usize> = shown.iter().copied().filter(|&i| scores[i].kind == kind).collect();
                prop_assert_eq!(chosen.len(), usize::from(!of_kind.is_empty()));
                for place in chosen {
                    let one = &scores[place];
                    let worse = |s: &&Scored| if kind == "good" { s.score > one.score } else { s.score < one.score };
                    prop_assert!(!of_kind.iter().any(worse));
                    prop_assert!(of_kind.iter().all(|s| s.score != one.score || s.index >= one.index), "the first of equals");
                }
            }
        }
    }
}
