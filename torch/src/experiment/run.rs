//! One run: found finished, resumed or started; trained, evaluated, drawn, closed.

use std::sync::Arc;

use harness::cli::run::Args;
use harness::config::Checkpoint;
use harness::data::{Shape, Source};
use harness::export;
use harness::run::{self, Ask, Attempt, Environment, Extent, Git, Opened, Summary, env};
use harness::ui::Progress;
use harness::{Result, error};

use super::quality::Score;
use super::recorder::{Recorder, Rule, unpack};
use super::result::Fitted;
use super::session::{Planned, Session};
use super::task::Task;
use super::{calibrate, holdout, result};
use crate::detector::{self, Parts};
use crate::train::{Length, Snapshot};
use crate::{boundary, device};

/// Carries one planned run out and returns its summary.
pub fn run(task: &Task, args: &Args) -> Result<Summary> {
    let Task { session, planned, mode, .. } = *task;
    let cfg = session.cfg();
    let environment = environment(session, planned)?;
    let config = cfg.to_toml();
    let argv: Vec<String> = std::env::args().collect();
    let folder = session.store.folder(&planned.id);
    let ask = Ask {
        category: &planned.category.name,
        config: &config,
        environment: &environment,
        argv: &argv,
        tags: &args.tag,
        note: args.note.as_deref(),
        sweep: args.sweep.as_deref(),
        repeat: args.repeat(),
        now: harness::run::now(),
    };
    match run::open_within(&folder, &planned.id, &ask, extent(session, planned))? {
        Opened::Finished(summary) => {
            Progress::new(mode, "run", 0).message(&format!("{} is finished already (--force repeats it)", planned.id));
            Ok(*summary)
        }
        Opened::Active { mut attempt, resumed } => {
            planned.warnings.iter().try_for_each(|warning| attempt.log(&format!("warning: {warning}")))?;
            attempt.follow(export::followers(&folder, &planned.id, &planned.category.name, cfg, harness::run::now))?;
            let start = resumed.map(|(at, bytes)| unpack(&at, &bytes, &folder.last_checkpoint())).transpose()?;
            let remedy = format!("a smaller train.batch ({}) or data.size ({}), or train.precision=bf16", cfg.train.batch, cfg.data.size);
            let outcome = boundary::guard("the run", &remedy, || work(task, &mut attempt, start));
            match outcome {
                Ok((summary, weights)) => {
                    attempt.finish(&weights, &summary)?;
                    Ok(summary)
                }
                Err(e) if e.kind == error::Kind::Stopped => Err(attempt.stop()),
                Err(e) => {
                    // What could not be noted, as on a full disk, must not hide what went wrong.
                    let noted = attempt.fail(&e);
                    let unnoted = noted.err().map_or(String::new(), |n| format!("\n  and that could not be noted: {}", n.what));
                    Err(harness::Error { what: e.what + &unnoted, ..e })
                }
            }
        }
    }
}

/// How far the run's training goes; `None` of a detector that is not trained, and where too few images will be told later.
fn extent(session: &Session, planned: &Planned) -> Option<Extent> {
    let cfg = session.cfg();
    let seed = planned.id.seed;
    let train = calibrate::fit(cfg, &planned.category.train, seed).and_then(|fit| holdout::images(cfg, fit, seed)).ok()?.0;
    let batches = Shape::new(train.len(), &cfg.data, &cfg.train).batches();
    let Length { epochs, steps } = Length::of(&cfg.train, batches);
    cfg.detector.method().trained.then_some(Extent { epochs: epochs as u64, batches: batches as u64, steps })
}

/// Fits and concludes: the summary and the bytes of the weights to keep.
fn work(task: &Task, attempt: &mut Attempt, start: Option<Snapshot>) -> Result<(Summary, Vec<u8>)> {
    let Task { session, planned, mode, .. } = *task;
    let cfg = session.cfg();
    let seed = planned.id.seed;
    let parts = Parts { cfg, seed, device: session.device, weights: session.weights.as_ref() };
    let mut detector = detector::build(&parts)?;
    let test = Source::of(planned.category.test.clone(), cfg, cfg.data.cache_mb / 2).checked(&planned.contents);

    notes(task, &test).iter().try_for_each(|note| attempt.note(note))?;

    let (train, out) = holdout::images(cfg, calibrate::fit(cfg, &planned.category.train, seed)?, seed)?;
    let rule = match cfg.train.checkpoint {
        Checkpoint::Last => Rule::Last,
        Checkpoint::BestPseudoVal => {
            let out = Source::of(out, cfg, 0).checked(&planned.contents).beside(session.textures.clone());
            Rule::Pseudo(holdout::Holdout::new(out, cfg, seed)?)
        }
        Checkpoint::BestTest => {
            let measure = |score: &Score| result::on_test(score, session, &test);
            Rule::Test(Box::new(measure))
        }
    };
    let source = Source::of(train, cfg, cfg.data.cache_mb).checked(&planned.contents);
    let source = Arc::new(source.beside(session.textures.clone()));
    let estimate = detector.estimate(source.len());
    let progress = Progress::new(mode, &format!("{} s{seed}", planned.category.name), estimate.steps);
    let mut recorder = Recorder::new(task, attempt, progress, estimate.epochs, rule);
    let resumes = start.as_ref().map(|at| at.position.epoch + 1);
    recorder.announce(&source, estimate, resumes);
    detector.fit(source.clone(), start, &mut recorder)?;
    recorder.finish();
    if source.saw_alpha() || test.saw_alpha() {
        attempt.log("images with an alpha channel were put on black")?;
    }
    let normal = calibrate::calibrate(task, attempt, detector.as_ref())?.map(|found| found.scores()).transpose()?;
    result::conclude(task, attempt, detector.as_ref(), &Fitted { test, normal })
}

/// What is odd about the data of a run, and shows nowhere else in its result.
fn notes(task: &Task, test: &Source) -> Vec<String> {
    let turned = task.planned.contents.turned;
    let of = task.planned.category.items().count();
    let notes = [
        (turned > 0).then(|| format!("{turned} files of {of} images were turned upright, as their orientation tags (EXIF) ask")),
        test.is_empty().then(|| "there are no test images: the run is fitted only, and has no metrics".to_owned()),
        (!test.is_masked()).then(|| "no defective image has a mask: there are no pixel metrics".to_owned()),
    ];
    notes.into_iter().flatten().collect()
}

fn environment(session: &Session, planned: &Planned) -> Result<Environment> {
    let (device, gpu) = device::describe(session.device);
    let given = env::Provenance {
        rustc: option_env!("HARNESS_RUSTC").map(str::to_owned),
        libtorch: Some(crate::LIBTORCH_VERSION.to_owned()),
        device,
        gpu,
        threads: session.cfg().run.threads,
        weights_hash: session.weights_hash.clone(),
        data_hash: planned.contents.hash.clone(),
        textures_hash: session.textures.as_ref().map(|textures| textures.hash().to_owned()),
        kernels: env::kernels(),
    };
    let here = std::env::current_dir().unwrap_or_else(|_| ".".into());
    Ok(Environment::capture(&here, option_env!("HARNESS_REVISION").map(Git::described), given))
}
