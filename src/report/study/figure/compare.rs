//! The same test images under every row: image, ground truth and one score map a row, so that one sees what each row changes.

use std::path::Path;

use crate::config::Config;
use crate::data::{self, Source};
use crate::eval::{self, MapStore};
use crate::image::{Map, Rgb, draw};
use crate::report::panel::{self, Chosen, by_area};
use crate::report::panel::{Case, Section, Sheet, TILE};
use crate::run::Folder;
use crate::store::{Store, config_found};
use crate::sweep::Study;
use crate::ui::text::number;
use crate::{Error, Result};

/// One row's run in one category.
pub(super) struct Maps {
    pub name: String,
    /// Lines below the name.
    pub note: String,
    pub run: Found,
}

/// What is there of it.
pub(super) enum Found {
    Run(Box<Run>),
    /// It is not finished.
    Unfinished,
    /// It is finished, and its maps are gone.
    Gone,
    /// Its detector gives none.
    None,
}

impl Maps {
    pub fn maps(&self) -> Option<&Run> {
        if let Found::Run(run) = &self.run { Some(run) } else { None }
    }
}

pub(super) struct Run {
    /// Place among the study's rows.
    pub row: usize,
    pub folder: Folder,
    pub maps: MapStore,
    pub cfg: Config,
    /// Whose map it is, and its name: maps of one detector under one name are in one unit.
    pub unit: (String, String),
    /// Values at the ends of the colours: the same for all rows of a unit.
    pub range: (f32, f32),
}

/// What became of a category's sheet.
pub enum Panels {
    Drawn(Sheet),
    /// Without the maps of finished runs that are gone.
    Lacking(Sheet),
    /// No row gives maps.
    Nothing,
    /// The runs or their maps are not there.
    Absent,
}

/// The sheet of one category, of the study's first seed, with the data where the study's plan says that they lie: runs that it reuses
/// may have been made elsewhere.
///
/// # Errors
/// A run's configuration, an image or a mask that cannot be read.
pub fn sheet(study: &Study, store: &Store, category: &str) -> Result<Panels> {
    let Some(&seed) = study.seeds.first() else { return Ok(Panels::Nothing) };
    let Some((test, cfg)) = test_images(study, store, category, seed)? else { return Ok(Panels::Absent) };
    let rows = all_maps(study, store, &test, category, seed)?;
    if test.is_empty() || rows.iter().all(|row| matches!(row.run, Found::None)) {
        return Ok(Panels::Nothing);
    }
    if rows.iter().all(|row| row.maps().is_none()) {
        return Ok(Panels::Absent);
    }
    let cases = chosen(&test, &cfg)?.iter().map(|c| case(&test, &cfg, &rows, category, *c)).collect::<Result<Vec<Case>>>()?;
    let label = |row: &Maps| format!("{}\n{}", row.name, row.note);
    let labels = ["image".to_owned(), "ground truth".to_owned()].into_iter().chain(rows.iter().map(label));
    let sheet = Sheet {
        title: format!("{}: {category}, seed {seed}", study.title),
        bar: ["colours of the maps, one range for each map of a detector:".into(), "1st percentile".into(), "99.95th percentile".into()],
        rows: labels.collect(),
        sections: vec![Section { heading: "From the smallest to the largest defect, then without one".into(), cases }],
        caption: caption(&rows, test.len()),
    };
    let gone = rows.iter().any(|row| matches!(row.run, Found::Gone));
    Ok(if gone { Panels::Lacking(sheet) } else { Panels::Drawn(sheet) })
}

/// The test images of a category and a configuration that reads them; `None` where no run of the seed is finished.
pub(super) fn test_images(study: &Study, store: &Store, category: &str, seed: u64) -> Result<Option<(Source, Config)>> {
    let Some(mut cfg) = first_config(study, store, category, seed)? else { return Ok(None) };
    if study.root == data::root::BUILTIN || Path::new(&study.root).is_dir() {
        cfg.data.root.clone_from(&study.root);
    }
    let items = data::Dataset::of(&cfg.data)?.category(category)?.test;
    Ok(Some((Source::of(items, &cfg, 1), cfg)))
}

/// The maps of all rows but quoted ones, which have none by their nature.
pub(super) fn all_maps(study: &Study, store: &Store, test: &Source, category: &str, seed: u64) -> Result<Vec<Maps>> {
    let rows = (0..study.rows.len()).filter(|&row| !study.is_quoted(row));
    let mut rows = rows.map(|row| maps(study, store, test, row, category, seed)).collect::<Result<Vec<Maps>>>()?;
    let ranges: Vec<_> = rows.iter().filter_map(|row| row.maps().map(|run| (run.unit.clone(), run.range))).collect();
    for row in &mut rows {
        let Found::Run(run) = &mut row.run else { continue };
        let alike = ranges.iter().filter(|(unit, _)| *unit == run.unit);
        run.range = alike.fold(run.range, |(low, high), (_, range)| (low.min(range.0), high.max(range.1)));
        let [low, high] = [run.range.0, run.range.1].map(|v| number(f64::from(v)));
        row.note = format!("map {}\n{low} to {high}", run.unit.1);
    }
    Ok(rows)
}

fn caption(rows: &[Maps], maps: usize) -> String {
    let mut ranges: Vec<String> = vec![];
    for run in rows.iter().filter_map(Maps::maps) {
        let [low, high] = [run.range.0, run.range.1].map(|v| number(f64::from(v)));
        let range = format!("map {} of {} from {low} to {high}", run.unit.1, run.unit.0);
        if !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    format!(
        "Of each kind of defect the image with the median mask area is shown, and the smallest and the largest defect of the category: \
         chosen by mask area alone, never by score; without defect, the first by name. The mask area stands above each image in per cent \
         of it. Ground truth is outlined in yellow. Maps of one name of one detector share their colours ({}): from the lowest 1st to \
         the highest 99.95th percentile of the pixels of the {maps} test maps of each such row; values beyond are clipped. Other maps \
         measure in other units: compare where they are bright, not how bright.",
        ranges.join(", ")
    )
}

/// The configuration of the first row that has a finished run: data and masks are the same for all.
fn first_config(study: &Study, store: &Store, category: &str, seed: u64) -> Result<Option<Config>> {
    let finished = |c: &&crate::sweep::Cell| c.category == category && c.seed == seed && c.summary().is_some();
    let mut cells: Vec<_> = study.cells.iter().filter(finished).collect();
    cells.sort_by_key(|cell| cell.row);
    cells.first().map(|cell| config_found(&store.folder(&cell.id))).transpose()
}

fn maps(study: &Study, store: &Store, test: &Source, row: usize, category: &str, seed: u64) -> Result<Maps> {
    let name = study.rows[row].name.clone();
    let without = |note: &str, run: Found| Ok(Maps { name: name.clone(), note: note.to_owned(), run });
    let cell = study.cells.iter().find(|c| c.row == row && c.category == category && c.seed == seed);
    let Some((cell, summary)) = cell.and_then(|c| Some((c, c.summary()?))) else {
        return without("no finished run", Found::Unfinished);
    };
    if summary.headline == eval::IMAGE {
        return without("scores images, gives no map", Found::None);
    }
    let folder = store.folder(&cell.id);
    let maps = MapStore::at(&folder.maps().join(&summary.headline));
    // Maps are large and may have been removed since; which must not make a report fail.
    let Ok(range) = panel::colour_range(test.len(), &|i| maps.read(category, &test.items()[i].key)) else {
        return without("maps are not there", Found::Gone);
    };
    let unit = (summary.detector.clone(), summary.headline.clone());
    let cfg = folder.config()?;
    let run = Found::Run(Box::new(Run { row, folder, maps, cfg, unit, range }));
    Ok(Maps { name, note: String::new(), run })
}

/// The images to show, from the smallest to the largest defect, and a good one.
fn chosen(test: &Source, cfg: &Config) -> Result<Vec<Chosen>> {
    let (defective, good) = panel::chosen(test, &cfg.eval)?;
    let kinds: Vec<(&str, f64)> = defective.iter().map(|c| (test.items()[c.index].defect.as_str(), c.share)).collect();
    let shown = sampled(&kinds).into_iter().map(|i| defective[i]);
    Ok(shown.chain(good.first().copied()).collect())
}

/// Of (kind, area) pairs: the median of each kind (of an even number the lower one), the least and the greatest of all; each
/// once, from the least area up.
fn sampled(images: &[(&str, f64)]) -> Vec<usize> {
    let chosen = by_area(images);
    let medians = chosen.chunk_by(|&a, &b| images[a].0 == images[b].0).map(|kind| kind[(kind.len() - 1) / 2]);
    let by_size = |a: &usize, b: &usize| images[*a].1.total_cmp(&images[*b].1).then(a.cmp(b));
    let ends = [chosen.iter().copied().min_by(by_size), chosen.iter().copied().max_by(by_size)];
    let mut sample: Vec<usize> = medians.chain(ends.into_iter().flatten()).collect();
    sample.sort_by(by_size);
    sample.dedup();
    sample
}

fn case(test: &Source, cfg: &Config, rows: &[Maps], category: &str, chosen: Chosen) -> Result<Case> {
    let item = &test.items()[chosen.index];
    let [image, truth] = panel::subject(test, &cfg.eval, chosen.index)?;
    let absent = absent(image.width, image.height);
    let mut tiles = vec![image, truth];
    for row in rows {
        tiles.push(match row.maps() {
            Some(run) => {
                let map: Map = run.maps.read(category, &item.key)?;
                panel::heat(test, &run.cfg.eval, chosen.index, &map, run.range)?
            }
            None => absent.clone(),
        });
    }
    let name = item.key.strip_prefix("test/").unwrap_or(&item.key).to_owned();
    let figures = if item.is_good() {
        "no defect".to_owned()
    } else if !test.is_masked() {
        "no mask".to_owned()
    } else {
        format!("{} %", panel::percent(chosen.share))
    };
    Ok(Case { name, figures, tiles })
}

/// A tile where there is no map.
fn absent(width: usize, height: usize) -> Rgb {
    const SIZE: f32 = 16.0;
    let mut tile = Rgb::filled(width, height, [236; 3]);
    let words = draw::fitted("no map", SIZE, width.min(TILE));
    let x = width.saturating_sub(draw::text_width(&words, SIZE)) / 2;
    draw::text(&mut tile, x as i64, (height as i64 - draw::text_height(SIZE) as i64) / 2, SIZE, [110; 3], &words);
    tile
}

/// What is said where the panels cannot be drawn.
pub fn refusal(category: &str, error: &Error) -> String {
    format!("The panels of {category} could not be drawn: {}", error.what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn each_kind_and_both_ends_are_shown_from_the_smallest_up(images in prop::collection::vec((0..4_usize, 0..30_u32), 0..50)) {
            const KINDS: [&str; 4] = ["cut", "hole", "bent", "thread"];
            let images: Vec<(&str, f64)> = images.into_iter().map(|(k, a)| (KINDS[k], f64::from(a))).collect();
            let sample = sampled(&images);
            prop_assert!(sample.windows(2).all(|w| images[w[0]].1 <= images[w[1]].1 && w[0] != w[1]));
            let mut distinct = sample.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert!(distinct.len() == sample.len() && sample.len() <= KINDS.len() + 2);
            for kind in KINDS {
                prop_assert_eq!(sample.iter().any(|&i| images[i].0 == kind), images.iter().any(|(k, _)| *k == kind));
            }
            let areas = || images.iter().map(|&(_, a)| a);
            prop_assert_eq!(sample.first().map(|&i| images[i].1), areas().reduce(f64::min));
            prop_assert_eq!(sample.last().map(|&i| images[i].1), areas().reduce(f64::max));
        }
    }
}
