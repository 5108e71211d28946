//! A sweep's findings as tables, words, figures and one page.

mod comparison;
pub mod figure;
pub mod page;

pub use comparison::{Comparison, Difference, Figure, Line};
