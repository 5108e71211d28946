//! Images on disk: the MVTec AD layout, the built-in procedural set, checks, and the loader. Never tch.
//!
//! Six rooms: [`builtin`] draws the built-in set and knows no other room; [`dataset`] is a folder of images and its decoded
//! content; [`feed`] makes an epoch's batches of it ahead of the network; [`inspect`] says what would spoil a result;
//! [`photographs`] are images of anything, whole or in patches; [`import`] makes lists of published sets.

pub mod builtin;
pub mod dataset;
mod digest;
pub mod feed;
pub mod import;
pub mod inspect;
pub mod photographs;

pub use dataset::{
    Category, Contents, Dataset, Item, Source, Truth, category, category_hash, form, hash, item, layout, list, open, root, select, source,
};
pub use feed::{Batch, Epoch, Loader, Plan, Recipe, Shape, Views, loader, plan, queue};
pub use inspect::preflight::preflight;
pub use inspect::{check, report, show};
