//! The reduction and the head against what they compute without shortcuts: resize, concatenate, convolve.

use harness::config::MidActivation;
use harness_torch::detector::mlff::model::head::Head;
use harness_torch::detector::mlff::model::reduce::Reduce;
use harness_torch::detector::mlff::model::resample::resize;
use harness_torch::nn::{Mode, Params};
use tch::{Kind, Tensor};

use crate::{builder, distance, fill, one_thread, tiny, wave};

fn concatenate(parts: &[Tensor], side: i64) -> Tensor {
    Tensor::cat(&parts.iter().map(|p| resize(p, side)).collect::<Vec<_>>(), 1)
}

fn norm(params: &Params, name: &str, x: &Tensor) -> Tensor {
    let get = |part: &str| params.get(&format!("{name}.{part}")).map(|t| t.detach().view([1, -1, 1, 1])).unwrap();
    (x - get("running_mean")) / (get("running_var") + 1e-5).sqrt() * get("weight") + get("bias")
}

#[test]
fn the_head_is_two_convolutions_of_the_resized_maps_concatenation() {
    one_thread();
    for (activation, side) in [(MidActivation::None, 8), (MidActivation::BnRelu, 8), (MidActivation::None, 16), (MidActivation::None, 4)] {
        let mut model = tiny().model;
        model.fusion.mid_activation = activation;
        let mut builder = builder();
        let head = Head::new(&mut builder, &model, 12).unwrap();
        let params = builder.finish();
        fill(&params);
        let parts = [wave(&[2, 3, 16, 16], 0.7), wave(&[2, 4, 8, 8], 1.3), wave(&[2, 5, 4, 4], 0.4)];
        let get = |name: &str| params.get(name).map(Tensor::detach).unwrap();
        let conv = |x: &Tensor, name: &str, pad| {
            x.conv2d(&get(&format!("{name}.weight")), Some(get(&format!("{name}.bias"))), [1, 1], [pad; 2], [1, 1], 1)
        };
        let mid = conv(&concatenate(&parts, side), "head.mid.conv", 1);
        let mid = if activation == MidActivation::BnRelu { norm(&params, "head.mid.bn", &mid).relu() } else { mid };
        let expected = conv(&mid, "head.feature", 0);
        let got = head.forward(&parts, None, side, Mode::Eval);
        assert_eq!((got.size(), got.kind()), (vec![2, 8, side, side], Kind::Float));
        assert!(distance(&got, &expected) < 1e-5 * expected.abs().max().double_value(&[]).max(1.0), "{activation:?} {side}");
    }
}

#[test]
fn the_reduction_is_a_convolution_of_the_resized_stages_concatenation() {
    one_thread();
    for side in [16, 8] {
        let mut builder = builder();
        let reduce = Reduce::new(&mut builder, 8, 6).unwrap();
        let params = builder.finish();
        fill(&params);
        let stages = [wave(&[2, 3, 16, 16], 0.7), wave(&[2, 5, 8, 8], 1.3)];
        let weight = params.get("low.reduce.conv.weight").unwrap().detach();
        let y = concatenate(&stages, side).conv2d(&weight, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
        let expected = norm(&params, "low.reduce.bn", &y).relu();
        assert!(distance(&reduce.forward(&stages, side, Mode::Eval), &expected) < 1e-5, "{side}");
    }
}
