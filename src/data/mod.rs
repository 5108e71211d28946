//! Images on disk: the MVTec AD layout, the built-in procedural set, checks, and the loader. Never tch.

pub mod check;
pub mod hash;
pub mod layout;
pub mod plan;
pub mod queue;
pub mod report;
pub mod select;
pub mod show;
pub mod source;

pub use hash::category_hash;
pub use layout::{Category, Item, category, open};
pub use plan::{Plan, Shape};
pub use select::select;
pub use source::Source;
