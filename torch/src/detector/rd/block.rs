//! Residual blocks that halve or double the side of their map.

use harness::Result;
use tch::Tensor;

use crate::nn::conv::ConvShape;
use crate::nn::conv_bn::ConvBn;
use crate::nn::norm::BatchNorm;
use crate::nn::param::Builder;
use crate::nn::resnet::Block;
use crate::nn::transpose::{ConvTranspose2d, TransposeShape};
use crate::nn::{First, Mode};

/// What becomes of a map's side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    Keep,
    /// By a stride of 2.
    Half,
    /// By a transposed 2x2 convolution with a stride of 2.
    Double,
}

/// Sizes of a residual block.
#[derive(Debug, Clone, Copy)]
pub struct ScalingShape {
    pub block: Block,
    pub cin: i64,
    /// Channels between the convolutions of a bottleneck; a basic block has `cout`.
    pub inner: i64,
    pub cout: i64,
    pub scale: Scale,
}

/// A residual block: `[B, Cin, H, W]` to `[B, Cout, H', W']`. A bottleneck changes the side in its 3x3 convolution, a basic block in
/// its first, and the shortcut changes it likewise.
#[derive(Debug)]
pub struct ScalingBlock {
    /// A ReLU follows each, after the last one's output has met the shortcut.
    units: Vec<Unit>,
    /// Where shapes change.
    shortcut: Option<Unit>,
}

impl ScalingBlock {
    /// Parameters `<name>.{conv,bn}<n>` and `<name>.shortcut.{conv,bn}`.
    pub fn new(builder: &mut Builder, name: &str, shape: ScalingShape) -> Result<Self> {
        let ScalingShape { block, cin, inner, cout, scale } = shape;
        let steps = match block {
            Block::Basic => vec![(cin, cout, 3, scale), (cout, cout, 3, Scale::Keep)],
            Block::Bottleneck => vec![(cin, inner, 1, Scale::Keep), (inner, inner, 3, scale), (inner, cout, 1, Scale::Keep)],
        };
        let units = (1..).zip(steps).map(|(n, (cin, cout, kernel, scale))| {
            Unit::new(builder, [&format!("{name}.conv{n}"), &format!("{name}.bn{n}")], ConvShape::new(cin, cout, kernel), scale)
        });
        let units = units.collect::<Result<_>>()?;
        let shortcut = if scale != Scale::Keep || cin != cout {
            let names = [&format!("{name}.shortcut.conv"), &format!("{name}.shortcut.bn")];
            Some(Unit::new(builder, names.map(String::as_str), ConvShape::new(cin, cout, 1), scale)?)
        } else {
            None
        };
        Ok(Self { units, shortcut })
    }

    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let (last, first) = self.units.split_last().expect("a block has convolutions");
        let y = first.iter().fold(x.shallow_clone(), |y, unit| unit.forward(&y, mode).relu_());
        let shortcut = self.shortcut.as_ref().map_or_else(|| x.shallow_clone(), |unit| unit.forward(x, mode));
        let mut y = last.forward(&y, mode);
        let _ = y.g_add_(&shortcut); // in place: a batch norm does not keep its output
        y.relu_()
    }
}

/// A convolution without bias and its batch norm.
#[derive(Debug)]
enum Unit {
    Conv(ConvBn),
    Double { conv: ConvTranspose2d, bn: BatchNorm },
}

impl Unit {
    /// `shape` as it is, with a stride of 2, or in its place a transposed 2x2 convolution. As in the authors' code only
    /// convolutions that are not transposed start normal (He 2015); transposed ones keep torch's default.
    fn new(builder: &mut Builder, [conv, bn]: [&str; 2], shape: ConvShape, scale: Scale) -> Result<Self> {
        let shape = shape.first(First::KaimingNormal);
        Ok(match scale {
            Scale::Keep => Self::Conv(ConvBn::new(builder, conv, bn, shape)?),
            Scale::Half => Self::Conv(ConvBn::new(builder, conv, bn, shape.stride(2))?),
            Scale::Double => {
                let conv = builder.conv_transpose(conv, TransposeShape::new(shape.cin, shape.cout, 2, 2))?;
                Self::Double { conv, bn: builder.bn(bn, shape.cout)? }
            }
        })
    }

    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        match self {
            Self::Conv(unit) => unit.forward(x, mode),
            Self::Double { conv, bn } => bn.forward(&conv.forward(x), mode),
        }
    }
}
