//! Everything that a page is made of.

use std::path::Path;

use super::listing::Listing;
use super::machines::Machines;
use crate::report::spell::NOTHING;
use crate::report::study::figure::Drawn;
use crate::report::study::{Comparison, Finding};
use crate::sweep::Study;

/// Everything on the page.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub study: &'a Study,
    pub comparison: &'a Comparison,
    /// The folder that the page lies in: `<results>/<sweep>`, beside `<results>/runs`.
    pub folder: &'a Path,
    /// What was asked and found, in a few sentences.
    pub answer: &'a [String],
    pub findings: &'a [Finding],
    /// Tables that belong together; the very first is the one that the page is about.
    pub tables: &'a [Vec<Listing>],
    /// Those of [`crate::report::study::figure::write_all`]; their files are read and become part of the page.
    pub figures: &'a [Drawn],
    pub machines: &'a Machines,
    /// What to type to get all this again.
    pub command: &'a str,
}

impl Page<'_> {
    /// Whether there is a file of that path beside the page.
    pub fn has(&self, path: &str) -> bool {
        self.folder.join(path).is_file()
    }

    /// The name of a run's row.
    pub fn row(&self, row: usize) -> &str {
        self.study.rows.get(row).map_or(NOTHING, |row| &row.name)
    }
}
