//! What the parts of a page are about, so that its filter can show those of one row, category or metric.

/// What a line, a column, a table or a picture is about. What is not named concerns everything, and is never hidden.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Mark {
    pub row: Option<String>,
    pub category: Option<String>,
    /// Without its split, as in `aupro@0.3`.
    pub metric: Option<String>,
}

impl Mark {
    pub fn row(name: &str) -> Self {
        Self { row: Some(name.to_owned()), ..Self::default() }
    }

    pub fn category(name: &str) -> Self {
        Self { category: Some(name.to_owned()), ..Self::default() }
    }

    pub fn metric(name: &str) -> Self {
        Self { metric: Some(name.to_owned()), ..Self::default() }
    }
}
