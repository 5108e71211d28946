//! TEM: one image's intensities counted in levels, enhanced by attention among the levels, and given back to its pixels.

use super::quantize::{self, Encoded};
use crate::Result;
use crate::config::AttentionScale;
use crate::export::onnx::graph::Value;
use crate::export::onnx::ops::Window;
use crate::export::onnx::parts::{Folded, Parts, columns, rows};

/// X0 [1, Ct, H, W] to T1 [1, out, H, W].
pub fn write(p: &Parts, x0: &Value) -> Result<Value> {
    let (g, tem) = (p.graph, &p.cfg.model.tem);
    let entered = g.leaky_relu(&p.conv_bn(x0, ["tem.enter.conv", "tem.enter.bn"], Window::same(3))?, 0.01);
    let y = p.conv(&entered, "tem.project", Window::VALID)?;
    let (channels, height, width) = (y.size(1), y.size(2), y.size(3));
    let pixels = g.reshape(&g.transpose(&y, &[0, 2, 3, 1]), &[1, height * width, channels]);
    let mean = g.reduce("ReduceMean", &pixels, &[1]); // [1, 1, C]
    let encoded = quantize::encode(g, &quantize::similarities(g, &pixels, &mean), tem.levels as usize, &p.cfg.model.qco);
    let enhanced = enhance(p, &describe(p, &encoded, &mean)?)?; // [1, N, out]
    let mut assigned = g.matmul(&encoded.encoding, &enhanced); // [1, K, out]
    if tem.normalize_assign {
        let fired = g.reduce("ReduceSum", &encoded.encoding, &[2]);
        assigned = g.div(&assigned, &g.add(&fired, &g.number(quantize::EPS)));
    }
    Ok(g.reshape(&g.transpose(&assigned, &[0, 2, 1]), &[1, tem.out as usize, height, width]))
}

/// The description D [1, N, C] of the levels and how much each fired.
fn describe(p: &Parts, encoded: &Encoded, mean: &Value) -> Result<Value> {
    let g = p.graph;
    let levels = encoded.levels.size(1);
    let counts = g.reshape(&g.reduce("ReduceSum", &encoded.encoding, &[1]), &[1, levels]);
    let column = |x: &Value| g.reshape(x, &[1, levels, 1]);
    let counting = g.concat(&[&column(&encoded.levels), &column(&quantize::shares(g, &counts, &[1]))], 2);
    let raised = g.relu(&p.linear(&g.leaky_relu(&p.linear(&counting, "tem.mlp.0")?, 0.01), "tem.mlp.1")?);
    let Folded { weight, bias } = p.folded(["tem.join.conv", "tem.join.bn"], 0)?;
    let channels = raised.size(2);
    let on_counts = rows(g, &raised, &columns(&weight, 0, channels));
    let on_mean = rows(g, mean, &columns(&weight, channels, channels));
    Ok(g.relu(&g.add(&g.add(&on_counts, &on_mean), &g.constant(bias))))
}

/// Attention among levels: [1, N, C] to [1, N, out].
fn enhance(p: &Parts, description: &Value) -> Result<Value> {
    let (g, tem) = (p.graph, &p.cfg.model.tem);
    let [key, query, value] = ["key", "query", "value"].map(|name| p.linear(description, &format!("tem.{name}")));
    let logits = g.matmul(&key?, &g.transpose(&query?, &[0, 2, 1]));
    let logits = match tem.attention_scale {
        AttentionScale::None => logits,
        AttentionScale::InvSqrt => g.div(&logits, &g.number((tem.channels as f64).sqrt() as f32)),
    };
    let gathered = g.matmul(&g.softmax(&logits), &value?);
    Ok(g.relu(&p.linear_bn(&gathered, ["tem.out.conv", "tem.out.bn"])?))
}
