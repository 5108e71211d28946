//! Gradients of what is computed in another order than it is written, and what a training step moves.

use harness::config::{Levels, Qco, Window};
use harness_torch::detector::mlff::model::Network;
use harness_torch::detector::mlff::model::head::Head;
use harness_torch::detector::mlff::model::qco::encode;
use harness_torch::nn::{Mode, ParamKind};
use tch::{Device, Kind, Tensor};

use crate::{builder, distance, one_thread, tiny, values, wave};

fn build() -> Network {
    Network::new(&tiny(), None, 7, Device::Cpu).unwrap()
}

fn images() -> Tensor {
    wave(&[2, 3, 64, 64], 0.37)
}

#[test]
fn the_gradient_of_the_encoding_is_that_of_finite_differences() {
    one_thread();
    let sines = |shape: &[i64], pace| wave(shape, pace).to_kind(Kind::Double);
    let choices = [
        (Levels::Midpoint, Window::Full),
        (Levels::Midpoint, Window::Half),
        (Levels::Endpoint, Window::Half),
        (Levels::Midpoint, Window::Hat),
    ];
    // Whether value i of two groups is the least or the greatest of its own.
    let spans = |x: &Tensor, i: usize| {
        let (group, value) = (x.get(i as i64 / 11), x.view(-1).double_value(&[i as i64]));
        value == group.min().double_value(&[]) || value == group.max().double_value(&[])
    };
    for (levels, window) in choices {
        let x = sines(&[2, 11], 0.83) * 0.5;
        let (on_codes, on_levels) = (sines(&[2, 11, 5], 1.7), sines(&[2, 5], 0.9));
        let loss = |x: &Tensor| {
            let encoded = encode(x, 5, &Qco { levels, window });
            (encoded.encoding * &on_codes).sum(Kind::Double) + (encoded.levels * &on_levels).sum(Kind::Double)
        };
        let leaf = x.copy().set_requires_grad(true);
        loss(&leaf).backward();
        for (i, analytic) in values(&leaf.grad()).into_iter().enumerate() {
            let moved = |by: f64| {
                let moved = x.copy();
                let _ = moved.view(-1).narrow(0, i as i64, 1).g_add_scalar_(by);
                loss(&moved).double_value(&[])
            };
            // The window is a constant to autograd, also where it is what a distance is measured in: of what spans it no derivative.
            if window == Window::Hat && spans(&x, i) {
                continue;
            }
            let numeric = (moved(1e-7) - moved(-1e-7)) / 2e-7;
            assert!((analytic - numeric).abs() < 1e-5, "{levels:?} {window:?} {i}: {analytic} {numeric}");
        }
    }
}

#[test]
fn the_heads_gradients_are_those_of_upsampling_and_concatenating_first() {
    one_thread();
    let mut builder = builder();
    let head = Head::new(&mut builder, &tiny().model, 6).unwrap();
    let params = builder.finish();
    let get = |name: &str| params.get(name).unwrap();
    let parts = [wave(&[2, 3, 8, 8], 0.6), wave(&[2, 2, 4, 4], 0.8), wave(&[2, 1, 2, 2], 0.9)].map(|p| p.set_requires_grad(true));
    let up = parts.each_ref().map(|p| p.upsample_bilinear2d([8, 8], true, None, None));
    let literal = Tensor::cat(&up, 1).conv2d(get("head.mid.conv.weight"), Some(get("head.mid.conv.bias")), [1, 1], [1, 1], [1, 1], 1);
    let literal = literal.conv2d(get("head.feature.weight"), Some(get("head.feature.bias")), [1, 1], [0, 0], [1, 1], 1);
    let leaves: Vec<&Tensor> = parts.iter().chain(params.trained_weights().map(|p| &p.tensor)).collect();
    let upstream = wave(&literal.size(), 0.7);
    let gradients = |y: Tensor| Tensor::run_backward(&[(y * &upstream).sum(Kind::Float)], &leaves, false, false);
    for (fast, slow) in gradients(head.forward(&parts, None, 8, Mode::Train)).iter().zip(gradients(literal)) {
        assert!(distance(fast, &slow) < 1e-5 * slow.abs().max().double_value(&[]).max(1.0));
    }
}

#[test]
fn a_step_repeats_bit_for_bit() {
    one_thread();
    let step = || {
        let net = build();
        let out = net.forward(&images(), Mode::Train);
        (out.features.square().sum(Kind::Float) + out.scores.unwrap().sum(Kind::Float)).backward();
        net.params().trained_weights().flat_map(|p| values(&p.tensor.grad())).collect::<Vec<_>>()
    };
    assert_eq!(step(), step());
}

#[test]
fn training_moves_every_running_statistic_and_scoring_none() {
    one_thread();
    let net = build();
    let buffers = || -> Vec<(String, Tensor)> {
        let buffers = net.params().iter().filter(|p| p.kind == ParamKind::Buffer);
        buffers.map(|p| (p.name.clone(), p.tensor.copy())).collect()
    };
    let before = buffers();
    net.forward(&images(), Mode::Eval);
    assert!(before.iter().zip(buffers()).all(|((_, a), (_, b))| distance(a, &b) == 0.0));
    net.forward(&images(), Mode::Train);
    for ((name, before), (_, after)) in before.iter().zip(buffers()) {
        assert!(distance(before, &after) > 0.0, "{name} did not move");
    }
}
