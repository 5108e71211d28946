//! Where a network's first values come from: a file's tensors by name.

use harness::Result;
use harness::config::StrideIn;

/// The values of one parameter, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    pub shape: Vec<i64>,
    pub data: Vec<f32>,
}

/// First values by parameter name; `None` = drawn from the seed.
pub type Source<'a> = dyn Fn(&str) -> Result<Option<Values>> + 'a;

/// First values of a network's parameters, by name, and what a weights' file says about itself.
pub struct Weights<'a> {
    /// `None` for a name draws that parameter from the seed.
    pub source: &'a Source<'a>,
    /// Where the file's network has its strides, if it says so.
    pub stride_in: Option<StrideIn>,
}
