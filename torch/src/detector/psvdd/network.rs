//! The two encoders and the two classifiers of positions.
//!
//! The encoder of patches of 64 px puts that of 32 px on the four quarters of a patch and joins the four. No convolution is
//! padded: on a whole image the same weights describe all its patches at once, those of 64 px by joining cells 16 apart.

use harness::Result;
use harness::config::{Config, MemoryFormat};
use tch::{Device, Kind, Tensor};

use crate::nn::activation::leaky_relu;
use crate::nn::conv::{Conv2d, ConvShape, Pad, arrange};
use crate::nn::linear::{Linear, LinearShape};
use crate::nn::param::{Builder, Part};
use crate::nn::{First, Params};

/// D: numbers that describe a patch.
pub const WIDTH: i64 = 64;
/// Directions that a classifier tells apart.
const DIRECTIONS: i64 = 8;
/// Hidden numbers of a classifier.
const HIDDEN: i64 = 128;
/// Widths of the convolutions of the encoder of 32 px; the first has a stride of 2.
const WIDTHS: [i64; 8] = [32, 64, 128, 128, 64, 32, 32, WIDTH];
/// Input pixels from one cell of a whole image's map to the next.
const CELL: i64 = 2;
/// Slope of the activations below zero.
const SLOPE: f64 = 0.1;

/// The sizes of patches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patch {
    Px32,
    Px64,
}

impl Patch {
    pub const ALL: [Self; 2] = [Self::Px32, Self::Px64];

    /// K: side of a patch, px.
    pub fn side(self) -> i64 {
        match self {
            Self::Px32 => 32,
            Self::Px64 => 64,
        }
    }

    /// Px from one scored patch to the next.
    pub fn stride(self) -> i64 {
        match self {
            Self::Px32 => 4,
            Self::Px64 => 16,
        }
    }

    /// Scored patches a side of an image of `size` px.
    pub fn grid(self, size: i64) -> i64 {
        (size - self.side()) / self.stride() + 1
    }
}

pub struct Network {
    small: Vec<Conv2d>,
    /// Joins the quarters of a patch.
    join: Conv2d,
    /// The same weights on the map of a whole image.
    join_all: Conv2d,
    last: Conv2d,
    classifiers: [Classifier; 2],
    format: MemoryFormat,
    params: Params,
}

impl Network {
    /// Drawn from the seed.
    pub fn new(cfg: &Config, seed: u64, device: Device) -> Result<Self> {
        let mut builder = Builder::new(seed, device, cfg.train.precision, cfg.train.memory_format, None);
        let valid = |cin, cout, kernel| ConvShape::new(cin, cout, kernel).pad(Pad::Valid).bias();
        let mut small = vec![];
        for (place, &cout) in WIDTHS.iter().enumerate() {
            let cin = if place == 0 { 3 } else { WIDTHS[place - 1] };
            let stride = if place == 0 { CELL } else { 1 };
            small.push(builder.conv(&format!("k32.conv{}", place + 1), valid(cin, cout, 3).stride(stride))?);
        }
        let shape = valid(WIDTH, 128, 2);
        let join = builder.conv("k64.conv1", shape)?;
        let apart = shape.dilation(Patch::Px32.side() / CELL).stride(Patch::Px64.stride() / CELL);
        let bias = join.bias.as_ref().map(Tensor::shallow_clone);
        let join_all = Conv2d::new(join.weight.shallow_clone(), bias, &apart, cfg.train.precision);
        let last = builder.conv("k64.conv2", valid(128, WIDTH, 1))?;
        let classifiers = [Classifier::new(&mut builder, "position32")?, Classifier::new(&mut builder, "position64")?];
        Ok(Self { small, join, join_all, last, classifiers, format: cfg.train.memory_format, params: builder.finish() })
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Descriptions [N, 64] f32 in -1..=1 of patches [N, 3, K, K].
    pub fn patches(&self, patch: Patch, x: &Tensor) -> Tensor {
        let described = match patch {
            Patch::Px32 => self.small(x),
            Patch::Px64 => {
                let quarters = self.small(&quarters(x)).view([-1, 2, 2, WIDTH]).permute([0, 3, 1, 2]); // [N, 64, 2, 2]
                self.joined(&self.join, &quarters)
            }
        };
        described.flatten(1, 3).to_kind(Kind::Float)
    }

    /// Descriptions [B, 64, g, g] f32 of the scored patches of images [B, 3, S, S], `g` being [`Patch::grid`]: of 32 and of 64 px.
    pub fn images(&self, x: &Tensor) -> [Tensor; 2] {
        let cells = self.small(x); // [B, 64, S / 2 - 15, ..]
        let every = Patch::Px32.stride() / CELL;
        let small = cells.slice(2, None, None, every).slice(3, None, None, every);
        [small, self.joined(&self.join_all, &cells)].map(|map| map.to_kind(Kind::Float))
    }

    /// Logits [N, 8] of the direction from the patches described by `first` to those described by `second`, both [N, 64].
    pub fn directions(&self, patch: Patch, first: &Tensor, second: &Tensor) -> Tensor {
        let [small, large] = &self.classifiers;
        match patch {
            Patch::Px32 => small.forward(first, second),
            Patch::Px64 => large.forward(first, second),
        }
    }

    fn small(&self, x: &Tensor) -> Tensor {
        let (last, rest) = self.small.split_last().expect("there are eight convolutions");
        let hidden = rest.iter().fold(arrange(x, self.format), |x, conv| leaky_relu(&conv.forward(&x), SLOPE));
        last.forward(&hidden).tanh()
    }

    fn joined(&self, join: &Conv2d, cells: &Tensor) -> Tensor {
        self.last.forward(&leaky_relu(&join.forward(cells), SLOPE)).tanh()
    }
}

/// Tells the direction from one patch to another by the difference of their descriptions.
///
/// The weight of its last map has columns of length 1 and is never trained: the authors' code scales it without recording
/// gradients.
struct Classifier {
    hidden: [Linear; 2],
    /// [8, 128] as drawn.
    fixed: Tensor,
    bias: Tensor,
}

impl Classifier {
    fn new(builder: &mut Builder, name: &str) -> Result<Self> {
        let hidden = |place: i64, cin| (format!("{name}.fc{place}"), LinearShape::new(cin, HIDDEN).bias(First::Uniform));
        let [(one, first), (two, second)] = [hidden(1, WIDTH), hidden(2, HIDDEN)];
        let hidden = [builder.linear_of(&one, first)?, builder.linear_of(&two, second)?];
        let last = format!("{name}.fc3");
        builder.part = Part::Frozen;
        let fixed = builder.linear(&last, HIDDEN, DIRECTIONS)?.weight;
        builder.part = Part::Trained;
        Ok(Self { hidden, fixed, bias: builder.bias(&last, HIDDEN, DIRECTIONS)? })
    }

    fn forward(&self, first: &Tensor, second: &Tensor) -> Tensor {
        let hidden = self.hidden.iter().fold(first - second, |x, linear| leaky_relu(&linear.forward(&x), SLOPE));
        let length = self.fixed.square().sum_dim_intlist([0i64].as_slice(), true, None::<Kind>).sqrt(); // [1, 128]
        hidden.linear(&(&self.fixed / length), Some(&self.bias))
    }
}

/// The four quarters of each patch, row by row: [N, 3, 64, 64] to [4 N, 3, 32, 32].
fn quarters(x: &Tensor) -> Tensor {
    let half = Patch::Px32.side();
    x.reshape([-1, 3, 2, half, 2, half]).permute([0, 2, 4, 1, 3, 5]).reshape([-1, 3, half, half])
}
