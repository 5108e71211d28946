//! The multi-level feature fusion network: a residual backbone, STLNet's texture branch over its first two stages,
//! self-calibration of its third, and a head that fuses them into one feature map and its scores.
//!
//! Four toggles make the sixteen networks of which five are the rows of the paper's ablation. Whatever a combination does
//! not use has no parameters.

pub mod head;
pub mod ptfem;
pub mod qco;
pub mod reduce;
pub mod resample;
pub mod score;
pub mod self_calibration;
pub mod tem;

use harness::Result;
use harness::config::{BaselineHead, Config, Join, Norms};
use tch::{Device, Tensor};

use crate::nn::backbone::Backbone;
use crate::nn::conv::{Conv2d, ConvShape, arrange};
use crate::nn::first::First;
use crate::nn::param::Builder;
use crate::nn::{Mode, Params, Stages, Weights};
use crate::optim::Trained;
use head::Head;
use ptfem::Ptfem;
use reduce::Reduce;
use score::Score;
use self_calibration::SelfCalibration;
use tem::Tem;

/// What a forward pass gives, both f32.
#[derive(Debug)]
pub struct Output {
    /// F, [B, C, h, w].
    pub features: Tensor,
    /// eta(F), [B, 1, h, w]; `None` where neither the score nor the consistency constraint is on.
    pub scores: Option<Tensor>,
}

/// The texture branch.
#[derive(Debug)]
struct Texture {
    reduce: Reduce,
    tem: Tem,
    ptfem: Ptfem,
    /// From its maps to the head's, where they come beside those of the backbone.
    add: Option<Conv2d>,
}

#[derive(Debug)]
pub struct Network {
    backbone: Backbone,
    texture: Option<Texture>,
    calibration: Option<SelfCalibration>,
    head: Head,
    score: Option<Score>,
    params: Params,
    config: Config,
    device: Device,
}

impl Network {
    /// Builds the network that `config` names on `device`. Without `weights` all parameters are drawn from `seed`.
    ///
    /// Errors name the key: a size that is not a multiple of 32, a scale or a patch that does not divide its map, a stride
    /// placement that contradicts the weights' file, weights of another shape.
    pub fn new(config: &Config, weights: Option<&Weights>, seed: u64, device: Device) -> Result<Self> {
        harness::config::check(config)?;
        let (model, loss) = (&config.model, &config.loss);
        let mut builder = Builder::new(seed, device, config.train.precision, config.train.memory_format, weights.map(|w| w.source));
        let backbone = Backbone::new(&mut builder, config, weights, model.backbone.freeze)?;
        let [w1, w2, w3] = model.backbone.name.channels();
        let (texture, low) = if model.stlnet {
            let reduce = Reduce::new(&mut builder, w1 + w2, model.stl.width)?;
            let (tem, ptfem) = (Tem::new(&mut builder, model)?, Ptfem::new(&mut builder, model)?);
            let maps = model.ptfem.out + model.tem.out + model.stl.width;
            let silent = ConvShape { weight: First::Constant(0.0), ..ConvShape::new(maps, model.fusion.mid, 3) };
            let add = (model.stl.join == Join::Add).then(|| builder.conv("head.texture.conv", silent)).transpose()?;
            let low = if add.is_some() { w1 + w2 } else { maps };
            (Some(Texture { reduce, tem, ptfem, add }), low)
        } else {
            (None, w1 + w2)
        };
        let (calibration, high) =
            if model.self_calibration { (Some(SelfCalibration::new(&mut builder, &model.sc, w3)?), model.sc.out) } else { (None, w3) };
        let (head, channels) = match model.ablation.head {
            BaselineHead::Raw if !loss.score.enabled => (Head::Raw, low + high),
            _ => (Head::new(&mut builder, model, low + high)?, model.fusion.channels),
        };
        let scored = loss.score.enabled || loss.consistency.enabled;
        let score = if scored { Some(Score::new(&mut builder, model, channels)?) } else { None };
        Ok(Self { backbone, texture, calibration, head, score, params: builder.finish(), config: config.clone(), device })
    }

    /// Normalised images `x` [B, 3, S, S] f32 to F and its scores, at S / `model.fusion.stride` cells a side.
    pub fn forward(&self, x: &Tensor, mode: Mode) -> Output {
        self.fuse(self.stages(x, mode), x.size()[2], mode)
    }

    /// The backbone's maps alone.
    pub fn stages(&self, x: &Tensor, mode: Mode) -> Stages {
        let mode = if self.config.model.backbone_norms == Norms::Fixed { Mode::Eval } else { mode };
        self.backbone.forward(&arrange(&x.to_device(self.device), self.config.train.memory_format), mode)
    }

    /// The backbone's maps of images of `size` px a side to F and its scores.
    pub fn fuse(&self, Stages { c1, c2, c3 }: Stages, size: i64, mode: Mode) -> Output {
        let side = size / self.config.model.fusion.stride as i64;
        let mut parts = vec![c1, c2];
        let mut beside = None;
        if let Some(texture) = &self.texture {
            let maps = self.texture_maps(texture, &parts, size, mode);
            match &texture.add {
                None => parts = maps,
                Some(conv) => beside = Some(head::fuse(conv, &maps, side)),
            }
        }
        parts.push(match &self.calibration {
            Some(calibration) => calibration.forward(&c3, mode),
            None => c3,
        });
        let features = self.head.forward(&parts, beside.as_ref(), side, mode);
        let scores = self.score.as_ref().map(|score| score.forward(&features));
        Output { features, scores }
    }

    /// T2, T1 and X0, whose concatenation is the texture feature T.
    fn texture_maps(&self, texture: &Texture, stages: &[Tensor], size: i64, mode: Mode) -> Vec<Tensor> {
        let x0 = texture.reduce.forward(stages, size / self.config.model.low.stride as i64, mode);
        let t1 = texture.tem.forward(&x0, mode);
        let t2 = texture.ptfem.forward(&t1, &x0, mode);
        vec![t2, t1, x0]
    }

    /// What an optimiser updates, by name: the backbone at a rate of its own.
    pub fn trained(&self) -> Vec<Trained> {
        let factor = |name: &str| if name.starts_with("backbone.") { self.config.model.backbone_lr } else { 1.0 };
        self.params.trained().into_iter().map(|trained| Trained { lr: factor(&trained.name), ..trained }).collect()
    }

    /// Everything that training changes: what a checkpoint and a finished run keep.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.params.state()
    }

    /// Puts back what [`Network::state`] gave, in place; `get` finds a tensor by name.
    ///
    /// # Errors
    /// Where one is missing or has another shape.
    pub fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.params.restore(get)
    }

    /// All parameters, in the order in which they were made.
    pub fn params(&self) -> &Params {
        &self.params
    }
}
