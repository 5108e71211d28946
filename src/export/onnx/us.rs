//! Uninformed students: how far they err on a teacher's descriptions of patches, and how far they differ.

use super::graph::{Graph, Value};
use super::ops::Window;
use super::parts::{Given, Parts};
use super::pixels;
use crate::Result;
use crate::image::upsample::Align;
use crate::weights::{IMAGENET_MEAN, IMAGENET_STD, Tensor};

/// Slope of the activations below zero.
const SLOPE: f32 = 5e-3;

/// A layer: the side of a convolution's kernel, and whether a pooling of 2 x 2 cells follows.
type Layer = (usize, bool);

/// The layers of the networks of a side of patches; the last one describes.
fn layers(field: usize) -> &'static [Layer] {
    match field {
        17 => &[(6, false), (5, false), (5, false), (4, false)],
        33 => &[(5, true), (5, true), (2, false), (4, false)],
        _ => &[(5, true), (5, true), (5, true), (4, false), (1, false)],
    }
}

/// Px that a description depends on, and from one to the next.
fn extent(field: usize) -> (usize, usize) {
    layers(field).iter().fold((1, 1), |(reach, stride), &(kernel, pooled)| {
        let reach = reach + (kernel - 1) * stride;
        if pooled { (reach + stride, 2 * stride) } else { (reach, stride) }
    })
}

/// Map A, its parts E and V, and the map of each field where there are several, of the image x [1, 3, S, S] in 0..=1.
///
/// # Errors
/// What is missing.
pub fn write(p: &Parts, x: &Value) -> Result<Given> {
    let (g, fields) = (p.graph, &p.cfg.us.fields);
    let x = pixels::standardized(g, x, IMAGENET_MEAN, IMAGENET_STD);
    let (mut errors, mut spreads) = (vec![], vec![]);
    for &field in fields {
        let [error, spread] = error_and_spread(p, &x, field)?;
        errors.push(error);
        spreads.push(spread);
    }
    let mean = |maps: &[Value]| {
        let sum = maps.iter().cloned().reduce(|a, b| g.add(&a, &b)).expect("there is a field");
        g.div(&sum, &g.number(maps.len() as f32))
    };
    let (error, spread) = (mean(&errors), mean(&spreads));
    let mut maps = vec![g.add(&error, &spread), error, spread];
    if fields.len() > 1 {
        maps.extend(errors.iter().zip(&spreads).map(|(error, spread)| g.add(error, spread)));
    }
    Ok(Given::of_maps(maps))
}

/// Two maps [1, S, S], with mean 0 and deviation 1 on the normal images.
fn error_and_spread(p: &Parts, x: &Value, field: usize) -> Result<[Value; 2]> {
    let (g, keys) = (p.graph, &p.cfg.us);
    let bordered = bordered(g, x, field, keys.dense);
    let describe = |name: &str| describe(p, &bordered, field, name);
    let target = scaled(p, &describe(&format!("teacher.p{field}."))?, &format!("us.p{field}.target"))?;
    let students = (0..keys.students).map(|i| describe(&format!("p{field}.s{i}."))).collect::<Result<Vec<_>>>()?;
    let count = g.number(students.len() as f32);
    let mean_of = |values: Vec<Value>| g.div(&values.into_iter().reduce(|a, b| g.add(&a, &b)).expect("there is a student"), &count);
    let squared = |a: &Value, b: &Value| g.reduce("ReduceSum", &g.square(&g.sub(a, b)), &[1]);
    let mean = mean_of(students.clone());
    let error = squared(&mean, &target);
    let spread = mean_of(students.iter().map(|student| squared(student, &mean)).collect());
    let both = scaled(p, &g.concat(&[&error, &spread], 1), &format!("us.p{field}.score"))?;
    let size = p.cfg.data.size;
    let part = |at: usize| {
        let one = g.bilinear(&g.slice(&both, 1, at..at + 1, 1), size, Align::Edges);
        g.reshape(&one, &[1, size, size])
    };
    Ok([part(0), part(1)])
}

/// x with a reflected border, so that a description stands for each pixel, or for each cell.
fn bordered(g: &Graph, x: &Value, field: usize, dense: bool) -> Value {
    let (reach, stride) = extent(field);
    let pad = if dense { [(reach - 1) / 2, reach - 1 - (reach - 1) / 2] } else { [(reach - stride) / 2; 2] };
    g.reflect(x, pad)
}

/// Descriptions [1, d, h, w] of the network `<prefix>conv<n>`, at its own stride or at every pixel.
fn describe(p: &Parts, x: &Value, field: usize, prefix: &str) -> Result<Value> {
    let (g, layers, dense) = (p.graph, layers(field), p.cfg.us.dense);
    let (mut x, mut apart) = (x.clone(), 1);
    for (place, &(_, pooled)) in layers.iter().enumerate() {
        let window = Window::VALID.dilation(if dense { apart } else { 1 });
        x = p.conv(&x, &format!("{prefix}conv{}", place + 1), window)?;
        if pooled {
            // The activation rises everywhere: the maximum may come first.
            x = g.max_pool(&x, 2, if dense { Window::VALID.dilation(apart) } else { Window::VALID.stride(2) });
            apart *= 2;
        }
        if place + 1 < layers.len() {
            x = g.leaky_relu(&x, SLOPE);
        }
    }
    Ok(x)
}

/// A map [1, C, h, w] less `<name>.mean`, by `<name>.deviation`.
fn scaled(p: &Parts, x: &Value, name: &str) -> Result<Value> {
    let [mean, deviation] = ["mean", "deviation"].map(|part| -> Result<Value> {
        let data = p.values.get(&format!("{name}.{part}"))?.data;
        Ok(p.graph.constant(Tensor { shape: vec![1, data.len(), 1, 1], data }))
    });
    Ok(p.graph.div(&p.graph.sub(x, &mean?), &deviation?))
}
