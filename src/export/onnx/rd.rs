//! Reverse distillation: the teacher's three maps, and what a decoder makes of one small embedding of them.

use super::backbone;
use super::graph::{Graph, Value};
use super::ops::Window;
use super::parts::{Folded, Given, Parts};
use super::pixels;
use crate::Result;
use crate::config::RdMap;
use crate::image::upsample::Align;

/// Least norm by which a cosine divides.
const EPS: f32 = 1e-8;

/// What becomes of a map's side in a block.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scale {
    Keep,
    Half,
    Double,
}

/// The map of the image x [1, 3, S, S] in 0..=1.
///
/// # Errors
/// What is missing.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let (g, size) = (p.graph, p.cfg.data.size);
    let teacher = backbone::stages(p, &pixels::normalized(p, x)?)?;
    let embedded = stage(p, &fusion(p, &teacher)?, "embedding", Scale::Half)?;
    let d3 = stage(p, &embedded, "decoder.3", Scale::Double)?;
    let d2 = stage(p, &d3, "decoder.2", Scale::Double)?;
    let d1 = stage(p, &d2, "decoder.1", Scale::Double)?;
    let levels = teacher.iter().zip([d1, d2, d3]).map(|(f, d)| {
        let distance = g.sub(&g.number(1.0), &cosine(g, f, &d));
        let distance = g.bilinear(&distance, size, Align::Corners);
        g.reshape(&distance, &[1, size, size])
    });
    let whole = match p.cfg.rd.map {
        RdMap::Sum => levels.reduce(|a, b| g.add(&a, &b)),
        RdMap::Product => levels.reduce(|a, b| g.mul(&a, &b)),
    };
    Ok(Given::of_maps(vec![whole.expect("there are three levels")]))
}

/// The cosine over channels: two maps [1, C, h, w] to [1, 1, h, w].
fn cosine(g: &Graph, a: &Value, b: &Value) -> Value {
    let unit = |x: &Value| g.div(x, &g.at_least(&g.reduce("ReduceL2", x, &[1]), EPS));
    g.reduce("ReduceSum", &g.mul(&unit(a), &unit(b)), &[1])
}

/// All three maps at the size of the third, joined.
fn fusion(p: &Parts, [f1, f2, f3]: &[Value; 3]) -> Result<Value> {
    let down = |x: &Value, name: &str| -> Result<Value> {
        let names = [format!("fusion.{name}.conv"), format!("fusion.{name}.bn")];
        Ok(p.graph.relu(&p.conv_bn(x, [&names[0], &names[1]], Window::same(3).stride(2))?))
    };
    let first = down(&down(f1, "1.0")?, "1.1")?;
    Ok(p.graph.concat(&[&first, &down(f2, "2.0")?, f3], 1))
}

/// Blocks `<name>.<n>`, as many as were trained; the first changes the side.
fn stage(p: &Parts, x: &Value, name: &str, scale: Scale) -> Result<Value> {
    let count = (0..).take_while(|n| p.values.has(&format!("{name}.{n}.conv1.weight"))).count();
    (0..count).try_fold(x.clone(), |x, n| block(p, &x, &format!("{name}.{n}"), if n == 0 { scale } else { Scale::Keep }))
}

/// A residual block: a bottleneck changes the side in its second convolution, a basic one in its first.
fn block(p: &Parts, x: &Value, name: &str, scale: Scale) -> Result<Value> {
    let g = p.graph;
    let (kernels, changing): (&[usize], usize) = if p.cfg.model.backbone.name.has_bottlenecks() { (&[1, 3, 1], 1) } else { (&[3, 3], 0) };
    let mut y = x.clone();
    for (place, &kernel) in kernels.iter().enumerate() {
        if place > 0 {
            y = g.relu(&y);
        }
        let names = [format!("{name}.conv{}", place + 1), format!("{name}.bn{}", place + 1)];
        y = unit(p, &y, [&names[0], &names[1]], (kernel, if place == changing { scale } else { Scale::Keep }))?;
    }
    let names = [format!("{name}.shortcut.conv"), format!("{name}.shortcut.bn")];
    let same = !p.values.has(&format!("{}.weight", names[0]));
    let shortcut = if same { x.clone() } else { unit(p, x, [&names[0], &names[1]], (1, scale))? };
    Ok(g.relu(&g.add(&y, &shortcut)))
}

/// A convolution and its norm; in its place a transposed 2x2 one where the side doubles.
fn unit(p: &Parts, x: &Value, names: [&str; 2], (kernel, scale): (usize, Scale)) -> Result<Value> {
    match scale {
        Scale::Keep => p.conv_bn(x, names, Window::same(kernel)),
        Scale::Half => p.conv_bn(x, names, Window::same(kernel).stride(2)),
        Scale::Double => {
            let Folded { weight, bias } = p.folded(names, 1)?;
            Ok(p.graph.conv_transpose(x, &p.graph.constant(weight), Some(&p.graph.constant(bias)), 2))
        }
    }
}
