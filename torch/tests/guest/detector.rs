//! A detector that stands outside the package: a small network with a loss of its own, an own image score, and passes before and
//! after its training. Everything else (loop, checkpoints, selection, store, sweeps, reports) is the package's.

use std::sync::Arc;

use harness::Result;
use harness::config::detector::Method;
use harness::config::{Config, Outputs};
use harness::data::{Shape, Source};
use harness_torch::detector::{Aside, Brought, Count, Detector, FitEstimate, Parts, Pass};
use harness_torch::nn::conv::{Conv2d, ConvShape};
use harness_torch::nn::conv_bn::ConvBn;
use harness_torch::nn::param::Builder;
use harness_torch::nn::{Mode, Params};
use harness_torch::optim::Trained;
use harness_torch::train::{self, Fed, Job, Learner, Length, Scored, Sink, Snapshot, Terms};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

const READS: &[&str] = &["run", "data", "pseudo", "optim", "train", "eval"];

/// With a map and an image score, and with the image score alone.
pub static GUESTS: [Brought; 2] = [
    Brought { method: Method { name: "guest", outputs: |_| Outputs { maps: vec!["logit"], image: true }, ..METHOD }, build },
    Brought { method: Method { name: "judge", outputs: |_| Outputs { maps: vec![], image: true }, ..METHOD }, build },
];

const METHOD: Method = Method {
    name: "",
    defaults: "[eval]\nimage_score = \"own\"\n[optim]\nlr = 0.01\n[at.cpu.train]\nepochs = 4\n",
    reads: READS,
    version: 1,
    outputs: |_| Outputs::of_maps(&[]),
    trained: true,
    backbones: |_| &[],
    check: |_| Ok(()),
    describe: |cfg| format!("a guest ({})", cfg.detector),
};

fn build(parts: &Parts) -> Result<Box<dyn Detector>> {
    Ok(Box::new(Guest::new(parts)?))
}

struct Guest {
    cfg: Config,
    seed: u64,
    device: Device,
    encoder: ConvBn,
    head: Conv2d,
    params: Params,
    /// Mean colour of the normal images, `[1, 3, 1, 1]`: known before training.
    colour: Tensor,
    /// Mean own score of the normal images: known after it.
    usual: Tensor,
}

impl Guest {
    fn new(parts: &Parts) -> Result<Self> {
        assert!(parts.weights.is_none(), "a detector without a backbone is given no weights");
        let cfg = parts.cfg;
        let mut builder = Builder::new(parts.seed, parts.device, cfg.train.precision, cfg.train.memory_format, None);
        let encoder = ConvBn::new(&mut builder, "encoder.conv", "encoder.bn", ConvShape::new(3, 8, 5).stride(4))?;
        let head = builder.conv("head", ConvShape::new(8, 1, 1).bias())?.in_float32();
        let number = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, parts.device));
        let (colour, usual) = (number(&[1, 3, 1, 1]), number(&[]));
        let (cfg, params) = (cfg.clone(), builder.finish());
        Ok(Self { cfg, seed: parts.seed, device: parts.device, encoder, head, params, colour, usual })
    }

    fn logits(&self, images: &Tensor, mode: Mode) -> Tensor {
        self.head.forward(&self.encoder.forward(images, mode).relu()).squeeze_dim(1) // [B, h, w]
    }

    /// The mean of `of(image)` over the normal images, each looked at once.
    fn mean(&self, source: &Arc<Source>, sink: &mut dyn Sink, of: &dyn Fn(&Tensor) -> Tensor) -> Result<Tensor> {
        let pass = Pass { cfg: &self.cfg, seed: self.seed, device: self.device };
        let mut sum: Option<Tensor> = None;
        pass.run(source.clone(), &mut Aside(sink), &mut |_, images| {
            let one = of(images);
            sum = Some(sum.take().map_or_else(|| one.shallow_clone(), |sum| sum + &one));
        })?;
        Ok(sum.expect("a category has training images") / source.len() as f64)
    }
}

impl Learner for Guest {
    fn trained(&self) -> Vec<Trained> {
        self.params.trained()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.params.state()
    }

    fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.params.restore(get)
    }

    fn input(&self, images: &Tensor) -> Tensor {
        images - &self.colour
    }

    /// The logistic loss of cells against masks, on a crop that the step draws.
    fn loss(&self, fed: &Fed, draws: &mut ChaCha8Rng) -> Result<Terms> {
        let side = self.cfg.data.size as i64;
        let at = 4 * draws.random_range(0..=side / 16);
        let crop = |x: &Tensor| x.narrow(2, at, side - at).narrow(3, at, side - at);
        let logits = self.logits(&crop(&fed.images), Mode::Train);
        let labels = crop(&fed.mask).max_pool2d([4, 4], [4, 4], [0, 0], [1, 1], false).squeeze_dim(1); // [B, h, w]
        let signed: Tensor = &logits * (&labels * -2.0 + 1.0);
        let hinge = signed.softplus().mean(Kind::Double);
        let size = logits.square().mean(Kind::Double);
        Ok(Terms::new(&hinge + &size * 1e-3).with_loss("logistic", &hinge).with_statistic("size", &size))
    }

    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let logits = self.logits(&self.input(images), Mode::Eval).to_kind(Kind::Float);
        let own = logits.amax([1i64, 2].as_slice(), false) - &self.usual; // [B]
        let maps = if self.cfg.detector.outputs(&self.cfg).maps.is_empty() { vec![] } else { vec![logits] };
        Scored { maps, image: Some(own) }
    }
}

impl Detector for Guest {
    fn estimate(&self, images: usize) -> FitEstimate {
        let Length { epochs, steps } = Length::of(&self.cfg.train, Shape::new(images, &self.cfg.data, &self.cfg.train).batches());
        let kept_bytes = Detector::state(self).iter().map(|(_, t)| 4 * t.numel() as u64).sum();
        FitEstimate { epochs: epochs as u64, steps, kept_bytes, map_cells: (self.cfg.data.size as u64 / 4).pow(2) + 1 }
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.colour = self.mean(&source, sink, &|images| images.mean_dim([0i64, 2, 3].as_slice(), true, Kind::Float))?;
        train::train(&Job { cfg: &self.cfg, seed: self.seed, device: self.device, learner: self, source: source.clone() }, start, sink)?;
        self.usual = self.mean(&source, sink, &|images| Learner::score(self, images).image.expect("an own score").sum(Kind::Float))?;
        Ok(())
    }

    fn score(&self, images: &Tensor) -> Scored {
        Learner::score(self, images)
    }

    fn learner(&mut self, source: &Source) -> Result<Option<&dyn Learner>> {
        assert!(!source.is_empty());
        Ok(Some(self))
    }

    fn count(&self) -> Count {
        let parameters = self.params.weight_count() as u64;
        Count { parameters, trained: parameters }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let passes = [("guest.colour".to_owned(), self.colour.shallow_clone()), ("guest.usual".to_owned(), self.usual.shallow_clone())];
        self.params.state().into_iter().chain(passes).collect()
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.params.restore(get)?;
        let find = |name: &str| get(name).expect("a finished run keeps what its passes found");
        (self.colour, self.usual) = (find("guest.colour"), find("guest.usual"));
        Ok(())
    }
}
