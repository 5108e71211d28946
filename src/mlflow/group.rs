//! Runs that are sent together.

use std::collections::BTreeSet;

use super::content::Content;
use crate::run::Status;
use crate::store::Entry;

/// Runs of one experiment, with the sweep that they belong to.
#[derive(Debug)]
pub struct Group {
    /// The experiment's name.
    pub experiment: String,
    pub parent: Option<Content>,
    /// The runs that have begun.
    pub members: Vec<Member>,
    /// Planned runs that have not.
    pub waiting: usize,
    /// Whether nothing more will come.
    pub is_over: bool,
    /// Configuration keys in which the runs differ.
    pub varied: BTreeSet<String>,
}

/// A run with its place in a sweep.
#[derive(Debug)]
pub struct Member {
    pub entry: Entry,
    /// Rows that it fills a cell of; none without a sweep.
    pub rows: Vec<String>,
}

/// Whether a run has anything to send.
pub fn has_begun(entry: &Entry) -> bool {
    entry.status != Status::Fresh && entry.record.is_some()
}

/// Whether a run will not go on by itself.
pub fn is_over(status: Status) -> bool {
    matches!(status, Status::Finished | Status::Failed)
}
