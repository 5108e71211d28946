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
mod key;
mod parse;

pub use facts::{Facts, Value};
pub use key::{Field, Key};

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::Result;

/// A condition that was understood.
#[derive(Debug, Clone, PartialEq)]
pub struct Query(Node);

#[derive(Debug, Clone, PartialEq)]
enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Compare { key: Key, operator: Operator, literal: Literal },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    AtMost,
    Greater,
    AtLeast,
    Contains,
}

/// What a key is compared with: as typed, and as a number where it reads as one.
#[derive(Debug, Clone, PartialEq)]
struct Literal {
    text: String,
    number: Option<f64>,
}

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

impl Node {
    fn holds(&self, run: &Facts) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(run)),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(run)),
            Self::Not(node) => !node.holds(run),
            Self::Compare { key, operator, literal } => run.value(key).is_some_and(|value| operator.holds(&value, literal)),
        }
    }
}

impl Operator {
    fn holds(self, value: &Value, literal: &Literal) -> bool {
        match (self, value) {
            (Self::Unequal, _) => !Self::Equal.holds(value, literal),
            (_, Value::List(entries)) => {
                entries.iter().any(|entry| self.holds(entry, literal)) || self == Self::Equal && value.to_string() == literal.text
            }
            (Self::Contains, _) => value.to_string().to_lowercase().contains(&literal.text.to_lowercase()),
            (_, Value::Number(number)) => literal.number.is_some_and(|other| self.orders(number.partial_cmp(&other))),
            (_, Value::Text(text)) => self.orders(Some(text.as_str().cmp(&literal.text))),
        }
    }

    fn orders(self, ordering: Option<Ordering>) -> bool {
        match self {
            Self::Equal => ordering == Some(Ordering::Equal),
            Self::Less => ordering == Some(Ordering::Less),
            Self::Greater => ordering == Some(Ordering::Greater),
            Self::AtMost => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            Self::AtLeast => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
            Self::Unequal => ordering != Some(Ordering::Equal),
            Self::Contains => false,
        }
    }

    /// Whether it needs something that has an order.
    fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::Greater | Self::AtLeast)
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
