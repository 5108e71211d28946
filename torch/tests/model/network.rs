//! The whole network: its sixteen combinations, shapes, determinism and refusals.

use std::collections::BTreeMap;

use harness::config::{BackboneName, BaselineHead, Config, Freeze, MemoryFormat, Precision, StrideIn};
use harness_torch::model::{Mode, Network, Output, Param, ParamKind, Weights};
use tch::{Device, Kind, Tensor};

use crate::setup::{build, distance, finite, stir, tiny, values, wave};

/// stlnet, self-calibration, score, consistency.
type Toggles = [bool; 4];

fn combinations() -> impl Iterator<Item = Toggles> {
    (0..16).map(|i| [1, 2, 4, 8].map(|bit| i & bit != 0))
}

fn toggled([stlnet, self_calibration, score, consistency]: Toggles) -> Config {
    let mut cfg = tiny();
    (cfg.model.stlnet, cfg.model.self_calibration) = (stlnet, self_calibration);
    (cfg.loss.score.enabled, cfg.loss.consistency.enabled) = (score, consistency);
    cfg
}

/// What the loss looks at, so that its gradient reaches whatever is used.
fn total(out: &Output) -> Tensor {
    let mut sum = out.features.square().sum(Kind::Float);
    if let Some(scores) = &out.scores {
        sum += scores.sum(Kind::Float);
    }
    sum
}

fn images(batch: i64, side: i64) -> Tensor {
    wave(&[batch, 3, side, side], 0.37)
}

#[test]
fn all_sixteen_combinations_build_step_and_score() {
    for toggles in combinations() {
        let net = build(&toggled(toggles));
        let [_, _, score, consistency] = toggles;
        let before: Vec<Tensor> = net.params().iter().map(|p| p.tensor.copy()).collect();
        let out = net.forward(&images(2, 32), Mode::Train);
        assert_eq!(out.features.size(), [2, 5, 8, 8], "{toggles:?}");
        assert_eq!(out.scores.as_ref().map(Tensor::size), (score || consistency).then(|| vec![2, 1, 8, 8]), "{toggles:?}");
        total(&out).backward();
        for p in net.params().trained_weights() {
            assert!(p.tensor.grad().defined() && finite(&p.tensor.grad()), "{toggles:?}: {} has no use", p.name);
            let mut weight = p.tensor.shallow_clone();
            tch::no_grad(|| {
                let _ = weight.g_sub_(&(p.tensor.grad() * 1e-6));
            });
        }
        for (p, before) in net.params().iter().zip(before) {
            let moved = distance(&p.tensor, &before) > 0.0;
            assert!(moved || p.kind == ParamKind::Weight, "{toggles:?}: the running statistic {} stands still", p.name);
        }
        let scored = tch::no_grad(|| net.forward(&images(1, 32), Mode::Eval));
        assert!(finite(&scored.features) && scored.scores.is_none_or(|s| finite(&s)));
    }
}

#[test]
fn toggling_removes_exactly_the_parameters_of_what_is_off() {
    let full = build(&toggled([true; 4]));
    let shapes = |net: &Network, keep: &dyn Fn(&str) -> bool| -> BTreeMap<String, Vec<i64>> {
        net.params().iter().filter(|p| keep(&p.name)).map(|p| (p.name.clone(), p.tensor.size())).collect()
    };
    // ResNet-18: 64, 128 and 256 channels; T2, T1 and X0: 4, 5 and 6; the calibrated map: 6.
    for [stlnet, sc, score, consistency] in combinations() {
        let net = build(&toggled([stlnet, sc, score, consistency]));
        let kept = |name: &str| match name.split('.').next() {
            Some("low" | "tem" | "ptfem") => stlnet,
            Some("sc") => sc,
            Some("score") => score || consistency,
            _ => true,
        };
        let mut want = shapes(&full, &kept);
        let width = if stlnet { 4 + 5 + 6 } else { 64 + 128 } + if sc { 6 } else { 256 };
        want.insert("head.mid.conv.weight".into(), vec![7, width, 3, 3]);
        assert_eq!(shapes(&net, &|_| true), want);
    }
}

#[test]
fn rows_that_share_a_parameter_start_alike() {
    let full = build(&toggled([true; 4]));
    for toggles in combinations() {
        for Param { name, tensor, .. } in build(&toggled(toggles)).params().iter() {
            let twin = full.params().get(name).expect("the full network has every parameter");
            // The head's first convolution has other inputs in other rows, hence another shape or at least another scale.
            assert!(twin.equal(tensor) || name.starts_with("head.mid.conv"), "{name}");
        }
    }
}

#[test]
fn the_paper_profile_has_31_million_parameters_and_maps_of_64_cells() {
    tch::set_num_threads(1);
    let cfg = Config::default();
    let net = build(&cfg);
    let count = |prefix: &str| -> usize {
        net.params().iter().filter(|p| p.kind == ParamKind::Weight && p.name.starts_with(prefix)).map(|p| p.tensor.numel()).sum()
    };
    assert_eq!(count("backbone."), 8_543_296);
    assert_eq!(count("sc."), 2 * 9 * 1024 * 1024 + 1024 * 256 + 2 * (1024 + 1024 + 256));
    assert_eq!(count("head."), 9 * 1280 * 128 + 128 + 128 * 32 + 32);
    assert_eq!(count("score."), 33);
    assert!((30_500_000..32_000_000).contains(&count("")), "{}", count(""));
    let out = tch::no_grad(|| net.forward(&images(1, 256), Mode::Eval));
    assert_eq!(out.features.size(), [1, 32, 64, 64]);
    assert_eq!(out.scores.map(|s| s.size()), Some(vec![1, 1, 64, 64]));
}

#[test]
fn scores_do_not_depend_on_batch_companions() {
    let net = build(&tiny());
    stir(net.params());
    let x = images(5, 32);
    let of = |x: &Tensor| tch::no_grad(|| net.forward(x, Mode::Eval));
    let together = of(&x);
    for i in 0..5 {
        let alone = of(&x.narrow(0, i, 1));
        let scale = together.features.abs().max().double_value(&[]);
        assert!(distance(&alone.features, &together.features.narrow(0, i, 1)) < 1e-5 * scale);
        let scores = together.scores.as_ref().unwrap();
        assert!(distance(&alone.scores.unwrap(), &scores.narrow(0, i, 1)) < 1e-5 * scores.abs().max().double_value(&[]));
    }
}

#[test]
fn only_training_moves_running_statistics() {
    let net = build(&tiny());
    let statistics =
        || -> Vec<f64> { net.params().iter().filter(|p| p.kind == ParamKind::Buffer).flat_map(|p| values(&p.tensor)).collect() };
    let before = statistics();
    net.forward(&images(2, 32), Mode::Eval);
    assert_eq!(before, statistics());
    net.forward(&images(2, 32), Mode::Train);
    assert_ne!(before, statistics());
}

#[test]
fn a_step_repeats_bit_for_bit() {
    let step = || {
        let net = build(&tiny());
        total(&net.forward(&images(2, 32), Mode::Train)).backward();
        net.params().trained_weights().flat_map(|p| values(&p.tensor.grad())).collect::<Vec<_>>()
    };
    assert_eq!(step(), step());
}

#[test]
fn memory_layout_changes_no_more_than_rounding() {
    let run = |format| {
        let mut cfg = tiny();
        cfg.train.memory_format = format;
        let net = build(&cfg);
        stir(net.params());
        let out = net.forward(&images(2, 32), Mode::Eval);
        total(&out).backward();
        (out, net.params().get("tem.enter.conv.weight").unwrap().grad())
    };
    let ((a, ga), (b, gb)) = (run(MemoryFormat::ChannelsLast), run(MemoryFormat::Contiguous));
    assert!(distance(&a.features, &b.features) < 1e-4 * a.features.abs().max().double_value(&[]));
    let error = distance(&ga, &gb) / ga.abs().max().double_value(&[]);
    assert!(error < 1e-3, "{error:e}");
}

#[test]
fn a_bf16_map_has_as_many_distinct_scores_as_a_float32_one() {
    let distinct = |precision, freeze| {
        let mut cfg = tiny();
        cfg.data.size = 64;
        cfg.train.precision = precision;
        cfg.model.backbone.freeze = freeze;
        let net = build(&cfg);
        let scores = tch::no_grad(|| net.forward(&images(2, 64), Mode::Train)).scores.unwrap();
        assert_eq!(scores.kind(), Kind::Float);
        let mut scores = values(&scores);
        scores.sort_by(f64::total_cmp);
        scores.dedup();
        scores.len() as f64
    };
    for freeze in [Freeze::None, Freeze::All] {
        let (single, half) = (distinct(Precision::Fp32, freeze), distinct(Precision::Bf16, freeze));
        assert!(half >= 0.99 * single && single > 400.0, "{half} of {single}");
    }
}

#[test]
fn f_and_the_low_level_map_stand_at_the_strides_that_are_asked_for() {
    for (low, fusion, side) in [(8, 4, 16), (4, 8, 8), (8, 16, 4), (8, 8, 8), (4, 16, 4)] {
        for toggles in [[true; 4], [false; 4], [true, false, true, false], [false, true, false, true]] {
            let mut cfg = toggled(toggles);
            cfg.data.size = 64;
            (cfg.model.low.stride, cfg.model.fusion.stride) = (low, fusion);
            let out = build(&cfg).forward(&images(2, 64), Mode::Train);
            assert_eq!(out.features.size(), [2, 5, side, side]);
            assert!(finite(&out.features));
        }
    }
}

#[test]
fn a_raw_head_gives_the_fused_map_itself_but_never_with_the_score_loss() {
    let build_raw = |toggles| {
        let mut cfg = toggled(toggles);
        cfg.model.ablation.head = BaselineHead::Raw;
        build(&cfg)
    };
    let net = build_raw([false; 4]);
    let (out, stages) = (net.forward(&images(2, 32), Mode::Eval), net.stages(&images(2, 32), Mode::Eval));
    assert_eq!(out.features.size(), [2, 64 + 128 + 256, 8, 8]);
    assert_eq!(distance(&out.features.narrow(1, 0, 64), &stages.c1), 0.0);
    assert_eq!(build_raw([false, false, false, true]).params().get("score.weight").map(Tensor::size), Some(vec![1, 448, 1, 1]));
    assert!(build_raw([false, false, true, false]).params().get("head.feature.weight").is_some());
}

#[test]
fn every_backbone_fits_every_width_behind_it() {
    for name in [BackboneName::Resnet34, BackboneName::Resnet50, BackboneName::WideResnet50x2] {
        let mut cfg = tiny();
        cfg.model.backbone.name = name;
        cfg.model.backbone.freeze = Freeze::All;
        let out = build(&cfg).forward(&images(2, 32), Mode::Train);
        assert!(out.features.size() == [2, 5, 8, 8] && finite(&out.features));
    }
}

fn refusal(change: impl FnOnce(&mut Config)) -> String {
    let mut cfg = tiny();
    change(&mut cfg);
    let error = Network::new(&cfg, None, 0, Device::Cpu).expect_err("is refused");
    assert_eq!(error.exit_code(), 2);
    assert!(!error.remedy.is_empty());
    error.what
}

#[test]
fn sizes_that_do_not_fit_are_refused_by_their_key() {
    assert!(refusal(|c| c.data.size = 100).starts_with("data.size = 100"));
    assert!(refusal(|c| c.data.size = 0).starts_with("data.size"));
    assert!(refusal(|c| c.model.ptfem.scales = vec![1, 3]).starts_with("model.ptfem.scales holds 3"));
    assert!(refusal(|c| c.model.ptfem.scales = vec![2, 2]).starts_with("model.ptfem.scales holds 2 twice"));
    assert!(refusal(|c| c.model.ptfem.scales = vec![]).starts_with("model.ptfem.scales"));
    assert!(refusal(|c| c.loss.consistency.patch = [2, 3]).starts_with("loss.consistency.patch = [2, 3]"));
    assert!(refusal(|c| c.train.batch = 1).starts_with("train.batch = 1"));
    // What is off imposes nothing.
    let mut cfg = toggled([false, false, true, false]);
    (cfg.model.ptfem.scales, cfg.loss.consistency.patch, cfg.train.batch) = (vec![3], [2, 3], 1);
    assert!(Network::new(&cfg, None, 0, Device::Cpu).is_ok());
}

#[test]
fn a_stride_that_contradicts_the_weights_is_refused_and_auto_follows_them() {
    let c2 = |key, file: Option<StrideIn>, name| {
        let mut cfg = toggled([false; 4]);
        cfg.model.backbone.name = name;
        cfg.model.backbone.freeze = Freeze::All;
        cfg.model.backbone.stride_in = key;
        let weights = Weights { source: &|_| Ok(None), stride_in: file };
        Network::new(&cfg, Some(&weights), 0, Device::Cpu).map(|net| values(&net.stages(&images(1, 32), Mode::Eval).c2))
    };
    let deep = |key, file| c2(key, file, BackboneName::Resnet50);
    let (first, second) = (deep(StrideIn::Conv1, None).unwrap(), deep(StrideIn::Conv2, None).unwrap());
    assert_ne!(first, second);
    assert_eq!(deep(StrideIn::Auto, None).unwrap(), second);
    assert_eq!(deep(StrideIn::Auto, Some(StrideIn::Conv1)).unwrap(), first);
    assert_eq!(deep(StrideIn::Conv2, Some(StrideIn::Conv2)).unwrap(), second);
    let error = deep(StrideIn::Conv2, Some(StrideIn::Conv1)).unwrap_err();
    assert!(error.what.contains("model.backbone.stride_in") && error.exit_code() == 2, "{error}");
    assert!(c2(StrideIn::Conv2, Some(StrideIn::Conv1), BackboneName::Resnet18).is_ok(), "basic blocks have one place only");
}
