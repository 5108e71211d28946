//! What is summed instead of concatenated, and mapped before it is resized, against the literal forms.

use harness::config::{Fusion, MidActivation};
use harness_torch::model::fusion::{Head, Reduce, Score, resize};
use harness_torch::model::{Mode, Params};
use tch::{Kind, Tensor};

use crate::setup::{distance, module, stir, tiny, wave};

fn conv(params: &Params, name: &str, x: &Tensor) -> Tensor {
    let weight = params.get(&format!("{name}.weight")).unwrap();
    let pad = weight.size()[2] / 2;
    x.conv2d(weight, params.get(&format!("{name}.bias")), [1, 1], [pad, pad], [1, 1], 1)
}

fn norm(params: &Params, name: &str, x: &Tensor) -> Tensor {
    let part = |part: &str| params.get(&format!("{name}.{part}")).unwrap().view([1, -1, 1, 1]);
    (x - part("running_mean")) / (part("running_var") + 1e-5).sqrt() * part("weight") + part("bias")
}

fn literal(parts: &[Tensor], side: i64) -> Tensor {
    Tensor::cat(&parts.iter().map(|p| resize(p, side)).collect::<Vec<_>>(), 1)
}

#[test]
fn the_reduction_is_that_of_the_concatenated_stages() {
    for side in [8, 4] {
        let (reduce, params) = module(|builder, _| Reduce::new(builder, 5, 4), &tiny().model);
        stir(&params);
        let stages = [wave(&[2, 2, 8, 8], 0.6), wave(&[2, 3, 4, 4], 0.8)];
        let slow = norm(&params, "low.reduce.bn", &conv(&params, "low.reduce.conv", &literal(&stages, side))).relu();
        assert!(distance(&reduce.forward(&stages, side, Mode::Eval), &slow) < 1e-5);
    }
}

#[test]
fn the_head_is_that_of_the_concatenated_parts_in_value_and_gradient() {
    let cases = [
        (8, MidActivation::None, true),
        (8, MidActivation::BnRelu, false),
        (4, MidActivation::BnRelu, true),
        (16, MidActivation::None, true),
    ];
    for (side, mid_activation, bias) in cases {
        let config = Fusion { mid_activation, bias, ..tiny().model.fusion };
        let (head, params) = module(|builder, _| Head::new(builder, &config, 6), &tiny().model);
        stir(&params);
        let parts = [wave(&[2, 3, 8, 8], 0.6), wave(&[2, 2, 4, 4], 0.8), wave(&[2, 1, 2, 2], 0.9)].map(|p| p.set_requires_grad(true));
        let fast = head.forward(&parts, side, Mode::Eval);
        let mid = conv(&params, "head.mid.conv", &literal(&parts, side));
        let mid = if mid_activation == MidActivation::BnRelu { norm(&params, "head.mid.bn", &mid).relu() } else { mid };
        let slow = conv(&params, "head.feature", &mid);
        assert!(distance(&fast, &slow) < 1e-5);
        let upstream = wave(&fast.size(), 0.7);
        let mut leaves: Vec<&Tensor> = parts.iter().collect();
        leaves.extend(params.get("head.mid.conv.weight"));
        let gradients = |y: Tensor| Tensor::run_backward(&[(y * &upstream).sum(Kind::Float)], &leaves, false, false);
        for (a, b) in gradients(fast).iter().zip(gradients(slow)) {
            assert!(distance(a, &b) < 1e-4 * b.abs().max().double_value(&[]).max(1.0));
        }
        assert_eq!(params.get("head.mid.conv.bias").is_some(), bias);
    }
}

#[test]
fn resizing_averages_blocks_and_keeps_corners() {
    tch::set_num_threads(1);
    let x = wave(&[1, 1, 4, 4], 0.7);
    let block = x.narrow(2, 2, 2).narrow(3, 0, 2).mean(Kind::Float).double_value(&[]);
    assert!((resize(&x, 2).double_value(&[0, 0, 1, 0]) - block).abs() < 1e-6);
    let up = resize(&x, 8);
    assert_eq!(up.double_value(&[0, 0, 0, 0]), x.double_value(&[0, 0, 0, 0]));
    assert_eq!(up.double_value(&[0, 0, 7, 7]), x.double_value(&[0, 0, 3, 3]));
    let (low, high) = (x.min().double_value(&[]), x.max().double_value(&[]));
    assert!(up.max().double_value(&[]) <= high && up.min().double_value(&[]) >= low);
}

#[test]
fn the_score_head_is_one_linear_map_or_an_mlp() {
    let f = wave(&[2, 5, 3, 3], 0.7);
    let (linear, params) = module(|builder, _| Score::new(builder, 5, 0), &tiny().model);
    assert_eq!(params.weight_count(), 6);
    assert!(distance(&linear.forward(&f), &conv(&params, "score", &f)) < 1e-6);
    let (mlp, params) = module(|builder, _| Score::new(builder, 5, 4), &tiny().model);
    let slow = conv(&params, "score.1", &conv(&params, "score.0", &f).relu());
    assert!(distance(&mlp.forward(&f), &slow) < 1e-6);
}
