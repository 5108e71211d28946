//! From the loader's bytes to the network's input.

use tch::{Device, Kind, Tensor};

use crate::tensors;

/// How 0..=1 RGB becomes network input.
#[derive(Debug)]
pub enum Normalization {
    /// `(x - mean) / std` per channel, both `[3]`; the statistics are those the backbone was trained with.
    Channels { mean: Tensor, std: Tensor },
    /// Local contrast normalisation as FCDD does it: over the image, subtract the mean and divide by the mean absolute
    /// value; then per channel to the training set's minimum and maximum.
    Lcn { min: Tensor, max: Tensor },
}

impl Normalization {
    /// Per-channel statistics on a device.
    pub fn channels(mean: [f64; 3], std: [f64; 3], device: Device) -> Self {
        Self::Channels { mean: per_channel(&mean, device), std: per_channel(&std, device) }
    }

    /// Local contrast normalisation; the range is that of the given training images, each u8 `[H, W, 3]` of equal size.
    pub fn lcn<'a>(images: impl Iterator<Item = &'a [u8]>, size: usize, device: Device) -> Self {
        let mut range: Option<(Tensor, Tensor)> = None;
        for image in images {
            let x = contrast(&unit(image, 1, size, Device::Cpu));
            let (low, high) = (x.amin([0, 2, 3], true), x.amax([0, 2, 3], true));
            range = Some(match range {
                None => (low, high),
                Some((l, h)) => (l.minimum(&low), h.maximum(&high)),
            });
        }
        let (min, max) = range.expect("a category has training images");
        Self::Lcn { min: min.to_device(device), max: max.to_device(device) }
    }

    /// `[B, 3, S, S]` in 0..=1 to network input of the same shape.
    pub fn apply(&self, x: &Tensor) -> Tensor {
        match self {
            Self::Channels { mean, std } => {
                // By rows of 3 S values, not by pixels of 3, which no kernel is fast at. Neither step rounds differently.
                let (b, _, h, w) = x.size4().expect("images are [B, 3, S, S]");
                let mut rows = x.permute([0, 2, 3, 1]).reshape([b * h, 3 * w]) - mean.repeat([w]); // [B S, 3 S]
                let _ = rows.g_div_(&std.repeat([w]));
                rows.view([b, h, w, 3]).permute([0, 3, 1, 2]) // [B, 3, S, S]
            }
            Self::Lcn { min, max } => (contrast(x) - min) / (max - min).clamp_min(1e-6),
        }
    }

    /// What a finished run keeps: nothing for fixed statistics, the range for the learned ones.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        match self {
            Self::Channels { .. } => vec![],
            Self::Lcn { min, max } => vec![("input.min".into(), min.shallow_clone()), ("input.max".into(), max.shallow_clone())],
        }
    }
}

/// u8 bytes of `count` images `[B, S, S, 3]` as f32 `[B, 3, S, S]` in 0..=1. The result's strides are channels-last.
pub fn unit(bytes: &[u8], count: usize, size: usize, device: Device) -> Tensor {
    let (b, s) = (count as i64, size as i64);
    let nhwc = tensors::upload(&Tensor::from_slice(bytes), device).view([b, s, s, 3]); // [B, S, S, 3] u8
    nhwc.permute([0, 3, 1, 2]).to_kind(Kind::Float).g_div_scalar_(255.0) // [B, 3, S, S]
}

/// u8 masks `[B, S, S]` in {0, 1} as f32 `[B, 1, S, S]`.
pub fn mask(bytes: &[u8], count: usize, size: usize, device: Device) -> Tensor {
    let (b, s) = (count as i64, size as i64);
    tensors::upload(&Tensor::from_slice(bytes), device).view([b, 1, s, s]).to_kind(Kind::Float)
}

fn per_channel(values: &[f64; 3], device: Device) -> Tensor {
    Tensor::from_slice(values).to_kind(Kind::Float).to_device(device)
}

fn contrast(x: &Tensor) -> Tensor {
    let centred = x - x.mean_dim([1i64, 2, 3].as_slice(), true, Kind::Float);
    let scale = centred.abs().mean_dim([1i64, 2, 3].as_slice(), true, Kind::Float);
    centred / scale.clamp_min(1e-6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_arrive_at_their_place() {
        let bytes: Vec<u8> = (0..2 * 2 * 2 * 3).collect();
        let x = unit(&bytes, 2, 2, Device::Cpu);
        assert_eq!(x.size(), [2, 3, 2, 2]);
        let value = |b: usize, c: usize, y: usize, x: usize| bytes[((b * 2 + y) * 2 + x) * 3 + c] as f64 / 255.0;
        for (b, c, y, w) in [(0, 0, 0, 0), (1, 2, 1, 0), (0, 1, 1, 1)] {
            assert!((x.double_value(&[b as i64, c as i64, y as i64, w as i64]) - value(b, c, y, w)).abs() < 1e-7);
        }
    }

    #[test]
    fn each_byte_of_each_channel_is_normalised_as_the_formula_says_to_the_bit() {
        let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let bytes: Vec<u8> = (0..3 * 256).map(|i| (i / 3) as u8).collect(); // a 16 x 16 image of all greys
        let x = Normalization::channels(mean, std, Device::Cpu).apply(&unit(&bytes, 1, 16, Device::Cpu));
        assert_eq!(x.size(), [1, 3, 16, 16]);
        let got = Vec::<f32>::try_from(x.permute([0, 2, 3, 1]).reshape([-1])).unwrap();
        for (i, value) in got.into_iter().enumerate() {
            let (grey, channel) = ((i / 3) as f32, i % 3);
            let slow = (grey / 255.0 - mean[channel] as f32) / std[channel] as f32;
            assert_eq!(value.to_bits(), slow.to_bits(), "{grey} in channel {channel}");
        }
    }

    #[test]
    fn normalising_does_not_depend_on_the_layout() {
        let n = Normalization::channels([0.1, 0.2, 0.3], [0.4, 0.5, 0.6], Device::Cpu);
        let x = unit(&(0..2 * 8 * 8 * 3).map(|i| (i * 7) as u8).collect::<Vec<_>>(), 2, 8, Device::Cpu);
        assert!(n.apply(&x).equal(&n.apply(&x.contiguous())) && !x.is_contiguous());
    }

    #[test]
    fn local_contrast_puts_the_training_set_between_0_and_1() {
        let images: Vec<Vec<u8>> = (0..3u8).map(|k| (0..4 * 4 * 3).map(|i| (i as u8).wrapping_mul(7 + k)).collect()).collect();
        let n = Normalization::lcn(images.iter().map(Vec::as_slice), 4, Device::Cpu);
        let all: Vec<Tensor> = images.iter().map(|i| n.apply(&unit(i, 1, 4, Device::Cpu))).collect();
        let all = Tensor::cat(&all, 0);
        assert!(all.min().double_value(&[]).abs() < 1e-6 && (all.max().double_value(&[]) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn a_constant_image_stays_finite() {
        let n = Normalization::lcn([vec![9u8; 48].as_slice()].into_iter(), 4, Device::Cpu);
        assert!(n.apply(&unit(&[9; 48], 1, 4, Device::Cpu)).isfinite().all().int64_value(&[]) == 1);
    }
}
