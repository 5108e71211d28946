//! A table of the page, as text.

use std::collections::BTreeMap;

use crate::report::study::Form;
use crate::report::study::layout::{Layout, layouts, notes};
use crate::report::study::{Rank, Table};

/// A table as text: a cell that starts with a number sorts as one, `—` and nothing come last.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Its caption; may be empty.
    pub title: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Cells that stand out, by row and column.
    pub ranks: BTreeMap<(usize, usize), Rank>,
    /// Lines below it.
    pub notes: Vec<String>,
}

impl Listing {
    /// A table as all other formats spell it, and the one of trainings where there is one; notes stand below the last.
    pub fn of(table: &Table, form: Form) -> Vec<Self> {
        let mut all: Vec<Self> = layouts(table, form).into_iter().map(Self::from).collect();
        all.first_mut().expect("the main table is there").title.clone_from(&table.title);
        all.last_mut().expect("the main table is there").notes = notes(table, form);
        all
    }
}

impl From<Layout> for Listing {
    fn from(Layout { headings, lines }: Layout) -> Self {
        let places =
            lines.iter().enumerate().flat_map(|(row, line)| line.iter().enumerate().map(move |(column, text)| (row, column, text)));
        Self {
            ranks: places.filter_map(|(row, column, text)| Some(((row, column), text.rank?))).collect(),
            rows: lines.iter().map(|line| line.iter().map(|text| format!("{}{}", text.value, text.tail)).collect()).collect(),
            header: headings,
            ..Self::default()
        }
    }
}
