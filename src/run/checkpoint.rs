//! Where a run is resumed after it was stopped or killed: one file with its position and its tensors, the last kept.
//!
//! `checkpoints/last.ckpt`, integers little-endian:
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `harnckpt` |
//! | 4 | format, u32 |
//! | 8 | length of the position, u64 |
//! | 8 | length of the tensors, u64 |
//! | … | [`Position`] as JSON |
//! | … | tensors: a safetensors file (weights, running statistics, optimiser) |
//! | 32 | blake3 of all that stands before |

use super::Folder;
use crate::file::{Durable, check_format, replace_with};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The format of last.ckpt.
pub const FORMAT: u32 = 1;

const MAGIC: &[u8; 8] = b"harnckpt";
const HEAD: usize = 8 + 4 + 8 + 8;
const HASH: usize = blake3::OUT_LEN;

/// Where a run stands between two steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Position {
    /// `<hash10>-s<seed>` of the run; empty in checkpoints of versions that did not note it.
    #[serde(default)]
    pub run: String,
    /// The epoch that the next step belongs to.
    pub epoch: u64,
    /// Steps done over the whole run.
    pub step: u64,
    /// Batches done in that epoch.
    pub batch: u64,
    /// Bytes of events.jsonl at this moment; a resume truncates it to them.
    pub events_len: u64,
    /// Seconds spent on what this checkpoint holds, over all attempts.
    pub wall_s: f64,
    /// What the training loop has to remember beside tensors (sums for an epoch's means, the best metric so far).
    /// Non-finite numbers do not survive JSON: encode them.
    pub state: serde_json::Value,
}

/// How far a training goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub epochs: u64,
    /// Batches of an epoch.
    pub batches: u64,
    pub steps: u64,
}

impl Position {
    /// Why a run called `name` (`<hash10>-s<seed>`) cannot stand here; `None` where it can. `extent` is how far it goes, where
    /// that is known.
    pub fn misfit(&self, name: &str, extent: Option<Extent>) -> Option<String> {
        if !self.run.is_empty() && self.run != name {
            return Some(format!("it is that of run {}", self.run));
        }
        let Extent { epochs, batches, steps } = extent?;
        let Self { epoch, batch, step, .. } = *self;
        let done = epoch.checked_mul(batches).and_then(|done| done.checked_add(batch)).map(|done| done.min(steps));
        let within = epoch <= epochs && batch < batches.max(1) && (epoch < epochs || batch == 0);
        (!within || done != Some(step))
            .then(|| format!("it stands at epoch {epoch}, batch {batch}, step {step} of {epochs} epochs of {batches} batches"))
    }
}

/// What was found when a checkpoint was looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Loaded {
    /// There is none.
    None,
    /// A whole one.
    Whole(Position, Vec<u8>),
    /// One that cannot be used: it was moved to the path, for the reason.
    Damaged { moved: PathBuf, why: String },
}

/// Writes the checkpoint in place of the one before; the size of the file in bytes.
/// events.jsonl has to be synced up to `position.events_len` before.
pub fn save(folder: &Folder, position: &Position, tensors: &[u8]) -> Result<u64> {
    let json = serde_json::to_vec(position).expect("a position is plain data");
    let mut head = Vec::with_capacity(HEAD + json.len());
    head.extend_from_slice(MAGIC);
    head.extend_from_slice(&FORMAT.to_le_bytes());
    head.extend_from_slice(&(json.len() as u64).to_le_bytes());
    head.extend_from_slice(&(tensors.len() as u64).to_le_bytes());
    head.extend_from_slice(&json);
    let hash = blake3::Hasher::new().update(&head).update(tensors).finalize();
    let parts = [&head, tensors, hash.as_bytes()];
    replace_with(&folder.last_checkpoint(), Durable::Now, |out| parts.iter().try_for_each(|part| out.write_all(part)))?;
    Ok((head.len() + tensors.len() + HASH) as u64)
}

/// Reads the last checkpoint. A damaged one is moved aside; one of a newer format is an error.
pub fn load(folder: &Folder) -> Result<Loaded> {
    let path = folder.last_checkpoint();
    let bytes = match crate::file::content(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Loaded::None),
        Err(error) => return Err(Error::io("read", &path, &error)),
    };
    match decode(&path, bytes)? {
        Ok((position, tensors)) => Ok(Loaded::Whole(position, tensors)),
        Err(why) => Ok(Loaded::Damaged { moved: move_aside(folder)?, why: why.into() }),
    }
}

/// Renames last.ckpt to last.ckpt.damaged (over an older one), so that the next start does not trip over it.
pub fn move_aside(folder: &Folder) -> Result<PathBuf> {
    let (path, moved) = (folder.last_checkpoint(), damaged(folder));
    std::fs::rename(&path, &moved).map_err(|e| Error::io("move", &path, &e))?;
    Ok(moved)
}

/// Where [`move_aside`] moves to; removed when the run is finished.
pub fn damaged(folder: &Folder) -> PathBuf {
    folder.last_checkpoint().with_extension("ckpt.damaged")
}

/// The parts of a checkpoint, or why it is damaged. The tensors stay in the buffer that was read.
fn decode(path: &Path, mut bytes: Vec<u8>) -> Result<std::result::Result<(Position, Vec<u8>), &'static str>> {
    if bytes.len() < HEAD + HASH || !bytes.starts_with(MAGIC) {
        return Ok(Err("it is cut short or not a checkpoint"));
    }
    let number = |at: usize, len: usize| bytes[at..at + len].iter().rev().fold(0u64, |n, b| n << 8 | u64::from(*b));
    let (format, json_len, tensors_len) = (number(8, 4), number(12, 8), number(20, 8));
    let end = bytes.len() - HASH;
    let sound = blake3::hash(&bytes[..end]).as_bytes() == &bytes[end..];
    // A newer format may be laid out otherwise: that is not damage, and it must stay where it is.
    if format > u64::from(FORMAT) && sound {
        check_format(path, Some(format), FORMAT)?;
    }
    let stated = (HEAD as u64).checked_add(json_len).and_then(|n| n.checked_add(tensors_len));
    if !sound || stated != Some(end as u64) {
        return Ok(Err("its checksum does not match"));
    }
    let tensors = HEAD + json_len as usize;
    let Ok(position) = serde_json::from_slice(&bytes[HEAD..tensors]) else { return Ok(Err("its position cannot be understood")) };
    bytes.truncate(end);
    bytes.drain(..tensors);
    Ok(Ok((position, bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Id;
    use proptest::prelude::*;

    fn folder(dir: &Path) -> Folder {
        let folder = Folder::of(dir, &Id::new("x", "0123456789", 0).unwrap());
        std::fs::create_dir_all(folder.checkpoints()).unwrap();
        folder
    }

    fn position() -> Position {
        let state = serde_json::json!({ "sum": 0.1 + 0.2 });
        Position { run: String::new(), epoch: 2, step: 17, batch: 3, events_len: 1234, wall_s: 0.1, state }
    }

    #[test]
    fn a_position_knows_its_run_and_its_bounds() {
        let extent = Some(Extent { epochs: 3, batches: 7, steps: 21 });
        let at = |epoch, batch, step| Position { run: "0123456789-s0".into(), epoch, batch, step, ..Position::default() };
        for (epoch, batch) in [(0, 0), (0, 6), (2, 3), (3, 0)] {
            assert_eq!(at(epoch, batch, 7 * epoch + batch).misfit("0123456789-s0", extent), None);
        }
        for (epoch, batch, step) in
            [(4, 0, 28), (3, 1, 22), (2, 7, 21), (1, 0, 8), (1_000_000_000_000_000_000, 0, 0), (0, 1_000_000_000, 0)]
        {
            let why = at(epoch, batch, step).misfit("0123456789-s0", extent).unwrap();
            assert!(why.contains("of 3 epochs of 7 batches"), "{why}");
        }
        // By steps, the last epoch ends in its middle.
        let short = Some(Extent { epochs: 3, batches: 7, steps: 17 });
        assert_eq!(at(3, 0, 17).misfit("0123456789-s0", short), None);
        assert!(at(0, 0, 0).misfit("0123456789-s1", None).unwrap().contains("0123456789-s0"));
        assert_eq!(position().misfit("0123456789-s1", None), None, "earlier versions did not note the run");
    }

    #[test]
    fn the_last_checkpoint_is_the_one_that_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        assert_eq!(load(&folder).unwrap(), Loaded::None);
        save(&folder, &Position::default(), b"old").unwrap();
        let size = save(&folder, &position(), b"tensors").unwrap();
        assert_eq!(size, std::fs::metadata(folder.last_checkpoint()).unwrap().len());
        assert_eq!(load(&folder).unwrap(), Loaded::Whole(position(), b"tensors".to_vec()));
        assert_eq!(std::fs::read_dir(folder.checkpoints()).unwrap().count(), 1);
    }

    #[test]
    fn a_checkpoint_of_a_newer_format_is_an_error_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let folder = folder(dir.path());
        save(&folder, &position(), b"tensors").unwrap();
        let mut bytes = std::fs::read(folder.last_checkpoint()).unwrap();
        bytes[8] = 9;
        let end = bytes.len() - HASH;
        let hash = blake3::hash(&bytes[..end]);
        bytes[end..].copy_from_slice(hash.as_bytes());
        std::fs::write(folder.last_checkpoint(), bytes).unwrap();
        assert!(load(&folder).unwrap_err().what.contains("has format 9"));
        assert!(folder.last_checkpoint().exists());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_checkpoint_with_one_byte_changed_or_an_end_cut_off_is_moved_aside(at: proptest::sample::Index, flip in 1u8.., cut: bool) {
            let dir = tempfile::tempdir().unwrap();
            let folder = folder(dir.path());
            save(&folder, &position(), &[7; 300]).unwrap();
            let mut bytes = std::fs::read(folder.last_checkpoint()).unwrap();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at) } else { bytes[at] ^= flip }
            std::fs::write(folder.last_checkpoint(), bytes).unwrap();
            let Loaded::Damaged { moved, .. } = load(&folder).unwrap() else { panic!("byte {at} was not missed") };
            prop_assert!(moved.ends_with("last.ckpt.damaged") && moved.exists());
            prop_assert_eq!(load(&folder).unwrap(), Loaded::None);
        }
    }
}
