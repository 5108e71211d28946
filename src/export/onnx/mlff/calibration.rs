//! Self-calibration: `K4(K3(x) sigmoid(x + up(K2(mean_r(x)))))`.

use crate::Result;
use crate::config::Upsample;
use crate::export::onnx::graph::Value;
use crate::export::onnx::ops::Window;
use crate::export::onnx::parts::Parts;
use crate::image::upsample::Align;

/// c3 [1, C, H, H] to [1, out, H, H].
pub fn write(p: &Parts, c3: &Value) -> Result<Value> {
    let (g, keys) = (p.graph, &p.cfg.model.sc);
    let unit = |x: &Value, name: &str, kernel| p.conv_bn(x, [&format!("sc.{name}.conv"), &format!("sc.{name}.bn")], Window::same(kernel));
    let x = if keys.reduce > 0 { g.relu(&unit(c3, "reduce", 1)?) } else { c3.clone() };
    let small = unit(&g.block_means(&x, keys.r as usize), "k2", 3)?;
    let small = match keys.upsample {
        Upsample::Nearest => g.nearest(&small, x.size(2)),
        Upsample::Bilinear => g.bilinear(&small, x.size(2), Align::Corners),
    };
    let gate = g.each("Sigmoid", &g.add(&x, &small));
    unit(&g.mul(&unit(&x, "k3", 3)?, &gate), "k4", keys.k4 as usize)
}
