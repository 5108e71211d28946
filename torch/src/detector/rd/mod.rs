//! Reverse distillation (Deng & Li 2022): a frozen backbone is the teacher; a decoder is trained to give its three maps of normal
//! images back from one small embedding of them. Where an image is not normal it cannot, and the distance between both is the score.
//!
//! Only what lies between the teacher's maps and the decoder's is trained. Memory while training, beside the network's: the teacher's
//! maps of the training images as far as `rd.cache_mb` goes, 28 S^2 numbers an image of S px with bottlenecks and 7 S^2 with basic
//! blocks.

pub mod block;
pub mod distance;
pub mod student;
pub mod teacher;

pub use student::{Levels, Student};
pub use teacher::Teacher;

use std::sync::Arc;

use harness::Result;
use harness::config::{Config, check_rd_batch};
use harness::data::{Source, Views};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Tensor};

use super::contract::{Count, Detector, FitEstimate, Parts};
use crate::nn::Mode;
use crate::optim::Trained;
use crate::train::{self, Fed, Job, Learner, Scored, Sink, Snapshot, Terms};

pub struct Rd {
    cfg: Config,
    seed: u64,
    device: Device,
    teacher: Teacher,
    student: Student,
}

impl Rd {
    pub fn new(parts: &Parts) -> Result<Self> {
        let teacher = Teacher::new(parts)?;
        let student = Student::new(parts.cfg, parts.seed, parts.device)?;
        Ok(Self { cfg: parts.cfg.clone(), seed: parts.seed, device: parts.device, teacher, student })
    }
}

impl Learner for Rd {
    fn trained(&self) -> Vec<Trained> {
        self.student.params().trained()
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        self.student.params().state()
    }

    fn restore(&self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.student.params().restore(get)
    }

    fn views(&self) -> Views {
        Views::Plain
    }

    fn loss(&self, fed: &Fed, _: &mut ChaCha8Rng) -> Result<Terms> {
        let teacher = self.teacher.of_batch(fed);
        let student = self.student.forward(&teacher, Mode::Train);
        Ok(distance::loss(&teacher, &student, self.cfg.rd.loss))
    }

    fn check_batch(&self, images: usize) -> Result<()> {
        check_rd_batch(&self.cfg, images)
    }

    fn score(&self, images: &Tensor) -> Scored {
        let _guard = tch::no_grad_guard();
        let teacher = self.teacher.of_images(images);
        let student = self.student.forward(&teacher, Mode::Eval);
        let map = distance::map(&teacher, &student, self.cfg.rd.map, images.size()[2]);
        Scored { maps: vec![map], image: None }
    }
}

impl Detector for Rd {
    fn estimate(&self, images: usize) -> FitEstimate {
        let numbers = Learner::state(self).iter().map(|(_, t)| t.numel() as u64).sum();
        FitEstimate::of_training(&self.cfg, images, numbers, (self.cfg.data.size as u64).pow(2))
    }

    fn fit(&mut self, source: Arc<Source>, start: Option<Snapshot>, sink: &mut dyn Sink) -> Result<()> {
        self.teacher.prepare(&source)?;
        train::train(&Job { cfg: &self.cfg, seed: self.seed, device: self.device, learner: self, source }, start, sink)?;
        self.teacher.forget();
        Ok(())
    }

    fn score(&self, images: &Tensor) -> Scored {
        Learner::score(self, images)
    }

    fn learner(&mut self, source: &Source) -> Result<Option<&dyn Learner>> {
        self.teacher.prepare(source)?;
        Ok(Some(self))
    }

    fn count(&self) -> Count {
        let trained = self.student.params().weight_count() as u64;
        Count { parameters: self.teacher.count().parameters + trained, trained }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let mut state = Learner::state(self);
        state.extend(self.teacher.state());
        state
    }

    fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<()> {
        self.teacher.restore(get);
        self.student.params().restore(get)
    }
}
