//! From the feature map F to its scores.

use harness::Result;
use harness::config::{Model, ScoreHead};
use tch::Tensor;

use super::super::loss;
use super::head::first;
use crate::nn::conv::{Conv2d, ConvShape};
use crate::nn::param::Builder;

/// The score head eta: one linear map of each pixel's feature, or an MLP with one hidden layer.
#[derive(Debug)]
pub struct Score {
    layers: Vec<Conv2d>,
    residual: bool,
}

impl Score {
    /// Parameters `score.…` over F of `channels`; `hidden` = 0 is the linear map.
    pub fn new(builder: &mut Builder, model: &Model, channels: i64) -> Result<Self> {
        let ScoreHead { hidden, residual } = model.score;
        let mut layer = |name: &str, cin, cout| {
            let shape = ConvShape::new(cin, cout, 1).bias();
            Ok(builder.conv(name, shape.first(first(model.head_init, &shape)))?.in_float32())
        };
        let layers = if hidden == 0 {
            vec![layer("score", channels, 1)?]
        } else {
            vec![layer("score.0", channels, hidden)?, layer("score.1", hidden, 1)?]
        };
        Ok(Self { layers, residual })
    }

    /// F [B, C, h, w] to scores [B, 1, h, w] f32.
    pub fn forward(&self, features: &Tensor) -> Tensor {
        let (last, first) = self.layers.split_last().expect("at least one layer");
        let hidden = first.iter().fold(features.shallow_clone(), |x, layer| layer.forward(&x).relu_());
        let scores = last.forward(&hidden);
        if self.residual { scores + loss::distance(features) } else { scores }
    }
}
