//! Names and shapes of torchvision's residual networks.
//!
//! `conv1`, `bn1`, then `layer{s}.{i}.conv{k}`, `.bn{k}` and, where a block changes size, `.downsample.0` (convolution)
//! and `.downsample.1` (batch norm); `fc` at the end. Convolutions are `[out, in, height, width]` without bias.

use std::collections::BTreeMap;
use std::path::Path;

use crate::config::BackboneName;
use crate::{Error, Result};

/// Shape of each tensor by name.
pub type Shapes = BTreeMap<String, Vec<usize>>;

/// How much of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Stem and stages 1 to 3, what the detectors use.
    Stages,
    /// Stage 4 and the classifier too.
    Full,
}

impl Extent {
    /// Number of stages.
    pub fn stages(self) -> usize {
        match self {
            Extent::Stages => 3,
            Extent::Full => 4,
        }
    }
}

/// All networks that are known.
pub const ALL: [BackboneName; 5] =
    [BackboneName::Resnet18, BackboneName::Resnet34, BackboneName::Resnet50, BackboneName::Resnet101, BackboneName::WideResnet50x2];

/// The name in configurations, metadata and file names.
pub fn key(name: BackboneName) -> &'static str {
    match name {
        BackboneName::Resnet18 => "resnet18",
        BackboneName::Resnet34 => "resnet34",
        BackboneName::Resnet50 => "resnet50",
        BackboneName::Resnet101 => "resnet101",
        BackboneName::WideResnet50x2 => "wide_resnet50_2",
    }
}

/// The inverse of [`key`].
pub fn parse(text: &str) -> Option<BackboneName> {
    ALL.into_iter().find(|&name| key(name) == text)
}

/// All keys, for messages.
pub fn keys() -> String {
    ALL.map(key).join(", ")
}

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
    }
}

/// Blocks of each of the four stages.
pub fn blocks(name: BackboneName) -> [usize; 4] {
    plan(name).1
}

/// Every tensor that a forward pass needs, with its shape (`num_batches_tracked` isn't needed).
pub fn tensors(name: BackboneName, extent: Extent) -> Shapes {
    let (block, blocks) = plan(name);
    let mut shapes = Shapes::new();
    convolution(&mut shapes, "conv1", "bn1", [64, 3, 7, 7]);
    let mut channels = 64;
    for (stage, &count) in blocks.iter().enumerate().take(extent.stages()) {
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

/// The network that fits block type, width and the number of blocks of stage 3; `None` where none does.
pub fn infer(shapes: &Shapes) -> Option<BackboneName> {
    let first = shapes.get("layer1.0.conv1.weight")?;
    let count = (0..).take_while(|i| shapes.contains_key(&format!("layer3.{i}.conv1.weight"))).count();
    ALL.into_iter().find(|&name| tensors(name, Extent::Stages)["layer1.0.conv1.weight"] == *first && blocks(name)[2] == count)
}

/// One thing that is wrong with a set of tensors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    #[error("missing: {name} {expected:?}")]
    Missing { name: String, expected: Vec<usize> },
    #[error("wrong shape: {name} is {got:?}, expected {expected:?}")]
    Shape { name: String, expected: Vec<usize>, got: Vec<usize> },
    #[error("unexpected: {name} {got:?}")]
    Unexpected { name: String, got: Vec<usize> },
}

/// Compares `shapes` with those of `name`. With [`Extent::Stages`], stage 4 and the classifier may be there or not, in
/// any shape; batch norms' `num_batches_tracked` may always be there.
pub fn faults(shapes: &Shapes, name: BackboneName, extent: Extent) -> Vec<Fault> {
    let expected = tensors(name, extent);
    let mut faults = Vec::new();
    for (name, shape) in &expected {
        match shapes.get(name) {
            None => faults.push(Fault::Missing { name: name.clone(), expected: shape.clone() }),
            Some(got) if got != shape => faults.push(Fault::Shape { name: name.clone(), expected: shape.clone(), got: got.clone() }),
            Some(_) => {}
        }
    }
    let extra = |name: &str| {
        let dropped = extent == Extent::Stages && (name.starts_with("layer4.") || name.starts_with("fc."));
        let counter = name.strip_suffix("num_batches_tracked").is_some_and(|norm| expected.contains_key(&format!("{norm}running_mean")));
        !dropped && !counter && !expected.contains_key(name)
    };
    let unexpected = shapes.iter().filter(|(name, _)| extra(name));
    faults.extend(unexpected.map(|(name, got)| Fault::Unexpected { name: name.clone(), got: got.clone() }));
    faults
}

/// [`faults`] as one error that names `path` and lists the first dozen.
///
/// # Errors
/// There is a fault.
pub fn check(path: &Path, shapes: &Shapes, name: BackboneName, extent: Extent) -> Result<()> {
    const SHOWN: usize = 12;
    let faults = faults(shapes, name, extent);
    if faults.is_empty() {
        return Ok(());
    }
    let mut what = format!("{} is not a {} in torchvision's names; faults: {}", path.display(), key(name), faults.len());
    for fault in faults.iter().take(SHOWN) {
        what.push_str(&format!("\n  {fault}"));
    }
    if faults.len() > SHOWN {
        what.push_str(&format!("\n  and {} more", faults.len() - SHOWN));
    }
    let remedy = match infer(shapes) {
        Some(other) if other != name => format!("its shapes look like {}: name that instead", key(other)),
        _ => "take a file of torchvision's own, or `just weights`".into(),
    };
    Err(Error::environment(what, remedy))
}
