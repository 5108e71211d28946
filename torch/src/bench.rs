//! `harness bench`: how fast this machine trains, feeds and scores with a configuration.

use std::sync::Arc;
use std::time::{Duration, Instant};

use harness::cli::bench::{Args, Part};
use harness::data::{self, Batch, Category, Loader, Shape, Source, Views};
use harness::num::quantile;
use harness::place::in_project;
use harness::ui::text;
use harness::{Error, Result, console, eval, sayln, seed, showln};
use serde::Serialize;

use crate::detector::{self, Parts};
use crate::eval::ImageScored;
use crate::experiment::Session;
use crate::optim::Optimizer;
use crate::train::{self, Job, Sink};
use crate::{LIBTORCH_VERSION, boundary, device, input};

/// Steps, batches and images before the clock runs.
const WARM_UP: usize = 3;
/// Different batches that the steps go round.
const BATCHES: usize = 4;

/// All figures of one command, as `--json` prints them.
#[derive(Debug, Serialize)]
struct Figures {
    format: u32,
    harness: &'static str,
    libtorch: &'static str,
    device: String,
    threads: usize,
    size: usize,
    batch: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<Rate>,
    /// Each image decoded again.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Rate>,
    /// Resized images from memory, as from the second epoch on.
    #[serde(skip_serializing_if = "Option::is_none")]
    data_cached: Option<Rate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inference: Option<Latency>,
    /// The most memory that the process has held, beginning with its libraries; none where the system does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_bytes: Option<u64>,
}

/// Images a second.
#[derive(Debug, Serialize)]
struct Rate {
    /// The median of `samples`, or the rate of the whole time where threads deliver in bursts.
    images_per_s: f64,
    /// One a step or batch.
    samples: Vec<f64>,
}

/// Milliseconds an image.
#[derive(Debug, Serialize)]
struct Latency {
    p50_ms: f64,
    p95_ms: f64,
    p99_ms: f64,
    images: usize,
    /// One an image.
    samples: Vec<f64>,
}

/// Carries out `harness bench`.
///
/// # Errors
/// What `harness run` refuses; a time that is not positive; a step where the detector has none.
pub fn run(args: &Args) -> Result<()> {
    if !(args.seconds > 0.0 && args.seconds.is_finite()) {
        return Err(Error::config(format!("--seconds {}: not a time", args.seconds), "give seconds above 0"));
    }
    let session = Session::with_data(args.resolve()?, &in_project("results"))?;
    if !args.json {
        session.announcement().iter().for_each(|line| sayln!("{line}"));
    }
    let figures = boundary::guard("the measurement", "a smaller train.batch or data.size", || measure(&session, args))?;
    if args.json {
        console::raw(&(serde_json::to_string(&figures).expect("figures are plain data") + "\n"));
    } else {
        print(&figures);
    }
    Ok(())
}

fn measure(session: &Session, args: &Args) -> Result<Figures> {
    let cfg = session.cfg();
    let category = session.category(&session.categories[0])?;
    let time = Duration::from_secs_f64(args.seconds);
    let mut figures = Figures {
        format: 1,
        harness: env!("CARGO_PKG_VERSION"),
        libtorch: LIBTORCH_VERSION,
        device: device::name(session.device),
        threads: cfg.run.threads,
        size: cfg.data.size,
        batch: cfg.train.batch,
        step: None,
        data: None,
        data_cached: None,
        inference: None,
        peak_bytes: None,
    };
    for part in args.parts() {
        match part {
            Part::Step | Part::Data if !cfg.detector.method().trained => {
                let what = "a detector that looks at each image once has no training step and no pseudo anomalies";
                if !args.only.is_empty() {
                    return Err(Error::config(what, "--only inference"));
                }
            }
            Part::Step => figures.step = Some(step(session, &category, time)?),
            Part::Data => {
                figures.data = Some(feed(session, &category, 0, time)?);
                figures.data_cached = Some(feed(session, &category, cfg.data.cache_mb, time)?);
            }
            Part::Inference => figures.inference = Some(inference(session, &category, time)?),
        }
    }
    figures.peak_bytes = peak_bytes();
    Ok(figures)
}

fn print(figures: &Figures) {
    let rate = |name: &str, rate: &Option<Rate>, what: &str| {
        if let Some(rate) = rate {
            showln!("{name:<15} {:>8.1} images/s   {what}", rate.images_per_s);
        }
    };
    rate("training step", &figures.step, "forward, losses, backward, update");
    rate("data, from disk", &figures.data, "decode, resize, pseudo anomalies if any, normalise");
    rate("data, cached", &figures.data_cached, "pseudo anomalies if any, normalise");
    if let Some(Latency { p50_ms, p95_ms, p99_ms, images, .. }) = &figures.inference {
        showln!("inference       {p50_ms:>8.1} ms an image   p95 {p95_ms:.1}, p99 {p99_ms:.1} of {images}; file to score");
    }
    if let Some(bytes) = figures.peak_bytes {
        showln!("memory          {:>8} at most, of the whole process", text::bytes(bytes));
    }
}

/// What Linux calls the high-water mark of the process's resident memory.
fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kib = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?;
    kib.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// The value below which a share `q` of the samples lies, of which there are some.
fn at(samples: &[f64], q: f64) -> f64 {
    quantile(samples, q).expect("three samples at least")
}

/// Calls `once` until `time` is over, after warming up and at least three times; `each` has what it gave and the seconds it took.
fn repeat<T>(time: Duration, mut once: impl FnMut() -> Result<T>, mut each: impl FnMut(T, f64)) -> Result<()> {
    for _ in 0..WARM_UP {
        once()?;
    }
    let (start, mut count) = (Instant::now(), 0);
    while count < 3 || start.elapsed() < time {
        let begin = Instant::now();
        let given = once()?;
        each(given, begin.elapsed().as_secs_f64());
        count += 1;
    }
    Ok(())
}

/// The rate of calls of `once`, which says how many images it dealt with.
fn rate(time: Duration, once: impl FnMut() -> Result<usize>) -> Result<Rate> {
    let mut samples = vec![];
    repeat(time, once, |images, seconds| samples.push(images as f64 / seconds))?;
    Ok(Rate { images_per_s: at(&samples, 0.5), samples })
}

fn parts(session: &Session) -> Parts<'_> {
    Parts { cfg: session.cfg(), seed: 0, device: session.device, weights: session.weights.as_ref() }
}

/// The training images, of which `cache_mb` MiB stay decoded.
fn source(session: &Session, category: &Category, cache_mb: usize) -> Arc<Source> {
    Arc::new(Source::of(category.train.clone(), session.cfg(), cache_mb).beside(session.textures.clone()))
}

/// Batches of one epoch after the other, without end.
fn batches(session: &Session, source: &Arc<Source>, views: Views) -> impl Iterator<Item = Result<Batch>> {
    let (cfg, source) = (session.cfg().clone(), source.clone());
    let shape = Shape::new(source.len(), &cfg.data, &cfg.train);
    (0..).flat_map(move |epoch| {
        let here = data::Epoch { shape, seed: 0, epoch, first_batch: 0 };
        let mut loader = Loader::start(source.clone(), here, views, &cfg.data, &cfg.pseudo);
        std::iter::from_fn(move || loader.next())
    })
}

/// Training steps over a few batches that are in memory. Reading the losses ends a sample: each step on a CPU, every tenth on a
/// GPU, as in training.
fn step(session: &Session, category: &Category, time: Duration) -> Result<Rate> {
    let cfg = session.cfg();
    let source = source(session, category, cfg.data.cache_mb);
    let mut detector = detector::build(&parts(session))?;
    let learner = detector.learner(&source)?.expect("a trained detector has a learner");
    let batches = batches(session, &source, learner.views()).take(BATCHES).collect::<Result<Vec<_>>>()?;
    let job = Job { cfg, seed: 0, device: session.device, learner, source };
    let mut optimizer = Optimizer::new(&cfg.optim, learner.trained());
    let mut draws = seed::stream(job.seed, "bench", 0, 0);
    let mut next = batches.iter().cycle();
    let steps = if session.device.is_cuda() { train::REPORT_EVERY_ON_GPU } else { 1 };
    rate(time, || {
        let (mut images, mut last) = (0, None);
        for batch in next.by_ref().take(steps as usize) {
            images += batch.len();
            last = Some(train::step(&job, job.feed(batch), &mut optimizer, cfg.optim.lr, &mut draws)?.1);
        }
        std::hint::black_box(last.expect("a step at least").double_value(&[0]));
        Ok(images)
    })
}

/// Batches as the network takes them, with `cache_mb` MiB for decoded images.
fn feed(session: &Session, category: &Category, cache_mb: usize, time: Duration) -> Result<Rate> {
    let source = source(session, category, cache_mb);
    let mut detector = detector::build(&parts(session))?;
    let learner = detector.learner(&source)?.expect("a trained detector has a learner");
    let job = Job { cfg: session.cfg(), seed: 0, device: session.device, learner, source: source.clone() };
    if cache_mb > 0 {
        (0..source.len()).try_for_each(|index| source.get(index).map(drop))?;
    }
    let mut batches = batches(session, &source, job.learner.views());
    let once = || {
        let batch = batches.next().expect("epochs never end")?;
        std::hint::black_box(job.feed(&batch));
        Ok(batch.len())
    };
    let (mut images, mut whole, mut samples) = (0, 0.0, vec![]);
    repeat(time, once, |count, seconds| {
        images += count;
        whole += seconds;
        samples.push(count as f64 / seconds);
    })?;
    Ok(Rate { images_per_s: images as f64 / whole, samples })
}

/// Test images one by one: file, network, map at the image's own size, score.
fn inference(session: &Session, category: &Category, time: Duration) -> Result<Latency> {
    // Untrained, but ready to score: how fast it is does not depend on what it learned.
    let mut cfg = session.cfg().clone();
    (cfg.train.epochs, cfg.train.steps) = (0, 0);
    let mut detector = detector::build(&Parts { cfg: &cfg, ..parts(session) })?;
    detector.fit(source(session, category, 0), None, &mut Silence)?;
    let test = Source::of(category.test.clone(), &cfg, 0);
    let mut index = (0..test.len()).cycle();
    let once = || {
        let index = index.next().expect("a category has test images");
        let image = test.get(index)?;
        let scored = detector.score(&input::unit(&image.data, 1, test.size(), session.device));
        let (width, height) = eval::size(&test, index, &cfg.eval)?;
        Ok(eval::scored(&ImageScored::of(&scored, 0).headline(), width, height, &cfg.eval)?.1)
    };
    let mut samples = vec![];
    repeat(time, once, |_score, seconds| samples.push(1e3 * seconds))?;
    let at = |q| at(&samples, q);
    Ok(Latency { p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99), images: samples.len(), samples })
}

/// Listens to nothing.
struct Silence;

impl Sink for Silence {}
