//! Patch SVDD: network and losses against torch's own figures (tests/oracle/psvdd.py), whole images against their patches one by
//! one, draws and spreading against their definitions, and the whole detector on procedural images.

use std::sync::Arc;

use harness::Result;
use harness::config::{Config, Resize};
use harness::data::{self, Source, builtin};
use harness::metric::{Accumulator, Keyed, Sample};
use harness::seed::stream;
use harness::testing::root;
use harness_torch::detector::psvdd::draw::{self, DIRECTIONS};
use harness_torch::detector::psvdd::memory::{Normal, deviation};
use harness_torch::detector::psvdd::network::{Network, Patch};
use harness_torch::detector::psvdd::spread::{shares, spread};
use harness_torch::detector::psvdd::{loss, mean_image};
use harness_torch::detector::{Detector, Parts, Psvdd};
use harness_torch::eval::to_map;
use harness_torch::input;
use harness_torch::nn::first::normal;
use harness_torch::train::{Fed, Learner, Quantity, Sink};
use proptest::prelude::*;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{noise, one_thread, rows, squared, values};

/// At 64 px; further keys as words.
fn config(words: &[&str]) -> Config {
    let own = ["detector=psvdd", "data.size=64", "data.repeat=1", "train.batch=3", "train.steps=2", "optim.kind=adam"];
    let words: Vec<String> = own.iter().chain(words).map(|word| (*word).to_owned()).collect();
    Config::default().with(&words).unwrap()
}

fn build(cfg: &Config) -> Psvdd {
    Psvdd::new(&Parts { cfg, seed: 3, device: Device::Cpu, weights: None }).unwrap()
}

/// Notes what it is told.
#[derive(Default)]
struct Listener(Vec<String>);

impl Sink for Listener {
    fn note(&mut self, text: &str) -> Result<()> {
        self.0.push(text.into());
        Ok(())
    }
}

struct Fixture {
    _dir: tempfile::TempDir,
    category: data::Category,
    size: usize,
}

impl Fixture {
    fn new(size: usize) -> Self {
        one_thread();
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(dir.path(), &["gear"], 6, 3, 1, size).unwrap();
        let category = data::category(dir.path(), "gear").unwrap();
        Self { _dir: dir, category, size }
    }

    fn train(&self) -> Arc<Source> {
        Arc::new(Source::new(self.category.train.clone(), self.size, Resize::Bilinear, 64))
    }

    fn test(&self) -> Source {
        Source::new(self.category.test.clone(), self.size, Resize::Bilinear, 64)
    }

    /// Fitted, with what was noted.
    fn fitted(&self, cfg: &Config) -> (Psvdd, Vec<String>) {
        let (mut made, mut listener) = (build(cfg), Listener::default());
        made.fit(self.train(), None, &mut listener).unwrap();
        (made, listener.0)
    }
}

fn golden(patch: Patch) -> Value {
    let all: Value = serde_json::from_str(&std::fs::read_to_string(root().join("tests/golden/psvdd.json")).unwrap()).unwrap();
    all[patch.side().to_string()].clone()
}

/// The oracle's sines.
fn wave(name: &str, shape: &[i64], scale: f64) -> Tensor {
    let phase = 0.11 * (name.bytes().map(u64::from).sum::<u64>() % 97) as f64;
    let value = |i: i64| (scale * ((i * i) as f64 * 0.37 + phase).sin()) as f32;
    Tensor::from_slice(&(1..=shape.iter().product()).map(value).collect::<Vec<f32>>()).reshape(shape)
}

/// A network with the oracle's parameters.
fn waved() -> Network {
    let network = Network::new(&config(&[]), 0, Device::Cpu).unwrap();
    for param in network.params().iter() {
        let shape = param.tensor.size();
        let scale = if shape.len() > 1 { f64::from((3.0 / shape[1..].iter().product::<i64>() as f64).sqrt() as f32) } else { 0.1 };
        tch::no_grad(|| param.tensor.shallow_clone().copy_(&wave(&param.name, &shape, scale)));
    }
    network
}

fn near(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found} against {expected}");
}

#[test]
fn descriptions_losses_and_gradients_are_torchs() {
    one_thread();
    for patch in Patch::ALL {
        let (network, golden, k) = (waved(), golden(patch), patch.side());
        let described = network.patches(patch, &wave(&format!("patches{k}"), &[6, 3, k, k], 0.5));
        for (row, expected) in [0, 3].into_iter().zip(golden["described"].as_array().unwrap()) {
            for (place, expected) in (0..8).zip(expected.as_array().unwrap()) {
                near(described.double_value(&[row, place]), expected, 1e-5, "description");
            }
        }
        let logits = network.directions(patch, &described.narrow(0, 0, 3), &described.narrow(0, 3, 3));
        for (place, expected) in (0..8).zip(golden["logits"].as_array().unwrap()) {
            near(logits.double_value(&[0, place]), expected, 1e-5, "logit");
        }
        let position = loss::position(&network, patch, &described, &Tensor::from_slice(&[3i64, 0, 7]));
        let svdd = loss::svdd(&described);
        near(position.double_value(&[]), &golden["position"], 1e-5, "position");
        near(svdd.double_value(&[]), &golden["svdd"], 1e-5, "svdd");
        let (names, tensors): (Vec<_>, Vec<_>) =
            network.params().trained_weights().map(|p| (p.name.clone(), p.tensor.shallow_clone())).unzip();
        let gradients = Tensor::run_backward(&[position + svdd * 0.5], &tensors, false, false);
        let reached = names.iter().zip(&gradients).filter(|(_, gradient)| gradient.defined());
        let expected = golden["gradients"].as_object().unwrap();
        assert_eq!(reached.clone().count(), expected.len());
        for (name, gradient) in reached {
            near(gradient.norm().double_value(&[]), &expected[name], 1e-4, name);
        }
    }
}

#[test]
fn the_networks_have_the_published_sizes() {
    let made = build(&config(&[]));
    let params = made.network().params();
    let of = |prefix: &str| params.iter().filter(|p| p.name.starts_with(prefix)).map(|p| p.tensor.numel()).sum::<usize>();
    assert_eq!(["k32", "k64", "position32", "position64"].map(of), [360_832, 41_152, 25_864, 25_864]);
    let count = made.count();
    assert_eq!((count.parameters, count.trained), (453_712, 453_712 - 2 * 8 * 128));
}

#[test]
fn an_image_as_a_whole_gives_the_descriptions_of_its_patches_one_by_one() {
    one_thread();
    for (network, size) in [(waved(), 64), (waved(), 96), (Network::new(&config(&[]), 5, Device::Cpu).unwrap(), 128)] {
        let images = noise(&[2, 3, size, size], 1) * 0.1;
        let whole = tch::no_grad(|| network.images(&images));
        for (patch, whole) in Patch::ALL.into_iter().zip(whole) {
            let (k, grid) = (patch.side(), patch.grid(size));
            assert_eq!(whole.size(), [2, 64, grid, grid]);
            let cells = (0..grid).flat_map(|row| (0..grid).map(move |column| (row, column)));
            let cut = |(row, column): (i64, i64)| images.narrow(2, row * patch.stride(), k).narrow(3, column * patch.stride(), k);
            let alone = tch::no_grad(|| network.patches(patch, &Tensor::cat(&cells.map(cut).collect::<Vec<_>>(), 0)));
            let alone = alone.view([grid, grid, 2, 64]).permute([2, 3, 0, 1]);
            let off = (&whole - alone).abs().max().double_value(&[]);
            assert!(off < 1e-6, "{patch:?} at {size} px: {off}");
        }
    }
}

#[test]
fn the_last_weight_of_a_classifier_never_learns_and_its_bias_does() {
    let fixture = Fixture::new(64);
    let cfg = config(&["optim.lr=0.01"]);
    let (before, (after, _)) = (build(&cfg), fixture.fitted(&cfg));
    for k in [32, 64] {
        let get = |made: &Psvdd, part: &str| made.network().params().get(&format!("position{k}.fc3.{part}")).unwrap().copy();
        let weight = get(&after, "weight");
        assert!(!weight.requires_grad() && weight.equal(&get(&before, "weight")));
        assert!(!get(&after, "bias").equal(&get(&before, "bias")));
        assert!(Learner::trained(&after).iter().all(|trained| trained.name != format!("position{k}.fc3.weight")));
    }
}

#[test]
fn a_pair_that_is_one_patch_has_no_distance_and_a_finite_gradient() {
    one_thread();
    let network = waved();
    let patch = wave("one", &[1, 3, 32, 32], 0.5);
    let svdd = loss::svdd(&network.patches(Patch::Px32, &Tensor::cat(&[&patch, &patch], 0)));
    assert_eq!(svdd.double_value(&[]), 0.0);
    let weight = network.params().get("k32.conv1.weight").unwrap();
    let gradient = Tensor::run_backward(&[svdd], &[weight], false, false).remove(0);
    assert_eq!(gradient.abs().max().double_value(&[]), 0.0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pairs_lie_in_the_image_and_where_they_were_drawn(size in 64..300i64, large: bool, seed: u64) {
        let patch = if large { Patch::Px64 } else { Patch::Px32 };
        let (k, mut draws) = (patch.side(), stream(seed, "test", 0, 0));
        let inside = |corner: [i64; 2]| corner.iter().all(|at| (0..=size - k).contains(at));
        for _ in 0..32 {
            let offset = draw::jitter(patch, &mut draws);
            prop_assert!(offset != [0, 0] && offset.iter().all(|o| o.abs() <= k / 32), "{offset:?}");

            let near = draw::neighbours(size, patch, &mut draws);
            prop_assert!(inside(near.first) && inside(near.second), "{near:?}");
            prop_assert!((0..2).all(|axis| (near.second[axis] - near.first[axis]).abs() <= k / 32), "{near:?}");

            let far = draw::beside(size, patch, &mut draws);
            prop_assert!(inside(far.first) && inside(far.second), "{far:?}");
            for (axis, sign) in DIRECTIONS[far.direction as usize].into_iter().enumerate() {
                let (way, at_border) = (far.second[axis] - far.first[axis], [0, size - k].contains(&far.second[axis]));
                prop_assert!(if sign == 0 { way == 0 } else { way * sign >= 0 }, "{far:?}");
                prop_assert!(sign == 0 || at_border || (3 * k / 4..k).contains(&way.abs()), "{far:?}");
            }
        }
    }

    #[test]
    fn a_pixels_value_is_the_mean_of_the_patches_that_hold_it(size in 2..9i64, large: bool, seed: u64) {
        one_thread();
        let (size, patch) = (32 * size, if large { Patch::Px64 } else { Patch::Px32 });
        let (k, stride, grid) = (patch.side(), patch.stride(), patch.grid(size));
        let map = noise(&[1, grid, grid], seed).abs();
        let (mut sum, mut count) = (vec![0.0; (size * size) as usize], vec![0.0; (size * size) as usize]);
        for (row, column) in (0..grid).flat_map(|row| (0..grid).map(move |column| (row, column))) {
            for pixel in (0..k).flat_map(|y| (0..k).map(move |x| (row * stride + y) * size + column * stride + x)) {
                sum[pixel as usize] += map.double_value(&[0, row, column]);
                count[pixel as usize] += 1.0;
            }
        }
        let shares = shares(patch, size, Device::Cpu);
        let fast = values(&spread(&map, &shares));
        prop_assert!(fast.iter().zip(sum.iter().zip(&count)).all(|(fast, (sum, count))| (fast - sum / count).abs() < 1e-5));
        let ones = spread(&map.ones_like(), &shares);
        prop_assert!((ones - 1.0).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn distances_are_those_of_brute_force_also_far_from_the_origin(q in 1..20i64, k in 1..40i64, seed: u64) {
        one_thread();
        // As an untrained encoder describes patches: alike to a thousandth.
        let place = noise(&[1, 64], seed) * 0.05;
        let (members, queries) = (&place + noise(&[k, 64], seed ^ 1) * 1e-5, &place + noise(&[q, 64], seed ^ 2) * 1e-5);
        let centre = members.mean_dim([0i64].as_slice(), true, Kind::Float);
        let fast = values(&Normal::new(centre.shallow_clone(), &members - &centre).distances(&queries));
        for (query, fast) in rows(&queries).iter().zip(fast) {
            let slow = rows(&members).iter().map(|member| squared(member, query).sqrt()).fold(f64::INFINITY, f64::min);
            prop_assert!((fast - slow).abs() <= 1e-3 * slow, "{fast} against {slow}");
        }
    }
}

#[test]
fn every_direction_and_every_offset_is_drawn() {
    let mut draws = stream(1, "test", 0, 0);
    let mut directions: Vec<i64> = (0..400).map(|_| draw::beside(256, Patch::Px64, &mut draws).direction).collect();
    let mut offsets: Vec<[i64; 2]> = (0..2000).map(|_| draw::jitter(Patch::Px64, &mut draws)).collect();
    directions.sort_unstable();
    directions.dedup();
    offsets.sort_unstable();
    offsets.dedup();
    assert_eq!((directions.len(), offsets.len()), (8, 24));
}

#[test]
fn noise_is_normal_and_depends_on_its_stream_alone() {
    one_thread();
    let draw = |seed| Tensor::from_slice(&normal(&mut stream(seed, "test", 0, 0), 29_997, 1.0));
    let (z, n) = (draw(1), 29_997f64);
    assert!(z.equal(&draw(1)) && !z.equal(&draw(2)));
    // Four standard errors of the first four moments, whose variances are 1, 2, 15 and 96.
    for (power, expected, spread) in [(1, 0.0, 1.0f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
        let found = z.to_kind(Kind::Double).pow_tensor_scalar(power).mean(Kind::Double).double_value(&[]);
        assert!((found - expected).abs() < 4.0 * (spread / n).sqrt(), "moment {power} is {found}");
    }
}

#[test]
fn the_loss_is_the_sum_of_its_terms_and_follows_its_stream_alone() {
    let fixture = Fixture::new(96);
    let cfg = config(&["data.size=96", "psvdd.lambda=0.25"]);
    let mut made = build(&cfg);
    let learner = made.learner(&fixture.train()).unwrap().unwrap();
    let images = Tensor::cat(&(0..3).map(|i| unit(&fixture.train(), i)).collect::<Vec<_>>(), 0);
    let terms = |seed| {
        let fed = Fed { images: learner.input(&images), mask: Tensor::new(), views: 1, kinds: vec![0; 3], items: vec![0, 1, 2] };
        learner.loss(&fed, &mut stream(seed, "test", 0, 0)).unwrap().values()
    };
    let (first, again, other) = (terms(1), terms(1), terms(2));
    let get = |name: &str| first.iter().find(|value| value.name == name).unwrap().value;
    let sum = get("position_32") + get("position_64") + 0.25 * (get("svdd_32") + get("svdd_64"));
    assert!((get("total") - sum).abs() < 1e-12);
    assert_eq!(first, again);
    for (one, other) in first.iter().zip(&other) {
        assert!(one.value.is_finite() && one.value != other.value, "{one:?} {other:?}");
    }
    assert_eq!(first.iter().filter(|value| value.quantity == Quantity::Statistic).count(), 2);
}

#[test]
fn what_is_subtracted_is_the_mean_of_each_value() {
    let fixture = Fixture::new(64);
    let (source, mean) = (fixture.train(), mean_image(&fixture.train()).unwrap());
    assert_eq!(mean.size(), [1, 3, 64, 64]);
    for (c, y, x) in [(0, 0, 0), (1, 5, 60), (2, 63, 1), (1, 32, 32)] {
        let at = |i: usize| f64::from(source.get(i).unwrap().data[3 * (64 * y + x) + c]);
        let slow = (0..source.len()).map(at).sum::<f64>() / (255.0 * source.len() as f64);
        assert!((mean.double_value(&[0, c as i64, y as i64, x as i64]) - slow).abs() < 1e-7);
    }
}

fn unit(source: &Source, index: usize) -> Tensor {
    input::unit(&source.get(index).unwrap().data, 1, source.size(), Device::Cpu)
}

#[test]
fn a_normal_image_that_is_remembered_is_at_no_distance_and_a_coreset_has_the_size_that_was_said() {
    let fixture = Fixture::new(96);
    for (words, zero) in [(vec![], true), (vec!["psvdd.fraction=0.1"], false)] {
        let cfg = config(&[vec!["data.size=96", "train.steps=0", "train.epochs=0"], words].concat());
        let (made, notes) = fixture.fitted(&cfg);
        assert_eq!(notes, [""; 0], "an untrained encoder is not a collapsed one");
        let maps = Detector::score(&made, &unit(&fixture.train(), 2)).maps;
        assert_eq!(maps.iter().map(Tensor::size).collect::<Vec<_>>(), vec![vec![1, 96, 96]; 3]);
        assert_eq!(maps.iter().all(|map| map.max().double_value(&[]) == 0.0), zero);
        let sizes: Vec<i64> =
            Detector::state(&made).iter().filter(|(name, _)| name.contains("members")).map(|(_, t)| t.size()[0]).collect();
        assert_eq!(sizes, if zero { [6 * 17 * 17, 6 * 9] } else { [173, 5] });
        let other = Detector::score(&made, &unit(&fixture.test(), 0)).maps;
        assert!(other[0].equal(&(&other[1] * &other[2])) && other[0].min().double_value(&[]) >= 0.0);
        assert!(other[0].max().double_value(&[]) > 0.0);
    }
}

#[test]
fn a_huge_lambda_makes_all_patches_alike_which_is_said_and_gives_an_auroc_of_one_half() {
    let fixture = Fixture::new(64);
    let cfg = config(&["psvdd.lambda=1e6", "optim.lr=0.01", "train.steps=120", "train.epochs=0"]);
    let (made, notes) = fixture.fitted(&cfg);
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].contains("patches of 32 px") && notes[1].contains("patches of 64 px") && notes[1].contains("psvdd.lambda"));
    let test = fixture.test();
    let mut accumulator = Accumulator::new(&harness::eval::protocol(&cfg, None).unwrap()).unwrap();
    for i in 0..test.len() {
        let map = to_map(&Detector::score(&made, &unit(&test, i)).maps[0].get(0));
        let (anomalous, mask) = (!test.items()[i].is_good(), test.mask(i).unwrap());
        let image_score = map.data.iter().copied().fold(f32::MIN, f32::max);
        let sample = Sample { name: "image", map: &map, mask: Some(&mask), image_score, anomalous };
        accumulator.take(Keyed::of(sample, accumulator.protocol()).unwrap()).unwrap();
    }
    let scores = accumulator.finish().0;
    assert_eq!((scores.image_auroc, scores.pixel_auroc), (Some(0.5), Some(0.5)));
}

#[test]
fn the_deviation_is_that_of_its_definition() {
    one_thread();
    let x = noise(&[50, 64], 3) * 2.0 + 7.0;
    let slow: f64 = rows(&x.tr())
        .iter()
        .map(|column| {
            let mean = column.iter().sum::<f64>() / 50.0;
            column.iter().map(|v| (v - mean).powi(2)).sum::<f64>()
        })
        .sum::<f64>()
        / (50.0 * 64.0);
    assert!((deviation(&x).double_value(&[]) - slow.sqrt()).abs() < 1e-6);
    assert_eq!(deviation(&x.narrow(0, 0, 1)).double_value(&[]), 0.0);
}
