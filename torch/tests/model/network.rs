//! Whole networks: the sixteen combinations of toggles, first values, batches, precision.

use std::collections::BTreeSet;

use harness::config::{BackboneName, BaselineHead, Config, Data, Freeze, HeadInit, Join, MemoryFormat, Norms, Precision};
use harness_torch::detector::mlff::loss;
use harness_torch::detector::mlff::model::{Network, Output};
use harness_torch::nn::{Mode, ParamKind, Values, Weights};
use harness_torch::optim::{Optimizer, Trained};
use tch::{Device, Kind, Tensor};

use crate::{distance, is_finite, one_thread, tiny, values, wave};

fn build(cfg: &Config, seed: u64) -> Network {
    Network::new(cfg, None, seed, Device::Cpu).unwrap()
}

fn images(count: i64, pace: f64) -> Tensor {
    wave(&[count, 3, 64, 64], pace) * 2.0
}

/// All sixteen, as (stlnet, self-calibration, score, consistency).
fn toggles() -> impl Iterator<Item = ([bool; 4], Config)> {
    (0..16).map(|bits| {
        let on = [0, 1, 2, 3].map(|i| bits >> i & 1 == 1);
        let mut cfg = tiny();
        [cfg.model.stlnet, cfg.model.self_calibration, cfg.loss.score.enabled, cfg.loss.consistency.enabled] = on;
        (on, cfg)
    })
}

fn names(network: &Network) -> BTreeSet<String> {
    network.params().iter().map(|p| p.name.clone()).collect()
}

#[test]
fn all_sixteen_combinations_of_toggles_train_and_score() {
    one_thread();
    let x = images(2, 0.37);
    for (on, cfg) in toggles() {
        let network = build(&cfg, 7);
        let out = network.forward(&x, Mode::Train);
        assert_eq!(out.scores.is_some(), on[2] || on[3], "{on:?}");
        let mut loss = out.features.square().sum(Kind::Float);
        if let Some(scores) = &out.scores {
            loss += scores.square().sum(Kind::Float);
        }
        loss.backward();
        for Trained { name, tensor, .. } in network.trained() {
            assert!(tensor.grad().defined() && is_finite(&tensor.grad()), "{on:?}: {name} has no finite gradient");
        }
        let out = tch::no_grad(|| network.forward(&x, Mode::Eval));
        assert_eq!((out.features.size(), out.features.kind()), (vec![2, 8, 16, 16], Kind::Float), "{on:?}");
        assert!(is_finite(&out.features), "{on:?}");
        if let Some(scores) = out.scores {
            assert_eq!((scores.size(), scores.kind()), (vec![2, 1, 16, 16], Kind::Float), "{on:?}");
            assert!(is_finite(&scores), "{on:?}");
        }
    }
}

#[test]
fn a_toggle_removes_exactly_the_parameters_of_its_module_and_the_others_start_alike() {
    one_thread();
    let full = build(&tiny(), 7);
    let all = names(&full);
    for (on, cfg) in toggles() {
        let network = build(&cfg, 7);
        let gone: Vec<&str> = [(on[0], vec!["low.", "tem.", "ptfem."]), (on[1], vec!["sc."]), (on[2] || on[3], vec!["score."])]
            .into_iter()
            .flat_map(|(on, prefixes)| if on { vec![] } else { prefixes })
            .collect();
        let left = all.iter().filter(|name| !gone.iter().any(|prefix| name.starts_with(prefix))).cloned();
        assert_eq!(names(&network), left.collect(), "{on:?}");
        for p in network.params().iter() {
            let twin = full.params().get(&p.name).unwrap();
            // The head's first convolution is as wide as what is fused; nothing else changes its shape.
            assert!(
                twin.equal(&p.tensor) || (p.name == "head.mid.conv.weight" || p.name == "head.mid.conv.bias") && !(on[0] && on[1]),
                "{}",
                p.name
            );
        }
    }
}

#[test]
fn a_texture_branch_that_is_added_begins_as_if_it_was_not_there_and_learns() {
    one_thread();
    let mut cfg = tiny();
    cfg.model.stl.join = Join::Add;
    let (with, without) = (build(&cfg, 7), {
        cfg.model.stlnet = false;
        build(&cfg, 7)
    });
    let x = images(2, 0.37);
    let features = |network: &Network| network.forward(&x, Mode::Eval).features;
    assert!(features(&with).equal(&features(&without)));
    let mut optimizer = Optimizer::new(&cfg.optim, with.trained());
    for _ in 0..2 {
        let loss = with.forward(&x, Mode::Train).features.square().sum(Kind::Float);
        let _ = optimizer.step(&loss, 1e-4, 0.0);
    }
    let moved = |name: &str| {
        !with.params().get(name).unwrap().equal(
            build(
                &{
                    let mut cfg = cfg.clone();
                    cfg.model.stlnet = true;
                    cfg
                },
                7,
            )
            .params()
            .get(name)
            .unwrap(),
        )
    };
    assert!(moved("head.texture.conv.weight") && moved("tem.out.conv.weight"));
}

#[test]
fn a_residual_head_adds_the_distance_of_the_features() {
    one_thread();
    let mut cfg = tiny();
    let plain = build(&cfg, 7).forward(&images(2, 0.37), Mode::Eval);
    cfg.model.score.residual = true;
    let residual = build(&cfg, 7).forward(&images(2, 0.37), Mode::Eval);
    let want = plain.scores.unwrap() + loss::distance(&plain.features);
    assert!(distance(&residual.scores.unwrap(), &want) < 1e-6);
}

#[test]
fn fixed_norms_of_the_backbone_stay_and_its_weights_learn_at_a_rate_of_their_own() {
    one_thread();
    let mut cfg = tiny();
    (cfg.model.backbone_norms, cfg.model.backbone_lr) = (Norms::Fixed, 0.25);
    let network = build(&cfg, 7);
    let before: Vec<(String, Tensor)> = network.state().into_iter().map(|(name, t)| (name, t.detach().copy())).collect();
    let mut optimizer = Optimizer::new(&cfg.optim, network.trained());
    let out = network.forward(&images(2, 0.37), Mode::Train);
    let loss = out.features.square().sum(Kind::Float) + out.scores.unwrap().square().sum(Kind::Float);
    let _ = optimizer.step(&loss, 1e-3, 0.0);
    for ((name, before), (_, after)) in before.iter().zip(network.state()) {
        let running = name.contains("running");
        assert_eq!(before.equal(&after), running && name.starts_with("backbone."), "{name}");
    }
    assert!(network.trained().iter().all(|t| t.lr == if t.name.starts_with("backbone.") { 0.25 } else { 1.0 }));
}

#[test]
fn first_values_lie_within_one_over_the_root_of_fan_in_and_depend_on_the_seed() {
    one_thread();
    let (network, other) = (build(&tiny(), 7), build(&tiny(), 8));
    let params = network.params();
    for p in params.iter() {
        let (prefix, part) = p.name.rsplit_once('.').unwrap();
        let constant = |value: f64| values(&p.tensor).iter().all(|&v| v == value);
        if params.get(&format!("{prefix}.running_mean")).is_some() {
            assert!(constant(if matches!(part, "weight" | "running_var") { 1.0 } else { 0.0 }), "{}", p.name);
            assert_eq!(p.kind == ParamKind::Buffer, part.starts_with("running"), "{}", p.name);
            continue;
        }
        let weight = params.get(&format!("{prefix}.weight")).unwrap();
        let fan_in = weight.numel() as f64 / weight.size()[0] as f64;
        let bound = p.tensor.abs().max().double_value(&[]) * fan_in.sqrt();
        assert!(bound <= 1.0 + 1e-6 && (bound > 0.9 || p.tensor.numel() < 100), "{}: {bound}", p.name);
        assert!(!p.tensor.equal(other.params().get(&p.name).unwrap()), "{}", p.name);
    }
}

#[test]
fn the_heads_weights_start_with_the_variance_that_is_asked_for_and_nothing_else_moves() {
    one_thread();
    let mut cfg = tiny();
    (cfg.model.fusion.mid, cfg.model.fusion.channels, cfg.model.score.hidden) = (64, 48, 40);
    let plain = build(&cfg, 7);
    for init in [HeadInit::Uniform, HeadInit::He, HeadInit::Xavier, HeadInit::Small] {
        cfg.model.head_init = init;
        for (p, before) in build(&cfg, 7).params().iter().zip(plain.params().iter()) {
            let of_head = p.name.starts_with("head.") || p.name.starts_with("score.");
            if !of_head || p.name.ends_with("bias") {
                assert!(p.tensor.equal(&before.tensor), "{init:?} {}", p.name);
                continue;
            }
            let [cout, cin, height, width] = p.tensor.size().try_into().unwrap();
            let [fan_in, fan_out] = [cin, cout].map(|channels: i64| (channels * height * width) as f64);
            let variance = match init {
                HeadInit::Uniform => 1.0 / (3.0 * fan_in),
                HeadInit::He => 2.0 / fan_in,
                HeadInit::Xavier => 2.0 / (fan_in + fan_out),
                HeadInit::Small => 1.0 / (18.0 * fan_in),
            };
            // The mean of n squared normal values lies within five of its own deviations, sqrt(2 / n).
            let (ratio, n) = (p.tensor.square().mean(Kind::Double).double_value(&[]) / variance, p.tensor.numel() as f64);
            assert!((ratio - 1.0).abs() < 5.0 * (2.0 / n).sqrt(), "{init:?} {}: {ratio}", p.name);
        }
    }
}

#[test]
fn an_image_scores_the_same_whatever_else_is_in_its_batch() {
    one_thread();
    let network = build(&tiny(), 7);
    let _ = network.forward(&images(3, 0.51), Mode::Train); // running statistics that are not those of the start
    let (own, others) = (images(1, 0.37), images(2, 0.91));
    let scores = |parts: &[&Tensor], at: i64| {
        let out = tch::no_grad(|| network.forward(&Tensor::cat(parts, 0), Mode::Eval));
        Tensor::cat(&[out.scores.unwrap().get(at), out.features.get(at)], 0)
    };
    let first = scores(&[&own, &others], 0);
    for companions in [&others * -3.0, Tensor::zeros_like(&others), images(2, 0.13)] {
        assert!(first.equal(&scores(&[&own, &companions], 0)), "bit for bit");
    }
    // Another size of the batch, or another place in it, may split sums elsewhere: equal up to rounding only.
    let scale = first.abs().max().double_value(&[]);
    for (name, other) in
        [("alone", scores(&[&own], 0)), ("of two", scores(&[&own, &own], 0)), ("last of three", scores(&[&others, &own], 2))]
    {
        println!("{name}: {:e}", distance(&first, &other) / scale);
        assert!(distance(&first, &other) < 1e-5 * scale, "{name}");
    }
}

#[test]
fn a_frozen_backbone_with_folded_norms_gives_the_features_of_the_free_one() {
    one_thread();
    let free = build(&tiny(), 7);
    for pace in [0.37, 0.51, 0.91] {
        let _ = free.forward(&images(2, pace), Mode::Train);
    }
    let source = |name: &str| {
        let data = |t: &Tensor| Vec::<f32>::try_from(t.detach().contiguous().view(-1)).unwrap();
        Ok(free.params().get(name).map(|t| Values { shape: t.size(), data: data(t) }))
    };
    let mut cfg = tiny();
    cfg.model.backbone.freeze = Freeze::All;
    let frozen = Network::new(&cfg, Some(&Weights { source: &source, stride_in: None }), 7, Device::Cpu).unwrap();
    let (a, b) = (free.stages(&images(2, 0.37), Mode::Eval), frozen.stages(&images(2, 0.37), Mode::Eval));
    for (a, b) in [(a.c1, b.c1), (a.c2, b.c2), (a.c3, b.c3)] {
        let scale = a.abs().max().double_value(&[]);
        assert!(scale > 0.0 && distance(&a, &b) < 1e-4 * scale, "{:e}", distance(&a, &b) / scale);
        assert!(!b.requires_grad());
    }
    assert!(frozen.trained().iter().all(|p| !p.name.starts_with("backbone.")));
    assert_eq!(frozen.params().len(), free.params().len());
}

#[test]
fn maps_come_at_the_strides_that_are_asked_for() {
    one_thread();
    let x = images(2, 0.37);
    for (low, fusion, hidden) in [(4, 8, 0), (8, 4, 0), (8, 8, 4), (4, 16, 0)] {
        let mut cfg = tiny();
        (cfg.model.low.stride, cfg.model.fusion.stride, cfg.model.score.hidden) = (low, fusion, hidden);
        let network = build(&cfg, 7);
        let out = tch::no_grad(|| network.forward(&x, Mode::Eval));
        let side = 64 / fusion as i64;
        assert_eq!(out.features.size(), [2, 8, side, side]);
        assert_eq!(out.scores.unwrap().size(), [2, 1, side, side]);
        assert_eq!(network.params().get("score.1.weight").is_some(), hidden > 0);
    }
}

#[test]
fn a_raw_head_has_no_parameters_and_hands_on_the_fused_map() {
    one_thread();
    let mut cfg = tiny();
    (cfg.model.stlnet, cfg.model.self_calibration, cfg.model.ablation.head) = (false, false, BaselineHead::Raw);
    (cfg.loss.score.enabled, cfg.loss.consistency.enabled) = (false, false);
    let network = build(&cfg, 7);
    let x = images(2, 0.37);
    let out = network.forward(&x, Mode::Eval);
    assert_eq!(out.features.size(), [2, 64 + 128 + 256, 16, 16]);
    assert!(out.features.narrow(1, 0, 64).equal(&network.stages(&x, Mode::Eval).c1));
    assert!(names(&network).iter().all(|name| name.starts_with("backbone.")));
}

#[test]
fn the_memory_layout_changes_no_value_beyond_rounding() {
    one_thread();
    let x = images(2, 0.37);
    let features = |format| {
        let mut cfg = tiny();
        cfg.train.memory_format = format;
        tch::no_grad(|| build(&cfg, 7).forward(&x, Mode::Eval).features)
    };
    let (a, b) = (features(MemoryFormat::ChannelsLast), features(MemoryFormat::Contiguous));
    assert!(distance(&a, &b) < 1e-4 * a.abs().max().double_value(&[]));
}

fn in_precision(precision: Precision) -> Config {
    let mut cfg = tiny();
    cfg.train.precision = precision;
    cfg
}

#[test]
fn both_maps_of_a_bf16_network_have_as_many_distinct_values_as_in_float32() {
    one_thread();
    let x = wave(&[1, 3, 256, 256], 0.37) * 2.0;
    let distinct = |precision| {
        let cfg = Config { data: Data { size: 256, ..tiny().data }, ..in_precision(precision) };
        let Output { features, scores } = tch::no_grad(|| build(&cfg, 7).forward(&x, Mode::Eval));
        let scores = scores.unwrap();
        assert_eq!((features.kind(), scores.kind()), (Kind::Float, Kind::Float));
        // F is not merely a cast of bf16 values.
        let rounded = features.to_kind(Kind::BFloat16).to_kind(Kind::Float).eq_tensor(&features).to_kind(Kind::Float);
        assert!(rounded.mean(Kind::Float).double_value(&[]) < 0.01, "{precision:?}");
        [loss::distance(&features), scores].map(|map| {
            assert_eq!(map.size(), [1, 1, 64, 64]);
            values(&map).iter().map(|v| v.to_bits()).collect::<BTreeSet<_>>().len()
        })
    };
    let (exact, rough) = (distinct(Precision::Fp32), distinct(Precision::Bf16));
    println!("{rough:?} of {exact:?}");
    for (exact, rough) in exact.into_iter().zip(rough) {
        assert!(exact > 4000 && rough as f64 >= 0.99 * exact as f64, "{rough} of {exact}");
    }
}

/// Without the texture branch, of which bf16.rs tells.
#[test]
fn the_gradient_of_a_bf16_step_is_near_that_of_float32() {
    one_thread();
    let gradients = |precision, freeze| {
        let mut cfg = in_precision(precision);
        (cfg.model.stlnet, cfg.model.backbone.freeze) = (false, freeze);
        let network = build(&cfg, 7);
        let (trained, out) = (network.trained(), network.forward(&images(4, 0.37), Mode::Train));
        let scores = out.scores.unwrap();
        let total = loss::distance(&out.features).mean(Kind::Float) + (&scores * wave(&scores.size(), 0.05)).mean(Kind::Float);
        let leaves: Vec<&Tensor> = trained.iter().map(|p| &p.tensor).collect();
        let gradients = Tensor::run_backward(&[total], &leaves, false, false);
        trained.iter().map(|p| p.name.clone()).zip(gradients).collect::<Vec<_>>()
    };
    // Parts and the greatest relative error of their gradients. Rounding adds up through a random backbone's batch norms.
    let free = vec![("backbone.layer1", 0.4), ("backbone.layer3", 0.4), ("sc.", 0.1), ("head", 0.02), ("score", 0.05), ("", 0.15)];
    let frozen = vec![("sc.", 0.03), ("head", 0.02), ("score", 0.02), ("", 0.02)];
    for (freeze, bounds) in [(Freeze::None, free), (Freeze::All, frozen)] {
        let (exact, rough) = (gradients(Precision::Fp32, freeze), gradients(Precision::Bf16, freeze));
        for (part, bound) in bounds {
            let squares = |of: &dyn Fn(&Tensor, &Tensor) -> Tensor| -> f64 {
                let pairs = exact.iter().zip(&rough).filter(|((name, _), _)| name.starts_with(part));
                pairs.map(|((_, a), (_, b))| of(a, b).square().sum(Kind::Double).double_value(&[])).sum()
            };
            let error = (squares(&|a, b| b - a) / squares(&|a, _| a.shallow_clone())).sqrt();
            println!("{freeze:?} {part}: {error:.4}");
            assert!(error > 0.0 && error < bound, "{freeze:?} {part}: {error}");
        }
    }
}

#[test]
fn a_bf16_network_on_a_frozen_backbone_learns_and_keeps_float32_parameters() {
    one_thread();
    let mut cfg = in_precision(Precision::Bf16);
    cfg.model.backbone.freeze = Freeze::All;
    let network = build(&cfg, 7);
    let frozen: Vec<_> = network.params().iter().filter(|p| !p.trained).map(|p| (p.name.clone(), p.tensor.copy())).collect();
    let mut optimizer = Optimizer::new(&cfg.optim, network.trained());
    let x = images(4, 0.37);
    let losses: Vec<f64> = (0..20)
        .map(|_| {
            let out = network.forward(&x, Mode::Train);
            let total = loss::distance(&out.features).mean(Kind::Float) + (out.scores.unwrap() - 1.0).square().mean(Kind::Float);
            let _ = optimizer.step(&total, 0.01, 5.0);
            total.double_value(&[])
        })
        .collect();
    assert!(losses[19] < 0.5 * losses[0], "{losses:?}");
    assert!(network.trained().iter().all(|p| p.tensor.kind() == Kind::Float && is_finite(&p.tensor)));
    assert!(!frozen.is_empty() && frozen.iter().all(|(name, before)| before.equal(network.params().get(name).unwrap())));
}

#[test]
fn the_network_of_the_paper_has_about_31_million_weights() {
    one_thread();
    let network = build(&Config::default(), 0);
    let count = network.params().weight_count();
    println!("weights at the paper's profile: {count}");
    assert!((29_000_000..=33_000_000).contains(&count), "{count}");
}

#[test]
fn the_whole_method_is_built_on_an_efficientnet_too() {
    one_thread();
    let mut cfg = tiny();
    cfg.model.backbone.name = BackboneName::EfficientnetLite0;
    let network = build(&cfg, 7);
    let Output { features, scores } = network.forward(&images(2, 0.37), Mode::Train);
    assert_eq!(features.size(), [2, 8, 16, 16]);
    (features.square().mean(Kind::Float) + scores.unwrap().square().mean(Kind::Float)).backward();
    for param in network.params().trained_weights() {
        assert!(is_finite(&param.tensor.grad()), "{}", param.name);
    }
    assert!(network.params().trained_weights().any(|p| p.name == "backbone._blocks.10._project_conv.weight"));
}
