//! Uninformed students (Bergmann et al. 2020): students, each with a start of its own, learn to describe the patches of normal images
//! as a teacher does, which was distilled from a pretrained network before (`harness weights distil us`). Where they err, and
//! where they differ, they were not taught: the patch is not normal.
//!
//! The students of all fields are one learner. Memory while training: the maps of one student, `256 S^2` numbers the largest where
//! each pixel is described, and of the others what their gradients need.

pub mod network;
pub mod score;
pub mod statistics;
pub mod window;

use std::sync::Arc;

use harness::config::Config;
use harness::data::{Source, Views};
use harness::weights::{IMAGENET_MEAN, IMAGENET_STD, Teacher};
use harness::{Error, Result};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::contract::{Count, Detector, FitEstimate, Parts};
use super::pass::{Aside, Pass, check_stop};
use crate::input::{self, Normalization};
use crate::nn::param::{Builder, Part};
use crate::nn::{self, Params, Values};
use crate::optim::Trained;
use crate::train::{self, Fed, Job, Learner, Scored, Sink, Snapshot, Terms};
use network::{Field, Network};
use statistics::{Scale, Sums};
use window::Grid;

/// Prefix of the teachers' parameters.
const TEACHER: &str = "teacher.";

pub struct Us {
    cfg: Config,
    seed: u64,
    device: Device,
    fields: Vec<Taught>,
    params: Params,
    input: Normalization,
}

/// A teacher, its students, and what is known of both on normal images.
struct Taught {
    teacher: Network,
    students: Vec<Network>,
    /// Of each number of the teacher's descriptions: learned before training.
    target: Option<Scale>,
    /// Of the students' error and of their spread: learned after training.
    score: Option<Scale>,
}

impl Us {
    /// Teachers from their files, or drawn from the seed where there are none; students drawn from the seed.
    ///
    /// # Errors
    /// A teacher that is missing or does not fit the configuration.
    pub fn new(parts: &Parts) -> Result<Self> {
        let Parts { cfg, seed, device, .. } = *parts;
        let files = Teacher::of(cfg)?;
        let given: &nn::Source = &|name| first_value(&files, name);
        let mut builder = Builder::new(seed, device, cfg.train.precision, cfg.train.memory_format, Some(given));
        let mut fields = vec![];
        for &side in &cfg.us.fields {
            let field = Field::of(side);
            builder.part = Part::Frozen;
            let teacher = Network::configured(&mut builder, &format!("{TEACHER}{}.", field.name()), field, cfg)?;
            builder.part = Part::Trained;
            let student = |i| Network::configured(&mut builder, &format!("{}.s{i}.", field.name()), field, cfg);
            let students = (0..cfg.us.students).map(student).collect::<Result<_>>()?;
            fields.push(Taught { teacher, students, target: None, score: None });
        }
        let input = normalization(device);
        Ok(Self { cfg: cfg.clone(), seed, device, fields, params: builder.finish(), input })
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    fn grid(&self) -> Grid {
        Grid::of(self.cfg.us.dense)
    }

    /// Learns mean and deviation of the teachers' descriptions of the normal images.
    fn prepare(&mut self, source: &Source, sink: &mut dyn Sink) -> Result<()> {
        if self.fields.iter().all(|taught| taught.target.is_some()) {
            return Ok(());
        }
        let _guard = tch::no_grad_guard();
        let mut sums: Vec<Sums> = self.fields.iter().map(|_| Sums::new(self.cfg.us.descriptor as i64, self.device)).collect();
        for index in 0..source.len() {
            let image = self.input.apply(&input::unit(&source.get(index)?.data, 1, source.size(), self.device));
            for (taught, sums) in self.fields.iter().zip(&mut sums) {
                sums.add(&window::describe(&taught.teacher, &image, self.grid()));
            }
            check_stop(sink)?;
        }
        self.fields.iter_mut().zip(&sums).for_each(|(taught, sums)| taught.target = Some(sums.scale()));
        Ok(())
    }

    /// Learns how far the students err and differ on the normal images.
    fn finish(&mut self, source: &Arc<Source>, sink: &mut dyn Sink) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let mut sums: Vec<Sums> = self.fields.iter().map(|_| Sums::new(2, self.device)).collect();
        let pass = Pass { cfg: &self.cfg, seed: self.seed, device: self.device };
        pass.run(source.clone(), &mut Aside(sink), &mut |_, images| {
            let images = self.input.apply(images);
            self.fields.iter().zip(&mut sums).for_each(|(taught, sums)| sums.add(&taught.error_and_spread(&images, self.grid())));
        })?;
        self.fields.iter_mut().zip(&sums).for_each(|(taught, sums)| taught.score = Some(sums.scale()));
        Ok(())
    }
}

impl Taught {
    /// A teacher's descriptions with mean 0 and deviation 1 on the normal images; records no gradients.
    fn targets(&self, descriptions: &Tensor) -> Tensor {
        self.target.as_ref().expect("a detector is prepared before it learns or scores").apply(&descriptions.detach())
    }

    /// [B, 2, h, w] at the places of the grid.
    fn error_and_spread(&self, images: &Tensor, grid: Grid) -> Tensor {
        let students: Vec<Tensor> = self.students.iter().map(|student| window::describe(student, images, grid)).collect();
        score::error_and_spread(&students, &self.targets(&window::describe(&self.teacher, images, grid)))
    }

    /// The loss of each student on network input.
    fn losses(&self, x: &Tensor, grid: Grid) -> Vec<Tensor> {
        let describe = |network: &Network| match grid {
            Grid::Dense => network.dense(x),
            Grid::Strided => network.cells(x),
        };
        let target = tch::no_grad(|| self.targets(&describe(&self.teacher)));
        self.students.iter().map(|student| score::regression(&describe(student), &target)).collect()
    }
}

/// Images in 0..=1 as teachers and students take them.
pub fn normalization(device: Device) -> Normalization {
    Normalization::channels(IMAGENET_MEAN, IMAGENET_STD, device)
}

/// The stored value of a teacher's parameter, or `None` for one that is drawn.
fn first_value(files: &[Teacher], name: &str) -> Result<Option<Values>> {
    let Some((field, own)) = name.strip_prefix(TEACHER).and_then(|name| name.split_once('.')) else { return Ok(None) };
    let Some(file) = files.iter().find(|file| Field::of(file.teaching.field).name() == field) else { return Ok(None) };
    let tensor = file.tensors.get(own).ok_or_else(|| {
        let remedy = "make it again with `harness weights distil us`";
        Error::environment(format!("{}: there is no tensor `{own}`", file.path.display()), remedy)
    })?;
    Ok(Some(Values { shape: tensor.shape.iter().map(|&d| d as i64).collect(), data: tensor.data.clone() }))
}

/// What a finished run keeps of a field beside its students.
fn scales(field: Field) -> [[String; 2]; 2] {
    ["target", "score"].map(|what| ["mean", "deviation"].map(|part| format!("us.{}.{what}.{part}", field.name())))
}

impl Learner for Us {
    fn trained(&self) -> Vec<Trained> {
        self.params.trained()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.params.state()
    }

    fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.params.restore(get)
    }

    fn views(&self) -> Views {
        Views::Plain
    }

    fn input(&self, images: &Tensor) -> Tensor {
        self.input.apply(images)
    }

    /// The sum over all students of all fields; logged is the mean student of each field.
    fn loss(&self, fed: &Fed, draws: &mut ChaCha8Rng) -> Result<Terms> {
        let losses = |taught: &Taught| {
            let x = window::drawn(&fed.images, taught.teacher.field, self.grid(), draws);
            Tensor::stack(&taught.losses(&x, self.grid()), 0)
        };
        let losses: Vec<Tensor> = self.fields.iter().map(losses).collect();
        let total = Tensor::cat(&losses, 0).sum(Kind::Double);
        let each = self.fields.iter().zip(&losses);
        Ok(each.fold(Terms::new(total), |terms, (taught, losses)| terms.with_loss(taught.teacher.field.name(), &losses.mean(Kind::Double))))
    }

    /// Only of a detector that was fitted: no rule of selection asks for it before (`config::check`).
    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let (images, size) = (self.input.apply(images), images.size()[2]);
        // [B, S, S] of the error and of the spread, for each field.
        let parts = self.fields.iter().map(|taught| {
            let known = taught.score.as_ref().expect("a detector is fitted or restored before it scores");
            let both = known.apply(&taught.error_and_spread(&images, self.grid()));
            [0, 1].map(|part| window::spread(&both.select(1, part), size))
        });
        let (errors, spreads): (Vec<Tensor>, Vec<Tensor>) = parts.map(|[error, spread]| (error, spread)).unzip();
        let mean = |maps: &[Tensor]| Tensor::stack(maps, 0).mean_dim([0i64].as_slice(), false, Kind::Float);
        let (error, spread) = (mean(&errors), mean(&spreads));
        let mut maps = vec![&error + &spread, error, spread];
        if self.fields.len() > 1 {
            maps.extend(errors.iter().zip(&spreads).map(|(error, spread)| error + spread));
        }
        Scored { maps, image: None }
    }
}

impl Detector for Us {
    fn estimate(&self, images: usize) -> FitEstimate {
        let maps = self.cfg.detector.outputs(&self.cfg).maps.len() as u64;
        let weights: usize = Learner::state(self).iter().map(|(_, t)| t.numel()).sum();
        let scales = 2 * (self.cfg.us.descriptor + 2) * self.fields.len();
        FitEstimate::of_training(&self.cfg, images, (weights + scales) as u64, maps * (self.cfg.data.size as u64).pow(2))
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.prepare(&source, sink)?;
        train::train(&Job { cfg: &self.cfg, seed: self.seed, device: self.device, learner: self, source: source.clone() }, start, sink)?;
        self.finish(&source, sink)
    }

    fn score(&self, images: &Tensor) -> Scored {
        Learner::score(self, images)
    }

    fn learner(&mut self, source: &Source) -> Result<Option<&dyn Learner>> {
        self.prepare(source, &mut Unheard)?;
        Ok(Some(self))
    }

    fn count(&self) -> Count {
        Count::of(&self.params)
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Learner::state(self);
        for taught in &self.fields {
            for (names, scale) in scales(taught.teacher.field).into_iter().zip([&taught.target, &taught.score]) {
                let tensors = scale.iter().flat_map(|scale| [&scale.mean, &scale.deviation]);
                state.extend(names.into_iter().zip(tensors.map(Tensor::shallow_clone)));
            }
        }
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.params.restore(get)?;
        let device = self.device;
        let find = |name: &str, numbers: i64| {
            get(name).filter(|t| t.size() == [numbers]).map(|t| t.to_device(device)).ok_or_else(|| {
                let remedy = format!("it belongs to another configuration or version; {}", harness::error::AGAIN);
                Error::environment(format!("the stored detector lacks `{name}`"), remedy)
            })
        };
        let scale = |[mean, deviation]: [String; 2], numbers| -> Result<Option<Scale>> {
            Ok(Some(Scale { mean: find(&mean, numbers)?, deviation: find(&deviation, numbers)? }))
        };
        for taught in &mut self.fields {
            let [target, score] = scales(taught.teacher.field);
            (taught.target, taught.score) = (scale(target, self.cfg.us.descriptor as i64)?, scale(score, 2)?);
        }
        Ok(())
    }
}

/// Listens to nothing.
struct Unheard;

impl Sink for Unheard {}
