//! The figures of one finished run, in its own folder `figures/`.
//!
//! | file | shows |
//! |---|---|
//! | `panels.png` | images of each defect with ground truth and score map, chosen by mask area |
//! | `loss.svg`, `.png` | loss, its parts and the gradient's norm over the epochs |
//! | `roc.svg`, `.png` | ROC of pixels and of images |
//! | `pro.svg`, `.png` | per-region overlap up to the limit |
//! | `scores.svg`, `.png` | image scores of normal and anomalous images |
//!
//! What a run has nothing for is not written, and removed where an earlier attempt left it.

use crate::config::{self, Config};
use crate::data::Source;
use crate::eval::{self, Evaluation, MapName};
use crate::file;
use crate::image::{Map, codec};
use crate::run::{Folder, event};
use crate::{Error, Result};

use super::panel;
use super::plot::{self, Histogram, History, Loss, Pro, Roc};

/// Bytes of the curves as SVG and PNG, and of the PNGs among them: measured on the built-in set. A training has curves of its own.
const CURVES: [u64; 2] = [300_000, 230_000];
const TRAINING: [u64; 2] = [130_000, 140_000];

/// About how many bytes [`write()`] will write, and TensorBoard's file, which holds the pictures once more at the size of a screen: panels as
/// a JPEG of some eighth of their bytes.
///
/// # Errors
/// An image that cannot be read.
pub fn expected_bytes(test: &Source, cfg: &Config) -> Result<u64> {
    let method = cfg.detector.method();
    let mapped = eval::names(&cfg.detector.outputs(cfg)).first().is_some_and(|headline| *headline != eval::IMAGE);
    let panels = if mapped { panel::expected_bytes(test)? } else { 0 };
    let training = if method.trained { TRAINING.iter().sum() } else { 0 };
    Ok(panels + panels / 8 + CURVES.iter().sum::<u64>() + training)
}

/// Writes the figures of a run. `evaluations` hold one of each of the detector's outputs, the headline first; `map_of` gives the map of a test image as the detector
/// made it. The bytes depend on nothing else but the run's events and folder.
///
/// # Errors
/// An image, mask or map that cannot be read, and a file that cannot be written; the error names it.
pub fn write(
    folder: &Folder,
    test: &Source,
    cfg: &config::Eval,
    evaluations: &[(MapName, Evaluation)],
    map_of: &dyn Fn(MapName, usize) -> Result<Map>,
) -> Result<()> {
    let headline = evaluations.first().map_or(eval::IMAGE, |(name, _)| *name);
    let figures = folder.figures();
    std::fs::create_dir_all(&figures).map_err(|e| Error::io("create the folder", &figures, &e))?;
    let subject = subject(folder, test);
    let titled = |what: &str| format!("{what} · {subject}");

    let history = History::of(&event::read(&folder.events_jsonl())?);
    let loss = history.map(|history| Loss { title: titled("Training loss"), history });
    plot::write(&figures, "loss", loss.as_ref())?;
    plot::write(&figures, "roc", Roc::of(titled("ROC"), evaluations, headline).as_ref())?;
    plot::write(&figures, "pro", Pro::of(titled("Per-region overlap"), evaluations, headline).as_ref())?;

    let main = evaluations.iter().find(|(map, _)| *map == headline);
    let scores = main.and_then(|(map, evaluation)| Histogram::of(titled("Image scores"), map, evaluation));
    plot::write(&figures, "scores", scores.as_ref())?;

    let title = titled("Test images");
    let mapped = main.filter(|(map, _)| *map != eval::IMAGE);
    let panels = mapped.map(|(map, evaluation)| panel::panels(&title, test, cfg, map, evaluation, &|i| map_of(map, i)));
    let path = figures.join("panels.png");
    match panels.transpose()?.flatten() {
        Some(picture) => file::replace(&path, &codec::encode_png(&picture)),
        None => file::remove(&path),
    }
}

/// Category and id of the run, as titles name it.
fn subject(folder: &Folder, test: &Source) -> String {
    let recorded = folder.record().ok().flatten().map(|record| record.category);
    // ROOT/<category>/test/<defect>/<file>
    let of_path = || Some(test.items().first()?.path.ancestors().nth(3)?.file_name()?.to_string_lossy().into_owned());
    let category = recorded.or_else(of_path);
    let mut names: Vec<_> = folder.path().iter().rev().take(2).collect();
    names.reverse();
    let id = names.iter().map(|name| name.to_string_lossy()).collect::<Vec<_>>().join("/");
    category.map_or(id.clone(), |category| format!("{category} · {id}"))
}
