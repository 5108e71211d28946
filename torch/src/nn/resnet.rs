//! Residual networks (He 2016; wide ones: Zagoruyko 2016): stem and stages 1 to 3, the multi-level features; or fewer stages; or the
//! fourth as well, as a part of its own.
//!
//! Parameters carry torchvision's names behind `backbone.`. Pooling and classifier are not built.

use harness::Result;
use harness::config::{BackboneName, Freeze};
use tch::Tensor;

use super::conv::ConvShape;
use super::conv_bn::ConvBn;
use super::norm::Mode;
use super::param::{Builder, Part};
use super::stages::Stages;
use super::stride::Stride;

/// Channels of the fourth stage.
pub fn width4(name: BackboneName) -> i64 {
    512 * plan(name).block.expansion()
}

/// What a residual block is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3, 1x1 with four times the width at its end.
    Bottleneck,
}

impl Block {
    /// Channels of its output, in planes.
    pub fn expansion(self) -> i64 {
        match self {
            Self::Basic => 1,
            Self::Bottleneck => 4,
        }
    }
}

/// What a network of the family is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    pub block: Block,
    /// Blocks in stages 1 to 4.
    pub depths: [usize; 4],
    /// Factor of a bottleneck's inner width.
    pub wide: i64,
}

/// The network of that name.
pub fn plan(name: BackboneName) -> Plan {
    let (block, depths, wide) = match name {
        BackboneName::Resnet18 => (Block::Basic, [2, 2, 2, 2], 1),
        BackboneName::Resnet34 => (Block::Basic, [3, 4, 6, 3], 1),
        BackboneName::Resnet50 => (Block::Bottleneck, [3, 4, 6, 3], 1),
        BackboneName::Resnet101 => (Block::Bottleneck, [3, 4, 23, 3], 1),
        BackboneName::WideResnet50x2 => (Block::Bottleneck, [3, 4, 6, 3], 2),
        BackboneName::Vgg11Bn | BackboneName::EfficientnetLite0 => unreachable!("config::check refuses what a detector is not built on"),
    };
    Plan { block, depths, wide }
}

/// Stem and stages 1 to 3.
#[derive(Debug)]
pub struct ResNet {
    stem: ConvBn,
    stages: Vec<Vec<Residual>>,
    /// How many of (stem, stage 1, 2, 3), from the first on, are frozen: nothing before them needs a gradient.
    frozen: usize,
}

impl ResNet {
    /// Frozen parts have their batch norms folded and record no gradients.
    pub fn new(builder: &mut Builder, name: BackboneName, stride: Stride, freeze: Freeze) -> Result<Self> {
        Self::with_parts(builder, name, stride, Part::of(freeze))
    }

    /// The same with a choice for each of (stem, stage 1, 2, 3).
    pub fn with_parts(builder: &mut Builder, name: BackboneName, stride: Stride, parts: [Part; 4]) -> Result<Self> {
        Self::up_to(builder, name, stride, &parts)
    }

    /// The stem and as many stages as `parts` has choices after the first, at most three.
    pub fn up_to(builder: &mut Builder, name: BackboneName, stride: Stride, parts: &[Part]) -> Result<Self> {
        let plan = plan(name);
        builder.part = parts[0];
        let stem = ConvShape::new(3, 64, 7).stride(2).first(builder.residual);
        let stem = ConvBn::new(builder, "backbone.conv1", "backbone.bn1", stem)?;
        let mut stages = Vec::new();
        for index in 0..parts.len() - 1 {
            builder.part = parts[index + 1];
            stages.push(stage(builder, &plan, index, stride)?);
        }
        builder.part = Part::Trained;
        let frozen = parts.iter().take_while(|part| **part == Part::Frozen).count();
        Ok(Self { stem, stages, frozen })
    }

    /// `x` [B, 3, H, W], H and W multiples of 32; all three stages must be there.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Stages {
        let [c1, c2, c3] = self.maps(x, mode).try_into().expect("three stages");
        Stages { c1, c2, c3 }
    }

    /// The map of the last stage that is there.
    pub fn last(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.maps(x, mode).pop().expect("there is a stage")
    }

    /// The map of each stage.
    fn maps(&self, x: &Tensor, mode: Mode) -> Vec<Tensor> {
        let mut map = self.guarded(0, || self.stem(x, mode)); // [B, 64, H/4, W/4]
        (0..self.stages.len())
            .map(|index| {
                map = self.guarded(index + 1, || through(&self.stages[index], &map, mode));
                map.shallow_clone()
            })
            .collect()
    }

    fn stem(&self, x: &Tensor, mode: Mode) -> Tensor {
        self.stem.forward(x, mode).relu_().max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false)
    }

    /// Runs part `index` without recording gradients if it and all before it are frozen.
    fn guarded(&self, index: usize, part: impl FnOnce() -> Tensor) -> Tensor {
        let _guard = (index < self.frozen).then(tch::no_grad_guard);
        part()
    }
}

/// The fourth stage, trained as `builder.part` says.
#[derive(Debug)]
pub struct Stage4(Vec<Residual>);

impl Stage4 {
    /// Behind a [`ResNet`] of the same name.
    pub fn new(builder: &mut Builder, name: BackboneName, stride: Stride) -> Result<Self> {
        stage(builder, &plan(name), 3, stride).map(Self)
    }

    /// c3 [B, W3, H/16, W/16] to [B, W4, H/32, W/32].
    pub fn forward(&self, c3: &Tensor, mode: Mode) -> Tensor {
        through(&self.0, c3, mode)
    }
}

/// The blocks of stage `index`, from 0.
fn stage(builder: &mut Builder, plan: &Plan, index: usize, stride: Stride) -> Result<Vec<Residual>> {
    let (planes, expansion) = (64 << index, plan.block.expansion());
    let cout = planes * expansion;
    let mut cin = if index == 0 { 64 } else { cout / 2 };
    let mut blocks = Vec::new();
    for number in 0..plan.depths[index] {
        let step = if index > 0 && number == 0 { 2 } else { 1 };
        let prefix = format!("backbone.layer{}.{number}", index + 1);
        blocks.push(Residual::new(builder, &prefix, plan.block, [cin, planes * plan.wide, cout], step, stride)?);
        cin = cout;
    }
    Ok(blocks)
}

fn through(blocks: &[Residual], x: &Tensor, mode: Mode) -> Tensor {
    blocks.iter().fold(x.shallow_clone(), |map, block| block.forward(&map, mode))
}

/// One residual block.
#[derive(Debug)]
struct Residual {
    /// Conv-BN units; a ReLU follows each, after the last one's output has met the shortcut.
    units: Vec<ConvBn>,
    /// The 1x1 of the shortcut where shapes change.
    downsample: Option<ConvBn>,
}

impl Residual {
    fn new(builder: &mut Builder, prefix: &str, block: Block, [cin, inner, cout]: [i64; 3], step: i64, stride: Stride) -> Result<Self> {
        let shapes = match block {
            Block::Basic => vec![ConvShape::new(cin, cout, 3).stride(step), ConvShape::new(cout, cout, 3)],
            Block::Bottleneck => {
                let (first, second) = match stride {
                    Stride::Conv1 => (step, 1),
                    Stride::Conv2 => (1, step),
                };
                vec![
                    ConvShape::new(cin, inner, 1).stride(first),
                    ConvShape::new(inner, inner, 3).stride(second),
                    ConvShape::new(inner, cout, 1),
                ]
            }
        };
        let mut units = Vec::new();
        for (number, shape) in (1..).zip(shapes) {
            let shape = shape.first(builder.residual);
            units.push(ConvBn::new(builder, &format!("{prefix}.conv{number}"), &format!("{prefix}.bn{number}"), shape)?);
        }
        let downsample = if step != 1 || cin != cout {
            let shape = ConvShape::new(cin, cout, 1).stride(step).first(builder.residual);
            Some(ConvBn::new(builder, &format!("{prefix}.downsample.0"), &format!("{prefix}.downsample.1"), shape)?)
        } else {
            None
        };
        Ok(Self { units, downsample })
    }

    /// `[B, Cin, H, W]` to `[B, Cout, H/step, W/step]`.
    fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let (last, first) = self.units.split_last().expect("a block has convolutions");
        let mut y = x.shallow_clone();
        for unit in first {
            y = unit.forward(&y, mode).relu_();
        }
        let shortcut = match &self.downsample {
            Some(unit) => unit.forward(x, mode),
            None => x.shallow_clone(),
        };
        let mut y = last.forward(&y, mode);
        let _ = y.g_add_(&shortcut); // in place: neither batch norm nor convolution keeps its output
        y.relu_()
    }
}

#[cfg(test)]
mod tests {
    use super::super::first::First;
    use super::super::param::{ParamKind, Params};
    use super::*;
    use harness::config::{MemoryFormat, Precision};
    use tch::{Device, Kind};

    fn build(name: BackboneName, stride: Stride, freeze: Freeze) -> (ResNet, Params) {
        let mut builder = Builder::new(3, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None);
        let net = ResNet::new(&mut builder, name, stride, freeze).expect("builds");
        (net, builder.finish())
    }

    fn image(batch: i64, side: i64) -> Tensor {
        (Tensor::arange(batch * 3 * side * side, (Kind::Double, Device::Cpu)) * 0.37)
            .sin()
            .to_kind(Kind::Float)
            .reshape([batch, 3, side, side])
    }

    fn distance(a: &Tensor, b: &Tensor) -> f64 {
        (a - b).abs().max().double_value(&[])
    }

    #[test]
    fn stages_have_strides_4_8_16_and_the_widths_of_their_family() {
        for (name, count) in [(BackboneName::Resnet18, 2_782_784), (BackboneName::Resnet50, 8_543_296)] {
            let (net, params) = build(name, Stride::Conv2, Freeze::None);
            let [w1, w2, w3] = name.channels();
            let s = net.forward(&image(1, 64), Mode::Eval);
            assert_eq!(s.c1.size(), [1, w1, 16, 16]);
            assert_eq!(s.c2.size(), [1, w2, 8, 8]);
            assert_eq!(s.c3.size(), [1, w3, 4, 4]);
            assert_eq!(params.weight_count(), count);
        }
    }

    #[test]
    fn the_fourth_stage_ends_a_network_of_torchvisions_size() {
        // torchvision's counts without the classifier's 513000 and 2049000.
        for (name, count) in [(BackboneName::Resnet18, 11_176_512), (BackboneName::Resnet50, 23_508_032)] {
            let mut builder = Builder::new(3, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None);
            builder.residual = First::KaimingNormal;
            let net = ResNet::new(&mut builder, name, Stride::Conv2, Freeze::None).expect("builds");
            let last = Stage4::new(&mut builder, name, Stride::Conv2).expect("builds");
            let params = builder.finish();
            assert_eq!(params.weight_count(), count);
            let map = last.forward(&net.forward(&image(1, 64), Mode::Eval).c3, Mode::Eval);
            assert_eq!(map.size(), [1, width4(name), 2, 2]);
            // He's deviation of the stem: sqrt(2 / (64 * 49)); four standard errors of 9408 values.
            let std = params.get("backbone.conv1.weight").expect("is there").std(false).double_value(&[]);
            let expected = (2.0f64 / (64.0 * 49.0)).sqrt();
            assert!((std / expected - 1.0).abs() < 4.0 / (2.0f64 * 9408.0).sqrt(), "{std}");
        }
    }

    #[test]
    fn parameters_are_called_as_in_torchvision() {
        let (_, params) = build(BackboneName::WideResnet50x2, Stride::Conv2, Freeze::None);
        for (name, shape) in [
            ("backbone.conv1.weight", vec![64, 3, 7, 7]),
            ("backbone.bn1.running_var", vec![64]),
            ("backbone.layer1.0.downsample.0.weight", vec![256, 64, 1, 1]),
            ("backbone.layer2.3.conv2.weight", vec![256, 256, 3, 3]),
            ("backbone.layer3.5.bn3.bias", vec![1024]),
        ] {
            assert_eq!(params.get(name).map(Tensor::size), Some(shape), "{name}");
        }
        assert!(params.get("backbone.layer1.1.downsample.0.weight").is_none());
    }

    #[test]
    fn a_frozen_backbone_gives_the_maps_of_an_unfrozen_one_in_eval_mode_also_while_training() {
        for name in [BackboneName::Resnet18, BackboneName::Resnet50] {
            let (free, _) = build(name, Stride::Conv1, Freeze::None);
            let (frozen, _) = build(name, Stride::Conv1, Freeze::All);
            let x = image(2, 32);
            let (a, b) = (free.forward(&x, Mode::Eval), frozen.forward(&x, Mode::Train));
            for (a, b) in [(&a.c1, &b.c1), (&a.c2, &b.c2), (&a.c3, &b.c3)] {
                assert!(distance(a, b) < 1e-4 * a.abs().max().double_value(&[]));
                assert!(!b.requires_grad() && a.requires_grad());
            }
        }
    }

    #[test]
    fn freezing_ends_where_it_is_told_to() {
        for (freeze, first_free) in [
            (Freeze::None, "backbone.conv1"),
            (Freeze::Stem, "backbone.layer1.0"),
            (Freeze::Layer1, "backbone.layer2.0"),
            (Freeze::Layer2, "backbone.layer3.0"),
        ] {
            let (net, params) = build(BackboneName::Resnet18, Stride::Conv2, freeze);
            let first = params.iter().find(|p| p.trained).expect("something is trained");
            assert!(first.name.starts_with(first_free), "{freeze:?}: {}", first.name);
            net.forward(&image(2, 32), Mode::Train).c3.sum(Kind::Float).backward();
            for p in params.iter() {
                assert_eq!(p.tensor.requires_grad() && p.tensor.grad().defined(), p.trained && p.kind == ParamKind::Weight);
            }
        }
        let (_, params) = build(BackboneName::Resnet18, Stride::Conv2, Freeze::All);
        assert!(params.iter().all(|p| !p.trained));
    }

    #[test]
    fn the_place_of_the_stride_changes_the_maps_but_not_the_parameters() {
        let (a, pa) = build(BackboneName::Resnet50, Stride::Conv1, Freeze::All);
        let (b, pb) = build(BackboneName::Resnet50, Stride::Conv2, Freeze::All);
        let x = image(1, 32);
        let (a, b) = (a.forward(&x, Mode::Eval), b.forward(&x, Mode::Eval));
        assert_eq!(distance(&a.c1, &b.c1), 0.0);
        assert!(distance(&a.c2, &b.c2) > 0.0);
        assert!(pa.iter().zip(pb.iter()).all(|(a, b)| a.name == b.name && a.tensor.equal(&b.tensor)));
    }

    #[test]
    fn parts_may_be_held_or_frozen_in_any_order() {
        let build = |parts| {
            let mut builder = Builder::new(3, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None);
            let net = ResNet::with_parts(&mut builder, BackboneName::Resnet18, Stride::Conv1, parts).expect("builds");
            (net, builder.finish())
        };
        let (net, params) = build([Part::Held, Part::Trained, Part::Frozen, Part::Held]);
        let first: Vec<Tensor> = params.iter().map(|p| p.tensor.copy()).collect();
        net.forward(&image(2, 32), Mode::Train).c3.square().sum(Kind::Float).backward();
        for (p, first) in params.iter().zip(first) {
            let layer1 = p.name.starts_with("backbone.layer1");
            let frozen = p.name.starts_with("backbone.layer2");
            let weight = p.kind == ParamKind::Weight;
            assert_eq!(p.tensor.requires_grad() && p.tensor.grad().defined(), layer1 && weight, "{}", p.name);
            assert_eq!(p.tensor.equal(&first), weight || frozen, "{}", p.name);
            assert_eq!(p.trained, if weight { layer1 } else { !frozen }, "{}", p.name);
        }
        let (held, _) = build([Part::Held; 4]);
        let (free, _) = build([Part::Trained; 4]);
        let (held, free) = (held.forward(&image(2, 32), Mode::Train), free.forward(&image(2, 32), Mode::Train));
        assert!(held.c3.equal(&free.c3) && !held.c3.requires_grad());
    }
}
