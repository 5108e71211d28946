//! Maps S and A in one unit: how each is distributed over the normal training images, of which nothing but that is known.

use std::sync::Arc;

use harness::data::Source;
use harness::{Error, Result};
use tch::{Kind, Tensor};

use super::super::pass::{Aside, Pass};
use crate::train::Sink;

/// Smaller deviations count as this one.
const LEAST: f64 = 1e-12;

/// Mean and standard deviation of maps S and A over all cells of the normal training images, f32 `[2]` each.
#[derive(Debug)]
pub struct Standard {
    mean: Tensor,
    deviation: Tensor,
}

impl Standard {
    /// Learns it in one look at each image; `score` gives maps S and A `[B, h, w]` of images.
    ///
    /// # Errors
    /// An image that cannot be read, and a wish to stop.
    pub fn learn(pass: &Pass, source: Arc<Source>, sink: &mut dyn Sink, score: &dyn Fn(&Tensor) -> [Tensor; 2]) -> Result<Self> {
        let device = pass.device;
        let (mut cells, mut sums) = (0.0, Tensor::zeros([2, 2], (Kind::Double, device)));
        pass.run(source, &mut Aside(sink), &mut |_, images| {
            let maps = score(images).map(|map| map.to_kind(Kind::Double));
            cells += maps[0].numel() as f64;
            let of = |map: &Tensor| Tensor::stack(&[map.sum(Kind::Double), map.square().sum(Kind::Double)], 0);
            sums += Tensor::stack(&[of(&maps[0]), of(&maps[1])], 0);
        })?;
        let moments: Tensor = sums / f64::max(cells, 1.0);
        let mean = moments.select(1, 0);
        let deviation = (moments.select(1, 1) - mean.square()).clamp_min(LEAST * LEAST).sqrt();
        Ok(Self { mean: mean.to_kind(Kind::Float), deviation: deviation.to_kind(Kind::Float) })
    }

    /// The mean of both maps, each less its mean and divided by its deviation.
    pub fn joined(&self, maps: [&Tensor; 2]) -> Tensor {
        let standardised = |i: usize| (maps[i] - self.mean.get(i as i64)) / self.deviation.get(i as i64);
        (standardised(0) + standardised(1)) * 0.5
    }

    /// Its tensors by name.
    pub fn state(&self) -> Vec<(String, Tensor)> {
        vec![("standard.mean".into(), self.mean.shallow_clone()), ("standard.deviation".into(), self.deviation.shallow_clone())]
    }

    /// What [`Standard::state`] gave.
    ///
    /// # Errors
    /// It is not there.
    pub fn restored(get: &dyn Fn(&str) -> Option<Tensor>, device: tch::Device) -> Result<Self> {
        let stored = |name: &str| {
            let missing = || Error::environment(format!("the stored network lacks `{name}`"), harness::error::AGAIN);
            get(name).map(|tensor| tensor.to_device(device)).ok_or_else(missing)
        };
        Ok(Self { mean: stored("standard.mean")?, deviation: stored("standard.deviation")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_are_joined_in_units_of_their_own_deviation() {
        let standard = Standard { mean: Tensor::from_slice(&[1.0_f32, 10.0]), deviation: Tensor::from_slice(&[2.0_f32, 0.5]) };
        let [s, a] = [Tensor::from_slice(&[1.0_f32, 5.0]), Tensor::from_slice(&[10.0_f32, 9.0])];
        assert_eq!(Vec::<f32>::try_from(standard.joined([&s, &a])).unwrap(), [0.0, 0.0]);
        let kept = Standard::restored(&|name| crate::tensors::find(&standard.state(), name), tch::Device::Cpu).unwrap();
        assert_eq!(Vec::<f32>::try_from(kept.joined([&(s + 2.0), &a])).unwrap(), [0.5, 0.5]);
        assert!(Standard::restored(&|_| None, tch::Device::Cpu).unwrap_err().what.contains("standard.mean"));
    }
}
