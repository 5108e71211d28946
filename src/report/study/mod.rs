//! A sweep's findings as tables, words, figures and one page.
//!
//! `Study` -> [`Comparison`] (all numbers) -> [`Table`] (what each cell holds) -> one small renderer a format; and
//! [`findings()`] in words.

mod answer;
mod build;
mod comparison;
mod csv;
mod difference;
mod effect;
mod effect_table;
mod equal;
#[cfg(test)]
pub mod example;
pub mod figure;
mod findings;
mod form;
mod json;
mod latex;
mod layout;
mod markdown;
mod notes;
pub mod page;
mod pivot;
mod rank_table;
pub mod ranks;
mod table;
mod terminal;
mod verdict;
mod view;
pub mod watch;
mod write;

pub use self::csv::as_text;
pub use answer::answer;
pub use comparison::{Comparison, Line};
pub use difference::{Difference, Figure, LEVEL};
pub use effect::Effect;
pub use equal::Equal;
pub use findings::{Finding, Kind, findings, text};
pub use form::{Form, Format};
pub use pivot::Pivot;
pub use table::{Cell, Change, Column, Incomplete, Rank, Table, TableLine, Training};
pub use verdict::{Judgement, Verdict, verdicts};
pub use view::View;
pub use write::{Extent, Report, Written, is_shown};

/// A table in one form and format, with a newline at its end. JSON holds all in any form, and CSV in the full one.
pub fn render(table: &Table, form: Form, format: Format) -> String {
    match format {
        Format::Terminal => terminal::terminal(table, form),
        Format::Markdown => markdown::markdown(table, form),
        Format::Latex => latex::latex(table, form),
        Format::Csv if form == Form::Full => csv::csv(table),
        Format::Csv => csv::as_printed(table, form),
        Format::Json => json::json(table),
        Format::Html => page::fragment(table, form),
    }
}
