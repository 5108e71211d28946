//! Files of JSON lines that only grow. A line that is not ended by a newline was torn by a crash: it counts as not written.
//!
//! One writer a file at a time (whoever holds the lock of its folder); any number of readers.

use super::{content, open_own};
use crate::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Read, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

/// Appends values of `T`, one a line, through a buffer that [`Writer::flush`] empties.
#[derive(Debug)]
pub struct Writer<T> {
    path: PathBuf,
    out: BufWriter<File>,
    /// Bytes in the file and the buffer.
    len: u64,
    kind: PhantomData<fn(&T)>,
}

impl<T: Serialize> Writer<T> {
    /// Opens or creates `path`, cuts off a torn last line and stands at the end.
    pub fn open(path: &Path) -> Result<Self> {
        let io = |e: &std::io::Error| Error::io("append to", path, e);
        let mut file = open_own(path, OpenOptions::new().read(true).append(true).create(true)).map_err(|e| io(&e))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|e| io(&e))?;
        let len = whole(&bytes).len() as u64;
        if len < bytes.len() as u64 {
            file.set_len(len).map_err(|e| io(&e))?;
        }
        Ok(Self { path: path.into(), out: BufWriter::with_capacity(1 << 16, file), len, kind: PhantomData })
    }

    /// Adds one line to the buffer.
    pub fn append(&mut self, value: &T) -> Result<()> {
        let mut line = serde_json::to_vec(value).expect("what is stored is plain data");
        line.push(b'\n');
        self.out.write_all(&line).map_err(|e| Error::io("append to", &self.path, &e))?;
        self.len += line.len() as u64;
        Ok(())
    }

    /// Hands the buffer to the system; the length of the file in bytes.
    pub fn flush(&mut self) -> Result<u64> {
        self.out.flush().map_err(|e| Error::io("append to", &self.path, &e))?;
        Ok(self.len)
    }

    /// [`Writer::flush`], and the file survives a power failure.
    pub fn sync(&mut self) -> Result<u64> {
        self.flush()?;
        self.out.get_ref().sync_data().map_err(|e| Error::io("append to", &self.path, &e))?;
        Ok(self.len)
    }
}

/// All whole lines; none if there is no such file. A torn last line is dropped; an error names file and line.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>> {
    read_where(path, &|_| true)
}

/// The lines that can be understood, and the numbers of those that cannot, from 1: for files on which no result depends.
pub fn read_sound<T: DeserializeOwned>(path: &Path) -> Result<(Vec<T>, Vec<usize>)> {
    let bytes = bytes(path)?;
    let (mut sound, mut broken) = (Vec::new(), Vec::new());
    for (index, line) in whole(&bytes).split_inclusive(|b| *b == b'\n').enumerate() {
        match serde_json::from_slice(line) {
            Ok(value) => sound.push(value),
            Err(_) => broken.push(index + 1),
        }
    }
    Ok((sound, broken))
}

/// The content of a file; nothing where there is none.
fn bytes(path: &Path) -> Result<Vec<u8>> {
    match content(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        read => read.map_err(|e| Error::io("read", path, &e)),
    }
}

/// [`read`], but lines of which `wanted` is false are passed over unread.
pub fn read_where<T: DeserializeOwned>(path: &Path, wanted: &dyn Fn(&[u8]) -> bool) -> Result<Vec<T>> {
    let bytes = bytes(path)?;
    let lines = whole(&bytes).split_inclusive(|b| *b == b'\n').enumerate().filter(|(_, line)| wanted(line));
    let parsed = lines.map(|(index, line)| {
        serde_json::from_slice(line).map_err(|e| {
            Error::environment(
                format!("cannot understand line {} of {}: {e}", index + 1, path.display()),
                format!("the file was changed or damaged: put a whole copy back, or {}", crate::error::AGAIN),
            )
        })
    });
    parsed.collect()
}

/// Cuts `path` back to `len` bytes; a file that is shorter is an error, one that is missing counts as empty.
pub fn truncate(path: &Path, len: u64) -> Result<()> {
    let have = length(path)?;
    if have < len {
        return Err(Error::environment(
            format!("{} has {have} bytes and should have at least {len}", path.display()),
            format!("the file was cut; {}", crate::error::AGAIN),
        ));
    }
    if have == len {
        return Ok(());
    }
    let cut = open_own(path, OpenOptions::new().write(true)).and_then(|file| {
        file.set_len(len)?;
        file.sync_all()
    });
    cut.map_err(|e| Error::io("truncate", path, &e))
}

/// Bytes of the file; 0 if there is none.
pub fn length(path: &Path) -> Result<u64> {
    match std::fs::metadata(path) {
        Ok(data) => Ok(data.len()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
        Err(error) => Err(Error::io("read", path, &error)),
    }
}

/// The part up to and with the last newline.
fn whole(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |last| last + 1);
    &bytes[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn a_file_torn_anywhere_reads_as_its_whole_lines_and_is_continued(words in proptest::collection::vec("[a-zé\n\"]{0,6}", 1..6), cut: proptest::sample::Index) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("x.jsonl");
            let mut writer = Writer::<String>::open(&path).unwrap();
            let mut ends = vec![0];
            for word in &words {
                writer.append(word).unwrap();
                ends.push(writer.flush().unwrap());
            }
            let len = length(&path).unwrap();
            prop_assert_eq!(len, *ends.last().unwrap());
            let cut = cut.index(len as usize + 1) as u64;
            truncate(&path, cut).unwrap();
            let kept = ends.iter().filter(|e| **e <= cut).count() - 1;
            prop_assert_eq!(&read::<String>(&path).unwrap(), &words[..kept]);
            let mut writer = Writer::<String>::open(&path).unwrap();
            writer.append(&"more".to_owned()).unwrap();
            writer.sync().unwrap();
            let again: Vec<String> = words[..kept].iter().cloned().chain(["more".to_owned()]).collect();
            prop_assert_eq!(read::<String>(&path).unwrap(), again);
        }
    }

    #[test]
    fn a_damaged_line_is_named_and_a_missing_file_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        assert_eq!(read::<u8>(&path).unwrap(), Vec::<u8>::new());
        truncate(&path, 0).unwrap();
        assert!(truncate(&path, 1).is_err());
        std::fs::write(&path, "1\nx\n3\n").unwrap();
        assert!(read::<u8>(&path).unwrap_err().what.contains("line 2 of"));
        assert_eq!(read_where::<u8>(&path, &|line| line != b"x\n").unwrap(), [1, 3]);
    }
}
