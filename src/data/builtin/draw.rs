//! The random draws of the built-in set: a ChaCha8 stream with the few distributions that the scenes need.

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// A stream of draws; every method advances it.
pub struct Draw(pub ChaCha8Rng);

impl Draw {
    /// Uniform in [lo, hi).
    pub fn uniform(&mut self, lo: f32, hi: f32) -> f32 {
        lo + (hi - lo) * ((self.0.next_u32() >> 8) as f32 / 16_777_216.0)
    }

    /// Uniform in 0..n; `n` small, so that the bias of the product is far below the sampling error.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.0.next_u32()) * n as u64) >> 32) as usize
    }

    pub fn chance(&mut self, p: f32) -> bool {
        self.uniform(0.0, 1.0) < p
    }

    /// -1 or 1.
    pub fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// A seed for noise.
    pub fn seed(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Mean 0, deviation 1, bounded by 3.5: the sum of four bytes, which is close to a normal number.
    pub fn normal(&mut self) -> f32 {
        let sum: u32 = self.0.next_u32().to_le_bytes().iter().map(|&b| u32::from(b)).sum();
        (sum as f32 - 510.0) / 147.8
    }

    /// A point of the 256 px frame at least `margin` px from its sides.
    pub fn point(&mut self, margin: f32) -> [f32; 2] {
        [self.uniform(margin, 256.0 - margin), self.uniform(margin, 256.0 - margin)]
    }

    pub fn angle(&mut self) -> f32 {
        self.uniform(0.0, std::f32::consts::TAU)
    }
}
