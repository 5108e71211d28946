//! `harness data pseudo`: what the pseudo anomalies of a configuration look like, and how large and strong they are.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::run::resolve;
use crate::config::{Config, Profile, Texture};
use crate::data::photographs::Photographs;
use crate::data::{self, Epoch, Plan, Recipe, Shape, Source, Views};
use crate::image::montage::montage;
use crate::image::{Mask, Rgb, codec, draw};
use crate::place::in_project;
use crate::pseudo::{Beside, Name, Sample, color, generator};
use crate::seed::stream;
use crate::{Error, Result, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// An experiment file (TOML) and any number of key=value overrides
    #[arg(value_name = "FILE | KEY=VALUE")]
    arguments: Vec<String>,
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// Items to make, the first of the first epoch, 1 to 100
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u8).range(1..=100))]
    count: u8,
    /// The first image under every generator instead, whatever its weight: four draws of each
    #[arg(long, conflicts_with = "count")]
    each: bool,
    /// The picture to write
    #[arg(long, value_name = "FILE.png", default_value_os_t = in_project("plots/pseudo.png"))]
    out: PathBuf,
}

pub fn run(args: &Args) -> Result<()> {
    let resolved = resolve(&args.arguments, args.profile, None)?;
    let cfg = &resolved.config;
    let dataset = data::Dataset::of(&cfg.data)?;
    let root = dataset.root();
    let names = dataset.select(&cfg.data.categories)?;
    let name = names.first().ok_or_else(|| Error::environment(format!("{}: no category", root.display()), "check data.root"))?;
    let category = dataset.category(name)?;
    let perlin = &cfg.pseudo.perlin;
    let photographs = match perlin.texture {
        Texture::Photographs => Some(Arc::new(Photographs::textures(&perlin.textures)?)),
        Texture::Procedural | Texture::Own => None,
    };
    let source = Source::of(category.train, cfg, 0).beside(photographs);
    let seed = cfg.run.seeds.first().copied().unwrap_or(0);
    showln!("profile {} · {} · category {name} · seed {seed}", resolved.profile, root.display());
    if args.each {
        codec::write_png(&args.out, &each(&source, cfg, seed)?)?;
        showln!("gallery: {}", args.out.display());
        return Ok(());
    }
    let (sheet, stats) = gallery(source, cfg, seed, usize::from(args.count))?;
    codec::write_png(&args.out, &sheet)?;
    showln!("{stats}");
    showln!("gallery: {}", args.out.display());
    Ok(())
}

/// Colour of the mask's outline.
const OUTLINE: [u8; 3] = [0, 255, 140];

/// Size and strength of pseudo anomalies: means over the items that have one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Strength {
    pub count: usize,
    /// Mean share of the image that is anomalous, 0..=1.
    pub area: f64,
    /// Mean absolute change of the grey level inside the mask, 0..=255.
    pub contrast: f64,
}

/// What came of some items.
#[derive(Debug, Clone, PartialEq)]
pub struct Stats {
    pub items: usize,
    /// Chosen for a pseudo anomaly.
    pub chosen: usize,
    /// Chosen, but nothing changed: they stay normal.
    pub degenerate: usize,
    /// Share of items with a pseudo anomaly that shows, 0..=1; `None` without items.
    pub ratio: Option<f64>,
    /// All items with a pseudo anomaly; `None` if there is none.
    pub all: Option<Strength>,
    /// By what was applied, as far as it occurs.
    pub kinds: Vec<(Vec<Name>, Strength)>,
}

/// An item before and after its pseudo anomaly.
struct Pair {
    item: usize,
    before: Arc<Rgb>,
    sample: Sample,
}

/// Makes the first `count` items of the first epoch of a run with `seed` on all images of `source`, at least one each.
///
/// The picture has a row for each chosen item: original, pseudo anomaly and outlined mask; if none was chosen, a row
/// for the first item.
fn gallery(source: Source, cfg: &Config, seed: u64, count: usize) -> Result<(Rgb, Stats)> {
    let shape = Shape::new(source.len(), &cfg.data, &cfg.train);
    let keys: Vec<String> = source.items().iter().map(|item| item.key.clone()).collect();
    let epoch = Epoch { shape, seed, epoch: 0, first_batch: 0 };
    let recipe = Recipe::new(Arc::new(source), epoch, Views::Pseudo, &cfg.data, &cfg.pseudo);
    let mut items = Plan::new(shape, seed, 0).order;
    items.truncate(count);
    let mut made = Vec::new();
    for &item in &items {
        let before = recipe.normal(item)?;
        if let Some(sample) = recipe.with_pseudo_anomaly(item, &before)? {
            made.push(Pair { item, before, sample });
        }
    }
    let stats = stats(&made, items.len());
    if made.is_empty() {
        let before = recipe.normal(items[0])?;
        made.push(Pair { item: items[0], sample: Sample::normal((*before).clone()), before });
    }
    let label = |pair: &Pair| format!("{} {}", keys[pair.item % keys.len()], name(&pair.sample.by));
    let labels: Vec<String> = made.iter().map(label).collect();
    let tiles: Vec<Vec<Rgb>> =
        made.iter().map(|pair| vec![(*pair.before).clone(), pair.sample.image.clone(), outlined(&pair.sample)]).collect();
    let columns = ["original", "pseudo anomaly", "mask"].map(String::from);
    Ok((montage(&tiles, &labels, &columns), stats))
}

/// Draws of each generator on one image.
const DRAWS: u64 = 4;

/// The first image under every generator, a row each: draws of it, with the mask's outline.
fn each(source: &Source, cfg: &Config, seed: u64) -> Result<Rgb> {
    let image = source.loaded(0)?;
    let other = source.loaded(1 % source.len())?;
    let row = |(name, _): (Name, &str)| -> Result<Vec<Rgb>> {
        let mut row = vec![(*image).clone()];
        for draw in 0..DRAWS {
            let photograph = source.photograph(&mut stream(seed, "photograph", 0, draw))?;
            let beside = Beside { other: &other, photograph: photograph.as_deref() };
            let made = generator(name, &cfg.pseudo).0.apply(&image, beside, &mut stream(seed, "each", name as u64, draw));
            let (image, mask) = made.unwrap_or_else(|| ((*image).clone(), Mask::filled(image.width, image.height, 0)));
            let sample = Sample { image, mask, by: vec![name] };
            row.extend([sample.image.clone(), outlined(&sample)]);
        }
        Ok(row)
    };
    let tiles: Vec<Vec<Rgb>> = Name::ALL.into_iter().map(row).collect::<Result<_>>()?;
    let labels: Vec<String> = Name::ALL.iter().map(|(_, name)| (*name).to_owned()).collect();
    let columns: Vec<String> =
        std::iter::once("original".to_owned()).chain((1..=DRAWS).flat_map(|n| [format!("draw {n}"), "mask".into()])).collect();
    Ok(montage(&tiles, &labels, &columns))
}

fn outlined(sample: &Sample) -> Rgb {
    let mut image = sample.image.clone();
    let thickness = if image.width > 400 { 2 } else { 1 };
    draw::outline(&mut image, &sample.mask, OUTLINE, thickness);
    image
}

/// "cutpaste+confetti" of both; "none" of nothing.
fn name(by: &[Name]) -> String {
    match by {
        [] => "none".into(),
        names => names.iter().map(Name::to_string).collect::<Vec<_>>().join("+"),
    }
}

fn stats(made: &[Pair], items: usize) -> Stats {
    let area = |sample: &Sample| sample.mask.area() as f64 / sample.mask.data.len() as f64;
    let shown = made.iter().filter(|pair| !pair.sample.by.is_empty());
    let strengths: Vec<(&[Name], f64, f64)> =
        shown.map(|Pair { before, sample, .. }| (&*sample.by, area(sample), contrast(before, sample))).collect();
    let of = |wanted: &dyn Fn(&[Name]) -> bool| {
        let some: Vec<_> = strengths.iter().filter(|s| wanted(s.0)).collect();
        let n = some.len() as f64;
        let mean = |value: fn(&(&[Name], f64, f64)) -> f64| some.iter().map(|s| value(s)).sum::<f64>() / n;
        (!some.is_empty()).then(|| Strength { count: some.len(), area: mean(|s| s.1), contrast: mean(|s| s.2) })
    };
    // One generator before several, each in the order of the list.
    let mut kinds: Vec<&[Name]> = strengths.iter().map(|s| s.0).collect();
    kinds.sort_by_key(|by| (by.len(), *by));
    kinds.dedup();
    Stats {
        items,
        chosen: made.len(),
        degenerate: made.len() - strengths.len(),
        ratio: (items > 0).then(|| strengths.len() as f64 / items as f64),
        all: of(&|_| true),
        kinds: kinds.into_iter().filter_map(|kind| Some((kind.to_vec(), of(&|by| by == kind)?))).collect(),
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
        let width = self.kinds.iter().map(|(by, _)| name(by).len() + 2).max().unwrap_or(0).max(10);
        write!(f, "{:<width$}{:>6}{:>11}{:>20}", "kind", "n", "mean area", "mean change (grey)")?;
        let line = |f: &mut fmt::Formatter, name: &str, s: &Strength| {
            write!(f, "\n{name:<width$}{:>6}{:>9.2} %{:>20.1}", s.count, 100.0 * s.area, s.contrast)
        };
        for (by, strength) in &self.kinds {
            line(f, &name(by), strength)?;
        }
        match &self.all {
            Some(strength) => line(f, "all", strength),
            None => write!(f, "\n{:<width$}{:>6}{:>11}{:>20}", "all", 0, "—", "—"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Combine, Resize};
    use crate::data::Item;
    use crate::image::codec::write_png;

    /// The gallery of twice ten items: stripes, and black.
    fn of(ratio: f64, combine: Combine) -> (Rgb, Stats) {
        let folder = tempfile::tempdir().unwrap();
        let stripes = Rgb::from_vec(64, 64, (0..3 * 64 * 64).map(|i| (i / 3 * 7 % 200) as u8).collect());
        let item = |(key, image): (&str, Rgb)| {
            let path = folder.path().join(key);
            write_png(&path, &image).unwrap();
            Item { path, key: key.into(), defect: "good".into(), mask: None }
        };
        let items = [("stripes", stripes), ("black", Rgb::filled(64, 64, [0; 3]))].map(item);
        let mut cfg = Config::default();
        (cfg.data.repeat, cfg.pseudo.ratio, cfg.pseudo.combine) = (10, ratio, combine);
        gallery(Source::new(items.into(), 64, Resize::Bilinear, 0), &cfg, 0, 30).unwrap()
    }

    #[test]
    fn the_statistics_count_every_item_of_the_epoch_once() {
        let (sheet, stats) = of(0.7, Combine::One);
        assert_eq!((stats.items, stats.chosen), (20, 14));
        let shown: usize = stats.kinds.iter().map(|(_, s)| s.count).sum();
        assert_eq!(shown + stats.degenerate, 14);
        assert!(stats.degenerate > 0, "pasting black on black does not show");
        assert_eq!((stats.ratio, stats.all.unwrap().count), (Some(shown as f64 / 20.0), shown));
        assert!(stats.kinds.iter().all(|(_, s)| s.area > 0.0 && s.area < 1.0 && s.contrast > 0.0));
        assert!(sheet.height > 14 * 64 && sheet.width > 3 * 64);
        let text = stats.to_string();
        assert!(text.starts_with("20 items, 14 chosen") && text.contains("cutpaste") && text.lines().count() == 5, "{text}");
    }

    #[test]
    fn a_ratio_of_zero_shows_a_clean_row_and_no_figures() {
        let (sheet, stats) = of(0.0, Combine::One);
        assert!(sheet.height > 64);
        assert_eq!((stats.chosen, stats.ratio, stats.all), (0, Some(0.0), None));
        assert!(stats.to_string().contains('—'));
    }

    #[test]
    fn several_generators_on_one_image_are_a_kind_of_their_own() {
        let (_, stats) = of(1.0, Combine::All);
        let kinds: Vec<String> = stats.kinds.iter().map(|(by, _)| name(by)).collect();
        assert!(kinds.contains(&"cutpaste+confetti".into()), "{kinds:?}");
        let text = stats.to_string();
        let lines: Vec<usize> = text.lines().skip(1).map(|line| line.chars().count()).collect();
        assert!(lines.windows(2).all(|w| w[0] == w[1]), "{text}");
    }
}
