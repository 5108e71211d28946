//! What is trained: an adaptor of the features, a head that gives a map, and one that looks at features and map and scores the
//! image (Rolih et al. 2024, section III; sizes of the authors' code).

use harness::Result;
use harness::config::SuperSimpleNet;
use tch::{Kind, Tensor};

use crate::nn::Stages;
use crate::nn::activation::leaky_relu;
use crate::nn::conv::{Conv2d, ConvShape};
use crate::nn::conv_bn::ConvBn;
use crate::nn::first::First;
use crate::nn::linear::{Linear, LinearShape};
use crate::nn::param::{Builder, Params};
use crate::nn::{Mode, Param};

/// Channels of the decision head.
const CHANNELS: i64 = 128;
/// Slope of the map head's leaky ReLU below 0.
const SLOPE: f64 = 0.2;
/// How the adaptor's parameters begin.
const ADAPTOR: &str = "adaptor";

/// Stages 2 and 3, joined at `side` x `side` cells (bilinear, corners aligned) and averaged over 3x3 cells, those beyond the border
/// counted as zeros: `[B, C2 + C3, side, side]`.
pub fn embed(stages: &Stages, side: i64) -> Tensor {
    let sized = [&stages.c2, &stages.c3].map(|stage| match stage.size()[2] {
        own if own == side => stage.shallow_clone(),
        _ => stage.upsample_bilinear2d([side, side], true, None, None),
    });
    Tensor::cat(&sized, 1).avg_pool2d([3, 3], [1, 1], [1, 1], false, true, None)
}

/// Logits: above 0 is anomalous.
#[derive(Debug)]
pub struct Logits {
    /// `[B, h, w]`, f32.
    pub map: Tensor,
    /// Of the image, `[B]`, f32; none without the head.
    pub image: Option<Tensor>,
}

#[derive(Debug)]
pub struct Network {
    adaptor: Conv2d,
    hidden: ConvBn,
    last: Conv2d,
    decision: Option<Decision>,
    params: Params,
}

impl Network {
    /// For features of so many channels. Weights start from Glorot's normal values, biases and norms as torch's.
    pub fn new(mut builder: Builder, channels: i64, keys: &SuperSimpleNet) -> Result<Self> {
        let conv = |cin, cout, kernel| ConvShape::new(cin, cout, kernel).first(First::XavierNormal);
        let adaptor = builder.conv(ADAPTOR, conv(channels, channels, 1).bias())?;
        let hidden = ConvBn::new(&mut builder, "map.conv", "map.bn", conv(channels, keys.hidden, 1).bias())?;
        let last = builder.conv("map.last", conv(keys.hidden, 1, 1))?;
        let decision = keys.decision.then(|| Decision::new(&mut builder, channels, keys)).transpose()?;
        Ok(Self { adaptor, hidden, last, decision, params: builder.finish() })
    }

    /// Features `[B, C, h, w]` as the heads look at them, f32.
    pub fn adapt(&self, features: &Tensor) -> Tensor {
        self.adaptor.forward(features).to_kind(Kind::Float)
    }

    /// What the heads say of adapted features `[B, C, h, w]`.
    pub fn heads(&self, adapted: &Tensor, mode: Mode) -> Logits {
        let hidden = self.hidden.forward(adapted, mode);
        let map = self.last.forward(&leaky_relu(&hidden, SLOPE)).to_kind(Kind::Float); // [B, 1, h, w]
        let image = self.decision.as_ref().map(|decision| decision.forward(adapted, &map, mode));
        Logits { map: map.squeeze_dim(1), image }
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Whether a parameter is the adaptor's.
    pub fn is_adaptor(param: &Param) -> bool {
        param.name.starts_with(ADAPTOR)
    }
}

/// The head that scores the image.
#[derive(Debug)]
struct Decision {
    reduce: Option<ConvBn>,
    conv: ConvBn,
    linear: Linear,
    stop_grad: bool,
}

impl Decision {
    fn new(builder: &mut Builder, channels: i64, keys: &SuperSimpleNet) -> Result<Self> {
        let conv = |cin, cout, kernel| ConvShape::new(cin, cout, kernel).first(First::XavierNormal).bias();
        let (reduce, channels) = match keys.reduce {
            0 => (None, channels),
            to => (Some(ConvBn::new(builder, "decision.reduce", "decision.reduce_bn", conv(channels, to, 1))?), to),
        };
        let shape = LinearShape::new(2 * CHANNELS + 2, 1).first(First::XavierNormal).bias(First::Uniform);
        Ok(Self {
            reduce,
            conv: ConvBn::new(builder, "decision.conv", "decision.bn", conv(channels + 1, CHANNELS, 5))?,
            linear: builder.linear_of("decision.linear", shape)?,
            stop_grad: keys.stop_grad,
        })
    }

    /// `[B]` of adapted features `[B, C, h, w]` and the map `[B, 1, h, w]`.
    fn forward(&self, adapted: &Tensor, map: &Tensor, mode: Mode) -> Tensor {
        let map = if self.stop_grad { map.detach() } else { map.shallow_clone() };
        let features = match &self.reduce {
            Some(reduce) => reduce.forward(adapted, mode).relu().to_kind(Kind::Float),
            None => adapted.shallow_clone(),
        };
        let seen = self.conv.forward(&Tensor::cat(&[&features, &map], 1), mode).relu().to_kind(Kind::Float);
        let summary = Tensor::cat(&[greatest(&seen), mean(&seen), greatest(&map), mean(&map)], 1); // [B, 2 * CHANNELS + 2]
        self.linear.forward(&summary).squeeze_dim(1)
    }
}

/// `[B, C, h, w]` to `[B, C]`.
fn greatest(x: &Tensor) -> Tensor {
    x.flatten(2, 3).max_dim(2, false).0
}

/// `[B, C, h, w]` to `[B, C]`.
fn mean(x: &Tensor) -> Tensor {
    x.mean_dim([2i64, 3].as_slice(), false, Kind::Float)
}
