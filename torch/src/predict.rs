//! `harness predict`: a finished run on new images, by the same path from file to score as its evaluation.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use harness::cli::predict::Args;
use harness::config::{Config, Profile, Resolved};
use harness::data::{Item, Source};
use harness::eval;
use harness::export::bundle::Unpacked;
use harness::file;
use harness::image::{Map, codec, draw, npy};
use harness::report::study::as_text;
use harness::run::{Folder, Status, Summary};
use harness::store::{Store, config_with_weights};
use harness::{Error, Result, sayln, showln};

use crate::detector::{self, Detector, Parts};
use crate::eval::score_all;
use crate::experiment::Session;
use crate::{boundary, device, tensors};

/// Carries out `harness predict`.
pub fn run(args: &Args) -> Result<()> {
    match (&args.model, &args.run) {
        (Some(file), _) => {
            let model = Unpacked::open(file)?;
            score(&model.cfg, &model.weights(), &model.summary, args)
        }
        (None, Some(name)) => {
            let (folder, summary) = finished(name, &args.results)?;
            score(&config_with_weights(&folder, &summary, args.weights.as_deref())?, &folder.weights(), &summary, args)
        }
        (None, None) => Err(Error::config("there is nothing to score with", "give --run ID, or --model FILE")),
    }
}

/// The folder and the summary of the finished run that `name` means.
fn finished(name: &str, results: &Path) -> Result<(Folder, Summary)> {
    let entry = Store::new(results).find(name)?;
    if entry.status != Status::Finished {
        return Err(Error::environment(
            format!("run {} is {}", entry.id, entry.status.name()),
            "finish it first: repeat its `harness run` command",
        ));
    }
    let summary = harness::run::summary_compared(&entry.folder)?
        .ok_or_else(|| Error::environment(format!("run {} has no summary", entry.id), "repeat it with --force"))?;
    Ok((entry.folder, summary))
}

/// Scores the images with what was learned, in the file `weights`.
fn score(config: &Config, weights: &Path, summary: &Summary, args: &Args) -> Result<()> {
    let mut config = config.clone();
    config.run.device = args.device.clone();
    let items = collect(&args.inputs)?;
    if let Some(image) = overwritten(&items, &args.out).filter(|_| !args.no_overlay) {
        return Err(Error::config(
            format!("--out {}: an overlay would replace the image {}", args.out.display(), image.display()),
            "choose a folder without images, or --no-overlay",
        ));
    }
    std::fs::create_dir_all(&args.out).map_err(|e| Error::io("create", &args.out, &e))?;
    boundary::guard("scoring", "a smaller eval.batch", || {
        let detector = load(&config, weights, summary, &args.results)?;
        let source = Source::of(items, &config, 0);
        write(detector.0.as_ref(), detector.1, &source, &config, summary, args)
    })
}

/// The detector of a finished run and its device.
fn load(config: &Config, weights: &Path, summary: &Summary, results: &Path) -> Result<(Box<dyn Detector>, tch::Device)> {
    let resolved = Resolved { config: config.clone(), profile: Profile::Cpu, experiment: "predict".into(), unread: vec![] };
    let session = Session::without_data(resolved, results)?;
    if session.weights_hash != summary.backbone.weights_hash {
        return Err(Error::environment(
            format!("{} is not what the run was trained with", config.weight_files().join(", ")),
            "put the run's own weights back, or name where they lie: --weights FILE-OR-DIR; summary.json names their hash",
        ));
    }
    let parts = Parts { cfg: config, seed: summary.seed, device: session.device, weights: session.weights.as_ref() };
    let mut detector = detector::build(&parts)?;
    let bytes = std::fs::read(weights).map_err(|e| Error::io("read the trained weights", weights, &e))?;
    let stored = tensors::from_bytes(&bytes, weights)?;
    detector.restore(&|name| tensors::find(&stored, name))?;
    sayln!("run {} on {}", summary.id, device::name(session.device));
    Ok((detector, session.device))
}

fn write(detector: &dyn Detector, on: tch::Device, source: &Source, cfg: &Config, summary: &Summary, args: &Args) -> Result<()> {
    let headline = eval::names(&cfg.detector.outputs(cfg))[0];
    let csv_path = args.out.join("scores.csv");
    let mut table = csv::Writer::from_writer(Vec::new());
    let mut row =
        |fields: [&str; 5]| table.write_record(fields).map_err(|e| Error::environment(format!("{}: {e}", csv_path.display()), ""));
    row(["image", "score", "map", "width", "height"])?;
    score_all(detector, source, cfg.eval.batch, on, &mut |index, scored| {
        let item = &source.items()[index];
        let (width, height) = eval::size(source, index, &cfg.eval)?;
        let inside = eval::inside(source, index, &cfg.eval)?;
        let (map, score) = eval::scored_within(&scored.headline(), (width, height), inside.as_ref(), &cfg.eval)?;
        if let Some(map) = map {
            let file = args.out.join(format!("{}.npy", item.key));
            if let Some(folder) = file.parent() {
                std::fs::create_dir_all(folder).map_err(|e| Error::io("create", folder, &e))?;
            }
            npy::write(&file, &map)?;
            if !args.no_overlay {
                overlay(source, index, &map, &args.out.join(format!("{}.png", item.key)))?;
            }
        }
        row([&as_text(&item.path.display().to_string()), &score.to_string(), headline, &width.to_string(), &height.to_string()])
    })?;
    file::replace(&csv_path, &table.into_inner().expect("a buffer in memory takes all"))?;
    if source.turned() > 0 {
        sayln!("{} of {} images were turned upright, as their orientation tags (EXIF) ask", source.turned(), source.len());
    }
    showln!("{} images scored with {} -> {}", source.len(), summary.id, args.out.display());
    Ok(())
}

/// The heat map over the image, stretched over this map's own range.
fn overlay(source: &Source, index: usize, full: &Map, path: &Path) -> Result<()> {
    let image = source.picture(index)?;
    let (low, high) = full.data.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(l, h), &v| (l.min(v), h.max(v)));
    let image = harness::image::resize::bilinear(&image, full.width, full.height);
    codec::write_png(path, &draw::overlay(&image, full, low, high, 0.5))
}

/// The images that were named: files as they are, folders with everything below them; keys are unique relative names.
fn collect(inputs: &[PathBuf]) -> Result<Vec<Item>> {
    let mut files = vec![];
    for input in inputs {
        if input.is_dir() {
            let before = files.len();
            let mut walk = Walk { root: input, seen: HashSet::new(), passed: BTreeMap::new(), files: &mut files };
            walk.folder(input)?;
            walk.tell();
            if files.len() == before {
                return Err(Error::environment(format!("{}: no images in this folder", input.display()), codec::ENDINGS));
            }
        } else if input.is_file() {
            let name = input.file_stem().map_or_else(|| "image".into(), |s| s.to_string_lossy().into_owned());
            files.push((input.clone(), name));
        } else {
            return Err(Error::environment(format!("{}: there is no such file or folder", input.display()), "check the path"));
        }
    }
    Ok(unique(files))
}

/// The image in whose place an overlay would be written, if there is one.
fn overwritten(items: &[Item], out: &Path) -> Option<PathBuf> {
    let images: HashSet<PathBuf> = items.iter().filter_map(|item| item.path.canonicalize().ok()).collect();
    items.iter().filter_map(|item| out.join(format!("{}.png", item.key)).canonicalize().ok()).find(|overlay| images.contains(overlay))
}

/// Items with a key each: the requested one, or that with the first number that is neither taken nor requested.
fn unique(files: Vec<(PathBuf, String)>) -> Vec<Item> {
    let mut taken: HashSet<String> = HashSet::new();
    let requested: HashSet<String> = files.iter().map(|(_, key)| key.clone()).collect();
    let mut free = |key: &str| taken.insert(key.to_owned());
    let items = files.into_iter().map(|(path, request)| {
        let numbered = (2..).map(|n| format!("{request}-{n}")).filter(|key| !requested.contains(key));
        let key = std::iter::once(request.clone()).chain(numbered).find(|key| free(key)).expect("numbers do not end");
        Item { path, key, defect: "good".into(), mask: None }
    });
    items.collect()
}

/// A walk through a folder and all below it.
struct Walk<'a> {
    root: &'a Path,
    /// The folders that were entered, by their true places: links may lead back to them.
    seen: HashSet<PathBuf>,
    /// Pictures of a format that is not read, by ending.
    passed: BTreeMap<String, usize>,
    files: &'a mut Vec<(PathBuf, String)>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &Path) -> Result<()> {
        let io = |e: &std::io::Error| Error::io("read", folder, e);
        if !self.seen.insert(folder.canonicalize().map_err(|e| io(&e))?) {
            return Ok(());
        }
        let mut entries = std::fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(|e| io(&e))?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for path in entries.iter().filter(|entry| !entry.file_name().to_string_lossy().starts_with('.')).map(std::fs::DirEntry::path) {
            if path.is_dir() { self.folder(&path)? } else { self.file(path) }
        }
        Ok(())
    }

    fn file(&mut self, path: PathBuf) {
        let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        if !codec::IMAGE_EXTENSIONS.contains(&ending.as_str()) {
            if harness::data::check::is_picture(&path) {
                *self.passed.entry(ending).or_default() += 1;
            }
            return;
        }
        if path.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("_mask")) {
            sayln!("warning: {} is scored as an image: by its name it is a mask", path.display());
        }
        let below = path.strip_prefix(self.root).unwrap_or(&path).with_extension("").to_string_lossy().into_owned();
        self.files.push((path, below));
    }

    /// Says aloud which pictures were passed over.
    fn tell(&self) {
        let count: usize = self.passed.values().sum();
        let kinds: Vec<String> = self.passed.iter().map(|(ending, count)| format!("{count} .{ending}")).collect();
        if count > 0 {
            let kinds = kinds.join(", ");
            sayln!(
                "warning: {}: {count} pictures are passed over ({kinds}): their format is not read; convert them to PNG",
                self.root.display()
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overlay_never_replaces_an_image() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.png"), "").unwrap();
        let items = collect(&[dir.path().to_owned()]).unwrap();
        assert!(overwritten(&items, dir.path()).is_some_and(|image| image.ends_with("a.png")));
        assert_eq!(overwritten(&items, &dir.path().join("out")), None);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_in_circles_are_walked_once() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("a")).unwrap();
        std::fs::write(dir.path().join("a/0.png"), "").unwrap();
        for (from, to) in [(".", "loop"), ("..", "a/up"), ("a", "again")] {
            std::os::unix::fs::symlink(from, dir.path().join(to)).unwrap();
        }
        let keys: Vec<String> = collect(&[dir.path().to_owned()]).unwrap().into_iter().map(|item| item.key).collect();
        assert_eq!(keys, ["a/0"]);
    }

    #[test]
    fn no_two_images_share_a_key_and_a_name_of_its_own_is_kept() {
        let files = ["a/000", "b/000", "c/000-2", "d/000", "e/000-2"].map(|p| (PathBuf::from(p), p[2..].to_owned()));
        let keys: Vec<String> = unique(files.to_vec()).into_iter().map(|item| item.key).collect();
        assert_eq!(keys, ["000", "000-3", "000-2", "000-4", "000-2-2"]);
    }
}
