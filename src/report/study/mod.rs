//! A sweep's findings as tables, words, figures and one page.

mod comparison;
pub mod figure;

pub use comparison::{Comparison, Difference, Figure, Line};
