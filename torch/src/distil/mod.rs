//! `harness weights distil`: makes the files of teachers, once. A lesson that was stopped goes on when the same command is repeated.

pub mod lesson;
pub mod loss;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::cli::distil::{Distil, Us};
use harness::cli::weights::print_teaching;
use harness::config::Teaching;
use harness::data::photographs::Photographs;
use harness::run::Stop;
use harness::ui::{Mode, Output, Progress, StepInfo, Verbosity};
use harness::weights::{File, Teacher, write_teacher};
use harness::{Error, Result, file};
use tch::Tensor;

use crate::detector::us::network::{Field, Size};
use crate::train::Due;
use crate::{boundary, device, tensors};
use lesson::{Lesson, Made, Plan, Pupil};

/// Longest time between two times that a lesson is kept.
const KEEP_EVERY: Duration = Duration::from_secs(60);

/// Carries out `harness weights distil`.
///
/// # Errors
/// Arguments, images, backbone or device that do not fit; `Kind::Stopped` on Ctrl-C.
pub fn run(distil: &Distil, verbosity: Verbosity) -> Result<()> {
    let Distil::Us(args) = distil;
    args.check()?;
    let backbone = File::open(&args.backbone)?;
    backbone.check_values()?;
    if !backbone.meta.architecture.is_residual() {
        return Err(Error::config(
            format!("--backbone {}: a teacher learns from the third stage of a residual network", args.backbone.display()),
            "use a residual network such as weights/resnet50.safetensors",
        ));
    }
    let photographs = Arc::new(Photographs::open(&args.images)?);
    let on = device::resolve(&args.device)?;
    device::prepare(on);
    tch::set_num_threads(args.threads as i32);
    let mut teaching = teaching(args, &backbone, &photographs);
    let mut progress = Progress::new(Mode::detect(verbosity, Output::People), "distil", args.steps);
    progress.message(&format!("{} images ({}) · {}", photographs.len(), teaching.images, device::name(on)));
    let part = args.part(&teaching, device::kind(on));
    let mut class = Class { progress, part: part.clone(), stop: Stop::install()?, kept: Instant::now(), batch: args.batch as u64 };
    boundary::guard("the lesson", "a smaller --batch", || {
        let mut lesson = Lesson::new(plan(args), &backbone, photographs.clone(), on)?;
        if part.exists() {
            let bytes = std::fs::read(&part).map_err(|e| Error::io("read", &part, &e))?;
            let kept = tensors::from_bytes(&bytes, &part)?;
            lesson.resume(&|name| tensors::find(&kept, name))?;
            class.progress.message(&format!("going on from step {}", lesson.step()));
        }
        lesson.run(&mut class)?;
        teaching.unexplained = lesson.unexplained()?;
        write_teacher(&args.out, &teaching, &lesson.tensors())
    })?;
    class.progress.finish();
    if part.exists() {
        std::fs::remove_file(&part).map_err(|e| Error::io("remove", &part, &e))?;
    }
    print_teaching(&Teacher::open(&args.out)?);
    Ok(())
}

fn plan(args: &Us) -> Plan {
    Plan {
        field: Field::of(args.p),
        size: Size { width: args.width, descriptor: args.descriptor as i64 },
        steps: args.steps,
        batch: args.batch,
        lr: args.lr,
        compact: args.compact,
        seed: args.seed,
    }
}

fn teaching(args: &Us, backbone: &File, photographs: &Photographs) -> Teaching {
    Teaching {
        backbone: backbone.meta.architecture,
        backbone_hash: backbone.content_hash().to_owned(),
        images: args.name.clone().unwrap_or_else(|| photographs.name().to_owned()),
        images_hash: photographs.hash().to_owned(),
        image_count: photographs.len(),
        field: args.p,
        width: args.width,
        descriptor: args.descriptor,
        steps: args.steps,
        seed: args.seed,
        batch: args.batch,
        lr: args.lr,
        compact: args.compact,
        unexplained: 1.0,
    }
}

/// Shows and keeps a lesson.
struct Class {
    progress: Progress,
    part: PathBuf,
    stop: Stop,
    /// When it was kept last.
    kept: Instant,
    batch: u64,
}

impl Pupil for Class {
    fn made(&mut self, made: &Made) -> Due {
        let losses = [("unexplained", made.unexplained), ("compactness", made.compactness)];
        self.progress.step(&StepInfo { epoch: 0, epochs: 0, step: made.step, losses: &losses, images: self.batch });
        if let Some(held) = made.held {
            self.progress.message(&format!("step {}: {held:.4} of the variance is unexplained on held-back patches", made.step));
        }
        match (self.stop.requested(), self.kept.elapsed() >= KEEP_EVERY) {
            (true, _) => Due::Stop,
            (false, true) => Due::Checkpoint,
            (false, false) => Due::Nothing,
        }
    }

    fn keep(&mut self, kept: &[(String, Tensor)]) -> Result<()> {
        self.kept = Instant::now();
        file::replace(&self.part, &tensors::to_bytes(kept)?)
    }
}
