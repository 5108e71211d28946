//! The networks: [B, 3, S, S] to one number for each cell, [B, 1, S/8, S/8].

use harness::Result;
use harness::config::{BackboneName, Config, FcddNetwork};
use tch::{Device, Tensor};

use super::upsampling::Reception;
use crate::nn::conv::{Conv2d, ConvShape};
use crate::nn::conv_bn::ConvBn;
use crate::nn::param::{Builder, Part};
use crate::nn::resnet::ResNet;
use crate::nn::stride::stride;
use crate::nn::{Mode, Params, Weights};

/// An encoder with the output stride 8 and a 1x1 convolution with bias.
#[derive(Debug)]
pub struct Network {
    encoder: Encoder,
    head: Conv2d,
    params: Params,
}

#[derive(Debug)]
enum Encoder {
    Vgg(Vec<Layer>),
    Cnn { body: Vec<Layer>, last: Conv2d },
    Residual(ResNet),
}

/// A convolution with its norm, and what follows it.
#[derive(Debug)]
struct Layer {
    unit: ConvBn,
    pooled: bool,
}

/// What a batch norm of the authors' small network adds to variances.
const CNN_EPS: f64 = 1e-4;

impl Network {
    /// Parts of a backbone that a weights' file gives are held but for the last one: their weights stay, their batch norms are live.
    /// Without a file all is trained.
    ///
    /// # Errors
    /// Weights of another architecture.
    pub fn new(cfg: &Config, weights: Option<&Weights>, seed: u64, device: Device) -> Result<Self> {
        let mut builder = Builder::new(seed, device, cfg.train.precision, cfg.train.memory_format, weights.map(|w| w.source));
        let first = if weights.is_some() { Part::Held } else { Part::Trained };
        let name = cfg.model.backbone.name;
        let (encoder, width) = match cfg.fcdd.network {
            FcddNetwork::Cnn => (cnn(&mut builder)?, 128),
            FcddNetwork::Backbone if name == BackboneName::Vgg11Bn => (Encoder::Vgg(vgg(&mut builder, first)?), 512),
            FcddNetwork::Backbone => {
                let stride = stride(cfg, weights)?;
                let network = ResNet::up_to(&mut builder, name, stride, &[first, first, Part::Trained])?;
                (Encoder::Residual(network), name.channels()[1])
            }
        };
        let head = builder.conv("head", ConvShape::new(width, 1, 1).bias())?.in_float32();
        Ok(Self { encoder, head, params: builder.finish() })
    }

    /// u of `x` [B, 3, S, S]: [B, 1, S/8, S/8], f32.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Tensor {
        let features = match &self.encoder {
            Encoder::Vgg(layers) => layers.iter().fold(x.shallow_clone(), |x, layer| {
                let y = layer.unit.forward(&x, mode).relu_();
                if layer.pooled { y.max_pool2d([2, 2], [2, 2], [0, 0], [1, 1], false) } else { y }
            }),
            Encoder::Cnn { body, last } => last.forward(&body.iter().fold(x.shallow_clone(), |x, layer| {
                let y = layer.unit.forward(&x, mode).leaky_relu_();
                if layer.pooled { y.max_pool2d([3, 3], [2, 2], [1, 1], [1, 1], false) } else { y }
            })),
            Encoder::Residual(network) => network.last(x, mode),
        };
        self.head.forward(&features)
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    /// The first two are those of the authors' code. A residual network's receptive field, 91 px and more, is wider than the Gaussian
    /// needs: its kernel is VGG's with one tap less, so that its middle is the cell's, and as strong.
    pub fn reception(&self) -> Reception {
        match self.encoder {
            Encoder::Vgg(_) => Reception { taps: 62, shift: 3, as_much_as: 62 },
            Encoder::Cnn { .. } => Reception { taps: 59, shift: 0, as_much_as: 59 },
            Encoder::Residual(_) => Reception { taps: 61, shift: 0, as_much_as: 62 },
        }
    }
}

/// torchvision's `vgg11_bn` up to `features.20`: the first four convolutions as `first` says, the last two trained.
fn vgg(builder: &mut Builder, first: Part) -> Result<Vec<Layer>> {
    // Index in `features`, channels in and out, whether a pooling follows.
    let plan =
        [(0, 3, 64, true), (4, 64, 128, true), (8, 128, 256, false), (11, 256, 256, true), (15, 256, 512, false), (18, 512, 512, false)];
    let mut layers = Vec::new();
    for (index, cin, cout, pooled) in plan {
        builder.part = if index < 15 { first } else { Part::Trained };
        let names = [index, index + 1].map(|i| format!("backbone.features.{i}"));
        let unit = ConvBn::new(builder, &names[0], &names[1], ConvShape::new(cin, cout, 3).bias())?;
        layers.push(Layer { unit, pooled });
    }
    builder.part = Part::Trained;
    Ok(layers)
}

/// The authors' network that needs no pretrained weights, `FCDD_CNN224`.
fn cnn(builder: &mut Builder) -> Result<Encoder> {
    let plan = [(3, 8, 5, true), (8, 32, 5, true), (32, 64, 3, false), (64, 128, 3, true)];
    builder.eps = CNN_EPS;
    let mut body = Vec::new();
    for (number, (cin, cout, kernel, pooled)) in (1..).zip(plan) {
        let shape = ConvShape::new(cin, cout, kernel).bias();
        body.push(Layer { unit: ConvBn::new(builder, &format!("conv{number}"), &format!("bn{number}"), shape)?, pooled });
    }
    let last = builder.conv("conv5", ConvShape::new(128, 128, 3).bias())?;
    Ok(Encoder::Cnn { body, last })
}
