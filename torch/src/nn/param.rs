//! Named parameters in a fixed order, and how they get their first values.
//!
//! A parameter's first value depends on the run's seed and its own name only: rows of an ablation that share a parameter
//! start alike, and so do a CPU and a GPU. Tensors are shared: a layer and [`Params`] hold the same storage, so an
//! optimiser or a checkpoint that writes in place writes the network.

use std::collections::HashMap;

use harness::config::{Freeze, MemoryFormat, Precision};
use harness::{Error, Result};
use tch::{Device, Tensor};

use super::conv::{Conv2d, ConvShape, arrange};
use super::first::{Fans, First};
use super::linear::{Linear, LinearShape};
use super::norm::{BatchNorm, EPS};
use super::transpose::{ConvTranspose2d, TransposeShape};
use super::weights::Source;
use crate::optim::Trained;

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
    /// Changes while training. What does not is a function of the weights' file or the seed and is not saved: layers that
    /// were folded or cast when the network was built no longer share its storage.
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

    /// The same as an optimiser takes them.
    pub fn trained(&self) -> Vec<Trained> {
        self.trained_weights().map(|p| Trained::new(p.name.clone(), p.tensor.shallow_clone())).collect()
    }

    /// Everything that training changes, by name: what a checkpoint and a finished run keep. Shared, not copied.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.items.iter().filter(|p| p.trained).map(|p| (p.name.clone(), p.tensor.shallow_clone())).collect()
    }

    /// Puts back what [`Params::state`] gave, in place; `get` finds a tensor by name.
    ///
    /// # Errors
    /// Where one is missing or has another shape.
    pub fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        for (name, mut tensor) in self.state() {
            let stored = get(&name).filter(|t| t.size() == tensor.size()).ok_or_else(|| {
                let remedy = format!("it belongs to another configuration or version; {}", harness::error::AGAIN);
                Error::environment(format!("the stored network lacks `{name}` {:?}", tensor.size()), remedy)
            })?;
            tch::no_grad(|| tensor.copy_(&stored));
        }
        Ok(())
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
    /// Weights stay, and batch norms are live: in training they use the batch's statistics, and their running averages move,
    /// are saved and are restored. Gradients flow through.
    Held,
    /// Nothing changes: batch norms are folded into their convolutions.
    Frozen,
}

impl Part {
    /// What is frozen of a stem and three stages.
    pub fn of(freeze: Freeze) -> [Self; 4] {
        let frozen = match freeze {
            Freeze::None => 0,
            Freeze::Stem => 1,
            Freeze::Layer1 => 2,
            Freeze::Layer2 => 3,
            Freeze::All => 4,
        };
        [0, 1, 2, 3].map(|index| if index < frozen { Self::Frozen } else { Self::Trained })
    }
}

/// Makes layers and notes their parameters.
pub struct Builder<'a> {
    pub device: Device,
    pub precision: Precision,
    pub format: MemoryFormat,
    /// Whether the parameters made next are trained.
    pub part: Part,
    /// What the batch norms made next add to variances; torch's 1e-5 at first.
    pub eps: f64,
    /// How the convolutions of the residual networks made next start: torch's default at first.
    pub residual: First,
    seed: u64,
    source: Option<&'a Source<'a>>,
    params: Params,
}

impl<'a> Builder<'a> {
    pub fn new(seed: u64, device: Device, precision: Precision, format: MemoryFormat, source: Option<&'a Source<'a>>) -> Self {
        Self { device, precision, format, part: Part::Trained, eps: EPS, residual: First::Uniform, seed, source, params: Params::default() }
    }

    /// The parameters made so far.
    pub fn finish(self) -> Params {
        self.params
    }

    /// A convolution with parameters `<name>.weight` and, if the shape has one, `<name>.bias`.
    pub fn conv(&mut self, name: &str, shape: ConvShape) -> Result<Conv2d> {
        let size = [shape.cout, shape.cin / shape.groups, shape.kernel, shape.kernel];
        let (weight, bias) = self.weight_and_bias(name, &size, shape.cout, (shape.weight, shape.bias))?;
        Ok(Conv2d::new(weight, bias, &shape, self.precision))
    }

    /// A transposed convolution, with parameters named likewise.
    pub fn conv_transpose(&mut self, name: &str, shape: TransposeShape) -> Result<ConvTranspose2d> {
        let size = [shape.cin, shape.cout, shape.kernel, shape.kernel];
        let (weight, bias) = self.weight_and_bias(name, &size, shape.cout, (shape.weight, shape.bias))?;
        Ok(ConvTranspose2d::new(weight, bias, &shape, self.precision))
    }

    /// A linear map over the last dimension, without bias, always float32: `<name>.weight` [cout, cin].
    pub fn linear(&mut self, name: &str, cin: i64, cout: i64) -> Result<Linear> {
        self.linear_of(name, LinearShape::new(cin, cout))
    }

    /// A linear map of any shape: `<name>.weight` and, if the shape has one, `<name>.bias`.
    pub fn linear_of(&mut self, name: &str, shape: LinearShape) -> Result<Linear> {
        let (weight, bias) = self.weight_and_bias(name, &[shape.cout, shape.cin], shape.cout, (shape.weight, shape.bias))?;
        Ok(Linear { weight, bias })
    }

    /// A bias alone, `<name>.bias` `[cout]`, with torch's default first values beside a weight [cout, cin].
    pub fn bias(&mut self, name: &str, cin: i64, cout: i64) -> Result<Tensor> {
        let first = (First::Uniform, Fans { fan_in: cin, fan_out: cout });
        self.param(&format!("{name}.bias"), &[cout], first, ParamKind::Weight)
    }

    /// A batch norm: `<name>.{weight,bias,running_mean,running_var}` `[channels]`.
    pub fn bn(&mut self, name: &str, channels: i64) -> Result<BatchNorm> {
        let mut vector = |part: &str, value, kind| {
            let first = (First::Constant(value), Fans { fan_in: 1, fan_out: 1 });
            self.param(&format!("{name}.{part}"), &[channels], first, kind)
        };
        Ok(BatchNorm {
            weight: vector("weight", 1.0, ParamKind::Weight)?,
            bias: vector("bias", 0.0, ParamKind::Weight)?,
            mean: vector("running_mean", 0.0, ParamKind::Buffer)?,
            var: vector("running_var", 1.0, ParamKind::Buffer)?,
            eps: self.eps,
        })
    }

    /// `<name>.weight` of `shape`, and `<name>.bias` `[cout]` where it has first values; both by the weight's fans.
    fn weight_and_bias(
        &mut self,
        name: &str,
        shape: &[i64],
        cout: i64,
        firsts: (First, Option<First>),
    ) -> Result<(Tensor, Option<Tensor>)> {
        let (fans, (weight, bias)) = (Fans::of(shape), firsts);
        let weight = self.param(&format!("{name}.weight"), shape, (weight, fans), ParamKind::Weight)?;
        let bias = bias.map(|bias| self.param(&format!("{name}.bias"), &[cout], (bias, fans), ParamKind::Weight)).transpose()?;
        Ok((weight, bias))
    }

    fn param(&mut self, name: &str, shape: &[i64], (first, fans): (First, Fans), kind: ParamKind) -> Result<Tensor> {
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
            None => first.draw(self.seed, name, shape.iter().product::<i64>() as usize, fans),
        };
        let tensor = Tensor::from_slice(&data).reshape(shape).to_device(self.device);
        let tensor = if shape.len() == 4 { arrange(&tensor, self.format) } else { tensor };
        let trained = match kind {
            ParamKind::Weight => self.part == Part::Trained,
            ParamKind::Buffer => self.part != Part::Frozen,
        };
        let tensor = tensor.detach().set_requires_grad(trained && kind == ParamKind::Weight);
        self.params.push(Param { name: name.to_owned(), tensor: tensor.shallow_clone(), kind, trained });
        Ok(tensor)
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
    fn layers_start_as_their_shapes_say_by_the_fans_of_their_weight() {
        let mut builder = builder(1);
        let normal = First::Normal(0.5);
        builder.conv("conv", ConvShape::new(16, 8, 3).bias()).expect("builds");
        builder.conv("other", ConvShape::new(16, 8, 3).first(First::KaimingNormal).bias_from(First::Constant(0.25))).expect("builds");
        builder.conv_transpose("up", TransposeShape::new(16, 8, 2, 2).bias(First::Uniform)).expect("builds");
        builder.linear_of("linear", LinearShape::new(5, 3).first(First::XavierNormal).bias(normal)).expect("builds");
        let params = builder.finish();
        for (name, shape, first, fans) in [
            ("conv.weight", vec![8, 16, 3, 3], First::Uniform, (144, 72)),
            ("conv.bias", vec![8], First::Uniform, (144, 72)),
            ("other.weight", vec![8, 16, 3, 3], First::KaimingNormal, (144, 72)),
            ("other.bias", vec![8], First::Constant(0.25), (144, 72)),
            ("up.weight", vec![16, 8, 2, 2], First::Uniform, (32, 64)),
            ("up.bias", vec![8], First::Uniform, (32, 64)),
            ("linear.weight", vec![3, 5], First::XavierNormal, (5, 3)),
            ("linear.bias", vec![3], normal, (5, 3)),
        ] {
            let tensor = params.get(name).expect("is there");
            let (fan_in, fan_out) = fans;
            assert_eq!(tensor.size(), shape, "{name}");
            assert_eq!(values(tensor), first.draw(1, name, tensor.numel(), Fans { fan_in, fan_out }), "{name}");
        }
        assert_eq!(params.len(), 8);
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
