//! Files on disk: replaced whole or appended by line, nothing in between.
//!
//! A reader, and whoever comes after a crash, sees the old content or the new, never a mix. [`replace_with`] is the one function
//! of the program that writes a whole file; [`lines`] holds the files that only grow.

mod folder;
mod json;
pub mod lease;
pub mod lines;
pub mod mount;
mod own;
mod replace;
pub mod wait;

pub use folder::{leftovers, probe, remove, remove_leftovers, remove_stale, sync_all, tree};
pub use json::{check_format, read_json, write_json};
pub use own::{content, is_link, is_own_folder, open_own, open_regular};
pub use replace::{Durable, is_temporary, replace, replace_with};
