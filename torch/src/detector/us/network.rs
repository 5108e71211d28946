//! The networks of one field: from patches of p px to a description each. Teacher and students are built alike.
//!
//! No convolution is padded. A network runs over single patches, or over a whole padded image: at its own stride, or at every
//! pixel, where a pooling moves by one cell and all that follows it reaches twice as far. The three give the same numbers.

use harness::Result;
use harness::config::{Config, MemoryFormat, Us};
use tch::{Kind, Tensor};

use crate::nn::activation::leaky_relu;
use crate::nn::conv::{Conv2d, ConvShape, Pad, arrange};
use crate::nn::param::Builder;

/// Slope of the activations below zero.
const SLOPE: f64 = 5e-3;

#[derive(Debug, Clone, Copy)]
enum Layer {
    /// Kernel, and width as published.
    Conv(i64, i64),
    /// The last convolution: kernel; it gives the description.
    Describe(i64),
    /// The maximum of 2 x 2 cells.
    Pool,
}

use Layer::{Conv, Describe, Pool};

/// A side of patches for which there is a network (Tables 4 to 6 of the paper's supplement).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    Px17,
    Px33,
    Px65,
}

impl Field {
    pub const ALL: [Self; 3] = [Self::Px17, Self::Px33, Self::Px65];

    /// The field of that side.
    ///
    /// # Panics
    /// Where there is none: `config::check` refuses it.
    pub fn of(side: usize) -> Self {
        Self::ALL.into_iter().find(|field| field.side() == side as i64).expect("a side that was checked")
    }

    /// p: side of the patches that the network is made for, px.
    pub fn side(self) -> i64 {
        match self {
            Self::Px17 => 17,
            Self::Px33 => 33,
            Self::Px65 => 65,
        }
    }

    /// What its loss is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Px17 => "p17",
            Self::Px33 => "p33",
            Self::Px65 => "p65",
        }
    }

    fn layers(self) -> &'static [Layer] {
        match self {
            Self::Px17 => &[Conv(6, 128), Conv(5, 256), Conv(5, 256), Describe(4)],
            Self::Px33 => &[Conv(5, 128), Pool, Conv(5, 256), Pool, Conv(2, 256), Describe(4)],
            Self::Px65 => &[Conv(5, 128), Pool, Conv(5, 128), Pool, Conv(5, 128), Pool, Conv(4, 256), Describe(1)],
        }
    }

    /// Px that a description depends on: up to 5 less than p, because poolings leave out a last row.
    pub fn reach(self) -> i64 {
        let step = |(reach, stride): (i64, i64), layer: &Layer| match *layer {
            Conv(kernel, _) | Describe(kernel) => (reach + (kernel - 1) * stride, stride),
            Pool => (reach + stride, 2 * stride),
        };
        self.layers().iter().fold((1, 1), step).0
    }

    /// Px from one description to the next.
    pub fn stride(self) -> i64 {
        self.layers().iter().fold(1, |stride, layer| if matches!(layer, Pool) { 2 * stride } else { stride })
    }
}

/// How large the networks are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Size {
    /// Factor of the published widths.
    pub width: f64,
    /// d: numbers of a description.
    pub descriptor: i64,
}

impl Size {
    /// As configured.
    pub fn of(us: &Us) -> Self {
        Self { width: us.width, descriptor: us.descriptor as i64 }
    }

    /// A published width times the factor, 1 at least.
    fn scaled(self, width: i64) -> i64 {
        ((width as f64 * self.width).round() as i64).max(1)
    }
}

/// A network for one field.
#[derive(Debug)]
pub struct Network {
    pub field: Field,
    convs: Vec<Built>,
    format: MemoryFormat,
}

/// A convolution at the network's own stride, and with the same values at every pixel.
#[derive(Debug)]
struct Built {
    own: Conv2d,
    dense: Conv2d,
}

impl Network {
    /// With parameters `<prefix>conv1.weight`, `<prefix>conv1.bias`, …
    ///
    /// # Errors
    /// First values of another shape.
    pub fn new(builder: &mut Builder, prefix: &str, field: Field, size: Size) -> Result<Self> {
        let (mut cin, mut dilation, mut convs) = (3, 1, vec![]);
        for layer in field.layers() {
            let (kernel, cout) = match *layer {
                Conv(kernel, width) => (kernel, size.scaled(width)),
                Describe(kernel) => (kernel, size.descriptor),
                Pool => {
                    dilation *= 2;
                    continue;
                }
            };
            let shape = ConvShape::new(cin, cout, kernel).pad(Pad::Valid).bias();
            let own = builder.conv(&format!("{prefix}conv{}", convs.len() + 1), shape)?;
            let bias = own.bias.as_ref().map(Tensor::shallow_clone);
            let dense = Conv2d::new(own.weight.shallow_clone(), bias, &shape.dilation(dilation), builder.precision);
            convs.push(Built { own, dense });
            cin = cout;
        }
        Ok(Self { field, convs, format: builder.format })
    }

    /// The same network of a configuration's size.
    ///
    /// # Errors
    /// As [`Network::new`].
    pub fn configured(builder: &mut Builder, prefix: &str, field: Field, cfg: &Config) -> Result<Self> {
        Self::new(builder, prefix, field, Size::of(&cfg.us))
    }

    /// Descriptions [N, d] f32 of patches [N, 3, p, p].
    pub fn patches(&self, x: &Tensor) -> Tensor {
        self.cells(x).flatten(1, 3)
    }

    /// Descriptions [B, d, h, w] f32 of maps [B, 3, H, W] at the network's own stride.
    pub fn cells(&self, x: &Tensor) -> Tensor {
        self.through(x, |built| &built.own, |x, _| x.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false))
    }

    /// Descriptions [B, d, H - reach + 1, W - reach + 1] f32, one for each place of a patch.
    pub fn dense(&self, x: &Tensor) -> Tensor {
        self.through(x, |built| &built.dense, |x, apart| x.max_pool2d([2, 2], [1, 1], [0, 0], [apart; 2], false))
    }

    fn through(&self, x: &Tensor, conv: impl Fn(&Built) -> &Conv2d, pool: impl Fn(&Tensor, i64) -> Tensor) -> Tensor {
        let (mut x, mut apart) = (arrange(x, self.format), 1);
        let mut convs = self.convs.iter();
        let mut layers = self.field.layers().iter().peekable();
        while let Some(layer) = layers.next() {
            if matches!(layer, Pool) {
                continue;
            }
            x = conv(convs.next().expect("a convolution a layer")).forward(&x);
            // The activation rises everywhere, so that the maximum may come first, of which there are fewer.
            if matches!(layers.peek(), Some(Pool)) {
                x = pool(&x, apart);
                apart *= 2;
            }
            if !matches!(layer, Describe(_)) {
                x = leaky_relu(&x, SLOPE);
            }
        }
        x.to_kind(Kind::Float)
    }
}
