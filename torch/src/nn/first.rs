//! First values of parameters: drawn from the run's seed and the parameter's own name, the same bits on every machine.
//!
//! Normal values come in pairs ([`seed::normal_pair`]), used in their order, and are rounded to f32 once, at the end.

use harness::seed;
use rand::Rng;

/// How the first values of a parameter are chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum First {
    /// Uniform in (-b, b), `b = 1 / sqrt(fan_in)`: torch's default for convolutions and linear maps.
    Uniform,
    /// Normal with variance `2 / fan_out` (He 2015, the mode that keeps the variance of gradients).
    KaimingNormal,
    /// Normal with variance `2 / (fan_in + fan_out)` (Glorot 2010).
    XavierNormal,
    /// Normal with this standard deviation.
    Normal(f64),
    Constant(f32),
}

/// Over how many values a weight sums, and into how many each of its inputs goes. A bias has those of its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fans {
    pub fan_in: i64,
    pub fan_out: i64,
}

impl Fans {
    /// Of a weight `[a, b, k, k]` or `[a, b]`, as torch counts them: `b k k` and `a k k`. For a transposed convolution, whose
    /// weight is `[Cin, Cout, k, k]`, torch's "in" is the side of its outputs.
    pub fn of(shape: &[i64]) -> Self {
        let cells: i64 = shape[2..].iter().product();
        Self { fan_in: shape[1] * cells, fan_out: shape[0] * cells }
    }
}

impl First {
    /// `count` values of the parameter `name`.
    pub(super) fn draw(self, run_seed: u64, name: &str, count: usize, fans: Fans) -> Vec<f32> {
        let mut stream = seed::stream(run_seed, &format!("init/{name}"), 0, 0);
        match self {
            Self::Constant(value) => vec![value; count],
            Self::Uniform => {
                let bound = 1.0 / (fans.fan_in as f32).sqrt();
                // The 24 upper bits, in the middle of their cells; from 2^23 on f32 has no halves, and ties go to even.
                (0..count).map(|_| (((stream.next_u32() >> 8) as f32 + 0.5) / (1 << 23) as f32 - 1.0) * bound).collect()
            }
            Self::KaimingNormal => normal(&mut stream, count, (2.0 / fans.fan_out as f64).sqrt()),
            Self::XavierNormal => normal(&mut stream, count, (2.0 / (fans.fan_in + fans.fan_out) as f64).sqrt()),
            Self::Normal(std) => normal(&mut stream, count, std),
        }
    }
}

/// `count` normal values with mean 0.
fn normal(stream: &mut impl Rng, count: usize, std: f64) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        values.extend(seed::normal_pair(stream).map(|z| (z * std) as f32));
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    const FANS: Fans = Fans { fan_in: 144, fan_out: 576 };

    fn draw(first: First, count: usize) -> Vec<f64> {
        first.draw(1, "a.weight", count, FANS).into_iter().map(f64::from).collect()
    }

    fn moment(values: &[f64], power: i32) -> f64 {
        values.iter().map(|x| x.powi(power)).sum::<f64>() / values.len() as f64
    }

    #[test]
    fn uniform_values_fill_their_interval_evenly() {
        let w = draw(First::Uniform, 9216);
        let (bound, n) = (1.0 / 12.0f64, w.len() as f64);
        assert!(w.iter().all(|x| x.abs() <= bound));
        assert!(w.iter().any(|x| *x > 0.999 * bound) && w.iter().any(|x| *x < -0.999 * bound));
        // Four standard errors: var(x) = b^2/3, var(x^2) = 4 b^4/45, var(x^4) = 16 b^8/225.
        let (mean, second, fourth) = (moment(&w, 1), moment(&w, 2), moment(&w, 4));
        assert!(mean.abs() < 4.0 * bound / (3.0 * n).sqrt(), "{mean}");
        assert!((second - bound.powi(2) / 3.0).abs() < 4.0 * bound.powi(2) * (4.0 / 45.0 / n).sqrt(), "{second}");
        assert!((fourth - bound.powi(4) / 5.0).abs() < 4.0 * bound.powi(4) * (16.0 / 225.0 / n).sqrt(), "{fourth}");
    }

    #[test]
    fn normal_values_have_the_moments_of_their_variance() {
        let variances = [(First::KaimingNormal, 2.0f64 / 576.0), (First::XavierNormal, 2.0 / 720.0), (First::Normal(0.02), 4e-4)];
        for (first, variance) in variances {
            let z: Vec<f64> = draw(first, 40_001).into_iter().map(|x| x / variance.sqrt()).collect();
            let n = z.len() as f64;
            // Four standard errors of a standard normal's first four moments: variances 1, 2, 15 and 96.
            for (power, expected, spread) in [(1, 0.0, 1.0f64), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
                let found = moment(&z, power);
                assert!((found - expected).abs() < 4.0 * (spread / n).sqrt(), "{first:?}: moment {power} is {found}");
            }
            // Neighbours come from one pair: they must not be correlated.
            let product = z.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / n;
            assert!(product.abs() < 4.0 / n.sqrt(), "{first:?}: {product}");
            let beyond = z.iter().filter(|x| x.abs() > 1.959964).count() as f64 / n;
            assert!((beyond - 0.05).abs() < 4.0 * (0.05 * 0.95 / n).sqrt(), "{first:?}: {beyond}");
        }
    }

    /// From tests/oracle/first_values.py. A change here changes every result of a network that is drawn so.
    #[test]
    fn the_first_draws_are_those_of_the_definition() {
        let bits = |first: First, name: &str, fan_in| {
            let fans = Fans { fan_in, fan_out: 1 };
            first.draw(0, name, 3, fans).into_iter().map(f32::to_bits).collect::<Vec<_>>()
        };
        assert_eq!(bits(First::Uniform, "score.weight", 32), [3178777137, 1030375413, 3173508592]);
        assert_eq!(bits(First::Uniform, "ptfem.fuse.conv.weight", 128), [1021790048, 1023180435, 3164626627]);
        assert_eq!(bits(First::Uniform, "tem.mlp.0.weight", 2), [1058197616, 3207462935, 3199014587]);
        assert_eq!(bits(First::Normal(1.0), "golden", 1), [1069288541, 3212949917, 1050800782]);
    }

    #[test]
    fn fewer_values_are_a_prefix_of_more() {
        assert_eq!(draw(First::Normal(1.0), 3), draw(First::Normal(1.0), 4)[..3]);
    }

    #[test]
    fn fans_are_counted_as_in_torch() {
        assert_eq!(Fans::of(&[64, 16, 3, 3]), FANS);
        assert_eq!(Fans::of(&[4, 5]), Fans { fan_in: 5, fan_out: 4 });
    }
}
