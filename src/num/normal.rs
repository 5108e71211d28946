//! The standard normal distribution.

use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The probability of a value up to `x`: `erfc(-x/sqrt 2)/2`. Relative error below 1e-13 also far out in the lower tail.
pub fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x * FRAC_1_SQRT_2)
}

/// The value below which a share `p` lies: the inverse of [`normal_cdf`]. 0 and 1 give the infinities, anything outside 0..=1 gives NaN.
///
/// Starts from Abramowitz and Stegun 26.2.23 (good to 4.5e-4) and sharpens it by Halley's method until nothing changes.
pub fn normal_quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    if p > 0.5 {
        return -normal_quantile(1.0 - p); // the lower tail keeps its digits
    }
    let t = (-2.0 * p.ln()).sqrt();
    let mut x = (2.515517 + t * (0.802853 + t * 0.010328)) / (1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308))) - t;
    for _ in 0..6 {
        let density = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
        let newton = (normal_cdf(x) - p) / density;
        let step = newton / (1.0 + 0.5 * x * newton);
        x -= step;
        if step.abs() <= 2.0 * f64::EPSILON * x.abs() {
            break;
        }
    }
    x
}

/// The complementary error function.
fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    if x < 2.0 { 1.0 - erf_series(x) } else { erfc_fraction(x) }
}

/// Abramowitz and Stegun 7.1.6: `2/sqrt(pi) exp(-x^2) sum 2^n x^(2n+1) / (1 3 .. (2n+1))`, all terms of one sign.
fn erf_series(x: f64) -> f64 {
    let (mut term, mut sum, mut odd) = (x, x, 1.0);
    while term > sum * f64::EPSILON / 4.0 {
        odd += 2.0;
        term *= 2.0 * x * x / odd;
        sum += term;
    }
    2.0 / PI.sqrt() * (-x * x).exp() * sum
}

/// Abramowitz and Stegun 7.1.14: `exp(-x^2)/sqrt(pi) / (x + (1/2)/(x + 1/(x + (3/2)/(x + ..))))`, from the inside out.
fn erfc_fraction(x: f64) -> f64 {
    let inner = (1..=120).rev().fold(x, |below, k| x + f64::from(k) / 2.0 / below);
    (-x * x).exp() / PI.sqrt() / inner
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn both_functions_are_scipys() {
        let golden: serde_json::Value = serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap();
        let pairs = |name: &str| -> Vec<[f64; 2]> { serde_json::from_value(golden[name].clone()).unwrap() };
        for [x, expected] in pairs("normal_cdf") {
            assert!((normal_cdf(x) / expected - 1.0).abs() < 1e-13, "cdf({x}) = {}, not {expected}", normal_cdf(x));
        }
        for [p, expected] in pairs("normal_quantile") {
            assert!((normal_quantile(p) - expected).abs() <= 1e-13 * expected.abs().max(1.0), "quantile({p}) = {}", normal_quantile(p));
        }
    }

    #[test]
    fn the_ends_are_infinite_and_what_is_no_share_has_no_quantile() {
        assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
        assert!(normal_quantile(-0.1).is_nan() && normal_quantile(1.1).is_nan() && normal_quantile(f64::NAN).is_nan());
        assert_eq!((normal_cdf(f64::NEG_INFINITY), normal_cdf(f64::INFINITY)), (0.0, 1.0));
        assert!(normal_quantile(0.5).abs() < 1e-15);
    }

    proptest! {
        #[test]
        fn the_quantile_inverts_the_distribution(x in -8.0..5.0f64) {
            prop_assert!((normal_quantile(normal_cdf(x)) - x).abs() < 1e-9);
            prop_assert!((normal_cdf(x) + normal_cdf(-x) - 1.0).abs() < 1e-14);
        }
    }
}
