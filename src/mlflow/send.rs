//! From what is to stand there to what is asked: only what the server lacks.

use super::content::{Content, digest};
use super::fault::Reply;
use super::server::{Found, Server};

/// Says how much of a run arrived: the number of its points and their digest, and that of its files. Written last.
const SENT: &str = "harness.sent";
/// The digest of the note as it was written. One that somebody changed since stays theirs.
const WRITTEN: &str = "harness.note";
const NOTE: &str = "mlflow.note.content";

/// Tags that begin so are ours, and go where they no longer hold.
const OURS: &str = "harness.";

/// What was sent of one run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Its id there.
    pub run: String,
    pub points: usize,
    pub params: usize,
    pub files: usize,
    pub bytes: u64,
    /// Whether anything was lacking.
    pub changed: bool,
    /// Where its artifacts lie, if the server does not take them.
    pub elsewhere: Option<String>,
}

/// How much of a content has arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mark {
    points: usize,
    of_points: String,
    of_files: String,
}

/// Brings the server up to `content`.
pub fn send(server: &Server, experiment: &str, content: &Content) -> Reply<Sent> {
    let (found, is_new) = match server.find(experiment, &content.key)? {
        Some(found) => (found, false),
        None => (server.create(experiment, content)?, true),
    };
    let mut sent = Sent { run: found.id.clone(), changed: is_new, ..Sent::default() };
    let arrived = found.tags.get(SENT).and_then(|text| Mark::parse(text));
    pairs(server, &found, content, &mut sent)?;
    let known = arrived.as_ref().map_or(0, |mark| mark.known(content));
    server.points(&found.id, &content.points[known..])?;
    sent.points = content.points.len() - known;
    let data: Vec<_> = content.data.iter().filter(|data| !found.data.contains(&(data.name.clone(), data.digest.clone()))).collect();
    if !data.is_empty() {
        server.data(&found.id, &data)?;
    }
    let mark = Mark::of(content);
    if arrived.as_ref().is_none_or(|arrived| arrived.of_files != mark.of_files) {
        files(server, &found, content, &mut sent)?;
    }
    if (found.name.as_str(), found.state.as_str()) != (content.name.as_str(), content.state.word())
        || content.ended_ms.is_some_and(|ended| found.ended_ms != Some(ended))
    {
        server.update(&found.id, &content.name, content.state, content.ended_ms)?;
        sent.changed = true;
    }
    sent.changed |= sent.points + sent.params + sent.files + data.len() > 0;
    // Last: what it stands for has arrived.
    if arrived.as_ref() != Some(&mark) {
        server.pairs(&found.id, &[(SENT, &mark.text())], &[])?;
    }
    Ok(sent)
}

/// Tags that are not there or otherwise, parameters that are not there; takes away our own tags that no longer hold.
fn pairs(server: &Server, found: &Found, content: &Content, sent: &mut Sent) -> Reply<()> {
    let mut wanted: Vec<(&str, &str)> = content.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let written = content.note.as_ref().map(digest);
    if let (Some(note), Some(written)) = (&content.note, &written) {
        // Where somebody wrote a note of their own, ours is not laid over it.
        let theirs = found.tags.get(NOTE).is_some_and(|there| found.tags.get(WRITTEN) != Some(&digest(there)));
        if !theirs {
            wanted.extend([(NOTE, note.as_str()), (WRITTEN, written.as_str())]);
        }
    }
    let tags: Vec<_> = wanted.iter().copied().filter(|(key, value)| found.tags.get(*key).map(String::as_str) != Some(value)).collect();
    let params = content.params.iter().filter(|(key, _)| !found.params.contains(*key));
    let params: Vec<_> = params.map(|(key, value)| (key.as_str(), value.as_str())).collect();
    server.pairs(&found.id, &tags, &params)?;
    let stale = |key: &&String| {
        key.starts_with(OURS) && ![SENT, WRITTEN, super::content::KEY].contains(&key.as_str()) && !content.tags.contains_key(*key)
    };
    for key in found.tags.keys().filter(stale) {
        server.remove_tag(&found.id, key)?;
        sent.changed = true;
    }
    sent.params = params.len();
    sent.changed |= !tags.is_empty();
    Ok(())
}

/// All files, or where they would lie.
fn files(server: &Server, found: &Found, content: &Content, sent: &mut Sent) -> Reply<()> {
    let Some(place) = found.artifacts.as_ref() else {
        sent.elsewhere = (!content.files.is_empty()).then(|| found.artifact_uri.clone());
        return Ok(());
    };
    for file in &content.files {
        let bytes = file.bytes()?;
        server.put(place, &file.name, &bytes)?;
        sent.files += 1;
        sent.bytes += bytes.len() as u64;
    }
    Ok(())
}

impl Mark {
    fn of(content: &Content) -> Self {
        Self { points: content.points.len(), of_points: digest(&content.points), of_files: digest(&content.files) }
    }

    fn text(&self) -> String {
        format!("{} {} {}", self.points, self.of_points, self.of_files)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split(' ').map(str::to_owned);
        let (points, of_points, of_files) = (words.next()?, words.next()?, words.next()?);
        Some(Self { points: points.parse().ok()?, of_points, of_files })
    }

    /// How many of a content's first points have arrived.
    fn known(&self, content: &Content) -> usize {
        let first = content.points.get(..self.points).filter(|first| digest(first) == self.of_points);
        first.map_or(0, <[_]>::len)
    }
}
