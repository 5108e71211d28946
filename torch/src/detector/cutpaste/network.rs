//! What tells normal views, CutPaste and scars apart: a residual network, its map averaged, and a head of three classes.

use harness::Result;
use harness::config::{Config, CutPasteNetwork, Freeze};
use tch::{Device, Kind, Tensor};

use crate::nn::conv::arrange;
use crate::nn::linear::{Linear, LinearShape};
use crate::nn::norm::BatchNorm;
use crate::nn::param::{Builder, Param};
use crate::nn::resnet::{ResNet, Stage4, width4};
use crate::nn::stride::stride;
use crate::nn::{First, Mode, Params, Weights};
use crate::optim::Trained;

/// Normal, CutPaste, scar: the kinds of the loader's three views.
pub const CLASSES: i64 = 3;

#[derive(Debug)]
pub struct Network {
    backbone: ResNet,
    /// Of a network from scratch; a fine-tuned one ends with stage 3.
    last: Option<Stage4>,
    hidden: Vec<(Linear, BatchNorm)>,
    classes: Linear,
    params: Params,
    cfg: Config,
    width: i64,
}

impl Network {
    /// The network that `cfg` names; what `weights` do not give is drawn from `seed`.
    ///
    /// # Errors
    /// Weights of another architecture, or a stride placement that contradicts them.
    pub fn new(cfg: &Config, weights: Option<&Weights>, seed: u64, device: Device) -> Result<Self> {
        let (name, stride) = (cfg.model.backbone.name, stride(cfg, weights)?);
        let source = weights.map(|w| w.source);
        let mut builder = Builder::new(seed, device, cfg.train.precision, cfg.train.memory_format, source);
        builder.residual = First::KaimingNormal;
        let (backbone, last, width) = match cfg.cutpaste.network {
            CutPasteNetwork::Scratch => {
                let backbone = ResNet::new(&mut builder, name, stride, Freeze::None)?;
                (backbone, Some(Stage4::new(&mut builder, name, stride)?), width4(name))
            }
            CutPasteNetwork::Finetuned => (ResNet::new(&mut builder, name, stride, Freeze::Layer2)?, None, name.channels()[2]),
        };
        let (mut hidden, mut cin) = (vec![], width);
        for (number, &cout) in cfg.cutpaste.hidden.iter().enumerate() {
            let linear = builder.linear(&format!("head.{number}.linear"), cin, cout)?;
            hidden.push((linear, builder.bn(&format!("head.{number}.bn"), cout)?));
            cin = cout;
        }
        let classes = builder.linear_of("head.classes", LinearShape::new(cin, CLASSES).bias(First::Uniform))?;
        Ok(Self { backbone, last, hidden, classes, params: builder.finish(), cfg: cfg.clone(), width })
    }

    /// D, the number of features.
    pub fn width(&self) -> i64 {
        self.width
    }

    /// The averaged map `[B, D]` f32 of normalised images `x` [B, 3, S, S]. Fine-tuned norms keep their statistics.
    pub fn features(&self, x: &Tensor, mode: Mode) -> Tensor {
        let x = arrange(x, self.cfg.train.memory_format);
        let map = match &self.last {
            Some(last) => last.forward(&self.backbone.forward(&x, mode).c3, mode),
            None => self.backbone.forward(&x, Mode::Eval).c3,
        };
        map.to_kind(Kind::Float).mean_dim([2i64, 3].as_slice(), false, Kind::Float)
    }

    /// Logits `[B, 3]` of features `[B, D]`.
    pub fn logits(&self, features: &Tensor, mode: Mode) -> Tensor {
        let through = |x: Tensor, (linear, bn): &(Linear, BatchNorm)| bn.forward(&linear.forward(&x), mode).relu();
        self.classes.forward(&self.hidden.iter().fold(features.shallow_clone(), through))
    }

    /// What an optimiser updates: of a fine-tuned network the head and stage 3's convolutions, these at a rate of their own.
    pub fn trained(&self) -> Vec<Trained> {
        let factor = |p: &Param| if self.is_tuned(p) { self.cfg.cutpaste.backbone_lr } else { 1.0 };
        let changes = self.params.trained_weights().filter(|p| !self.is_tuned(p) || p.tensor.dim() == 4);
        changes.map(|p| Trained { lr: factor(p), ..Trained::new(p.name.clone(), p.tensor.shallow_clone()) }).collect()
    }

    fn is_tuned(&self, param: &Param) -> bool {
        self.last.is_none() && param.name.starts_with("backbone.")
    }

    pub fn params(&self) -> &Params {
        &self.params
    }
}
