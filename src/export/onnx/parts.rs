//! What a detector is written from, and the layers that most of them consist of.

use serde::Serialize;

use super::graph::{Graph, Value};
use super::ops::Window;
use super::values::Values;
use crate::Result;
use crate::config::Config;
use crate::weights::Tensor;

/// What batch norms add to variances unless a network says otherwise.
const EPS: f64 = 1e-5;

/// What a detector is written from.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    pub graph: &'a Graph,
    pub cfg: &'a Config,
    pub seed: u64,
    pub values: &'a Values,
    /// Which convolution of a bottleneck carries the stride: "conv1" or "conv2".
    pub stride_in: &'a str,
    /// What batch norms add to variances.
    pub eps: f64,
}

/// What a detector gives of one image.
pub struct Given {
    /// Maps [1, h, w] in the order of its `config::Outputs`.
    pub maps: Vec<Value>,
    /// A score of its own, `[1]`.
    pub image: Option<Value>,
    pub tolerance: Tolerance,
}

/// How far maps may be from the run's though nothing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tolerance {
    /// Greatest difference that counts as none, in shares of the range.
    pub bound: f64,
    /// Cells of an image's map that may differ by more, because the method is not continuous and rounding decides.
    pub loose_cells: usize,
}

impl Default for Tolerance {
    /// A hundred times what engines were seen to differ by.
    fn default() -> Self {
        Self { bound: 1e-4, loose_cells: 0 }
    }
}

impl Given {
    pub fn of_maps(maps: Vec<Value>) -> Self {
        Self::of(maps, None)
    }

    pub fn of(maps: Vec<Value>, image: Option<Value>) -> Self {
        Self { maps, image, tolerance: Tolerance::default() }
    }
}

/// A convolution with its batch norm as one.
pub struct Folded {
    pub weight: Tensor,
    /// `[Cout]`
    pub bias: Tensor,
}

impl<'a> Parts<'a> {
    pub fn new(graph: &'a Graph, cfg: &'a Config, values: &'a Values, seed: u64, stride_in: &'a str) -> Self {
        Self { graph, cfg, seed, values, stride_in, eps: EPS }
    }

    /// The same with another number added to variances.
    pub fn with_eps(self, eps: f64) -> Self {
        Self { eps, ..self }
    }

    /// The tensor of that name as a constant.
    pub fn constant(&self, name: &str) -> Result<Value> {
        Ok(self.graph.constant(self.values.get(name)?))
    }

    /// `<name>.weight` and, where there is one, `<name>.bias`.
    pub fn conv(&self, x: &Value, name: &str, window: Window) -> Result<Value> {
        let weight = self.constant(&format!("{name}.weight"))?;
        let bias = self.values.find(&format!("{name}.bias"))?.map(|bias| self.graph.constant(bias));
        Ok(self.graph.conv(x, &weight, bias.as_ref(), window))
    }

    /// A convolution that ends in a batch norm with its running statistics.
    pub fn conv_bn(&self, x: &Value, [conv, norm]: [&str; 2], window: Window) -> Result<Value> {
        let Folded { weight, bias } = self.folded([conv, norm], 0)?;
        let (weight, bias) = (self.graph.constant(weight), self.graph.constant(bias));
        Ok(self.graph.conv(x, &weight, Some(&bias), window))
    }

    /// A linear map over the last dimension, `<name>.weight` [Cout, Cin] and, where there is one, `<name>.bias`.
    pub fn linear(&self, x: &Value, name: &str) -> Result<Value> {
        let mapped = rows(self.graph, x, &self.values.get(&format!("{name}.weight"))?);
        Ok(match self.values.find(&format!("{name}.bias"))? {
            Some(bias) => self.graph.add(&mapped, &self.graph.constant(bias)),
            None => mapped,
        })
    }

    /// A linear map that ends in a batch norm, over the last dimension.
    pub fn linear_bn(&self, x: &Value, names: [&str; 2]) -> Result<Value> {
        let Folded { weight, bias } = self.folded(names, 0)?;
        Ok(self.graph.add(&rows(self.graph, x, &weight), &self.graph.constant(bias)))
    }

    /// `norm(conv(x)) = conv'(x) + bias'`, computed in f64. The channels that the norm counts are dimension `axis` of the weight: 0, or 1
    /// where the convolution is transposed.
    pub fn folded(&self, [conv, norm]: [&str; 2], axis: usize) -> Result<Folded> {
        let get = |name: &str| Ok::<_, crate::Error>(self.values.get(&format!("{norm}.{name}"))?.data.into_iter().map(f64::from));
        let scale: Vec<f64> = get("weight")?.zip(get("running_var")?).map(|(weight, var)| weight / (var + self.eps).sqrt()).collect();
        let mut weight = self.values.get(&format!("{conv}.weight"))?;
        let behind: usize = weight.shape[axis + 1..].iter().product();
        let channels = scale.len();
        weight.data.iter_mut().enumerate().for_each(|(i, w)| *w = (f64::from(*w) * scale[i / behind % channels]) as f32);
        let own = self.values.find(&format!("{conv}.bias"))?.map_or_else(|| vec![0.0; channels], |bias| bias.data);
        let shifted = get("bias")?.zip(get("running_mean")?).zip(own.iter().zip(&scale));
        let bias = shifted.map(|((bias, mean), (&own, scale))| (bias - (mean - f64::from(own)) * scale) as f32).collect();
        Ok(Folded { weight, bias: Tensor { shape: vec![channels], data: bias } })
    }
}

/// Rows [..., Cin] by a weight [Cout, Cin]: [..., Cout].
pub fn rows(graph: &Graph, x: &Value, weight: &Tensor) -> Value {
    graph.matmul(x, &graph.constant(turned(weight)))
}

/// The transpose of a matrix; dimensions of 1 behind the second are dropped.
pub fn turned(matrix: &Tensor) -> Tensor {
    let (m, n) = (matrix.shape[0], matrix.shape[1]);
    let data = (0..n * m).map(|i| matrix.data[i % m * n + i / m]).collect();
    Tensor { shape: vec![n, m], data }
}

/// The columns `from .. from + count` of a weight [Cout, Cin] or [Cout, Cin, k, k], over Cin.
pub fn columns(weight: &Tensor, from: usize, count: usize) -> Tensor {
    let cells: usize = weight.shape[2..].iter().product();
    let width = weight.shape[1] * cells;
    let data = weight.data.chunks_exact(width).flat_map(|row| &row[from * cells..(from + count) * cells]).copied().collect();
    let mut shape = weight.shape.clone();
    shape[1] = count;
    Tensor { shape, data }
}
