//! Means and deviations over all places of all images, summed in f64 in the images' order.

use tch::{Device, Kind, Tensor};

/// Least deviation by which anything is divided.
const LEAST: f64 = 1e-6;

/// Sums so far, of C numbers a place.
pub struct Sums {
    places: f64,
    sum: Tensor,
    squares: Tensor,
}

/// Mean and deviation, f32 `[C]` each.
#[derive(Debug)]
pub struct Scale {
    pub mean: Tensor,
    pub deviation: Tensor,
}

impl Sums {
    pub fn new(numbers: i64, device: Device) -> Self {
        let zeros = || Tensor::zeros([numbers], (Kind::Double, device));
        Self { places: 0.0, sum: zeros(), squares: zeros() }
    }

    /// Adds the places of maps [B, C, h, w].
    pub fn add(&mut self, maps: &Tensor) {
        let (batch, _, height, width) = maps.size4().expect("maps are [B, C, h, w]");
        let maps = maps.to_kind(Kind::Double);
        self.places += (batch * height * width) as f64;
        let _ = self.sum.g_add_(&maps.sum_dim_intlist([0i64, 2, 3].as_slice(), false, None::<Kind>));
        let _ = self.squares.g_add_(&maps.square().sum_dim_intlist([0i64, 2, 3].as_slice(), false, None::<Kind>));
    }

    /// Over all places, of which there must be one.
    pub fn scale(&self) -> Scale {
        let mean = &self.sum / self.places;
        let variance = (&self.squares / self.places - mean.square()).clamp_min(0.0);
        Scale { deviation: variance.sqrt().clamp_min(LEAST).to_kind(Kind::Float), mean: mean.to_kind(Kind::Float) }
    }
}

impl Scale {
    /// Maps [B, C, h, w] with mean 0 and deviation 1 over the places that it was taken from.
    pub fn apply(&self, maps: &Tensor) -> Tensor {
        (maps - self.mean.view([1, -1, 1, 1])) / self.deviation.view([1, -1, 1, 1])
    }
}
