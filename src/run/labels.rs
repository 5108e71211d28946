//! labels.json: what a user says of a run after the fact. It lies beside what was computed and is no part of the run's id.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Record;
use crate::file::read_json;
use crate::{Error, Result, names};

/// The format of labels.json.
pub const FORMAT: u32 = 1;

/// Characters that a tag and a note may have at most.
const LONGEST_TAG: usize = 64;
const LONGEST_NOTE: usize = 2000;

/// labels.json. Where it is, it replaces the tags and the note that run.json keeps from the command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    pub format: u32,
    /// Sorted, each once.
    pub tags: Vec<String>,
    pub note: Option<String>,
}

impl Labels {
    /// What was given with an attempt, laid over those that were kept: its tags if it has any, its note if it has one.
    pub fn given(self, tags: &[String], note: Option<&str>) -> Self {
        Self { tags: if tags.is_empty() { self.tags } else { tags.to_vec() }, note: note.map(str::to_owned).or(self.note), ..self }
    }
}

/// What run.json says of a run, with the labels of `path` over it. Labels that cannot be read are passed over here: they decide nothing
/// about the run.
pub(super) fn over(record: Record, path: &Path) -> Record {
    match read_json::<Labels>(path, FORMAT).ok().flatten() {
        Some(labels) => Record { tags: labels.tags, note: labels.note, ..record },
        None => record,
    }
}

/// A tag as it may be typed: one word of letters, digits and `. _ - / : + @`, 64 characters at most, that begins with a letter or a digit.
///
/// # Errors
/// `Kind::Config` that says what is wrong.
pub fn check_tag(text: &str) -> Result<()> {
    let fits = |c: char| c.is_alphanumeric() || "._-/:+@".contains(c);
    let sound = text.starts_with(char::is_alphanumeric) && text.chars().all(fits) && text.chars().count() <= LONGEST_TAG;
    if sound {
        return Ok(());
    }
    Err(Error::config(
        format!("{:?} is not a tag", names::quoted(text)),
        format!("one word of letters, digits and . _ - / : + @, which begins with a letter or a digit; at most {LONGEST_TAG} characters"),
    ))
}

/// A note as it may be typed: text without control characters, at most 2000 characters, not empty.
///
/// # Errors
/// `Kind::Config` that says what is wrong.
pub fn check_note(text: &str) -> Result<()> {
    let sound = !text.trim().is_empty() && names::in_line(text) == text && text.chars().count() <= LONGEST_NOTE;
    if sound {
        return Ok(());
    }
    Err(Error::config(
        format!("{:?} is not a note", names::quoted(text)),
        format!("one line of text without control characters, at most {LONGEST_NOTE} characters; --remove takes a note away"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_one_word_and_a_note_is_one_line() {
        for tag in ["night", "v2.1", "table/4", "größer", "5", "a_b-c:d+e@f"] {
            check_tag(tag).unwrap();
        }
        for tag in ["", "two words", "-x", "=1", "a\nb", "a\u{202e}", &"x".repeat(65)] {
            assert_eq!(check_tag(tag).unwrap_err().exit_code(), 2, "{tag:?}");
        }
        check_note("Lr too high? See table 4; = fine").unwrap();
        for note in ["", "  ", "a\nb", "\u{1b}[2J", &"x".repeat(2001)] {
            assert_eq!(check_note(note).unwrap_err().exit_code(), 2, "{note:?}");
        }
    }

    #[test]
    fn an_attempts_labels_replace_those_that_it_names_and_keep_the_others() {
        let kept = Labels { format: FORMAT, tags: vec!["a".into()], note: Some("n".into()) };
        assert_eq!(kept.clone().given(&[], None), kept);
        assert_eq!(kept.clone().given(&["b".into()], None), Labels { tags: vec!["b".into()], ..kept.clone() });
        assert_eq!(kept.clone().given(&[], Some("m")), Labels { note: Some("m".into()), ..kept });
    }
}
