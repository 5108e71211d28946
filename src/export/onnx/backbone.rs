//! Pretrained networks that give three maps.

use super::graph::Value;
use super::ops::Window;
use super::parts::Parts;
use crate::Result;
use crate::config::Family;
use crate::weights::network;

/// What the batch norms of EfficientNet-Lite0 add to variances.
const LITE_EPS: f64 = 1e-3;

/// Blocks and first stride of the rows of EfficientNet-Lite0 that are used.
const LITE: [(usize, usize); 5] = [(1, 1), (2, 2), (2, 2), (3, 2), (3, 1)];
/// The rows that end in a map.
const LITE_MAPS: [usize; 3] = [1, 2, 4];

/// Maps at a quarter, an eighth and a sixteenth of the side of x [B, 3, S, S], normalised images.
///
/// # Errors
/// A parameter that is in no file.
pub fn stages(p: &Parts, x: &Value) -> Result<[Value; 3]> {
    let maps = match p.cfg.model.backbone.name.family() {
        Family::Residual => residual(p, x, 3)?,
        Family::EfficientNetLite => lite(&p.with_eps(LITE_EPS), x)?,
        Family::Vgg => unreachable!("config::check refuses what a detector is not built on"),
    };
    Ok(maps.try_into().expect("three maps"))
}

/// The maps of the first `count` stages of a residual network.
///
/// # Errors
/// As [`stages`].
pub fn residual(p: &Parts, x: &Value, count: usize) -> Result<Vec<Value>> {
    let g = p.graph;
    let stem = g.relu(&p.conv_bn(x, ["backbone.conv1", "backbone.bn1"], Window::same(7).stride(2))?);
    let mut map = g.max_pool(&stem, 3, Window::same(3).stride(2));
    let mut maps = vec![];
    for (stage, blocks) in (1..=count).zip(network::blocks(p.cfg.model.backbone.name)) {
        for number in 0..blocks {
            let stride = if stage > 1 && number == 0 { 2 } else { 1 };
            map = block(p, &map, &format!("backbone.layer{stage}.{number}"), stride)?;
        }
        maps.push(map.clone());
    }
    Ok(maps)
}

/// A residual block. Basic ones have their stride in the first convolution.
fn block(p: &Parts, x: &Value, name: &str, stride: usize) -> Result<Value> {
    let g = p.graph;
    let bottleneck = p.cfg.model.backbone.name.has_bottlenecks();
    let (kernels, strided): (&[usize], usize) = match (bottleneck, p.stride_in) {
        (false, _) => (&[3, 3], 0),
        (true, "conv1") => (&[1, 3, 1], 0),
        (true, _) => (&[1, 3, 1], 1),
    };
    let mut y = x.clone();
    for (place, &kernel) in kernels.iter().enumerate() {
        if place > 0 {
            y = g.relu(&y);
        }
        let window = Window::same(kernel).stride(if place == strided { stride } else { 1 });
        y = p.conv_bn(&y, [&format!("{name}.conv{}", place + 1), &format!("{name}.bn{}", place + 1)], window)?;
    }
    let shortcut = if stride != 1 || x.size(1) != y.size(1) {
        p.conv_bn(x, [&format!("{name}.downsample.0"), &format!("{name}.downsample.1")], Window::VALID.stride(stride))?
    } else {
        x.clone()
    };
    Ok(g.relu(&g.add(&y, &shortcut)))
}

fn lite(p: &Parts, x: &Value) -> Result<Vec<Value>> {
    let six = |x: Value| p.graph.clip(&x, 0.0, 6.0);
    let mut map = six(p.conv_bn(x, ["backbone._conv_stem", "backbone._bn0"], tensorflow(3, 2))?);
    let (mut maps, mut index) = (vec![], 0);
    for (row, (blocks, stride)) in LITE.into_iter().enumerate() {
        for number in 0..blocks {
            let at = format!("backbone._blocks.{index}");
            let unit = |x: &Value, conv: &str, norm: &str, window| p.conv_bn(x, [&format!("{at}.{conv}"), &format!("{at}.{norm}")], window);
            let stride = if number == 0 { stride } else { 1 };
            // All but the first block are wider inside.
            let wide = if index == 0 { map.clone() } else { six(unit(&map, "_expand_conv", "_bn0", Window::VALID)?) };
            let kernel = p.values.get(&format!("{at}._depthwise_conv.weight"))?.shape[2];
            let depthwise = tensorflow(kernel, stride).groups(wide.size(1));
            let narrow = unit(&six(unit(&wide, "_depthwise_conv", "_bn1", depthwise)?), "_project_conv", "_bn2", Window::VALID)?;
            map = if number > 0 { p.graph.add(&narrow, &map) } else { narrow };
            index += 1;
        }
        if LITE_MAPS.contains(&row) {
            maps.push(map.clone());
        }
    }
    Ok(maps)
}

/// Padding as TensorFlow's "same" has it for maps whose side the stride divides: the odd cell behind the map.
fn tensorflow(kernel: usize, stride: usize) -> Window {
    let all = kernel.saturating_sub(stride);
    Window { pad: [all / 2, all - all / 2], ..Window::VALID.stride(stride) }
}
