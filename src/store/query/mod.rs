//! Which runs: conditions over configuration keys, metrics and a run's own fields, and orders by them.
//!
//! ```text
//! condition  = term { "or" term }            term = factor { "and" factor }
//! factor     = "not" factor | "(" condition ")" | KEY operator VALUE
//! operator   = "=" | "!=" | "<" | "<=" | ">" | ">=" | "~" (contains, in any case)
//! ```
//!
//! VALUE is a number, a word, or text in quotes. A list, such as tags, equals a value that is one of its entries. A run that
//! lacks the key (a metric before it is finished) meets no comparison with it, not even `!=`; `not` turns that round.

mod facts;
mod flat;
mod key;
mod node;
mod parse;

pub use facts::{Facts, Value};
pub use flat::Column;
pub use key::{FIELDS, Field, Key};

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::Result;
use node::Node;

/// A condition that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Query(Node);

impl Query {
    /// Understands a condition. `metrics` are the names of metrics that there are, by which misspelt ones are noticed; with
    /// none, any name with a slash counts as a metric.
    ///
    /// # Errors
    /// `Kind::Config` that points at the column.
    pub fn parse(text: &str, metrics: &BTreeSet<String>) -> Result<Self> {
        parse::parse(text, metrics).map(Self)
    }

    /// Whether a run meets it.
    pub fn holds(&self, run: &Facts) -> bool {
        self.0.holds(run)
    }
}

/// An order of runs: `KEY` rising, `-KEY` falling.
#[derive(Debug, Clone, PartialEq)]
pub struct Sort {
    key: Key,
    falling: bool,
}

impl Sort {
    /// Understands `KEY` or `-KEY`; `metrics` as in [`Query::parse`].
    pub fn parse(text: &str, metrics: &BTreeSet<String>) -> Result<Self> {
        let (falling, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let key = Key::parse(name, metrics).map_err(|unknown| unknown.error())?;
        Ok(Self { key, falling })
    }

    /// Sorts; runs that lack the key come last in either order, equal ones keep theirs.
    pub fn apply<T>(&self, runs: &mut [T], facts: impl Fn(&T) -> &Facts) {
        runs.sort_by(|a, b| match (facts(a).value(&self.key), facts(b).value(&self.key)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) if self.falling => b.order(&a),
            (Some(a), Some(b)) => a.order(&b),
        });
    }
}

#[cfg(test)]
mod tests;
