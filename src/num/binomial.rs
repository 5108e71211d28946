//! The binomial distribution, and bounds of an unknown rate.

/// P(Bin(n, p) <= k), summed from the smaller end's logarithms.
pub fn binomial_cdf(k: u64, n: u64, p: f64) -> f64 {
    if k >= n || p <= 0.0 {
        return 1.0;
    }
    if p >= 1.0 {
        return 0.0;
    }
    // ln C(n, i) p^i (1 - p)^(n - i), from one i to the next.
    let (odds, mut term) = ((p / (1.0 - p)).ln(), n as f64 * (-p).ln_1p());
    let mut sum = term.exp();
    for i in 1..=k {
        term += ((n - i + 1) as f64 / i as f64).ln() + odds;
        sum += term.exp();
    }
    sum.min(1.0)
}

/// Clopper and Pearson's interval of a rate of which `k` of `n` were seen, at the `level` (0.95: 2.5 % lie beyond each end). The whole
/// interval where nothing was looked at.
pub fn rate_interval(k: u64, n: u64, level: f64) -> [f64; 2] {
    let beyond = (1.0 - level) / 2.0;
    // The rate at which so few, or so many, are just as unlikely as `beyond`.
    let low = if k == 0 { 0.0 } else { root(|p| 1.0 - binomial_cdf(k - 1, n, p), beyond) };
    let high = if k >= n { 1.0 } else { root(|p| 1.0 - binomial_cdf(k, n, p), 1.0 - beyond) };
    [low, high]
}

/// Where a function that rises from 0 to 1 over 0..=1 reaches `value`.
pub(crate) fn root(rising: impl Fn(f64) -> f64, value: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if rising(middle) < value { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By Pascal's triangle.
    fn slow(k: u64, n: u64, p: f64) -> f64 {
        let choose = |n: u64, i: u64| (0..i).fold(1.0, |c, j| c * (n - j) as f64 / (j + 1) as f64);
        (0..=k.min(n)).map(|i| choose(n, i) * p.powi(i as i32) * (1.0 - p).powi((n - i) as i32)).sum()
    }

    #[test]
    fn intervals_are_those_of_tables() {
        // R's binom.test(0, 20), (1, 20), (10, 20), (20, 20), to its digits.
        for (k, [low, high]) in [(0, [0.0, 0.1684335]), (1, [0.001265, 0.2487328]), (10, [0.2719578, 0.7280422]), (20, [0.8315665, 1.0])] {
            let found = rate_interval(k, 20, 0.95);
            assert!((found[0] - low).abs() < 1e-6 && (found[1] - high).abs() < 1e-6, "{k}: {found:?}");
        }
        assert_eq!(rate_interval(0, 0, 0.95), [0.0, 1.0]);
    }

    proptest! {
        #[test]
        fn sums_are_those_of_the_definition(n in 0..40_u64, k in 0..45_u64, p in 0.0..1.0) {
            prop_assert!((binomial_cdf(k, n, p) - slow(k, n, p)).abs() < 1e-10);
        }

        #[test]
        fn an_interval_holds_what_was_seen(n in 1..500_u64, part in 0.0..1.0, level in 0.5..0.999) {
            let k = (part * n as f64) as u64;
            let [low, high] = rate_interval(k, n, level);
            let seen = k as f64 / n as f64;
            prop_assert!(low <= seen && seen <= high && low >= 0.0 && high <= 1.0);
        }
    }
}
