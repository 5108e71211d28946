//! Uninformed students: networks against their published sizes, whole images against their patches one by one, the score against its
//! definition, and the whole detector on procedural images.

use std::path::Path;

use harness::config::{BackboneName, Compact, Config, Teaching};
use harness::seed::stream;
use harness::testing::root;
use harness::weights::{self, Tensors, write_teacher};
use harness_torch::detector::us::network::{Field, Network, Size};
use harness_torch::detector::us::normalization;
use harness_torch::detector::us::score::{error_and_spread, regression};
use harness_torch::detector::us::statistics::Sums;
use harness_torch::detector::us::window::{self, Grid};
use harness_torch::detector::{Detector, Parts, Us};
use harness_torch::distil::loss::compactness;
use harness_torch::input;
use harness_torch::nn::Params;
use harness_torch::nn::param::Builder;
use harness_torch::train::{Fed, Learner, Sink};
use proptest::prelude::*;
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::behaviour::Fixture;
use super::{noise, one_thread, values};

/// At 64 px with random teachers; further keys as words.
fn config(words: &[&str]) -> Config {
    let own = ["detector=us", "us.teacher=none", "us.width=0.05", "us.descriptor=6", "us.fields=[33]", "data.size=64", "data.repeat=1"];
    let training = ["train.batch=1", "train.steps=2", "train.epochs=0", "train.drop_last=false", "optim.kind=adam"];
    let words: Vec<String> = own.iter().chain(&training).chain(words).map(|word| (*word).to_owned()).collect();
    Config::default().with(&words).unwrap()
}

fn build(cfg: &Config, seed: u64) -> Us {
    Us::new(&Parts { cfg, seed, device: Device::Cpu, weights: None }).unwrap()
}

fn network(field: Field, size: Size) -> (Network, Params) {
    let cfg = Config::default();
    let mut builder = Builder::new(1, Device::Cpu, cfg.train.precision, cfg.train.memory_format, None);
    let network = Network::new(&mut builder, "", field, size).unwrap();
    (network, builder.finish())
}

const SMALL: Size = Size { width: 0.1, descriptor: 7 };

struct Unheard;

impl Sink for Unheard {}

fn image(fixture: &Fixture, index: usize) -> Tensor {
    input::unit(&fixture.train().get(index).unwrap().data, 1, 64, Device::Cpu)
}

fn fitted(fixture: &Fixture, cfg: &Config) -> Us {
    let mut made = build(cfg, 3);
    made.fit(fixture.train(), None, &mut Unheard).unwrap();
    made
}

/// The oracle's sines.
fn wave(name: &str, shape: &[i64], scale: f64) -> Tensor {
    let phase = 0.11 * (name.bytes().map(u64::from).sum::<u64>() % 97) as f64;
    let value = |i: i64| (scale * ((i * i) as f64 * 0.37 + phase).sin()) as f32;
    Tensor::from_slice(&(1..=shape.iter().product()).map(value).collect::<Vec<f32>>()).reshape(shape)
}

/// A network with the oracle's parameters.
fn waved(field: Field, prefix: &str) -> (Network, Params) {
    let (network, params) = network(field, SMALL);
    for param in params.iter() {
        let shape = param.tensor.size();
        let scale = if shape.len() > 1 { f64::from((3.0 / shape[1..].iter().product::<i64>() as f64).sqrt() as f32) } else { 0.1 };
        tch::no_grad(|| param.tensor.shallow_clone().copy_(&wave(&format!("{prefix}{}", param.name), &shape, scale)));
    }
    (network, params)
}

fn near(found: f64, expected: &Value, tolerance: f64, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() <= tolerance * expected.abs().max(1.0), "{what}: {found} against {expected}");
}

#[test]
fn descriptions_losses_gradients_and_scores_are_torchs() {
    one_thread();
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(root().join("tests/golden/us.json")).unwrap()).unwrap();
    for field in Field::ALL {
        let golden = &golden[field.side().to_string()];
        let all = |found: &Tensor, key: &str| {
            let (found, expected) = (values(found), golden[key].as_array().unwrap());
            assert_eq!(found.len(), expected.len());
            found.iter().zip(expected).for_each(|(found, expected)| near(*found, expected, 1e-5, key));
        };
        let (patches, target) = (wave("patches", &[2, 3, field.side(), field.side()], 1.0), wave("target", &[2, 7, 1, 1], 1.0));
        let (network, params) = waved(field, "");
        let described = network.patches(&patches);
        all(&described, "descriptions");
        let loss = regression(&described.view([2, 7, 1, 1]), &target);
        near(loss.double_value(&[]), &golden["loss"], 1e-5, "loss");
        loss.backward();
        for param in params.iter() {
            near(param.tensor.grad().norm().double_value(&[]), &golden["gradients"][&param.name], 1e-4, &param.name);
        }
        let students: Vec<Tensor> = (0..3).map(|i| waved(field, &format!("s{i}.")).0.cells(&patches)).collect();
        let both = error_and_spread(&students, &target);
        all(&both.select(1, 0), "error");
        all(&both.select(1, 1), "spread");
    }
    for (compact, key) in [(Compact::Samples, "samples"), (Compact::Dims, "dims")] {
        near(compactness(&wave("descriptions", &[5, 7], 1.0), compact).double_value(&[]), &golden["compactness"][key], 1e-5, key);
    }
}

#[test]
fn the_networks_have_the_published_sizes_and_reach_as_far_as_their_layers() {
    let published = Size { width: 1.0, descriptor: 128 };
    for (field, count, reach, stride) in [(Field::Px17, 2_996_480, 17, 1), (Field::Px33, 1_616_000, 32, 4), (Field::Px65, 1_386_624, 60, 8)]
    {
        assert_eq!((network(field, published).1.weight_count(), field.reach(), field.stride()), (count, reach, stride), "{field:?}");
        // What lies beyond the reach of a patch's description changes nothing; the last px within it does.
        let (network, _) = network(field, SMALL);
        let patch = noise(&[1, 3, field.side(), field.side()], 2);
        let with = |at: i64| {
            let changed = patch.copy();
            let _ = changed.narrow(2, at, 1).narrow(3, at, 1).fill_(9.0);
            network.patches(&changed)
        };
        let plain = network.patches(&patch);
        assert_eq!(plain.size(), [1, 7]);
        assert!(!with(reach - 1).equal(&plain), "{field:?}");
        if reach < field.side() {
            assert!(with(reach).equal(&plain), "{field:?}");
        }
    }
    let half = network(Field::Px33, Size { width: 0.5, descriptor: 128 }).1;
    let widths: Vec<i64> = (1..5).map(|layer| half.get(&format!("conv{layer}.weight")).unwrap().size()[0]).collect();
    assert_eq!(widths, [64, 128, 128, 128]);
}

#[test]
fn a_whole_image_is_described_as_its_patches_one_by_one_at_every_pixel_and_at_the_networks_stride() {
    one_thread();
    for field in Field::ALL {
        let (network, _) = network(field, SMALL);
        let (reach, stride, p) = (field.reach(), field.stride(), field.side());
        // Larger by what the last patches need beyond their reach.
        let x = noise(&[2, 3, 80, 80], 1);
        let dense = tch::no_grad(|| network.dense(&x));
        assert_eq!(dense.size(), [2, 7, 81 - reach, 81 - reach]);
        let grid = 81 - p;
        let cells = (0..grid).flat_map(|row| (0..grid).map(move |column| (row, column)));
        let cut = |(row, column): (i64, i64)| x.narrow(2, row, p).narrow(3, column, p);
        let alone = tch::no_grad(|| network.patches(&Tensor::cat(&cells.map(cut).collect::<Vec<_>>(), 0)));
        let alone = alone.view([grid, grid, 2, 7]).permute([2, 3, 0, 1]);
        let off = (dense.narrow(2, 0, grid).narrow(3, 0, grid) - alone).abs().max().double_value(&[]);
        assert!(off < 1e-6, "{field:?}: {off}");
        let strided = tch::no_grad(|| network.cells(&x));
        let picked = dense.slice(2, None, None, stride).slice(3, None, None, stride);
        let [h, w] = [strided.size()[2], strided.size()[3]];
        assert!(h * stride + reach > 80 - stride, "{field:?}: all of the image is looked at");
        assert!((strided - picked.narrow(2, 0, h).narrow(3, 0, w)).abs().max().double_value(&[]) < 1e-6, "{field:?}");
    }
}

#[test]
fn a_strided_map_is_the_dense_one_at_the_middles_of_cells_and_spreads_to_them() {
    one_thread();
    let images = noise(&[1, 3, 64, 64], 4);
    for field in Field::ALL {
        let (network, _) = network(field, SMALL);
        let describe = |grid| tch::no_grad(|| window::describe(&network, &images, grid));
        let (dense, strided) = (describe(Grid::Dense), describe(Grid::Strided));
        let s = field.stride();
        assert_eq!((dense.size(), strided.size()), (vec![1, 7, 64, 64], vec![1, 7, 64 / s, 64 / s]));
        let first = if s == 1 { 0 } else { s / 2 - 1 };
        let picked = dense.slice(2, first, None, s).slice(3, first, None, s);
        assert!((&strided - picked).abs().max().double_value(&[]) < 1e-6, "{field:?}");
        // A ramp over the middles of the cells stays one between them.
        let ramp = (Tensor::arange(64 / s, (Kind::Float, Device::Cpu)) * s + (s as f64 - 1.0) / 2.0)
            .view([1, 1, -1])
            .expand([1, 64 / s, 64 / s], false);
        let spread = window::spread(&ramp, 64);
        let columns = Tensor::arange(64, (Kind::Float, Device::Cpu)).view([1, 1, -1]);
        let inside = |map: &Tensor| map.narrow(2, s, 64 - 2 * s);
        assert!((inside(&spread) - inside(&columns)).abs().max().double_value(&[]) < 1e-4, "{field:?}");
    }
}

#[test]
fn a_training_step_sees_every_offset_within_a_stride_and_no_other() {
    one_thread();
    let (field, images) = (Field::Px33, noise(&[1, 3, 64, 64], 5));
    let (network, _) = network(field, SMALL);
    let dense = window::describe(&network, &images, Grid::Dense);
    let mut draws = stream(1, "test", 0, 0);
    let mut seen = vec![];
    for _ in 0..100 {
        let cells = network.cells(&window::drawn(&images, field, Grid::Strided, &mut draws));
        assert_eq!(cells.size(), [1, 7, 16, 16]);
        let offsets = (0..4).flat_map(|down| (0..4).map(move |right| (down, right)));
        let fits = |&(down, right): &(i64, i64)| {
            (&cells - dense.slice(2, down, None, 4).slice(3, right, None, 4)).abs().max().double_value(&[]) < 1e-6
        };
        seen.extend(offsets.filter(fits));
    }
    assert_eq!(seen.len(), 100);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 16);
    assert!(window::drawn(&images, field, Grid::Dense, &mut draws).equal(&window::bordered(&images, field, Grid::Dense)));
}

#[test]
fn an_impulse_changes_a_map_evenly_about_itself() {
    one_thread();
    for field in Field::ALL {
        // Of the dense map a description of an even reach stands half a px up and left of its middle.
        let (network, _) = network(field, SMALL);
        for (grid, middle) in [(Grid::Dense, if field.reach() % 2 == 0 { 31.5 } else { 32.0 }), (Grid::Strided, 32.0)] {
            let describe = |x: &Tensor| tch::no_grad(|| window::describe(&network, x, grid));
            let flat = Tensor::zeros([1, 3, 64, 64], (Kind::Float, Device::Cpu));
            let impulse = flat.copy();
            let _ = impulse.narrow(2, 32, 1).narrow(3, 32, 1).fill_(5.0);
            let changed = (describe(&impulse) - describe(&flat)).abs().sum_dim_intlist([0i64, 1].as_slice(), false, None::<Kind>);
            let rows: Vec<usize> =
                values(&changed.amax([1i64], false)).iter().enumerate().filter(|(_, v)| **v > 0.0).map(|(i, _)| i).collect();
            let s = 64.0 / changed.size()[0] as f64;
            let at = |row: usize| (row as f64 + 0.5) * s - 0.5;
            let between = (at(rows[0]) + at(*rows.last().unwrap())) / 2.0;
            assert!((between - middle).abs() <= s / 2.0, "{field:?} {grid:?}: {between}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn error_spread_and_loss_are_those_of_their_formulas(m in 1..5usize, d in 1..6i64, seed: u64) {
        one_thread();
        let students: Vec<Tensor> = (0..m).map(|i| noise(&[2, d, 3, 4], seed ^ i as u64)).collect();
        let target = noise(&[2, d, 3, 4], seed ^ 99);
        let both = error_and_spread(&students, &target);
        prop_assert_eq!(both.size(), [2, 2, 3, 4]);
        for (b, y, x) in [(0, 0, 0), (1, 2, 3), (0, 1, 2)] {
            let at = |map: &Tensor, c: i64| map.double_value(&[b, c, y, x]);
            let mean = |c: i64| students.iter().map(|s| at(s, c)).sum::<f64>() / m as f64;
            let error: f64 = (0..d).map(|c| (mean(c) - at(&target, c)).powi(2)).sum();
            let squares: f64 = students.iter().map(|s| (0..d).map(|c| at(s, c).powi(2)).sum::<f64>()).sum::<f64>() / m as f64;
            let spread = squares - (0..d).map(|c| mean(c).powi(2)).sum::<f64>();
            prop_assert!((both.double_value(&[b, 0, y, x]) - error).abs() < 1e-4, "{error}");
            prop_assert!((both.double_value(&[b, 1, y, x]) - spread).abs() < 1e-4, "{spread}");
        }
        let slow: f64 = values(&(&students[0] - &target)).iter().map(|v| v * v).sum::<f64>() / 24.0;
        prop_assert!((regression(&students[0], &target).double_value(&[]) - slow).abs() < 1e-5 * slow.max(1.0));
        let alike: Vec<Tensor> = (0..4).map(|_| students[0].shallow_clone()).collect();
        prop_assert_eq!(error_and_spread(&alike, &target).select(1, 1).abs().max().double_value(&[]), 0.0);
    }

    #[test]
    fn standardised_maps_have_mean_0_and_deviation_1(numbers in 1..5i64, images in 1..4i64, seed: u64) {
        one_thread();
        let maps: Vec<Tensor> = (0..images).map(|i| noise(&[1, numbers, 9, 7], seed ^ i as u64) * 3.0 + 20.0).collect();
        let mut sums = Sums::new(numbers, Device::Cpu);
        maps.iter().for_each(|map| sums.add(map));
        let scaled = sums.scale().apply(&Tensor::cat(&maps, 0));
        for number in 0..numbers {
            let all = values(&scaled.select(1, number));
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64;
            prop_assert!(mean.abs() < 1e-4 && (variance - 1.0).abs() < 1e-3, "{mean} {variance}");
        }
    }
}

#[test]
fn what_never_varies_is_divided_by_a_number_all_the_same() {
    one_thread();
    let mut sums = Sums::new(1, Device::Cpu);
    let constant = Tensor::full([1, 1, 4, 4], 0.3, (Kind::Float, Device::Cpu));
    sums.add(&constant);
    assert!(sums.scale().apply(&constant).abs().max().double_value(&[]) < 0.1);
}

#[test]
fn on_the_normal_images_error_and_spread_of_a_fitted_detector_are_standardised() {
    let fixture = Fixture::new();
    for dense in ["us.dense=true", "us.dense=false"] {
        let made = fitted(&fixture, &config(&[dense, "us.fields=[17]"]));
        let maps: Vec<_> = (0..6).map(|i| Detector::score(&made, &image(&fixture, i)).maps).collect();
        for part in [1, 2] {
            let all = values(&Tensor::cat(&maps.iter().map(|maps| maps[part].shallow_clone()).collect::<Vec<_>>(), 0));
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64;
            assert!(mean.abs() < 1e-3 && (variance - 1.0).abs() < 1e-2, "{dense} {part}: {mean} {variance}");
        }
    }
}

#[test]
fn the_map_is_the_mean_over_the_fields_of_both_parts() {
    let fixture = Fixture::new();
    let cfg = config(&["us.fields=[17, 33]", "us.dense=false"]);
    let made = fitted(&fixture, &cfg);
    let maps = Detector::score(&made, &image(&fixture, 1)).maps;
    assert_eq!(maps.len(), cfg.detector.outputs(&cfg).maps.len());
    assert!(maps.iter().all(|map| map.size() == [1, 64, 64]));
    let [a, e, v, a17, a33] = <[Tensor; 5]>::try_from(maps).unwrap();
    assert!(a.allclose(&(e + v), 1e-5, 1e-5, false) && a.allclose(&((a17 + a33) / 2.0), 1e-4, 1e-4, false));
}

#[test]
fn students_of_several_fields_in_one_learner_learn_as_if_each_was_alone() {
    let fixture = Fixture::new();
    let cfg = |fields: &str| config(&[fields, "train.steps=3", "us.dense=true"]);
    let (both, alone) = (fitted(&fixture, &cfg("us.fields=[17, 33]")), fitted(&fixture, &cfg("us.fields=[33]")));
    for param in alone.params().iter().filter(|param| param.trained) {
        assert!(both.params().get(&param.name).unwrap().equal(&param.tensor), "{}", param.name);
    }
}

#[test]
fn the_loss_is_the_sum_over_students_and_the_teacher_never_moves() {
    let fixture = Fixture::new();
    let cfg = config(&["us.students=2", "optim.lr=0.01", "us.dense=false"]);
    let mut made = build(&cfg, 3);
    let learner = made.learner(&fixture.train()).unwrap().unwrap();
    let fed = Fed { images: learner.input(&image(&fixture, 0)), mask: Tensor::new(), views: 1, kinds: vec![0], items: vec![0] };
    let terms = learner.loss(&fed, &mut stream(1, "test", 0, 0)).unwrap().values();
    assert_eq!(terms.iter().map(|value| value.name).collect::<Vec<_>>(), ["total", "p33"]);
    assert!((terms[0].value - 2.0 * terms[1].value).abs() < 1e-9 && terms[0].value > 0.0);

    let (before, after) = (build(&cfg, 3), fitted(&fixture, &cfg));
    let count = after.count();
    assert_eq!(count.parameters * 2, count.trained * 3, "two students and a teacher");
    for (old, new) in before.params().iter().zip(after.params().iter()) {
        assert_eq!(old.tensor.equal(&new.tensor), old.name.starts_with("teacher."), "{}", old.name);
    }
    assert!(Learner::state(&after).iter().all(|(name, _)| !name.starts_with("teacher.")));
}

fn teaching(field: usize) -> Teaching {
    Teaching {
        backbone: BackboneName::Resnet18,
        backbone_hash: "b".into(),
        images: "noise".into(),
        images_hash: "i".into(),
        image_count: 1,
        field,
        width: 0.05,
        descriptor: 6,
        steps: 0,
        seed: 0,
        batch: 2,
        lr: 1e-3,
        compact: Compact::None,
        unexplained: 1.0,
    }
}

fn write(path: &Path, field: Field) -> Params {
    let (_, params) = network(field, Size { width: 0.05, descriptor: 6 });
    let tensor = |t: &Tensor| weights::Tensor {
        shape: t.size().iter().map(|&d| d as usize).collect(),
        data: Vec::try_from(t.contiguous().view(-1)).unwrap(),
    };
    let tensors: Tensors = params.iter().map(|param| (param.name.clone(), tensor(&param.tensor))).collect();
    write_teacher(path, &teaching(field.side() as usize), &tensors).unwrap();
    params
}

#[test]
fn a_teacher_is_that_of_its_file_and_one_that_is_missing_or_does_not_fit_is_refused_with_the_command_that_makes_it() {
    one_thread();
    let dir = tempfile::tempdir().unwrap();
    let teacher = format!("us.teacher={}/us_p{{p}}.safetensors", dir.path().display());
    let made = |words: &[&str]| {
        let cfg = config(&[&[teacher.as_str()], words].concat());
        Us::new(&Parts { cfg: &cfg, seed: 1, device: Device::Cpu, weights: None })
    };
    let missing = made(&[]).err().unwrap();
    assert_eq!(missing.exit_code(), 3);
    for word in ["harness weights distil us", "--p 33", "--width 0.05", "--descriptor 6", "us_p33.safetensors"] {
        assert!(missing.remedy.contains(word), "{word}: {missing}");
    }
    let params = write(&dir.path().join("us_p33.safetensors"), Field::Px33);
    let us = made(&[]).unwrap();
    for param in params.iter() {
        assert!(us.params().get(&format!("teacher.p33.{}", param.name)).unwrap().equal(&param.tensor), "{}", param.name);
    }
    for words in [["us.width=0.1"], ["us.descriptor=7"]] {
        let other = made(&words).err().unwrap();
        assert!(other.exit_code() == 3 && other.what.contains("not of"), "{other}");
    }
    std::fs::copy(dir.path().join("us_p33.safetensors"), dir.path().join("us_p17.safetensors")).unwrap();
    assert!(made(&["us.fields=[17]"]).err().unwrap().what.contains("patches of 33 px"));
    std::fs::write(dir.path().join("us_p65.safetensors"), "no teacher").unwrap();
    assert!(made(&["us.fields=[65]"]).err().unwrap().what.contains("not the file of a teacher"));
}

#[test]
fn images_are_normalised_as_the_backbones_of_imagenet_are() {
    let white = normalization(Device::Cpu).apply(&Tensor::ones([1, 3, 2, 2], (Kind::Float, Device::Cpu)));
    for (channel, (mean, std)) in [(0.485, 0.229), (0.456, 0.224), (0.406, 0.225)].into_iter().enumerate() {
        assert!((white.double_value(&[0, channel as i64, 1, 1]) - (1.0 - mean) / std).abs() < 1e-5);
    }
}
