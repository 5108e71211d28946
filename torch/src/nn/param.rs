//! Named parameters in a fixed order, and how they get their first values.
//!
//! A parameter's first value depends on the run's seed and its own name only: rows of an ablation that share a parameter
//! start alike, and so do a CPU and a GPU. Tensors are shared: a layer and [`Params`] hold the same storage, so an
//! optimiser or a checkpoint that writes in place writes the network.

use std::collections::HashMap;

use harness::config::{MemoryFormat, Precision};
use harness::{Error, Result, seed};
use rand::Rng;
use tch::{Device, Tensor};

use super::conv::{Conv2d, ConvShape, Linear, arrange};
use super::norm::BatchNorm;
use super::weights::Source;

/// Who changes a tensor: the optimiser, or batch norm's running averages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    Weight,
    Buffer,
}

/// One named tensor of a network, f32.
#[derive(Debug)]
pub struct Param {
    pub name: String,
    pub tensor: Tensor,
    pub kind: ParamKind,
    /// Changes while training. What does not is a function of the weights' file or the seed and is not saved: batch norms
    /// were folded with it when the network was built.
    pub trained: bool,
}

/// All tensors of a network in the order in which it was built.
#[derive(Debug, Default)]
pub struct Params {
    items: Vec<Param>,
    index: HashMap<String, usize>,
}

impl Params {
    pub fn iter(&self) -> impl Iterator<Item = &Param> {
        self.items.iter()
    }

    /// What an optimiser updates, in order.
    pub fn trained_weights(&self) -> impl Iterator<Item = &Param> {
        self.items.iter().filter(|p| p.trained && p.kind == ParamKind::Weight)
    }

    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.index.get(name).map(|&i| &self.items[i].tensor)
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Numbers in all weights, buffers left out.
    pub fn weight_count(&self) -> usize {
        self.items.iter().filter(|p| p.kind == ParamKind::Weight).map(|p| p.tensor.numel()).sum()
    }

    fn push(&mut self, param: Param) {
        let before = self.index.insert(param.name.clone(), self.items.len());
        assert!(before.is_none(), "two parameters are called {}", param.name);
        self.items.push(param);
    }
}

/// Whether a part of the network learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Trained,
    Frozen,
}

/// Makes layers and notes their parameters.
pub struct Builder<'a> {
    pub device: Device,
    pub precision: Precision,
    pub format: MemoryFormat,
    /// Whether the parameters made next are trained.
    pub part: Part,
    seed: u64,
    source: Option<&'a Source<'a>>,
    params: Params,
}

impl<'a> Builder<'a> {
    pub fn new(seed: u64, device: Device, precision: Precision, format: MemoryFormat, source: Option<&'a Source<'a>>) -> Self {
        Self { device, precision, format, part: Part::Trained, seed, source, params: Params::default() }
    }

    /// The parameters made so far.
    pub fn finish(self) -> Params {
        self.params
    }

    /// A convolution with parameters `<name>.weight` and, if the shape has one, `<name>.bias`.
    pub fn conv(&mut self, name: &str, shape: ConvShape) -> Result<Conv2d> {
        let bound = bound(shape.cin * shape.kernel * shape.kernel);
        let weight = self.weight(&format!("{name}.weight"), &[shape.cout, shape.cin, shape.kernel, shape.kernel], First::Uniform(bound))?;
        let bias = if shape.bias { Some(self.weight(&format!("{name}.bias"), &[shape.cout], First::Uniform(bound))?) } else { None };
        Ok(Conv2d::new(weight, bias, shape.stride, self.precision))
    }

    /// A linear map over the last dimension, without bias, always float32: `<name>.weight` [cout, cin].
    pub fn linear(&mut self, name: &str, cin: i64, cout: i64) -> Result<Linear> {
        Ok(Linear { weight: self.weight(&format!("{name}.weight"), &[cout, cin], First::Uniform(bound(cin)))? })
    }

    /// A batch norm: `<name>.{weight,bias,running_mean,running_var}` `[channels]`.
    pub fn bn(&mut self, name: &str, channels: i64) -> Result<BatchNorm> {
        let shape = [channels];
        Ok(BatchNorm {
            weight: self.weight(&format!("{name}.weight"), &shape, First::Constant(1.0))?,
            bias: self.weight(&format!("{name}.bias"), &shape, First::Constant(0.0))?,
            mean: self.param(&format!("{name}.running_mean"), &shape, First::Constant(0.0), ParamKind::Buffer)?,
            var: self.param(&format!("{name}.running_var"), &shape, First::Constant(1.0), ParamKind::Buffer)?,
        })
    }

    fn weight(&mut self, name: &str, shape: &[i64], first: First) -> Result<Tensor> {
        self.param(name, shape, first, ParamKind::Weight)
    }

    fn param(&mut self, name: &str, shape: &[i64], first: First, kind: ParamKind) -> Result<Tensor> {
        let given = match self.source {
            Some(source) => source(name)?,
            None => None,
        };
        let data = match given {
            Some(values) if values.shape == shape => values.data,
            Some(values) => {
                return Err(Error::environment(
                    format!("the weights for {name} have the shape {:?}, the network needs {shape:?}", values.shape),
                    "choose model.backbone.name and model.backbone.weights that belong together",
                ));
            }
            None => first.draw(self.seed, name, shape.iter().product::<i64>() as usize),
        };
        let tensor = Tensor::from_slice(&data).reshape(shape).to_device(self.device);
        let tensor = if shape.len() == 4 { arrange(&tensor, self.format) } else { tensor };
        let trained = self.part == Part::Trained;
        let tensor = tensor.detach().set_requires_grad(trained && kind == ParamKind::Weight);
        self.params.push(Param { name: name.to_owned(), tensor: tensor.shallow_clone(), kind, trained });
        Ok(tensor)
    }
}

/// Bound of the uniform distribution of a convolution's weights and biases.
fn bound(fan_in: i64) -> f32 {
    1.0 / (fan_in as f32).sqrt()
}

enum First {
    Constant(f32),
    /// Uniform in (-bound, bound).
    Uniform(f32),
}

impl First {
    fn draw(&self, run_seed: u64, name: &str, count: usize) -> Vec<f32> {
        match *self {
            Self::Constant(value) => vec![value; count],
            Self::Uniform(bound) => {
                let mut stream = seed::stream(run_seed, &format!("init/{name}"), 0, 0);
                // The 24 upper bits, in the middle of their cells: symmetric about 0, and exact in f32 on every machine.
                (0..count).map(|_| (((stream.next_u32() >> 8) as f32 + 0.5) / (1 << 23) as f32 - 1.0) * bound).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::weights::Values;
    use super::*;

    fn values(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.contiguous().view(-1)).expect("a float tensor")
    }

    fn builder(seed: u64) -> Builder<'static> {
        Builder::new(seed, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None)
    }

    #[test]
    fn first_weights_are_uniform_within_one_over_the_root_of_fan_in() {
        let mut builder = builder(1);
        builder.conv("a", ConvShape::new(16, 64, 3).bias()).expect("builds");
        let params = builder.finish();
        let bound = 1.0 / (16.0f64 * 9.0).sqrt();
        let w: Vec<f64> = values(params.get("a.weight").expect("is there")).into_iter().map(f64::from).collect();
        let n = w.len() as f64;
        let mean = w.iter().sum::<f64>() / n;
        let var = w.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
        let fourth = w.iter().map(|x| x.powi(4)).sum::<f64>() / n;
        assert!(w.iter().all(|x| x.abs() <= bound));
        assert!(w.iter().any(|x| *x > 0.999 * bound) && w.iter().any(|x| *x < -0.999 * bound));
        // Four standard errors: var(x) = b^2/3, var(x^2) = 4 b^4/45, var(x^4) = 16 b^8/225.
        assert!(mean.abs() < 4.0 * bound / (3.0 * n).sqrt(), "{mean}");
        assert!((var - bound.powi(2) / 3.0).abs() < 4.0 * bound.powi(2) * (4.0 / 45.0 / n).sqrt(), "{var}");
        assert!((fourth - bound.powi(4) / 5.0).abs() < 4.0 * bound.powi(4) * (16.0 / 225.0 / n).sqrt(), "{fourth}");
        let bias = values(params.get("a.bias").expect("is there"));
        assert!(bias.iter().all(|x| f64::from(x.abs()) <= bound) && bias.iter().any(|x| x.abs() > 0.0));
    }

    #[test]
    fn a_first_value_depends_on_seed_and_name_but_not_on_order_or_layout() {
        let first = |seed, names: &[&str], format| {
            let mut builder = Builder::new(seed, Device::Cpu, Precision::Fp32, format, None);
            for name in names {
                builder.conv(name, ConvShape::new(3, 5, 3)).expect("builds");
            }
            values(builder.finish().get("a.weight").expect("is there"))
        };
        let here = first(1, &["a", "b"], MemoryFormat::ChannelsLast);
        assert_eq!(here, first(1, &["b", "a"], MemoryFormat::Contiguous));
        assert_ne!(here, first(2, &["a"], MemoryFormat::ChannelsLast));
        let mut other = builder(1);
        other.conv("b", ConvShape::new(3, 5, 3)).expect("builds");
        assert_ne!(here, values(other.finish().get("b.weight").expect("is there")));
    }

    #[test]
    fn batch_norms_start_as_the_identity() {
        let mut builder = builder(0);
        builder.bn("n", 4).expect("builds");
        let params = builder.finish();
        for (name, value) in [("weight", 1.0), ("bias", 0.0), ("running_mean", 0.0), ("running_var", 1.0)] {
            assert_eq!(values(params.get(&format!("n.{name}")).expect("is there")), vec![value; 4]);
        }
    }

    #[test]
    fn a_file_with_other_shapes_is_refused_by_name() {
        let source: &Source = &|_| Ok(Some(Values { shape: vec![1], data: vec![0.0] }));
        let mut builder = Builder::new(0, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, Some(source));
        let error = builder.conv("a", ConvShape::new(1, 1, 3)).expect_err("is refused");
        assert!(error.what.contains("a.weight"), "{error}");
    }
}
