//! A sweep's findings as tables, words, figures and one page.
//!
//! `Study` -> [`Comparison`] (all numbers) -> [`Table`] (what each cell holds) -> one small renderer a format; and
//! [`findings()`] in words.

mod build;
mod comparison;
mod csv;
#[cfg(test)]
pub mod example;
pub mod figure;
mod findings;
mod json;
mod latex;
mod layout;
mod markdown;
mod notes;
pub mod page;
mod pivot;
pub mod ranks;
mod table;
mod terminal;
mod write;

pub use self::csv::as_text;
pub use comparison::{Comparison, Difference, Figure, Line, Training};
pub use findings::{Finding, Kind, LEVEL, findings, text};
pub use pivot::Pivot;
pub use table::{Cell, Change, Column, Incomplete, Rank, Table, TableLine};
pub use write::{Extent, Report, Written};

/// What a table can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    Terminal,
    Markdown,
    Latex,
    Csv,
    Json,
}

impl Format {
    /// Those of the files beside a sweep, with their endings.
    pub const FILES: [(Self, &'static str); 4] = [(Self::Markdown, "md"), (Self::Latex, "tex"), (Self::Csv, "csv"), (Self::Json, "json")];
}

/// A table in one format, with a newline at its end.
pub fn render(table: &Table, format: Format) -> String {
    match format {
        Format::Terminal => terminal::terminal(table),
        Format::Markdown => markdown::markdown(table),
        Format::Latex => latex::latex(table),
        Format::Csv => csv::csv(table),
        Format::Json => json::json(table),
    }
}
