//! The Mahalanobis distance against its definition with an explicit inverse in f64.

use harness::config::padim_channels;
use harness_torch::detector::padim::{Gaussians, positions_at_once};
use proptest::prelude::*;
use tch::{Kind, Tensor};

use super::{never, noise, one_thread, values};

/// `sqrt((x - mean)^T C^-1 (x - mean))` position by position: features [N, d, P], x [B, d, P] to `[B][P]`.
fn slow(features: &Tensor, eps: f64, x: &Tensor) -> Vec<f64> {
    let (n, d, p) = features.size3().unwrap();
    let (features, x) = (features.to_kind(Kind::Double), x.to_kind(Kind::Double));
    let mut distances = vec![];
    for b in 0..x.size()[0] {
        for position in 0..p {
            let (rows, x) = (features.select(2, position), x.get(b).select(1, position)); // [N, d], [d]
            let mean = rows.mean_dim([0i64].as_slice(), false, Kind::Double);
            let mut covariance = Tensor::eye(d, (Kind::Double, tch::Device::Cpu)) * eps;
            for i in 0..n {
                let apart = rows.get(i) - &mean;
                covariance += apart.outer(&apart) / (n - 1).max(1) as f64;
            }
            let apart = x - mean;
            distances.push(apart.dot(&covariance.inverse().mv(&apart)).double_value(&[]).sqrt());
        }
    }
    distances
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_distance_is_that_of_an_explicit_inverse_in_f64(n in 1..30i64, d in 1..20i64, p in 1..6i64, scale in 0.1..30.0f64, seed: u64) {
        one_thread();
        // Correlated channels, so that covariances are far from diagonal.
        let mixing = noise(&[d, d], seed ^ 1);
        let features = (mixing.matmul(&noise(&[n, d, p], seed)) + 2.0) * scale;
        let x = (mixing.matmul(&noise(&[3, d, p], seed ^ 2)) + 2.5) * scale;
        let gaussians = Gaussians::fit(&features, 0.01, 4, &mut never()).unwrap();
        for (fast, slow) in values(&gaussians.distance(&x, 4)).iter().zip(slow(&features, 0.01, &x)) {
            prop_assert!((fast - slow).abs() <= 2e-3 * slow + 1e-5, "{fast} against {slow}");
        }
    }
}

#[test]
fn f32_factors_are_precise_enough_for_real_feature_scales() {
    one_thread();
    // Rectified features of 60 images in 100 channels: the covariance is singular but for its ridge.
    let features = noise(&[60, 100, 4], 1).relu() * 0.8;
    let x = noise(&[5, 100, 4], 2).relu() * 0.8;
    let gaussians = Gaussians::fit(&features, 0.01, 2, &mut never()).unwrap();
    for (fast, slow) in values(&gaussians.distance(&x, 3)).iter().zip(slow(&features, 0.01, &x)) {
        assert!((fast - slow).abs() <= 2e-5 * slow, "{fast} against {slow}");
    }
}

#[test]
fn positions_in_batches_of_any_size_agree() {
    one_thread();
    let (features, x) = (noise(&[12, 9, 7], 3), noise(&[2, 9, 7], 4));
    let whole = Gaussians::fit(&features, 0.01, 7, &mut never()).unwrap();
    for batch in [1, 2, 3, 100] {
        let parts = Gaussians::fit(&features, 0.01, batch, &mut never()).unwrap();
        assert!(parts.mean.allclose(&whole.mean, 1e-6, 1e-6, false) && parts.factor.allclose(&whole.factor, 1e-6, 1e-6, false));
        assert!(whole.distance(&x, batch).allclose(&whole.distance(&x, 7), 1e-5, 1e-5, false), "{batch}");
    }
    assert!(positions_at_once(1_000_000) == 1 && positions_at_once(100) > 100);
}

#[test]
fn the_mean_is_at_no_distance_and_a_stop_is_heard() {
    one_thread();
    let features = noise(&[10, 5, 3], 5);
    let gaussians = Gaussians::fit(&features, 0.01, 2, &mut never()).unwrap();
    let mean = gaussians.mean.tr().unsqueeze(0);
    assert!(gaussians.distance(&mean, 2).abs().max().double_value(&[]) == 0.0);
    let stopped = Gaussians::fit(&features, 0.01, 1, &mut || Err(harness::Error::stopped("now")));
    assert_eq!(stopped.unwrap_err().exit_code(), 75);
}

#[test]
fn channels_are_drawn_once_each_from_the_seed() {
    let widths = [64, 128, 256];
    let here = padim_channels(widths, 100, 7);
    assert_eq!(here, padim_channels(widths, 100, 7));
    assert_ne!(here, padim_channels(widths, 100, 8));
    assert_eq!(here.iter().map(Vec::len).sum::<usize>(), 100);
    for (channels, width) in here.iter().zip(widths) {
        assert!(channels.is_sorted_by(|a, b| a < b) && channels.iter().all(|c| (0..width).contains(c)));
    }
    assert_eq!(padim_channels(widths, 448, 7), widths.map(|w| (0..w).collect::<Vec<_>>()));
}
