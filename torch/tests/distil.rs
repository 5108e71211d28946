//! `weights distil`: losses against their definitions, and whole lessons with a tiny backbone: the same bits in one piece and in two.

use std::path::Path;
use std::sync::Arc;

use harness::Result;
use harness::config::{BackboneName, Compact};
use harness::data::photographs::Photographs;
use harness::image::{Rgb, codec::write_png};
use harness::seed::stream;
use harness::weights::network::{self, Extent};
use harness::weights::{self, File, Meta, Precision, Tensors};
use harness_torch::detector::us::network::{Field, Size};
use harness_torch::distil::lesson::{Lesson, Made, Plan, Pupil};
use harness_torch::distil::loss::{compactness, knowledge};
use harness_torch::tensors;
use harness_torch::train::Due;
use rand::RngExt;
use tch::{Device, Kind, Tensor};

const PLAN: Plan = Plan {
    field: Field::Px17,
    size: Size { width: 0.1, descriptor: 12 },
    steps: 6,
    batch: 4,
    lr: 1e-3,
    compact: Compact::Samples,
    seed: 5,
};

fn noise(shape: &[i64], seed: u64) -> Tensor {
    let mut draws = stream(seed, "test", 0, 0);
    let values: Vec<f32> = (0..shape.iter().product::<i64>()).map(|_| draws.random_range(-1.0..1.0f32)).collect();
    Tensor::from_slice(&values).reshape(shape)
}

/// A random ResNet-18 as a file, and some pictures.
struct Fixture {
    _dir: tempfile::TempDir,
    backbone: File,
    photographs: Arc<Photographs>,
}

impl Fixture {
    fn new() -> Self {
        tch::set_num_threads(1);
        let dir = tempfile::tempdir().unwrap();
        for i in 0..3 {
            let mut draws = stream(i, "picture", 0, 0);
            let pixel = |k: u64| [40 + 60 * i, k % 80 * 2 + draws.random_range(0..30u64), 200 - k / 80 * 3].map(|value| value as u8);
            let data = (0..80 * 60).flat_map(pixel).collect();
            write_png(&dir.path().join(format!("photos/{i}.png")), &Rgb::from_vec(80, 60, data)).unwrap();
        }
        Self {
            backbone: backbone(&dir.path().join("backbone.safetensors")),
            photographs: Arc::new(Photographs::open(&[dir.path().join("photos")]).unwrap()),
            _dir: dir,
        }
    }

    fn lesson(&self, plan: Plan) -> Lesson {
        Lesson::new(plan, &self.backbone, self.photographs.clone(), Device::Cpu).unwrap()
    }
}

fn backbone(path: &Path) -> File {
    let value = |name: &str, shape: &[usize]| {
        let fan_in = shape[1..].iter().product::<usize>().max(1) as f32;
        let mut draws = stream(0, name, 0, 0);
        let bound = (3.0 / fan_in).sqrt();
        let draw = |_| if shape.len() == 1 { draws.random_range(0.5..1.0f32) } else { draws.random_range(-bound..bound) };
        weights::Tensor { shape: shape.to_vec(), data: (0..shape.iter().product()).map(draw).collect() }
    };
    let tensors: Tensors =
        network::tensors(BackboneName::Resnet18, Extent::Stages).iter().map(|(name, shape)| (name.clone(), value(name, shape))).collect();
    weights::write(path, &Meta::published(BackboneName::Resnet18, "a test"), &tensors, Precision::F32).unwrap();
    File::open(path).unwrap()
}

/// Notes each step, and stops behind one.
#[derive(Default)]
struct Listener {
    stop_at: Option<u64>,
    steps: Vec<(u64, f64, f64)>,
    held: Vec<f64>,
    kept: Vec<(String, Tensor)>,
}

impl Pupil for Listener {
    fn made(&mut self, made: &Made) -> Due {
        self.steps.push((made.step, made.unexplained, made.compactness));
        self.held.extend(made.held);
        if self.stop_at == Some(made.step) { Due::Stop } else { Due::Nothing }
    }

    fn keep(&mut self, kept: &[(String, Tensor)]) -> Result<()> {
        self.kept = tensors::from_bytes(&tensors::to_bytes(kept)?, Path::new("part"))?;
        Ok(())
    }
}

#[test]
fn a_lesson_in_two_pieces_ends_in_the_bits_of_one_and_the_seed_moves_it() {
    let fixture = Fixture::new();
    let whole = |plan| {
        let (mut lesson, mut listener) = (fixture.lesson(plan), Listener::default());
        lesson.run(&mut listener).unwrap();
        (lesson.tensors(), listener)
    };
    let (tensors, listener) = whole(PLAN);
    assert_eq!(listener.steps.len(), 6);
    assert_eq!(listener.held.len(), 1, "the last step is always looked at");
    for stop_at in [1, 4] {
        let (mut first, mut stopped) = (fixture.lesson(PLAN), Listener { stop_at: Some(stop_at), ..Listener::default() });
        assert_eq!(first.run(&mut stopped).unwrap_err().exit_code(), 75);
        let (mut second, mut resumed) = (fixture.lesson(PLAN), Listener::default());
        second.resume(&|name| tensors::find(&stopped.kept, name)).unwrap();
        assert_eq!(second.step(), stop_at);
        second.run(&mut resumed).unwrap();
        assert!(second.tensors() == tensors, "after step {stop_at}");
        assert_eq!([stopped.steps, resumed.steps].concat(), listener.steps);
        assert_eq!(resumed.held, listener.held);
    }
    assert!(whole(Plan { seed: 6, ..PLAN }).0 != tensors);
}

#[test]
fn a_lesson_explains_more_of_the_features_than_none() {
    let fixture = Fixture::new();
    let mut lesson = fixture.lesson(Plan { steps: 60, batch: 16, lr: 5e-3, ..PLAN });
    let before = lesson.unexplained().unwrap();
    lesson.run(&mut Listener::default()).unwrap();
    let after = lesson.unexplained().unwrap();
    assert!(before > 0.9 && after < 0.95 * before, "{before} {after}");
    assert!(lesson.tensors().keys().all(|name| name.starts_with("conv")), "the decoder ends with the lesson");
}

#[test]
fn losses_are_those_of_their_formulas() {
    let (x, y) = (noise(&[5, 7], 1), noise(&[5, 7], 2));
    let at = |t: &Tensor, i: i64, j: i64| t.double_value(&[i, j]);
    let slow: f64 = (0..5).map(|i| (0..7).map(|j| (at(&x, i, j) - at(&y, i, j)).powi(2)).sum::<f64>()).sum::<f64>() / 5.0;
    assert!((knowledge(&x, &y).double_value(&[]) - slow).abs() < 1e-6);
    let correlation = |a: &[f64], b: &[f64]| {
        let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
        let (p, q) = (mean(a), mean(b));
        let product = |f: &dyn Fn(f64, f64) -> f64| a.iter().zip(b).map(|(&a, &b)| f(a - p, b - q)).sum::<f64>();
        product(&|a, b| a * b) / (product(&|a, _| a * a) * product(&|_, b| b * b)).sqrt()
    };
    let pairs = |rows: Vec<Vec<f64>>| {
        let all = (0..rows.len()).flat_map(|i| (i + 1..rows.len()).map(move |j| (i, j)));
        all.map(|(i, j)| correlation(&rows[i], &rows[j]).powi(2)).sum::<f64>()
    };
    let rows = |t: &Tensor| (0..t.size()[0]).map(|i| Vec::try_from(t.get(i).to_kind(Kind::Double).contiguous()).unwrap()).collect();
    for (compact, slow) in [(Compact::Samples, pairs(rows(&x))), (Compact::Dims, pairs(rows(&x.tr()))), (Compact::None, 0.0)] {
        assert!((compactness(&x, compact).double_value(&[]) - slow).abs() < 1e-5, "{compact:?}");
    }
}

#[test]
fn descriptions_without_variance_have_finite_gradients() {
    for compact in [Compact::Samples, Compact::Dims] {
        let x = Tensor::full([4, 6], 0.5, (Kind::Float, Device::Cpu)).set_requires_grad(true);
        compactness(&x, compact).backward();
        assert_eq!(x.grad().isfinite().all().int64_value(&[]), 1, "{compact:?}");
    }
}
