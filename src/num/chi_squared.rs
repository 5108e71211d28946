//! The distribution of chi squared with whole degrees of freedom.

use std::f64::consts::PI;

use super::normal_cdf;

/// The probability of a value above `x`, 0 or more, with `degrees` of freedom, 1 or more.
///
/// The finite sums of Abramowitz and Stegun, 26.4.4 (odd) and 26.4.5 (even): all terms of one sign.
pub fn chi_squared_above(x: f64, degrees: usize) -> f64 {
    let (first, start) = match degrees % 2 {
        0 => ((-x / 2.0).exp(), (-x / 2.0).exp()),
        _ => (2.0 * normal_cdf(-x.sqrt()), 2.0 * (-x / 2.0).exp() / (2.0 * PI).sqrt() * x.sqrt()),
    };
    // Even: e^(-x/2) (1 + x/2 + x²/(2·4) + …); odd: a tail of the normal and density · (√x + x√x/3 + x²√x/(3·5) + …).
    let odd = degrees % 2 == 1;
    let (mut sum, mut term, mut divisor) = (first, start, if odd { 1.0 } else { 0.0 });
    for _ in 0..(degrees - 1) / 2 {
        if odd {
            sum += term;
            divisor += 2.0;
            term *= x / divisor;
        } else {
            divisor += 2.0;
            term *= x / divisor;
            sum += term;
        }
    }
    sum.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_are_those_of_scipy() {
        // scipy 1.17.1: chi2.sf(x, k).
        let golden = [
            (9.0, 2, 0.011_108_996_538_242_308),
            (0.5, 1, 0.479_500_122_186_953_37),
            (3.2, 3, 0.361_805_027_497_534_2),
            (20.0, 7, 0.005_569_683_072_945_574),
            (1e-3, 5, 0.999_999_998_318_512_3),
            (60.0, 19, 3.869_826_300_664_181e-6),
            (0.0, 4, 1.0),
            (15.3, 10, 0.121_501_169_630_522_6),
        ];
        for (x, degrees, p) in golden {
            let ours = chi_squared_above(x, degrees);
            assert!((ours - p).abs() <= 1e-12 * p.max(1e-3), "{x} {degrees}: {ours} {p}");
        }
    }

    #[test]
    fn the_tail_is_the_integral_of_the_density() {
        // Slow twin: the density is the tail's falling, k by k: x^(k/2 - 1) e^(-x/2) / (2^(k/2) Γ(k/2)).
        let gamma_of_half = |k: usize| (1..).step_by(2).take_while(|&j| j + 1 < k && k % 2 == 1).map(|j| j as f64 / 2.0).product::<f64>();
        for k in [1, 3, 5, 9] {
            let gamma = gamma_of_half(k) * PI.sqrt();
            let density = |x: f64| x.powf(k as f64 / 2.0 - 1.0) * (-x / 2.0).exp() / (2_f64.powf(k as f64 / 2.0) * gamma);
            let (from, to, steps) = (1.0, 4.0, 3000);
            let width = (to - from) / f64::from(steps);
            let area: f64 = (0..steps).map(|i| width * density(from + width * (f64::from(i) + 0.5))).sum();
            assert!((area - (chi_squared_above(from, k) - chi_squared_above(to, k))).abs() < 1e-6, "{k}");
        }
    }
}
