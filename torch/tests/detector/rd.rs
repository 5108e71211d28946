//! Reverse distillation: its network and distances against an oracle (tests/oracle/rd.py) and by hand, its teacher's memory, and what
//! its training does.

use std::sync::Arc;

use harness::Result;
use harness::config::{BackboneName, Config, Detector as Which, RdLoss, RdMap, RdWidth, Resize};
use harness::data::{self, Source, builtin};
use harness_torch::detector::rd::{Levels, Rd, Student, Teacher, distance};
use harness_torch::detector::{Detector, Parts};
use harness_torch::nn::{Mode, Params};
use harness_torch::train::{Due, Epoch, Fed, Learner, Sink};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::{noise, one_thread, values};

fn config(name: BackboneName) -> Config {
    let mut cfg = Config { detector: Which::RD, ..Config::default() }.with(&["optim.kind=adam".into(), "optim.lr=5e-3".into()]).unwrap();
    (cfg.model.backbone.name, cfg.model.backbone.weights) = (name, "none".into());
    (cfg.data.size, cfg.data.repeat, cfg.rd.blocks) = (64, 1, 1);
    (cfg.train.batch, cfg.train.epochs, cfg.train.drop_last) = (4, 2, false);
    cfg
}

fn parts(cfg: &Config) -> Parts<'_> {
    Parts { cfg, seed: 5, device: Device::Cpu, weights: None }
}

/// So many images of the procedural set.
fn images(count: usize) -> Arc<Source> {
    let dir = tempfile::tempdir().unwrap();
    builtin::write_small(dir.path(), &["gear"], count, 1, 1, 64).unwrap();
    let source = Arc::new(Source::new(data::category(dir.path(), "gear").unwrap().train, 64, Resize::Bilinear, 64));
    (0..source.len()).for_each(|i| drop(source.get(i).unwrap())); // decoded while the folder is there
    source
}

fn fed(images: &Tensor, items: &[usize]) -> Fed {
    let count = items.len();
    let mask = Tensor::zeros([count as i64, 1, 64, 64], (Kind::Float, Device::Cpu));
    Fed { images: images.shallow_clone(), mask, views: 1, kinds: vec![0; count], items: items.to_vec() }
}

fn bits(state: &[(String, Tensor)]) -> Vec<u32> {
    let bits = |t: &Tensor| Vec::<f32>::try_from(t.contiguous().view(-1)).unwrap().into_iter().map(f32::to_bits).collect::<Vec<_>>();
    state.iter().flat_map(|(_, tensor)| bits(tensor)).collect()
}

#[test]
fn the_published_networks_have_as_many_parameters_as_the_authors_code_makes() {
    one_thread();
    let count = |name, width| {
        let mut cfg = config(name);
        (cfg.rd.blocks, cfg.rd.width) = (0, width);
        let student = Student::new(&cfg, 0, Device::Cpu).unwrap();
        let decoder = student.params().iter().filter(|p| p.name.starts_with("decoder") && p.tensor.requires_grad());
        let decoder: usize = decoder.map(|p| p.tensor.numel()).sum();
        (student.params().weight_count() - decoder, decoder)
    };
    assert_eq!(count(BackboneName::Resnet18, RdWidth::Backbone), (11_680_000, 3_703_168));
    assert_eq!(count(BackboneName::Resnet50, RdWidth::Backbone), (30_829_568, 15_821_824));
    assert_eq!(count(BackboneName::WideResnet50x2, RdWidth::Backbone), (58_885_120, 24_917_504));
    assert_eq!(count(BackboneName::WideResnet50x2, RdWidth::Narrow), (30_829_568, 24_917_504));
}

/// As in the oracle: numbers in [-1, 1).
fn hashed(name: &str, shape: &[i64]) -> Tensor {
    let phase = (name.bytes().map(u32::from).sum::<u32>() % 97) as f64;
    let one = |i: i64| {
        let wave = (i as f64 * 0.7548776662 + phase).sin() * 43758.5453;
        2.0 * (wave - wave.floor()) - 1.0
    };
    Tensor::from_slice(&(1..=shape.iter().product()).map(one).collect::<Vec<f64>>()).reshape(shape)
}

/// The oracle's parameters in a network.
fn put_hashed(params: &Params) {
    let value = |name: &str| {
        let shape = params.get(name)?.size();
        let value = hashed(name, &shape);
        Some(if name.ends_with("running_var") {
            value * 0.4 + 1.0
        } else if name.ends_with("running_mean") {
            value * 0.1
        } else if name.contains(".bn") && name.ends_with("weight") {
            value * 0.3 + 1.0
        } else if name.contains(".bn") {
            value * 0.2
        } else {
            value * (3.0 / (shape[1] * shape[2] * shape[3]) as f64).sqrt()
        })
    };
    params.restore(&value).unwrap();
}

#[test]
fn losses_gradients_and_maps_are_those_of_the_oracle() {
    one_thread();
    let golden: Value = serde_json::from_str(include_str!("../../../tests/golden/rd.json")).unwrap();
    for (name, backbone, blocks) in [("resnet18", BackboneName::Resnet18, 0), ("resnet50", BackboneName::Resnet50, 1)] {
        let (golden, mut cfg) = (&golden[name], config(backbone));
        cfg.rd.blocks = blocks;
        let student = Student::new(&cfg, 0, Device::Cpu).unwrap();
        let widths = if blocks == 0 { [64, 128, 256] } else { [256, 512, 1024] };
        let teacher: Levels = [0, 1, 2].map(|k| {
            let side = 64 >> (k + 2);
            (hashed(&format!("{name}/{k}"), &[2, widths[k], side, side]) + 1.0).to_kind(Kind::Float)
        });
        put_hashed(student.params());
        let decoded = student.forward(&teacher, Mode::Train);
        let near = |found: f64, expected: &Value, share: f64, of: &str| {
            let expected = expected.as_f64().unwrap();
            assert!((found - expected).abs() < share * expected.abs(), "{name} {of}: {found} against {expected}");
        };
        let close = |found: f64, expected: &Value, of: &str| near(found, expected, 1e-5, of);
        let [flat, pixel] = [RdLoss::Flat, RdLoss::Pixel].map(|form| distance::loss(&teacher, &decoded, form).total);
        close(flat.double_value(&[]), &golden["flat"], "flat");
        close(pixel.double_value(&[]), &golden["pixel"], "pixel");
        flat.backward();
        for (parameter, norm) in golden["gradients"].as_object().unwrap() {
            let found = student.params().get(parameter).unwrap().grad().to_kind(Kind::Double).norm().double_value(&[]);
            near(found, norm, 1e-4, parameter); // float32 on the way through all layers and back, against float64
        }
        put_hashed(student.params()); // the running averages have moved
        let decoded = tch::no_grad(|| student.forward(&teacher, Mode::Eval));
        for (form, key) in [(RdMap::Sum, "sum"), (RdMap::Product, "product")] {
            let map = distance::map(&teacher, &decoded, form, 64);
            for sample in golden["maps"][key].as_array().unwrap() {
                let place = [0, 1, 2].map(|i| sample[i].as_i64().unwrap());
                close(map.double_value(&place), &sample[3], &format!("{key} {place:?}"));
            }
        }
    }
}

#[test]
fn convolutions_start_normal_by_their_outputs_and_transposed_ones_as_torch_starts_them() {
    one_thread();
    let student = Student::new(&config(BackboneName::Resnet18), 0, Device::Cpu).unwrap();
    let of = |name: &str| values(student.params().get(name).unwrap());
    let deviation = |w: &[f64]| (w.iter().map(|x| x * x).sum::<f64>() / w.len() as f64).sqrt();
    // 512 outputs, 3x3 and 1x1; the standard error of a deviation of n values is its 1 / sqrt(2 n).
    for (name, fan_out) in [("embedding.0.conv1.weight", 512.0 * 9.0), ("embedding.0.shortcut.conv.weight", 512.0f64)] {
        let (w, expected) = (of(name), (2.0 / fan_out).sqrt());
        assert!((deviation(&w) / expected - 1.0).abs() < 4.0 / (2.0 * w.len() as f64).sqrt(), "{name}");
    }
    for name in ["decoder.3.0.conv1.weight", "decoder.3.0.shortcut.conv.weight"] {
        let (w, bound) = (of(name), 1.0 / (256.0 * 4.0f64).sqrt());
        assert!(w.iter().all(|x| x.abs() <= bound) && w.iter().any(|x| x.abs() > 0.99 * bound), "{name}");
    }
}

#[test]
fn a_decoder_that_gives_the_teachers_maps_back_has_no_loss_and_no_score() {
    one_thread();
    let teacher: Levels = [16, 8, 4].map(|side| noise(&[3, 5, side, side], side as u64));
    for form in [RdLoss::Flat, RdLoss::Pixel] {
        assert!(distance::loss(&teacher, &teacher, form).total.double_value(&[]).abs() < 1e-6);
    }
    // Cosines know no lengths.
    let scaled = teacher.each_ref().map(|map| map * 3.0);
    for form in [RdMap::Sum, RdMap::Product] {
        let map = distance::map(&teacher, &scaled, form, 64);
        assert_eq!(map.size(), [3, 64, 64]);
        assert!(map.abs().max().double_value(&[]) < 1e-5);
    }
}

#[test]
fn one_cosine_of_the_whole_map_is_not_the_mean_of_the_cosines_at_its_positions() {
    one_thread();
    // Two channels at two positions: (1, 0) and (0, 3) of the teacher, (1, 0) and (2, 0) of the decoder.
    let map = |values: [f32; 4]| Tensor::from_slice(&values).reshape([1, 2, 1, 2]);
    let (f, d) = (map([1.0, 0.0, 0.0, 3.0]), map([1.0, 2.0, 0.0, 0.0]));
    let (teacher, decoded) = ([0; 3].map(|_| f.shallow_clone()), [0; 3].map(|_| d.shallow_clone()));
    let loss = |form| distance::loss(&teacher, &decoded, form).total.double_value(&[]);
    // Cosines 1 and 0; as one vector 1 / (sqrt(10) sqrt(5)).
    assert!((loss(RdLoss::Pixel) - 1.5).abs() < 1e-6);
    assert!((loss(RdLoss::Flat) - 3.0 * (1.0 - 1.0 / 50f64.sqrt())).abs() < 1e-6);
}

#[test]
fn gradients_are_finite_on_constant_images() {
    one_thread();
    for form in [RdLoss::Flat, RdLoss::Pixel] {
        let mut cfg = config(BackboneName::Resnet18);
        cfg.rd.loss = form;
        for value in [0.0, 0.5, 1.0] {
            let mut made = Rd::new(&parts(&cfg)).unwrap();
            let learner = made.learner(&images(2)).unwrap().unwrap();
            let images = Tensor::full([2, 3, 64, 64], value, (Kind::Float, Device::Cpu));
            let terms = learner.loss(&fed(&images, &[0, 1]), &mut harness::seed::stream(0, "test", 0, 0)).unwrap();
            terms.total.backward();
            for trained in learner.trained() {
                assert!(trained.tensor.grad().isfinite().all().int64_value(&[]) == 1, "{form:?} {value}: {}", trained.name);
            }
        }
    }
    // Maps that are zero altogether have no direction.
    let zero = |trained| [16, 8, 4].map(|side| Tensor::zeros([2, 5, side, side], (Kind::Float, Device::Cpu)).set_requires_grad(trained));
    for form in [RdLoss::Flat, RdLoss::Pixel] {
        let decoded: Levels = zero(true);
        distance::loss(&zero(false), &decoded, form).total.backward();
        assert!(decoded.iter().all(|map| map.grad().isfinite().all().int64_value(&[]) == 1), "{form:?}");
    }
}

#[test]
fn what_the_teacher_knows_of_an_image_is_what_it_computes_of_it_alone() {
    one_thread();
    let cfg = config(BackboneName::Resnet18);
    let mut teacher = Teacher::new(&parts(&cfg)).unwrap();
    teacher.prepare(&images(2)).unwrap();
    let images = noise(&[3, 3, 64, 64], 1).abs() / 4.0;
    let first = teacher.of_batch(&fed(&images, &[7, 3, 0]));
    for (level, maps) in first.iter().enumerate() {
        for place in 0..3 {
            let alone = teacher.of_images(&images.narrow(0, place, 1));
            assert!(maps.narrow(0, place, 1).equal(&alone[level]));
        }
    }
    // What is known of an item is not looked at again: blank images give the maps of the first visit, in another order.
    let again = teacher.of_batch(&fed(&images.zeros_like(), &[0, 7, 3]));
    for (first, again) in first.iter().zip(&again) {
        assert!(first.roll([1], [0]).equal(again));
    }
    teacher.forget();
    assert!(!teacher.of_batch(&fed(&images.zeros_like(), &[7, 3, 0]))[0].equal(&first[0]));
}

#[test]
fn a_teacher_of_images_that_vary_looks_at_each_visit() {
    one_thread();
    let mut cfg = config(BackboneName::Resnet18);
    cfg.data.augment = harness::config::Augment::Light;
    let mut teacher = Teacher::new(&parts(&cfg)).unwrap();
    teacher.prepare(&images(2)).unwrap();
    let images = noise(&[2, 3, 64, 64], 1).abs() / 4.0;
    let first = teacher.of_batch(&fed(&images, &[0, 1]));
    let other = teacher.of_batch(&fed(&images.zeros_like(), &[0, 1]));
    assert!(!first[0].equal(&other[0]));
}

/// The losses of the epochs; nothing else is asked of a training.
#[derive(Default)]
struct Course(Vec<f64>);

impl Sink for Course {
    fn epoch(&mut self, epoch: &Epoch) -> Result<()> {
        assert_eq!(epoch.means.iter().map(|v| v.name).collect::<Vec<_>>(), ["total", "level 1", "level 2", "level 3", "grad_norm"]);
        self.0.push(epoch.means[0].value);
        Ok(())
    }
    fn due(&mut self) -> Due {
        Due::Nothing
    }
}

fn fitted(cfg: &Config, source: &Arc<Source>) -> (Vec<u32>, Vec<f64>) {
    let (mut made, mut course) = (Rd::new(&parts(cfg)).unwrap(), Course::default());
    made.fit(source.clone(), None, &mut course).unwrap();
    (bits(&Detector::state(&made)), course.0)
}

#[test]
fn a_teacher_that_remembers_trains_the_same_bits_as_one_that_computes_again() {
    one_thread();
    let (source, mut cfg) = (images(11), config(BackboneName::Resnet18));
    // Two visits an epoch; an image has 112 KiB of maps, so that 1 MiB holds those of nine.
    (cfg.data.repeat, cfg.train.batch) = (2, 8);
    let (all, _) = fitted(&cfg, &source);
    cfg.rd.cache_mb = 0;
    assert!(all == fitted(&cfg, &source).0);
    cfg.rd.cache_mb = 1;
    assert!(all == fitted(&cfg, &source).0);
    cfg.optim.lr = 4e-3;
    assert!(all != fitted(&cfg, &source).0);
}

#[test]
fn training_brings_the_decoder_nearer_to_the_teacher() {
    one_thread();
    let mut cfg = config(BackboneName::Resnet18);
    cfg.train.epochs = 5;
    let (_, course) = fitted(&cfg, &images(6));
    assert!(course[4] < 0.7 * course[0], "{course:?}");
}

#[test]
fn without_a_step_it_scores_finitely_and_its_estimate_is_kept() {
    one_thread();
    for name in [BackboneName::Resnet18, BackboneName::Resnet50] {
        let mut cfg = config(name);
        (cfg.train.epochs, cfg.train.steps) = (0, 0);
        let mut made = Rd::new(&parts(&cfg)).unwrap();
        made.fit(images(2), None, &mut Course::default()).unwrap();
        let map = &Detector::score(&made, &(noise(&[1, 3, 64, 64], 2).abs() / 4.0)).maps[0];
        let numbers = values(map);
        assert!(numbers.iter().all(|v| (0.0..=6.0).contains(v)) && numbers.iter().any(|v| *v > 0.01));
        let estimate = made.estimate(6);
        assert_eq!((estimate.steps, estimate.map_cells), (0, map.numel() as u64));
        assert_eq!(made.count().trained, made.trained().iter().map(|t| t.tensor.numel() as u64).sum::<u64>());
    }
}
