//! A data set: [`mod@open`] is all of it, [`mod@category`] a part of it, [`item`] one image; [`layout`] and [`list`] say which files there are, [`root`] where they lie, [`mod@select`] which categories are
//! wanted, [`form`] compares names, [`hash`] names their content; [`Source`] decodes, resizes and keeps them.

pub mod category;
pub mod form;
pub mod hash;
pub mod item;
pub mod layout;
pub mod list;
pub mod open;
mod plain;
pub mod root;
pub mod select;
pub mod source;

pub use category::Category;
pub use hash::{Contents, category_hash};
pub use item::{Item, Truth};
pub use open::{Dataset, category, open};
pub use select::select;
pub use source::Source;
