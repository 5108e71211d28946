//! Whole images as a network of one field takes them: with a border, reflected, so that a description stands for each pixel or for
//! each cell.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::network::{Field, Network};

/// Where descriptions stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grid {
    /// At each pixel: a description reaches `(reach - 1) / 2` px up and left, the rest down and right.
    Dense,
    /// At the middle of each cell of the network's stride.
    Strided,
}

impl Grid {
    pub fn of(dense: bool) -> Self {
        if dense { Self::Dense } else { Self::Strided }
    }
}

/// Network input for images [B, 3, S, S], of which a description stands at each place of `grid`.
pub fn bordered(images: &Tensor, field: Field, grid: Grid) -> Tensor {
    let before = match grid {
        Grid::Dense => (field.reach() - 1) / 2,
        Grid::Strided => (field.reach() - field.stride()) / 2,
    };
    let after = match grid {
        Grid::Dense => field.reach() - 1 - before,
        Grid::Strided => before,
    };
    images.reflection_pad2d([before, after, before, after])
}

/// Descriptions [B, d, h, w] of images at the places of `grid`: S by S of them, or S / stride.
pub fn describe(network: &Network, images: &Tensor, grid: Grid) -> Tensor {
    let x = bordered(images, network.field, grid);
    match grid {
        Grid::Dense => network.dense(&x),
        Grid::Strided => network.cells(&x),
    }
}

/// What a training step of a field looks at, as its networks take it: with [`Grid::Strided`] the images behind a random offset of
/// less than a stride each way, so that in the end all places of a patch are seen, as with [`Grid::Dense`].
pub fn drawn(images: &Tensor, field: Field, grid: Grid, draws: &mut ChaCha8Rng) -> Tensor {
    let x = bordered(images, field, Grid::Dense);
    if grid == Grid::Dense {
        return x;
    }
    let [down, right] = [0, 1].map(|_| draws.random_range(0..field.stride()));
    let side = x.size()[2];
    x.narrow(2, down, side - down).narrow(3, right, side - right)
}

/// A map [B, h, w] of places of a grid to one [B, S, S] of pixels: cells count from the middle of one to that of the next.
pub fn spread(map: &Tensor, size: i64) -> Tensor {
    if map.size()[1] == size {
        return map.shallow_clone();
    }
    map.unsqueeze(1).upsample_bilinear2d([size, size], false, None, None).squeeze_dim(1).to_kind(Kind::Float)
}
