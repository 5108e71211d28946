//! `harness runs tag | note`: what a user says of a run, kept beside it.

use crate::cli::complete;
use crate::names::in_line;
use crate::run::Labels;
use crate::run::labels::{check_note, check_tag};
use crate::store::Store;
use crate::{Error, Result, showln};

#[derive(Debug, clap::Args)]
pub struct Tag {
    /// The run: its id, a unique prefix of its hash, or `latest`
    #[arg(value_name = "ID", add = complete::runs())]
    id: String,
    /// Words to add to its tags; without any they are shown
    #[arg(value_name = "WORD")]
    words: Vec<String>,
    /// Take these words away instead
    #[arg(long, requires = "words")]
    remove: bool,
}

#[derive(Debug, clap::Args)]
pub struct Note {
    /// The run: its id, a unique prefix of its hash, or `latest`
    #[arg(value_name = "ID", add = complete::runs())]
    id: String,
    /// The remark, which replaces an earlier one; without it that is shown
    #[arg(value_name = "TEXT")]
    text: Option<String>,
    /// Take the remark away
    #[arg(long, conflicts_with = "text")]
    remove: bool,
}

/// Changes a run's tags, or shows them.
///
/// # Errors
/// A word that is not a tag; with `--remove` one that the run does not have.
pub fn tag(store: &Store, args: &Tag) -> Result<()> {
    let entry = store.find(&args.id)?;
    let mut labels = entry.folder.labels()?;
    if args.remove {
        if let Some(absent) = args.words.iter().find(|word| !labels.tags.contains(word)) {
            let tags = if labels.tags.is_empty() { "it has none".to_owned() } else { format!("it has: {}", labels.tags.join(" ")) };
            return Err(Error::config(format!("{} has no tag {absent:?}", entry.id), tags));
        }
        labels.tags.retain(|tag| !args.words.contains(tag));
    } else {
        args.words.iter().try_for_each(|word| check_tag(word))?;
        labels.tags.extend(args.words.iter().cloned());
    }
    if !args.words.is_empty() {
        entry.folder.label(&labels)?;
    }
    showln!("{}  {}", entry.id, in_line(&entry.folder.labels()?.tags.join(" ")));
    Ok(())
}

/// Replaces a run's remark, or shows it.
///
/// # Errors
/// A text that is not one line.
pub fn note(store: &Store, args: &Note) -> Result<()> {
    let entry = store.find(&args.id)?;
    let labels = entry.folder.labels()?;
    args.text.iter().try_for_each(|text| check_note(text))?;
    let note = if args.remove { None } else { args.text.clone().or(labels.note.clone()) };
    if args.remove || args.text.is_some() {
        entry.folder.label(&Labels { note: note.clone(), ..labels })?;
    }
    showln!("{}  {}", entry.id, in_line(&note.unwrap_or_default()));
    Ok(())
}
