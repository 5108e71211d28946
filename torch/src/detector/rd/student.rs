//! What is trained: the teacher's three maps are fused (the publication's MFF), embedded in one small map (OCE), and a decoder gives
//! them back.
//!
//! The decoder's stages have the blocks and widths of the backbone's stages whose maps they give, and the backbone's depths in the
//! order in which they work: of a ResNet-50's 3, 4 and 6 blocks the 3 are in the deepest stage, as in the authors' code.

use harness::Result;
use harness::config::{Config, RdWidth};
use tch::{Device, Tensor};

use super::block::{Scale, ScalingBlock, ScalingShape};
use crate::nn::conv::ConvShape;
use crate::nn::conv_bn::ConvBn;
use crate::nn::param::Builder;
use crate::nn::resnet::{Plan, plan};
use crate::nn::{First, Mode, Params};

/// Maps of a backbone's stages 1 to 3, or what the decoder makes of them: `[B, W1, S/4, S/4]`, `[B, W2, S/8, S/8]` and
/// `[B, W3, S/16, S/16]`.
pub type Levels = [Tensor; 3];

/// Planes of a residual network's stages 1 to 4.
const PLANES: [i64; 4] = [64, 128, 256, 512];

#[derive(Debug)]
pub struct Student {
    fusion: Fusion,
    embedding: Vec<ScalingBlock>,
    /// Stages that give the maps of levels 1 to 3; the third is the first to work.
    decoder: [Vec<ScalingBlock>; 3],
    params: Params,
}

impl Student {
    /// For the backbone that `cfg` names, drawn from `seed`.
    pub fn new(cfg: &Config, seed: u64, device: Device) -> Result<Self> {
        let mut builder = Builder::new(seed, device, cfg.train.precision, cfg.train.memory_format, None);
        let plan = plan(cfg.model.backbone.name);
        let fusion = Fusion::new(&mut builder, cfg.model.backbone.name.channels())?;
        let embedding = embedding(&mut builder, cfg, plan)?;
        let mut stage = |level: usize| {
            let Plan { block, depths, wide } = plan;
            let (planes, above) = (PLANES[level - 1], PLANES[level]);
            let shape = ScalingShape {
                block,
                cin: above * block.expansion(),
                inner: planes * wide,
                cout: planes * block.expansion(),
                scale: Scale::Double,
            };
            stage(&mut builder, &format!("decoder.{level}"), shape, depth(cfg, depths[3 - level]))
        };
        let decoder = [stage(1)?, stage(2)?, stage(3)?];
        Ok(Self { fusion, embedding, decoder, params: builder.finish() })
    }

    /// What the decoder makes of the teacher's maps; f32, of the same shapes.
    pub fn forward(&self, teacher: &Levels, mode: Mode) -> Levels {
        let through = |blocks: &[ScalingBlock], x: &Tensor| blocks.iter().fold(x.shallow_clone(), |x, block| block.forward(&x, mode));
        let embedded = through(&self.embedding, &self.fusion.forward(teacher, mode)); // [B, 512 e, S/32, S/32]
        let d3 = through(&self.decoder[2], &embedded);
        let d2 = through(&self.decoder[1], &d3);
        let d1 = through(&self.decoder[0], &d2);
        [d1, d2, d3].map(|map| map.to_kind(tch::Kind::Float))
    }

    /// All parameters, in the order in which they were made.
    pub fn params(&self) -> &Params {
        &self.params
    }
}

/// Blocks of a stage that has `published` ones.
fn depth(cfg: &Config, published: usize) -> usize {
    if cfg.rd.blocks == 0 { published } else { cfg.rd.blocks }
}

/// `depth` blocks, of which the first has `shape` and changes the side, `<name>.<n>`.
fn stage(builder: &mut Builder, name: &str, shape: ScalingShape, depth: usize) -> Result<Vec<ScalingBlock>> {
    let rest = ScalingShape { cin: shape.cout, scale: Scale::Keep, ..shape };
    (0..depth).map(|n| ScalingBlock::new(builder, &format!("{name}.{n}"), if n == 0 { shape } else { rest })).collect()
}

/// The one-class embedding: the fourth stage of a residual network, which takes three maps' channels. A backbone of the family
/// has as many blocks in its fourth stage as in its first.
fn embedding(builder: &mut Builder, cfg: &Config, Plan { block, depths, wide }: Plan) -> Result<Vec<ScalingBlock>> {
    let [.., before, planes] = PLANES;
    let wide = match cfg.rd.width {
        RdWidth::Backbone => wide,
        RdWidth::Narrow => 1,
    };
    let shape = ScalingShape {
        block,
        cin: 3 * before * block.expansion(),
        inner: planes * wide,
        cout: planes * block.expansion(),
        scale: Scale::Half,
    };
    stage(builder, "embedding", shape, depth(cfg, depths[0]))
}

/// Multi-scale feature fusion: 3x3 convolutions with a stride of 2 bring all maps to the shape of the third, then they are joined.
#[derive(Debug)]
struct Fusion {
    first: [ConvBn; 2],
    second: ConvBn,
}

impl Fusion {
    fn new(builder: &mut Builder, [w1, w2, w3]: [i64; 3]) -> Result<Self> {
        let mut down = |name: &str, cin, cout| {
            let shape = ConvShape::new(cin, cout, 3).stride(2).first(First::KaimingNormal);
            ConvBn::new(builder, &format!("fusion.{name}.conv"), &format!("fusion.{name}.bn"), shape)
        };
        Ok(Self { first: [down("1.0", w1, w2)?, down("1.1", w2, w3)?], second: down("2.0", w2, w3)? })
    }

    /// `[B, 3 W3, S/16, S/16]`
    fn forward(&self, [f1, f2, f3]: &Levels, mode: Mode) -> Tensor {
        let down = |unit: &ConvBn, x: &Tensor| unit.forward(x, mode).relu_();
        let first = self.first.iter().fold(f1.shallow_clone(), |x, unit| down(unit, &x));
        let second = down(&self.second, f2);
        Tensor::cat(&[&first, &second, &f3.to_kind(first.kind())], 1)
    }
}
