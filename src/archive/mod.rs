//! A sweep as one file that a publication can put beside its paper: what was planned, what each run found with its score maps, tables
//! and figures, and a manifest of hashes.
//!
//! It is a tar archive of plain files that anybody can unpack and look into. Reports and metrics are made again from the folder that
//! results; weights, checkpoints and the pictures of single runs are left out. Equal files give equal bytes. Archives come from
//! elsewhere: what is read of one is bounded by its manifest, and nothing is written but plain files below one new folder.

mod manifest;
mod pack;
mod tape;
mod unpack;
mod verify;

pub use manifest::{MANIFEST, Manifest};
pub use pack::{Packed, Source, pack};
pub use unpack::unpack;
pub use verify::{Verified, verify};
