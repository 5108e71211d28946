//! Pseudo anomalies in the backbone's maps: Gaussian noise in blots of Perlin noise, on images that have none of their own
//! (SimpleNet, Liu et al. 2023; under Perlin noise: SuperSimpleNet, Rolih et al. 2024).

use harness::config::FeatureNoise;
use harness::image::Mask;
use harness::pseudo::perlin;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tch::{Kind, Tensor};

use super::super::noise::{disturb, labels};
use crate::nn::Stages;
use crate::train::Fed;

/// The kind of a view without a pseudo anomaly ([`Fed::kinds`]).
const NORMAL: u8 = 0;

/// The maps of a batch with noise on the share of its normal images that `keys` ask for, and the batch's mask with what was disturbed.
/// A cell of a coarser map is disturbed where any of the finest map's cells in it is.
pub fn disturbed(stages: Stages, fed: &Fed, keys: &FeatureNoise, draws: &mut ChaCha8Rng) -> (Stages, Tensor) {
    if keys.share == 0.0 {
        return (stages, fed.mask.shallow_clone());
    }
    let side = stages.c1.size()[3] as usize;
    let blots: Vec<Mask> = fed.kinds.iter().map(|kind| mask(*kind == NORMAL, side, keys, draws)).collect();
    let mut noisy = |map: &Tensor| {
        let factor = side / map.size()[3] as usize;
        let coarse: Vec<Mask> = blots.iter().map(|mask| pooled(mask, factor)).collect();
        disturb(map, &coarse, keys.std, Some(&deviation(map)), draws)
    };
    let stages = Stages { c1: noisy(&stages.c1), c2: noisy(&stages.c2), c3: noisy(&stages.c3) };
    let size = fed.mask.size()[2];
    let marks = labels(&blots, &fed.mask).unsqueeze(1).upsample_nearest2d([size, size], None, None); // [B, 1, S, S]
    (stages, fed.mask.maximum(&marks))
}

/// Blots on a normal image, by chance; nothing on others.
fn mask(normal: bool, side: usize, keys: &FeatureNoise, draws: &mut ChaCha8Rng) -> Mask {
    if normal && draws.random::<f64>() < keys.share {
        return perlin::blots(side, side, keys.threshold, draws);
    }
    Mask::filled(side, side, 0)
}

/// The mask of blocks of `factor` x `factor` cells in which any is marked.
fn pooled(mask: &Mask, factor: usize) -> Mask {
    let (width, height) = (mask.width / factor, mask.height / factor);
    let any = |x: usize, y: usize| (0..factor).any(|dy| (0..factor).any(|dx| mask.at(x * factor + dx, y * factor + dy) != 0));
    Mask::from_vec(width, height, (0..width * height).map(|cell| u8::from(any(cell % width, cell / width))).collect())
}

/// The standard deviation of each channel over a batch's map `[B, C, h, w]`, f32 `[C]`, without a gradient.
fn deviation(map: &Tensor) -> Tensor {
    map.detach().to_kind(Kind::Float).var_dim([0i64, 2, 3].as_slice(), false, false).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::config::Config;
    use tch::Device;

    fn stages() -> Stages {
        let map = |channels: i64, side: i64| {
            let numbers = Tensor::arange(4 * channels * side * side, (Kind::Double, Device::Cpu));
            (numbers * 0.37).sin().to_kind(Kind::Float).reshape([4, channels, side, side])
        };
        Stages { c1: map(3, 16), c2: map(5, 8), c3: map(7, 4) }
    }

    fn fed(kinds: &[u8]) -> Fed {
        let mask = Tensor::zeros([4, 1, 64, 64], (Kind::Float, Device::Cpu));
        let _ = mask.get(3).narrow(1, 0, 9).fill_(1.0);
        Fed { images: Tensor::new(), mask, views: 1, kinds: kinds.to_vec(), items: vec![0; 4] }
    }

    fn draws() -> ChaCha8Rng {
        harness::seed::stream(5, "pairs", 0, 0)
    }

    #[test]
    fn noise_is_where_the_mask_says_and_on_images_without_a_pseudo_anomaly_alone() {
        let keys = FeatureNoise { share: 1.0, ..Config::default().model.noise };
        let fed = fed(&[NORMAL, NORMAL, NORMAL, 1]);
        let (clean, (noisy, mask)) = (stages(), disturbed(stages(), &fed, &keys, &mut draws()));
        assert!(mask.get(3).equal(&fed.mask.get(3)) && noisy.c1.get(3).equal(&clean.c1.get(3)));
        for (before, after) in [(&clean.c1, &noisy.c1), (&clean.c2, &noisy.c2), (&clean.c3, &noisy.c3)] {
            let side = after.size()[3];
            let changed = (after - before).abs().amax([1i64].as_slice(), true).gt(0.0).to_kind(Kind::Float); // [B, 1, h, w]
            let marked = mask.narrow(0, 0, 3).adaptive_max_pool2d([side, side]).0;
            assert!(changed.narrow(0, 0, 3).equal(&marked), "side {side}");
            let share = marked.mean(Kind::Float).double_value(&[]);
            assert!(0.0 < share && share < 1.0, "{share}");
        }
    }

    #[test]
    fn noise_is_in_the_unit_of_each_channel_and_leaves_what_is_constant() {
        let keys = FeatureNoise { share: 1.0, std: 0.5, threshold: -0.99 };
        let scaled = |by: f64| Stages { c1: stages().c1 * by, c2: stages().c2, c3: stages().c3.zeros_like() };
        let of = |by: f64| disturbed(scaled(by), &fed(&[NORMAL; 4]), &keys, &mut draws()).0;
        let (one, ten) = (of(1.0), of(10.0));
        let noise = |noisy: &Stages, by: f64| &noisy.c1 - stages().c1 * by;
        let (small, large) = (noise(&one, 1.0), noise(&ten, 10.0));
        let apart = (&small * 10.0 - large).abs().max().double_value(&[]);
        assert!(apart < 1e-4, "{apart}");
        let ratio = (small.square().mean(Kind::Float) / deviation(&stages().c1).square().mean(Kind::Float)).sqrt().double_value(&[]);
        assert!((ratio - 0.5).abs() < 0.05, "{ratio}");
        assert!(one.c3.abs().max().double_value(&[]) == 0.0);
    }

    #[test]
    fn without_a_share_nothing_is_drawn() {
        let (mut drawn, mut fresh) = (draws(), draws());
        let (noisy, _) = disturbed(stages(), &fed(&[NORMAL; 4]), &Config::default().model.noise, &mut drawn);
        assert!(noisy.c1.equal(&stages().c1));
        assert_eq!(drawn.random::<u64>(), fresh.random::<u64>());
    }
}
