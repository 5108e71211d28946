//! A folder of images: [`layout`] says which files there are, [`root`] where they lie, [`mod@select`] which categories are
//! wanted, [`form`] compares names, [`hash`] names their content; [`Source`] decodes, resizes and keeps them.

pub mod form;
pub mod hash;
pub mod layout;
pub mod root;
pub mod select;
pub mod source;

pub use hash::{Contents, category_hash};
pub use layout::{Category, Item, category, open};
pub use select::select;
pub use source::Source;
