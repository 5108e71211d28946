//! `harness data pseudo`: what the pseudo anomalies of a configuration look like, and how large and strong they are.

use crate::config::Pseudo;
use crate::image::montage::montage;
use crate::image::{Rgb, draw};
use crate::synth::{self, Kind, Sample, color};
use std::fmt;

/// Colour of the mask's outline.
const OUTLINE: [u8; 3] = [0, 255, 140];

/// Size and strength of anomalous items: means over the items.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strength {
    pub count: usize,
    /// Mean share of the image that is anomalous, 0..=1.
    pub area: f64,
    /// Mean absolute change of the grey level inside the mask, 0..=255.
    pub contrast: f64,
}

/// What came of the first items of epoch 0.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    pub items: usize,
    /// Chosen for a pseudo anomaly.
    pub chosen: usize,
    /// Chosen, but nothing changed: they stay normal.
    pub degenerate: usize,
    /// Share of items that are anomalous, 0..=1; `None` without items.
    pub ratio: Option<f64>,
    /// All anomalous items; `None` if there is none.
    pub all: Option<Strength>,
    /// The kinds that occur.
    pub kinds: Vec<(Kind, Strength)>,
}

/// Makes `count` items as the first epoch of a run with `seed` would make them, item `i` from image `i % images.len()`.
///
/// The picture has a row for each chosen item, original, pseudo-anomalous and outlined mask; if none was chosen, a row
/// for the first item. There must be at least one image.
pub fn gallery(images: &[(String, Rgb)], cfg: &Pseudo, seed: u64, count: usize) -> (Rgb, Stats) {
    assert!(!images.is_empty(), "a gallery shows at least one image");
    let chosen = synth::chosen(cfg, seed, 0, count);
    let made: Vec<(&(String, Rgb), Sample)> = (0..count)
        .filter(|&i| chosen[i])
        .map(|i| (&images[i % images.len()], i))
        .map(|(source, i)| (source, synth::pseudo(&source.1, cfg, &mut synth::item_stream(cfg, seed, 0, i as u64))))
        .collect();
    let stats = stats(&made, count);

    let rows = if made.is_empty() { vec![(&images[0], Sample::normal(images[0].1.clone()))] } else { made };
    let labels: Vec<String> = rows.iter().map(|(source, sample)| format!("{} {}", source.0, name(sample.kind))).collect();
    let tiles: Vec<Vec<Rgb>> = rows.iter().map(|(source, sample)| vec![source.1.clone(), sample.image.clone(), outlined(sample)]).collect();
    let columns = ["original", "pseudo anomaly", "mask"].map(String::from);
    (montage(&tiles, &labels, &columns), stats)
}

fn outlined(sample: &Sample) -> Rgb {
    let mut image = sample.image.clone();
    let thickness = if image.width > 400 { 2 } else { 1 };
    draw::outline(&mut image, &sample.mask, OUTLINE, thickness);
    image
}

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::None => "none",
        Kind::Confetti => "confetti",
        Kind::CutPaste => "cutpaste",
        Kind::Both => "both",
    }
}

fn stats(made: &[(&(String, Rgb), Sample)], items: usize) -> Stats {
    let strengths: Vec<(Kind, f64, f64)> = made
        .iter()
        .filter(|(_, sample)| sample.kind != Kind::None)
        .map(|((_, before), sample)| (sample.kind, sample.mask.area() as f64 / sample.mask.data.len() as f64, contrast(before, sample)))
        .collect();
    let of = |wanted: &dyn Fn(Kind) -> bool| {
        let some: Vec<_> = strengths.iter().filter(|s| wanted(s.0)).collect();
        let n = some.len() as f64;
        let mean = |value: fn(&(Kind, f64, f64)) -> f64| some.iter().map(|s| value(s)).sum::<f64>() / n;
        (!some.is_empty()).then(|| Strength { count: some.len(), area: mean(|s| s.1), contrast: mean(|s| s.2) })
    };
    Stats {
        items,
        chosen: made.len(),
        degenerate: made.len() - strengths.len(),
        ratio: (items > 0).then(|| strengths.len() as f64 / items as f64),
        all: of(&|_| true),
        kinds: [Kind::Confetti, Kind::CutPaste, Kind::Both].into_iter().filter_map(|kind| Some((kind, of(&|k| k == kind)?))).collect(),
    }
}

/// Mean absolute change of the grey level over the anomalous pixels; the mask must not be empty.
fn contrast(before: &Rgb, sample: &Sample) -> f64 {
    let grey = |image: &Rgb, i: usize| f64::from(color::grey([image.data[3 * i], image.data[3 * i + 1], image.data[3 * i + 2]]));
    let inside = (0..sample.mask.data.len()).filter(|&i| sample.mask.data[i] != 0);
    inside.map(|i| (grey(&sample.image, i) - grey(before, i)).abs()).sum::<f64>() / sample.mask.area() as f64
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let ratio = self.ratio.map_or("—".into(), |r| format!("{r:.3}"));
        writeln!(f, "{} items, {} chosen, {} of them degenerate: ratio {ratio}", self.items, self.chosen, self.degenerate)?;
        write!(f, "{:<10}{:>6}{:>11}{:>20}", "kind", "n", "mean area", "mean change (grey)")?;
        let line = |f: &mut fmt::Formatter, name: &str, s: &Strength| {
            write!(f, "\n{name:<10}{:>6}{:>9.2} %{:>20.1}", s.count, 100.0 * s.area, s.contrast)
        };
        for (kind, strength) in &self.kinds {
            line(f, name(*kind), strength)?;
        }
        match &self.all {
            Some(strength) => line(f, "all", strength),
            None => write!(f, "\n{:<10}{:>6}{:>11}{:>20}", "all", 0, "—", "—"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn stripes(side: usize) -> (String, Rgb) {
        ("stripes".into(), Rgb::from_vec(side, side, (0..3 * side * side).map(|i| (i / 3 * 7 % 200) as u8).collect()))
    }

    #[test]
    fn the_statistics_count_every_item_once() {
        let cfg = Pseudo { ratio: 0.7, ..Config::default().pseudo };
        let (sheet, stats) = gallery(&[stripes(64), ("black".into(), Rgb::filled(64, 64, [0; 3]))], &cfg, 0, 20);
        assert_eq!((stats.items, stats.chosen), (20, 14));
        let anomalous: usize = stats.kinds.iter().map(|(_, s)| s.count).sum();
        assert_eq!(anomalous + stats.degenerate, 14);
        assert!(stats.degenerate > 0, "pasting black on black does not show");
        assert_eq!((stats.ratio, stats.all.unwrap().count), (Some(anomalous as f64 / 20.0), anomalous));
        assert!(stats.kinds.iter().all(|(_, s)| s.area > 0.0 && s.area < 1.0 && s.contrast > 0.0));
        assert!(sheet.height > 14 * 64 && sheet.width > 3 * 64);
        let text = stats.to_string();
        assert!(text.starts_with("20 items, 14 chosen") && text.contains("cutpaste") && text.lines().count() == 5, "{text}");
    }

    #[test]
    fn a_ratio_of_zero_shows_a_clean_row_and_no_figures() {
        let cfg = Pseudo { ratio: 0.0, ..Config::default().pseudo };
        let (sheet, stats) = gallery(&[stripes(32)], &cfg, 0, 4);
        assert!(sheet.height > 32);
        assert_eq!((stats.chosen, stats.ratio, stats.all), (0, Some(0.0), None));
        assert!(stats.to_string().contains('—'));
    }
}
