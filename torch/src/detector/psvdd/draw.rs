//! Where the two patches of a pair lie. Draws from the step's own stream alone, in a fixed order.
//!
//! Near a border the second patch is moved into the image, whatever was drawn: then it may be the first one itself, or lie in
//! another direction than its label says. The authors' code does so too.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::network::Patch;

/// Top and left of a patch, px.
pub type Corner = [i64; 2];

/// The directions by label: rows, then columns.
pub const DIRECTIONS: [[i64; 2]; 8] = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]];

/// Two patches in an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    pub first: Corner,
    pub second: Corner,
    /// Place in [`DIRECTIONS`] of the way from the first to the second; 0 where nothing asks for it.
    pub direction: i64,
}

/// A patch and one close to it, in an image of `size` px.
pub fn neighbours(size: i64, patch: Patch, draws: &mut ChaCha8Rng) -> Pair {
    let (first, offset) = (corner(size, patch, draws), jitter(patch, draws));
    Pair { first, second: moved(first, offset, size, patch), direction: 0 }
}

/// A patch and one beside it, in one of eight directions.
pub fn beside(size: i64, patch: Patch, draws: &mut ChaCha8Rng) -> Pair {
    let first = corner(size, patch, draws);
    let direction = draws.random_range(0..DIRECTIONS.len());
    let quarter = patch.side() / 4;
    let offset = DIRECTIONS[direction].map(|sign| sign * (3 * quarter + draws.random_range(0..quarter)));
    Pair { first, second: moved(first, offset, size, patch), direction: direction as i64 }
}

/// By how much a close patch is off, up to K / 32 px each way and never not at all.
pub fn jitter(patch: Patch, draws: &mut ChaCha8Rng) -> [i64; 2] {
    let most = patch.side() / 32;
    loop {
        let offset = [draws.random_range(-most..=most), draws.random_range(-most..=most)];
        if offset != [0, 0] {
            return offset;
        }
    }
}

fn corner(size: i64, patch: Patch, draws: &mut ChaCha8Rng) -> Corner {
    let last = size - patch.side();
    [draws.random_range(0..=last), draws.random_range(0..=last)]
}

fn moved([y, x]: Corner, [dy, dx]: [i64; 2], size: i64, patch: Patch) -> Corner {
    [y + dy, x + dx].map(|at| at.clamp(0, size - patch.side()))
}
