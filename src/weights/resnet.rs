//! Names and shapes of torchvision's residual networks.
//!
//! `conv1`, `bn1`, then `layer{s}.{i}.conv{k}`, `.bn{k}` and, where a block changes size, `.downsample.0` (convolution)
//! and `.downsample.1` (batch norm); `fc` at the end. Convolutions are `[out, in, height, width]` without bias.

use super::shapes::{Extent, Shapes};
use crate::config::BackboneName;

/// The residual networks.
const ALL: [BackboneName; 5] =
    [BackboneName::Resnet18, BackboneName::Resnet34, BackboneName::Resnet50, BackboneName::Resnet101, BackboneName::WideResnet50x2];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    /// Two 3x3 convolutions; as many channels out as inside.
    Basic,
    /// 1x1, 3x3, 1x1; four times the base width out. `inside` multiplies the width of the 3x3.
    Bottleneck { inside: usize },
}

/// Block and blocks per stage (Table 1 of He et al., 2016; Zagoruyko and Komodakis, 2016, for the wide one).
fn plan(name: BackboneName) -> (Block, [usize; 4]) {
    match name {
        BackboneName::Resnet18 => (Block::Basic, [2, 2, 2, 2]),
        BackboneName::Resnet34 => (Block::Basic, [3, 4, 6, 3]),
        BackboneName::Resnet50 => (Block::Bottleneck { inside: 1 }, [3, 4, 6, 3]),
        BackboneName::Resnet101 => (Block::Bottleneck { inside: 1 }, [3, 4, 23, 3]),
        BackboneName::WideResnet50x2 => (Block::Bottleneck { inside: 2 }, [3, 4, 6, 3]),
        BackboneName::Vgg11Bn | BackboneName::EfficientnetLite0 => unreachable!("asked of residual networks only"),
    }
}

/// Blocks of each of the four stages.
pub(super) fn blocks(name: BackboneName) -> [usize; 4] {
    plan(name).1
}

/// Every tensor that a forward pass needs, with its shape (`num_batches_tracked` isn't needed).
pub(super) fn tensors(name: BackboneName, extent: Extent) -> Shapes {
    let (block, blocks) = plan(name);
    let mut shapes = Shapes::new();
    convolution(&mut shapes, "conv1", "bn1", [64, 3, 7, 7]);
    let mut channels = 64;
    for (stage, &count) in blocks.iter().enumerate().take(stages(extent)) {
        let base = 64 << stage;
        for index in 0..count {
            let at = format!("layer{}.{index}", stage + 1);
            // (side of the kernel, channels out) of each convolution of the block.
            let (convolutions, out) = match block {
                Block::Basic => (vec![(3, base), (3, base)], base),
                Block::Bottleneck { inside } => (vec![(1, inside * base), (3, inside * base), (1, 4 * base)], 4 * base),
            };
            let mut inner = channels;
            for (k, (side, width)) in (1..).zip(convolutions) {
                convolution(&mut shapes, &format!("{at}.conv{k}"), &format!("{at}.bn{k}"), [width, inner, side, side]);
                inner = width;
            }
            if index == 0 && (stage > 0 || out != channels) {
                convolution(&mut shapes, &format!("{at}.downsample.0"), &format!("{at}.downsample.1"), [out, channels, 1, 1]);
            }
            channels = out;
        }
    }
    if extent == Extent::Full {
        shapes.insert("fc.weight".into(), vec![1000, channels]);
        shapes.insert("fc.bias".into(), vec![1000]);
    }
    shapes
}

fn convolution(shapes: &mut Shapes, conv: &str, norm: &str, shape: [usize; 4]) {
    shapes.insert(format!("{conv}.weight"), shape.to_vec());
    for part in ["weight", "bias", "running_mean", "running_var"] {
        shapes.insert(format!("{norm}.{part}"), vec![shape[0]]);
    }
}

/// Number of stages.
pub(super) fn stages(extent: Extent) -> usize {
    match extent {
        Extent::Stages => 3,
        Extent::Full => 4,
    }
}

/// Whether a tensor belongs to stage 4 or to the classifier.
pub(super) fn is_beyond(tensor: &str) -> bool {
    tensor.starts_with("layer4.") || tensor.starts_with("fc.")
}

/// The residual network that fits block type, width and the number of blocks of stage 3; `None` where none does.
pub(super) fn infer(shapes: &Shapes) -> Option<BackboneName> {
    let first = shapes.get("layer1.0.conv1.weight")?;
    let count = (0..).take_while(|i| shapes.contains_key(&format!("layer3.{i}.conv1.weight"))).count();
    ALL.into_iter().find(|&name| tensors(name, Extent::Stages)["layer1.0.conv1.weight"] == *first && blocks(name)[2] == count)
}
