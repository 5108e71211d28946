//! `--watch`: images of a folder are scored as they appear. scores.csv is appended to, a line an image, and remembers across restarts
//! what is done.

use std::collections::{HashMap, HashSet};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use harness::cli::predict::Args;
use harness::data::Item;
use harness::names::counted;
use harness::run::Stop;
use harness::{Error, Result, file, sayln};

use super::inputs;
use super::line::Line;
use super::output::Row;

/// Between two looks at the folder.
const PAUSE: Duration = Duration::from_millis(200);

/// Scores until a stop is asked for.
pub fn watch(line: &mut Line, args: &Args, stop: &Stop) -> Result<()> {
    let [folder] = args.inputs.as_slice() else {
        return Err(Error::config("--watch looks at one folder", "name one folder"));
    };
    if !folder.is_dir() {
        return Err(Error::config(format!("--watch {}: this is not a folder", folder.display()), "name the folder that images arrive in"));
    }
    let mut log = Log::open(&args.out.join("scores.csv"))?;
    sayln!("watching {} ({} done); Ctrl-C ends it", folder.display(), counted(log.done.len(), "image is", "images are"));
    let (mut seen, mut rows) = (HashMap::new(), vec![]);
    while !stop.requested() {
        for item in arrived(folder, args, &log.done, &mut seen) {
            if stop.requested() {
                break;
            }
            for row in line.score(&[item])? {
                log.append(&row)?;
                rows.push(row);
            }
        }
        std::thread::sleep(PAUSE);
    }
    line.tell(&rows, args)
}

/// A file as it was when it was looked at.
type Look = (u64, Option<SystemTime>);

/// Images that are not done and whose files have stopped to grow since the last look.
fn arrived(folder: &Path, args: &Args, done: &HashSet<String>, seen: &mut HashMap<String, Look>) -> Vec<Item> {
    // A folder without an image yet is no error here.
    let items = inputs::collect(&[folder.to_owned()], Some(&args.out)).unwrap_or_default();
    let new = items.into_iter().filter(|item| !done.contains(&item.key));
    let settled = new.filter(|item| {
        let look = std::fs::metadata(&item.path).map(|data| (data.len(), data.modified().ok())).unwrap_or((0, None));
        look.0 > 0 && seen.insert(item.key.clone(), look) == Some(look)
    });
    settled.collect()
}

/// The column of keys.
const KEY: usize = 9;

/// scores.csv, appended to.
struct Log {
    file: std::fs::File,
    path: std::path::PathBuf,
    /// Keys of the images in it.
    done: HashSet<String>,
}

impl Log {
    /// Opens it, without a line that a killed process left half written.
    fn open(path: &Path) -> Result<Self> {
        let io = |e: &std::io::Error| Error::io("append to", path, e);
        let mut bytes = match std::fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => vec![],
            Err(error) => return Err(io(&error)),
        };
        let whole = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
        bytes.truncate(whole);
        let mut reader = csv::Reader::from_reader(bytes.as_slice());
        let odd = |what: &str| Error::environment(format!("{}: {what}", path.display()), "choose another --out");
        let header = reader.headers().map_err(|e| odd(&e.to_string()))?.clone();
        if !header.is_empty() && !header.iter().eq(Row::COLUMNS) {
            return Err(odd("it has other columns than this version writes"));
        }
        let done = reader.records().map(|record| record.map(|record| record[KEY].trim_start_matches('\'').to_owned()));
        let done: HashSet<String> = done.collect::<std::result::Result<_, _>>().map_err(|e| odd(&e.to_string()))?;
        let file = file::open_own(path, OpenOptions::new().create(true).append(true)).map_err(|e| io(&e))?;
        file.set_len(whole as u64).map_err(|e| io(&e))?;
        let mut log = Self { file, path: path.to_owned(), done };
        if whole == 0 {
            log.line(&Row::COLUMNS.map(str::to_owned))?;
        }
        Ok(log)
    }

    fn append(&mut self, row: &Row) -> Result<()> {
        self.line(&row.fields())?;
        self.done.insert(row.key.clone());
        Ok(())
    }

    /// One line, whole, on the disk.
    fn line(&mut self, fields: &[String]) -> Result<()> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(fields).expect("a buffer in memory takes all");
        let bytes = table.into_inner().expect("a buffer in memory takes all");
        self.file.write_all(&bytes).and_then(|()| self.file.sync_data()).map_err(|e| Error::io("append to", &self.path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: &str) -> Row {
        Row { image: format!("in/{key}"), key: key.into(), score: Some(0.5), ..Row::default() }
    }

    #[test]
    fn what_is_done_is_remembered_and_a_torn_line_is_done_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("scores.csv");
        let mut log = Log::open(&path).unwrap();
        ["a.png", "=b.png"].iter().for_each(|key| log.append(&row(key)).unwrap());
        drop(log);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes.extend_from_slice(b"in/c.png,c.p");
        std::fs::write(&path, bytes).unwrap();
        let mut log = Log::open(&path).unwrap();
        assert_eq!(log.done, HashSet::from(["a.png".to_owned(), "=b.png".to_owned()]));
        log.append(&row("c.png")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 4, "{text}");
        assert_eq!(Log::open(&path).unwrap().done.len(), 3);
        std::fs::write(&path, "other,columns\n").unwrap();
        assert!(Log::open(&path).err().unwrap().what.contains("other columns"));
    }
}
