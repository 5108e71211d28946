//! SuperSimpleNet: sizes, heads and losses against slow twins, its noise, and itself on a few images.

use std::sync::Arc;

use harness::Result;
use harness::config::{BackboneName, Config, Detector as Which, MemoryFormat, Noise, NoiseMask, Precision, Resize, SuperSimpleNet as Keys};
use harness::data::{Source, builtin};
use harness::image::Mask;
use harness::seed::stream;
use harness_torch::detector::noise::{disturb, labels};
use harness_torch::detector::supersimplenet::{Logits, Network, embed, loss, noise};
use harness_torch::detector::{self, Detector, Parts, SuperSimpleNet};
use harness_torch::nn::Mode;
use harness_torch::nn::Stages;
use harness_torch::nn::param::Builder;
use harness_torch::train::{Epoch, Fed, Learner, Scored, Sink, Snapshot};
use tch::{Device, Kind, Tensor};

use super::{noise as random, one_thread, values};

fn config() -> Config {
    let mut cfg = Config { detector: Which::SUPERSIMPLENET, ..Config::default() };
    (cfg.data.size, cfg.data.repeat, cfg.train.batch, cfg.train.epochs) = (64, 1, 2, 1);
    (cfg.model.backbone.name, cfg.model.backbone.weights) = (BackboneName::Resnet18, "none".into());
    let keys = &mut cfg.supersimplenet;
    (keys.hidden, keys.upscale, keys.noise, keys.noise_std) = (16, 1, Noise::Relative, 0.3);
    cfg
}

fn build(cfg: &Config) -> SuperSimpleNet {
    SuperSimpleNet::new(&Parts { cfg, seed: 1, device: Device::Cpu, weights: None }).unwrap()
}

fn network(channels: i64, keys: &Keys) -> Network {
    let builder = Builder::new(1, Device::Cpu, Precision::Fp32, MemoryFormat::ChannelsLast, None);
    Network::new(builder, channels, keys).unwrap()
}

fn tiny() -> Keys {
    Keys { hidden: 5, ..Config::default().supersimplenet }
}

fn fed(images: &Tensor) -> Fed {
    let (count, side) = (images.size()[0], images.size()[2]);
    let mask = Tensor::zeros([count, 1, side, side], (Kind::Float, Device::Cpu));
    Fed { images: images.shallow_clone(), mask, views: 1, kinds: vec![0; count as usize], items: (0..count as usize).collect() }
}

fn near(fast: &Tensor, slow: &[f64], what: &str) {
    let fast = values(fast);
    assert_eq!(fast.len(), slow.len(), "{what}");
    for (fast, slow) in fast.iter().zip(slow) {
        assert!((fast - slow).abs() < 1e-5 * slow.abs().max(1.0), "{what}: {fast} against {slow}");
    }
}

#[test]
fn the_published_sizes_have_the_published_parameters() {
    let net = network(1536, &Config::default().supersimplenet);
    let count =
        |prefix: &str| net.params().trained_weights().filter(|p| p.name.starts_with(prefix)).map(|p| p.tensor.numel()).sum::<usize>();
    assert_eq!(["adaptor", "map", "decision"].map(count), [2_360_832usize, 1_576_960, 4_919_043]);
    assert_eq!(net.params().weight_count(), 8_856_835);
    let cheap = network(1536, &Keys { reduce: 256, ..Config::default().supersimplenet });
    // 1x1 to 256 with its norm, then 5x5 from 257.
    assert_eq!(cheap.params().weight_count() - 8_856_835 + 1537 * 3200, (1537 + 2) * 256 + 257 * 3200);
    let keys = Keys { decision: false, ..Config::default().supersimplenet };
    assert_eq!(network(1536, &keys).params().weight_count(), 2_360_832 + 1_576_960);
}

/// A convolution with zeros around, then a batch norm at its start in evaluation mode where `norm`. Maps are `[C][side * side]`.
fn slow_conv(x: &[Vec<f64>], net: &Network, name: &str, side: usize, norm: bool) -> Vec<Vec<f64>> {
    let weight = net.params().get(&format!("{name}.weight")).unwrap();
    let (cout, _, kernel, _) = weight.size4().unwrap();
    let (weight, kernel) = (values(weight), kernel as usize);
    let bias = net.params().get(&format!("{name}.bias")).map_or(vec![0.0; cout as usize], values);
    let scale = if norm { 1.0 / (1.0f64 + 1e-5).sqrt() } else { 1.0 };
    let at = |map: &[f64], y: i64, z: i64| {
        let inside = (0..side as i64).contains(&y) && (0..side as i64).contains(&z);
        if inside { map[y as usize * side + z as usize] } else { 0.0 }
    };
    let cell = |o: usize, i: usize, j: usize| {
        let mut sum = bias[o];
        for (c, map) in x.iter().enumerate() {
            for (a, b) in (0..kernel).flat_map(|a| (0..kernel).map(move |b| (a, b))) {
                let place = ((o * x.len() + c) * kernel + a) * kernel + b;
                sum += weight[place] * at(map, (i + a) as i64 - (kernel / 2) as i64, (j + b) as i64 - (kernel / 2) as i64);
            }
        }
        sum * scale
    };
    (0..cout as usize).map(|o| (0..side * side).map(|p| cell(o, p / side, p % side)).collect()).collect()
}

fn each(x: Vec<Vec<f64>>, f: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
    x.into_iter().map(|map| map.into_iter().map(&f).collect()).collect()
}

#[test]
fn the_heads_are_those_of_the_definition() {
    one_thread();
    let (channels, side) = (3, 4);
    for keys in [tiny(), Keys { reduce: 2, ..tiny() }] {
        let net = network(channels, &keys);
        let x = random(&[2, channels, side, side], 1);
        let adapted = net.adapt(&x);
        let Logits { map, image } = net.heads(&adapted, Mode::Eval);
        let image = image.unwrap();
        for b in 0..2 {
            let side = side as usize;
            let given: Vec<Vec<f64>> = (0..channels).map(|c| values(&x.get(b).get(c))).collect();
            let slow = slow_conv(&given, &net, "adaptor", side, false);
            near(&adapted.get(b), &slow.concat(), "adapted features");
            let hidden = each(slow_conv(&slow, &net, "map.conv", side, true), |v| if v < 0.0 { 0.2 * v } else { v });
            let slow_map = slow_conv(&hidden, &net, "map.last", side, false);
            near(&map.get(b), &slow_map[0], "map");
            let mut looked_at = slow;
            if keys.reduce > 0 {
                looked_at = each(slow_conv(&looked_at, &net, "decision.reduce", side, true), |v| v.max(0.0));
            }
            looked_at.push(slow_map[0].clone());
            let seen = each(slow_conv(&looked_at, &net, "decision.conv", side, true), |v| v.max(0.0));
            let greatest = |maps: &[Vec<f64>]| maps.iter().map(|m| m.iter().copied().fold(f64::MIN, f64::max)).collect::<Vec<_>>();
            let mean = |maps: &[Vec<f64>]| maps.iter().map(|m| m.iter().sum::<f64>() / m.len() as f64).collect::<Vec<_>>();
            let summary = [greatest(&seen), mean(&seen), greatest(&slow_map), mean(&slow_map)].concat();
            let linear = |part| values(net.params().get(&format!("decision.linear.{part}")).unwrap());
            let score = linear("weight").iter().zip(&summary).map(|(w, s)| w * s).sum::<f64>() + linear("bias")[0];
            near(&image.get(b), &[score], "image score");
        }
    }
}

#[test]
fn features_are_joined_at_the_maps_size_and_averaged_with_zeros_beyond_the_border() {
    let (c2, c3) = (random(&[1, 2, 4, 4], 1), random(&[1, 3, 2, 2], 2));
    let stages = Stages { c1: Tensor::new(), c2: c2.shallow_clone(), c3: c3.shallow_clone() };
    for side in [4, 8] {
        // Bilinear, corners aligned.
        let up = |x: &Tensor, y: i64, z: i64| {
            let own = x.size()[0];
            let place = |i: i64| i as f64 * (own - 1) as f64 / (side - 1) as f64;
            let weight = |i: i64, at: f64| (1.0 - (at - i as f64).abs()).max(0.0);
            let cells = (0..own).flat_map(|i| (0..own).map(move |j| (i, j)));
            cells.map(|(i, j)| weight(i, place(y)) * weight(j, place(z)) * x.double_value(&[i, j])).sum::<f64>()
        };
        let mut slow = vec![];
        for map in (0..2).map(|c| c2.get(0).get(c)).chain((0..3).map(|c| c3.get(0).get(c))) {
            for (y, z) in (0..side).flat_map(|y| (0..side).map(move |z| (y, z))) {
                let around = (-1..=1).flat_map(|a| (-1..=1).map(move |b| (y + a, z + b)));
                let inside = around.filter(|(y, z)| (0..side).contains(y) && (0..side).contains(z));
                slow.push(inside.map(|(y, z)| up(&map, y, z)).sum::<f64>() / 9.0);
            }
        }
        let fast = embed(&stages, side);
        assert_eq!(fast.size(), [1, 5, side, side]);
        near(&fast, &slow, "joined features");
    }
}

#[test]
fn losses_are_those_of_their_equations() {
    let (logits, labels) = (random(&[3, 4, 4], 3) * 4.0, random(&[3, 4, 4], 4).gt(0.5).to_kind(Kind::Float));
    let pairs: Vec<(f64, f64)> = values(&logits).into_iter().zip(values(&labels)).collect();
    let hinge = |class: f64| {
        let short: Vec<f64> = pairs.iter().filter(|(_, t)| *t == class).map(|(z, _)| (0.5 - z * (2.0 * class - 1.0)).max(0.0)).collect();
        if short.is_empty() { 0.0 } else { short.iter().sum::<f64>() / short.len() as f64 }
    };
    near(&loss::hinge(&logits, &labels), &[hinge(0.0) + hinge(1.0)], "hinge");
    let focal = pairs.iter().map(|(z, t)| {
        let p = 1.0 / (1.0 + (-z).exp());
        let true_class = if *t > 0.0 { p } else { 1.0 - p };
        -(1.0 - true_class).powi(4) * true_class.ln()
    });
    near(&loss::focal(&logits, &labels), &[focal.sum::<f64>() / 48.0], "focal");
    // Without one of the classes.
    let normal = values(&logits).iter().map(|z| (z + 0.5).max(0.0)).sum::<f64>() / 48.0;
    near(&loss::hinge(&logits, &labels.zeros_like()), &[normal], "hinge of normal cells alone");
    // Far on the wrong side it stays a number.
    let far = Tensor::from_slice(&[-300f32, 300.0]);
    near(&loss::focal(&far, &Tensor::from_slice(&[1f32, 0.0])), &[300.0], "focal of the surely wrong");
}

#[test]
fn the_decision_head_gives_no_gradient_to_the_map_head_unless_it_is_told_to() {
    for stop_grad in [true, false] {
        let net = network(3, &Keys { stop_grad, ..tiny() });
        let adapted = net.adapt(&random(&[2, 3, 4, 4], 1));
        net.heads(&adapted, Mode::Train).image.unwrap().sum(Kind::Float).backward();
        for param in net.params().trained_weights() {
            let gradient = param.tensor.grad();
            let moves = gradient.defined() && gradient.abs().max().double_value(&[]) > 0.0;
            let of_map = param.name.starts_with("map.");
            // A bias before a norm in training mode moves nothing.
            if !param.name.ends_with("conv.bias") {
                assert_eq!(moves, !of_map || !stop_grad, "{} {stop_grad}", param.name);
            }
        }
    }
}

#[test]
fn half_of_the_masks_are_empty_in_both_copies() {
    let keys = tiny();
    let mut draws = stream(0, "test", 0, 0);
    let all = noise::masks(2000, 16, &keys, &mut draws);
    assert_eq!(all.len(), 4000);
    for copy in all.chunks(2000) {
        let empty = copy.iter().filter(|mask| mask.is_empty()).count() as f64 / 2000.0;
        // Some Perlin noise is nowhere above the threshold; four standard errors around the rest.
        let by_chance = noise::masks(1000, 16, &Keys { empty: 0.0, ..keys.clone() }, &mut draws);
        let by_chance = by_chance.iter().filter(|mask| mask.is_empty()).count() as f64 / 2000.0;
        assert!(by_chance < 0.1, "{by_chance}");
        let expected = 0.5 + 0.5 * by_chance;
        assert!((empty - expected).abs() < 4.0 * 0.5 / 2000f64.sqrt(), "{empty} against {expected}");
    }
    assert!(noise::masks(5, 16, &Keys { empty: 1.0, ..keys.clone() }, &mut draws).iter().all(Mask::is_empty));
    let halves = noise::masks(2, 4, &Keys { mask: NoiseMask::Halves, ..keys }, &mut draws);
    assert_eq!(halves.iter().map(Mask::area).collect::<Vec<_>>(), [0, 0, 16, 16]);
}

#[test]
fn noise_lies_under_the_masks_and_has_the_deviation_that_is_asked_for() {
    let (channels, side) = (4, 16);
    let features = random(&[6, channels, side, side], 5);
    let masks = noise::masks(3, side as usize, &Keys { empty: 0.3, ..tiny() }, &mut stream(2, "test", 0, 0));
    let unit = Tensor::from_slice(&[0.5f32, 1.0, 2.0, 0.0]);
    for (deviation, expected) in [(None, [0.3; 4]), (Some(&unit), [0.15, 0.3, 0.6, 0.0])] {
        let mut draws = stream(3, "test", 0, 0);
        let added = disturb(&features, &masks, 0.3, deviation, &mut draws) - &features;
        let labels = labels(&masks, &added); // [6, side, side]
        let (under, count) = (labels.unsqueeze(1), labels.sum(Kind::Double).double_value(&[]));
        assert!(count > 100.0);
        let outside: Tensor = &added * (1.0 - &under);
        assert_eq!(outside.abs().max().double_value(&[]), 0.0);
        for (c, expected) in expected.iter().enumerate() {
            let one = added.select(1, c as i64);
            let found = (one.square().sum(Kind::Double).double_value(&[]) / count).sqrt();
            assert!((found - expected).abs() <= 4.0 * expected / (2.0 * count).sqrt(), "{found} against {expected}");
        }
    }
    let nothing = vec![Mask::filled(16, 16, 0); 6];
    assert!(disturb(&features, &nothing, 0.3, None, &mut stream(3, "test", 0, 0)).equal(&features));
}

#[test]
fn the_unit_of_relative_noise_is_each_channels_deviation_over_all_cells() {
    let maps = random(&[5, 3, 4, 4], 6) * Tensor::from_slice(&[1f32, 3.0, 0.0]).view([1, 3, 1, 1]) + 7.0;
    let mut spread = noise::Spread::default();
    for index in 0..5 {
        spread.add(&maps.narrow(0, index, 1));
    }
    let slow: Vec<f64> = (0..3)
        .map(|c| {
            let cells = values(&maps.select(1, c));
            let mean = cells.iter().sum::<f64>() / 80.0;
            (cells.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 80.0).sqrt()
        })
        .collect();
    near(&spread.deviation().unwrap(), &slow, "deviation");
    assert!(noise::Spread::default().deviation().is_none());
}

/// Remembers the means of each epoch.
#[derive(Default)]
struct Course(Vec<f64>);

impl Sink for Course {
    fn epoch(&mut self, epoch: &Epoch) -> Result<()> {
        self.0.push(epoch.means[0].value);
        Ok(())
    }
    fn quality(&mut self, _: u64, _: u64, _: &dyn Fn(&Tensor) -> Scored) -> Result<Option<f64>> {
        Ok(None)
    }
    fn checkpoint(&mut self, _: &Snapshot) -> Result<()> {
        Ok(())
    }
}

fn source(size: usize) -> (tempfile::TempDir, Arc<Source>) {
    let dir = tempfile::tempdir().unwrap();
    builtin::write_small(dir.path(), &["gear"], 6, 1, 1, 64).unwrap();
    let items = harness::data::category(dir.path(), "gear").unwrap().train;
    (dir, Arc::new(Source::new(items, size, Resize::Bilinear, 64)))
}

#[test]
fn gradients_on_constant_images_are_numbers_in_every_form() {
    one_thread();
    let (_dir, source) = source(64);
    let forms: [fn(&mut Keys); 4] = [
        |_| {},
        |keys| (keys.upscale, keys.reduce, keys.noise) = (2, 8, Noise::Absolute),
        |keys| (keys.decision, keys.mask, keys.focal) = (false, NoiseMask::Halves, false),
        |keys| keys.empty = 1.0,
    ];
    for form in forms {
        let mut cfg = config();
        form(&mut cfg.supersimplenet);
        let mut made = build(&cfg);
        let learner = made.learner(&source).unwrap().unwrap();
        let flat = Tensor::full([2, 3, 64, 64], 0.5, (Kind::Float, Device::Cpu));
        let terms = learner.loss(&fed(&flat), &mut stream(4, "test", 0, 0)).unwrap();
        terms.total.backward();
        assert!(terms.values().iter().all(|value| value.value.is_finite()));
        for trained in learner.trained() {
            let gradient = trained.tensor.grad();
            assert!(gradient.defined() && gradient.isfinite().all().int64_value(&[]) == 1, "{}", trained.name);
        }
    }
}

#[test]
fn the_total_is_the_sum_of_the_terms_that_are_on() {
    one_thread();
    let (_dir, source) = source(64);
    for (focal, decision, names) in [
        (true, true, vec!["total", "hinge", "focal", "decision"]),
        (false, true, vec!["total", "hinge", "decision"]),
        (false, false, vec!["total", "hinge"]),
    ] {
        let mut cfg = config();
        (cfg.supersimplenet.focal, cfg.supersimplenet.decision) = (focal, decision);
        let mut made = build(&cfg);
        let learner = made.learner(&source).unwrap().unwrap();
        let values = learner.loss(&fed(&random(&[2, 3, 64, 64], 9).sigmoid()), &mut stream(4, "test", 0, 0)).unwrap().values();
        assert_eq!(values.iter().map(|value| value.name).collect::<Vec<_>>(), names);
        assert!((values[0].value - values[1..].iter().map(|value| value.value).sum::<f64>()).abs() < 1e-9);
    }
}

#[test]
fn the_adaptor_has_its_own_rate_and_decay() {
    let mut cfg = config();
    (cfg.supersimplenet.adaptor_lr, cfg.supersimplenet.adaptor_decay) = (0.5, 1000.0);
    for trained in Learner::trained(&build(&cfg)) {
        let expected = if trained.name.starts_with("adaptor.") { (0.5, 1000.0) } else { (1.0, 1.0) };
        assert_eq!((trained.lr, trained.decay), expected, "{}", trained.name);
    }
}

#[test]
fn it_trains_scores_untrained_too_and_is_restored_to_the_bit() {
    one_thread();
    let (_dir, source) = source(64);
    let image = random(&[1, 3, 64, 64], 8).sigmoid();
    let mut cfg = config();
    (cfg.optim.kind, cfg.optim.lr) = (harness::config::OptimKind::Adamw, 1e-3);
    for (epochs, upscale, decision) in [(0, 2, true), (6, 1, true), (1, 1, false)] {
        (cfg.train.epochs, cfg.supersimplenet.upscale, cfg.supersimplenet.decision) = (epochs, upscale, decision);
        let (mut made, mut course) = (build(&cfg), Course::default());
        made.fit(source.clone(), None, &mut course).unwrap();
        assert_eq!(course.0.len(), epochs);
        if epochs == 6 {
            assert!(course.0[5] < 0.9 * course.0[0], "{:?}", course.0);
        }
        let Scored { maps, image: own } = Detector::score(&made, &image);
        let side = 8 * upscale;
        assert_eq!(maps.iter().map(Tensor::size).collect::<Vec<_>>(), [[1, side, side]]);
        assert!(maps[0].isfinite().all().int64_value(&[]) == 1);
        assert_eq!(own.as_ref().map(|own| (0.0..=1.0).contains(&own.double_value(&[0]))), decision.then_some(true));
        let (maps_count, said) = (side * side + i64::from(decision), made.estimate(6));
        assert_eq!(said.map_cells, maps_count as u64);
        let state = Detector::state(&made);
        assert_eq!(said.kept_bytes, state.iter().map(|(_, t)| 4 * t.numel() as u64).sum::<u64>());
        let mut again = detector::build(&Parts { cfg: &cfg, seed: 1, device: Device::Cpu, weights: None }).unwrap();
        again.restore(&|name| state.iter().find(|(n, _)| n == name).map(|(_, t)| t.shallow_clone())).unwrap();
        let restored = again.score(&image);
        assert!(restored.maps[0].equal(&maps[0]));
        assert_eq!(restored.image.map(|own| own.double_value(&[0])), own.map(|own| own.double_value(&[0])));
    }
}
