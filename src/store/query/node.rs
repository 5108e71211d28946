//! A condition as a tree, and whether a run meets it.

use std::cmp::Ordering;

use super::facts::{Facts, Value};
use super::key::Key;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Compare { key: Key, operator: Operator, literal: Literal },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
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
pub(super) struct Literal {
    pub(super) text: String,
    pub(super) number: Option<f64>,
}

impl Node {
    pub(super) fn holds(&self, run: &Facts) -> bool {
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
    pub(super) fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::Greater | Self::AtLeast)
    }
}
