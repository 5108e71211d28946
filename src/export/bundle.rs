//! A finished run as one file, with all that scoring a new image takes: to be copied where there is no run store.
//!
//! It is a tar archive of plain files, so that anybody can look into it: `bundle.json` (format, and the blake3 of each other file),
//! `config.toml`, `summary.json`, `calibration.json` where the run has one, `learned.safetensors` (the run's own weights), the files that it began with, and `LICENSES.txt`.
//! Paths of the machine are left out, times are zero: equal runs give equal bytes.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::config::{self, Config};
use crate::file::{self, Durable};
use crate::run::{Folder, Summary};
use crate::weights::File;
use crate::{Error, Result};

const FORMAT: u32 = 1;
const MANIFEST: &str = "bundle.json";
const CONFIG: &str = "config.toml";
const SUMMARY: &str = "summary.json";
const LEARNED: &str = "learned.safetensors";
const BACKBONE: &str = "backbone.safetensors";
const TEACHER: &str = "teacher_p{p}.safetensors";
/// Of a run that is calibrated.
const CALIBRATION: &str = "calibration.json";
const LICENSES: &str = "LICENSES.txt";

/// bundle.json.
#[derive(Serialize, Deserialize)]
struct Manifest {
    format: u32,
    /// Of the run.
    id: String,
    /// Version of the program that wrote it.
    harness: String,
    /// blake3 of each other file, hex.
    hashes: BTreeMap<String, String>,
}

/// Writes the finished run in `folder` to `out`; the bytes that were written.
///
/// # Errors
/// A file of the run, or one that it began with, that is missing.
pub fn write(folder: &Folder, cfg: &Config, summary: &Summary, out: &Path) -> Result<u64> {
    let mut files: Vec<(String, Vec<u8>)> = vec![];
    let mut take = |name: &str, path: &Path| -> Result<()> {
        let bytes = file::content(path).map_err(|e| Error::io("read", path, &e))?;
        files.push((name.to_owned(), bytes));
        Ok(())
    };
    take(LEARNED, &folder.learned()?)?;
    // Paths as the run has them, and not as they were found on this machine.
    let mut portable = folder.config()?;
    "data".clone_into(&mut portable.data.root);
    for (path, name) in beginnings(cfg) {
        take(&name, Path::new(&path))?;
    }
    if cfg.has_backbone() && cfg.model.backbone.weights != "none" {
        BACKBONE.clone_into(&mut portable.model.backbone.weights);
    }
    if cfg.us.teacher != "none" {
        TEACHER.clone_into(&mut portable.us.teacher);
    }
    if let Some(calibration) = Calibration::read(&folder.calibration_json(), &summary.id)? {
        files.push((CALIBRATION.into(), serde_json::to_vec_pretty(&calibration).expect("plain data")));
    }
    files.push((CONFIG.into(), portable.to_toml().into_bytes()));
    files.push((SUMMARY.into(), serde_json::to_vec_pretty(summary).expect("a summary is plain data")));
    files.push((LICENSES.into(), licenses(cfg)?.into_bytes()));
    let hashes = files.iter().map(|(name, bytes)| (name.clone(), blake3::hash(bytes).to_hex().to_string())).collect();
    let manifest = Manifest { format: FORMAT, id: summary.id.clone(), harness: env!("CARGO_PKG_VERSION").into(), hashes };
    files.insert(0, (MANIFEST.into(), serde_json::to_vec_pretty(&manifest).expect("plain data")));
    file::replace_with(out, Durable::Now, |to| {
        let mut archive = tar::Builder::new(to);
        for (name, bytes) in &files {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            header.set_mtime(0);
            archive.append_data(&mut header, name, bytes.as_slice())?;
        }
        archive.finish()
    })?;
    std::fs::metadata(out).map(|data| data.len()).map_err(|e| Error::io("read", out, &e))
}

/// The files that a run began with, and what they are called in a bundle.
fn beginnings(cfg: &Config) -> Vec<(String, String)> {
    let names: Vec<String> = match cfg.teacher() {
        Some(_) => cfg.us.fields.iter().map(|p| TEACHER.replace("{p}", &p.to_string())).collect(),
        None => vec![BACKBONE.to_owned()],
    };
    cfg.weight_files().into_iter().zip(names).collect()
}

/// What is known of the licences of the weights in it.
fn licenses(cfg: &Config) -> Result<String> {
    let mut text =
        String::from("This file holds weights that were trained on images: whether you may pass it on depends on their licence too.\n\n");
    if cfg.teacher().is_some() {
        text.push_str("teacher_p*.safetensors were distilled from a pretrained network; their metadata names it.\n");
    } else if let Some(path) = cfg.weight_files().first() {
        let meta = File::open(Path::new(path))?.meta;
        text.push_str(&format!("{BACKBONE}: {} ({}; {})\n", meta.license, meta.source, meta.lineage));
    }
    Ok(text)
}

/// A bundle whose files lie in a folder of its own, which goes when this does.
pub struct Unpacked {
    folder: PathBuf,
    pub cfg: Config,
    pub summary: Summary,
}

impl Unpacked {
    /// Unpacks `path` and compares every file with its hash.
    ///
    /// # Errors
    /// What is not a bundle, of a newer version, or damaged.
    pub fn open(path: &Path) -> Result<Self> {
        let broken = |why: String| Error::environment(format!("{}: {why}", path.display()), "make it again with `harness bundle`");
        let mut files = read(path).map_err(|e| broken(format!("this is not a whole bundle ({e})")))?;
        let mut take = |name: &str| files.remove(name).ok_or_else(|| broken(format!("there is no {name} in it")));
        let manifest = take(MANIFEST)?;
        let known: serde_json::Value = serde_json::from_slice(&manifest).map_err(|e| broken(format!("{MANIFEST}: {e}")))?;
        file::check_format(path, known.get("format").and_then(serde_json::Value::as_u64), FORMAT)?;
        let manifest: Manifest = serde_json::from_value(known).map_err(|e| broken(format!("{MANIFEST}: {e}")))?;
        let damaged =
            |(name, hash): &(&String, &String)| files.get(*name).is_none_or(|b| blake3::hash(b).to_hex().as_str() != hash.as_str());
        if let Some((name, _)) = manifest.hashes.iter().find(damaged) {
            return Err(broken(format!("{name} in it is damaged")));
        }
        let mut take = |name: &str| files.remove(name).ok_or_else(|| broken(format!("there is no {name} in it")));
        let text = String::from_utf8(take(CONFIG)?).map_err(|e| broken(format!("{CONFIG}: {e}")))?;
        let mut cfg = config::stored(&text).map_err(|e| broken(format!("{CONFIG}: {e}")))?;
        let summary = serde_json::from_slice(&take(SUMMARY)?).map_err(|e| broken(format!("{SUMMARY}: {e}")))?;
        let folder = place()?;
        let within = |name: &str| folder.join(name).display().to_string();
        if cfg.model.backbone.weights == BACKBONE {
            cfg.model.backbone.weights = within(BACKBONE);
        }
        if cfg.us.teacher == TEACHER {
            cfg.us.teacher = within(TEACHER);
        }
        // Made first, so that the folder goes where a file cannot be written.
        let unpacked = Self { folder, cfg, summary };
        for (name, bytes) in files.iter().filter(|(name, _)| manifest.hashes.contains_key(*name)) {
            file::replace_with(&unpacked.folder.join(name), Durable::OnceSynced, |out| io::Write::write_all(out, bytes))?;
        }
        Ok(unpacked)
    }

    /// The run's calibration, if it has one.
    ///
    /// # Errors
    /// One that cannot be understood.
    pub fn calibration(&self) -> Result<Option<Calibration>> {
        Calibration::read(&self.folder.join(CALIBRATION), &self.summary.id)
    }

    /// What the run learned.
    pub fn weights(&self) -> PathBuf {
        self.folder.join(LEARNED)
    }
}

/// The files of an archive by name, those that lie in no folder of it: what is written stays where it belongs.
fn read(path: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(std::fs::File::open(path)?).entries()? {
        let mut entry = entry?;
        let name = entry.path()?.to_string_lossy().into_owned();
        let plain = Path::new(&name).file_name().is_some_and(|last| last == name.as_str());
        if plain && entry.header().entry_type().is_file() {
            let mut bytes = vec![];
            entry.read_to_end(&mut bytes)?;
            files.insert(name, bytes);
        }
    }
    Ok(files)
}

/// A new folder among the system's temporary ones.
fn place() -> Result<PathBuf> {
    let name = |count: u32| std::env::temp_dir().join(format!("harness-model-{}-{count}", std::process::id()));
    for folder in (0..).map(name) {
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::io("create", &folder, &error)),
        }
    }
    unreachable!("numbers do not end")
}

impl Drop for Unpacked {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
