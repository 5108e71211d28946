//! Images on disk: the MVTec AD layout, the built-in procedural set, checks, and the loader. Never tch.
//!
//! [`layout`] says which files there are, [`hash`] names their content, [`check`] says what would spoil a result, [`show`]
//! draws a contact sheet; [`Source`] decodes and keeps images, [`Loader`] makes an epoch's batches ahead of the network.

pub mod builtin;
pub mod check;
pub mod hash;
pub mod layout;
pub mod loader;
pub mod plan;
pub mod queue;
pub mod report;
pub mod root;
pub mod select;
pub mod show;
pub mod source;

pub use hash::category_hash;
pub use layout::{Category, Item, category, open};
pub use loader::{Batch, Epoch, Loader};
pub use plan::{Plan, Shape};
pub use select::select;
pub use source::Source;
