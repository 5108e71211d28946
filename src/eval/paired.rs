//! Two finished runs on the same test images: which metrics differ by more than the choice of those images.
//!
//! The paired bootstrap: test images are drawn with replacement, good and defective ones apart, both runs are evaluated on the same
//! draw, and their differences are looked at. It speaks of other images of the same kind; of other seeds it says nothing.

use serde::Serialize;
use std::sync::Arc;

use super::{MapName, OutputStore, inside, names, protocol, scored_within, size, truth};
use crate::config::{Config, Resolution};
use crate::data::{self, Contents, Source};
use crate::metric::{Bootstrap, Ordered, Protocol, Reweighted, Sample, Variant, draws};
use crate::num;
use crate::run::{Folder, Summary};
use crate::store::config_found;
use crate::{Error, Result};

/// Draws that give an interval two stable digits.
pub const DRAWS: usize = 1000;

/// One metric of two runs, as ratios.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairedDifference {
    /// Without its split: `image_auroc`, `aupro@0.3`.
    pub metric: String,
    pub a: f64,
    pub b: f64,
    /// `a - b`.
    pub difference: f64,
    /// 95 % percentile interval of the difference over the draws.
    pub interval: [f64; 2],
    /// Two-sided bootstrap p: twice the smaller share of draws on one side of 0, each count with one added; at most 1.
    pub p: f64,
    /// Test images.
    pub images: usize,
    /// Draws in which both have the metric.
    pub draws: usize,
}

/// The differences `a - b` on the headline maps of two finished runs, over `count` draws of test images ([`DRAWS`] is usual).
/// AUPRO is the exact one, whatever `eval.pro.variant` says. A metric that either lacks is left out.
///
/// # Errors
/// A run that is not finished, whose data changed since or whose maps are missing; runs with other test images, and runs that are
/// evaluated at another resolution, FPR limit or connectivity.
pub fn paired(a: &Folder, b: &Folder, count: usize, seed: u64) -> Result<Vec<PairedDifference>> {
    let [a, b] = [Finished::open(a)?, Finished::open(b)?];
    a.check_comparable(&b)?;
    let anomalous: Vec<bool> = a.test.items().iter().map(|item| !item.is_good()).collect();
    let drawn = draws(&anomalous, count, seed);
    let evaluate = |run: &Finished| -> Result<(Reweighted, Vec<Reweighted>)> {
        let ordered = run.ordered()?;
        Ok((ordered.plain(), ordered.scores(&drawn)))
    };
    let (plain_a, drawn_a) = evaluate(&a)?;
    let (plain_b, drawn_b) = evaluate(&b)?;
    let of = |scores: &Reweighted| scores.metrics(&a.protocol);
    let draws: Vec<_> = drawn_a.iter().map(of).zip(drawn_b.iter().map(of)).collect();
    let one = |(index, ((metric, a), (_, b))): (usize, (Named, Named))| {
        let (a, b) = (a?, b?);
        let differences: Vec<f64> = draws.iter().filter_map(|(a, b)| Some(a[index].1? - b[index].1?)).collect();
        let interval = [num::quantile(&differences, 0.025)?, num::quantile(&differences, 0.975)?];
        let (p, draws) = (two_sided(&differences), differences.len());
        Some(PairedDifference { metric, a, b, difference: a - b, interval, p, images: anomalous.len(), draws })
    };
    Ok(of(&plain_a).into_iter().zip(of(&plain_b)).enumerate().filter_map(one).collect())
}

type Named = (String, Option<f64>);

/// `2 min((1 + #{d <= 0}), (1 + #{d >= 0})) / (1 + draws)`, at most 1.
fn two_sided(differences: &[f64]) -> f64 {
    let share = |count: usize| (1 + count) as f64 / (1 + differences.len()) as f64;
    let below = share(differences.iter().filter(|d| **d <= 0.0).count());
    let above = share(differences.iter().filter(|d| **d >= 0.0).count());
    (2.0 * below.min(above)).min(1.0)
}

/// A finished run and its test images.
struct Finished {
    summary: Summary,
    cfg: Config,
    protocol: Protocol,
    test: Source,
    outputs: OutputStore,
    /// The output that the run's plain metrics are of.
    headline: MapName,
}

impl Finished {
    fn open(folder: &Folder) -> Result<Self> {
        let name = folder.path().display();
        let summary = crate::run::summary_compared(folder)?.ok_or_else(|| {
            let what = format!("run {name} is {}", folder.status().name());
            Error::environment(what, "finish it first: repeat its `harness run` command")
        })?;
        let cfg = config_found(folder)?;
        let category = data::Dataset::of(&cfg.data)?.category(&summary.category)?;
        let contents = Arc::new(Contents::of(&category)?);
        if contents.hash != summary.data_hash {
            return Err(Error::environment(
                format!("{} changed since run {} was made", category.folder().display(), summary.id),
                "compare on the data that the run was made with, or repeat the run",
            ));
        }
        let protocol = protocol(&cfg, Some(Variant::Exact))?;
        let test = Source::of(category.test, &cfg, 0).checked(&contents);
        let outputs = cfg.detector.outputs(&cfg);
        let headline = names(&outputs).into_iter().find(|name| *name == summary.headline).ok_or_else(|| {
            let what = format!("run {name}: its headline {:?} is not one of its detector's outputs", summary.headline);
            Error::environment(what, crate::error::AGAIN)
        })?;
        let outputs = OutputStore::of(&folder.maps(), &summary.category, &outputs);
        Ok(Self { summary, cfg, protocol, test, outputs, headline })
    }

    /// Refuses runs whose difference would not be one of their maps alone.
    fn check_comparable(&self, other: &Self) -> Result<()> {
        let (a, b) = (&self.summary.id, &other.summary.id);
        let keys = |run: &Self| -> Vec<String> { run.test.items().iter().map(|item| item.key.clone()).collect() };
        let same = self.summary.category == other.summary.category && self.summary.data_hash == other.summary.data_hash;
        if !same || keys(self) != keys(other) {
            let (one, another) = (&self.summary.category, &other.summary.category);
            let what = format!("{a} ({one}) and {b} ({another}) have other test images");
            return Err(Error::config(what, "a paired comparison needs two runs on the same category of the same data"));
        }
        let rules = |run: &Self| {
            let Protocol { pro_limit, connectivity, resolution, .. } = run.protocol;
            let side = (resolution == Resolution::Input).then_some(run.test.whole_size());
            (pro_limit.to_bits(), connectivity, resolution, side)
        };
        if rules(self) != rules(other) {
            let what = format!("{a} ({}) and {b} ({}) are evaluated by other rules", self.protocol.describe(), other.protocol.describe());
            return Err(Error::config(what, "compare runs of one eval.resolution, eval.pro.limit and eval.pro.connectivity"));
        }
        Ok(())
    }

    /// The pixels of the headline map in order; one map is in memory at a time.
    fn ordered(&self) -> Result<Ordered> {
        let mut bootstrap = Bootstrap::new(&self.protocol)?;
        for (index, item) in self.test.items().iter().enumerate() {
            let (width, height) = size(&self.test, index, &self.cfg.eval)?;
            let inside = inside(&self.test, index, &self.cfg.eval)?;
            let output = self.outputs.read(self.headline, &item.key)?;
            let (map, score) = scored_within(&output, (width, height), inside.as_ref(), &self.cfg.eval)?;
            let anomalous = !item.is_good();
            let Some(map) = map else {
                bootstrap.push_image(&item.key, score, anomalous)?;
                continue;
            };
            let mask = truth(&self.test, index, inside.as_ref(), &self.cfg.eval)?;
            bootstrap.push(Sample { name: &item.key, map: &map, mask: mask.as_ref(), image_score: score, anomalous })?;
        }
        Ok(bootstrap.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::MapStore;
    use crate::file;
    use crate::image::Map;
    use crate::run::Id;
    use std::collections::BTreeMap;
    use std::path::Path;

    /// A finished run on a small built-in category; its maps follow the masks as far as `skill` says.
    fn finished(root: &Path, seed: u64, skill: f32, words: &[&str]) -> Folder {
        let data = root.join("data");
        data::builtin::write_small(&data, &["fabric"], 2, 6, 2, 32).unwrap();
        let category = data::category(&data, "fabric").unwrap();
        let mut words: Vec<String> = words.iter().map(|w| w.to_string()).collect();
        words.push(format!("data.root={}", data.display()));
        let cfg = Config::default().with(&words).unwrap();
        let folder = Folder::of(&root.join("runs"), &Id::new("x", "0123456789", seed).unwrap());
        let test = Source::new(category.test.clone(), 32, cfg.data.resize, 0);
        let maps = MapStore::at(&folder.maps().join("S"));
        for (index, item) in test.items().iter().enumerate() {
            let mask = test.mask(index).unwrap();
            let noise = |at: usize| ((at * 7919 + index * 104_729 + seed as usize * 31) % 1009) as f32 / 1009.0;
            let data = mask.data.iter().enumerate().map(|(at, m)| noise(at) + skill * f32::from(*m)).collect();
            maps.write("fabric", &item.key, &Map::from_vec(mask.width, mask.height, data)).unwrap();
        }
        let summary = Summary {
            data_hash: data::category_hash(&category).unwrap(),
            ..crate::testing::summary(&Id::new("x", "0123456789", seed).unwrap(), "fabric")
        };
        std::fs::create_dir_all(folder.path()).unwrap();
        std::fs::write(folder.config_toml(), cfg.to_toml()).unwrap();
        file::write_json(&folder.summary_json(), &summary).unwrap();
        folder
    }

    #[test]
    fn a_better_run_is_told_from_a_worse_one_and_the_signs_follow_the_order() {
        let dir = tempfile::tempdir().unwrap();
        let [good, poor] = [finished(dir.path(), 0, 0.6, &[]), finished(dir.path(), 1, 0.1, &[])];
        let one = paired(&good, &poor, 200, 0).unwrap();
        let names: Vec<&str> = one.iter().map(|d| d.metric.as_str()).collect();
        assert_eq!(names, ["image_auroc", "image_ap", "image_f1max", "pixel_auroc", "pixel_ap", "pixel_f1max", "aupro@0.3"]);
        let aupro = &one[6];
        assert!(aupro.interval[0] > 0.0 && aupro.p < 0.02 && aupro.interval[0] < aupro.difference, "{aupro:?}");
        assert!(aupro.difference < aupro.interval[1] && aupro.difference == aupro.a - aupro.b && aupro.draws == 200);
        let other = paired(&poor, &good, 200, 0).unwrap();
        for (d, e) in one.iter().zip(&other) {
            assert!((d.difference + e.difference).abs() < 1e-15 && (d.p - e.p).abs() < 1e-15);
            assert!((d.interval[0] + e.interval[1]).abs() < 1e-12);
        }
        let same = paired(&good, &good, 20, 0).unwrap();
        assert!(same.iter().all(|d| d.difference == 0.0 && d.interval == [0.0; 2] && d.p == 1.0));
    }

    #[test]
    fn its_values_are_those_of_the_evaluation() {
        let dir = tempfile::tempdir().unwrap();
        let folder = finished(dir.path(), 0, 0.4, &[]);
        let run = Finished::open(&folder).unwrap();
        let read = |i: usize| run.outputs.read("S", &run.test.items()[i].key);
        let scores: BTreeMap<String, Option<f64>> =
            super::super::evaluate(&run.test, &run.cfg.eval, &run.protocol, &read).unwrap().scores.metrics().into_iter().collect();
        for d in paired(&folder, &folder, 5, 0).unwrap() {
            assert!((d.a - scores[&d.metric].unwrap()).abs() < 1e-12, "{}", d.metric);
        }
    }

    #[test]
    fn runs_that_cannot_be_compared_are_refused_with_a_reason() {
        let dir = tempfile::tempdir().unwrap();
        let [one, other] = [finished(dir.path(), 0, 0.4, &[]), finished(dir.path(), 1, 0.4, &["eval.pro.limit=0.05"])];
        let message = paired(&one, &other, 5, 0).unwrap_err().to_string();
        assert!(message.contains("FPR limit 0.05") && message.contains("eval.pro.limit"), "{message}");
        let mut elsewhere = other.summary().unwrap().unwrap();
        elsewhere.data_hash = "other data".into();
        let opened = Finished::open(&one).unwrap();
        let moved = Finished { summary: elsewhere, ..Finished::open(&one).unwrap() };
        assert!(opened.check_comparable(&moved).unwrap_err().what.contains("have other test images"));
        std::fs::remove_file(other.summary_json()).unwrap();
        assert!(paired(&one, &other, 5, 0).unwrap_err().what.contains("is fresh"));
        let images = dir.path().join("data/fabric/test/good");
        let image = std::fs::read_dir(&images).unwrap().next().unwrap().unwrap().path();
        std::fs::remove_file(image).unwrap();
        assert!(paired(&one, &one, 5, 0).unwrap_err().what.contains("changed since"));
    }

    #[test]
    fn p_is_small_only_where_nearly_all_draws_agree() {
        assert_eq!(two_sided(&[0.1; 999]), 2.0 / 1000.0);
        assert_eq!(two_sided(&[-0.1; 999]), 2.0 / 1000.0);
        assert_eq!(two_sided(&[0.0; 10]), 1.0);
        assert_eq!(two_sided(&[]), 1.0);
        assert_eq!(two_sided(&[-1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), 0.4);
    }
}
