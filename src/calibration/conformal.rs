//! Split-conformal p-values and thresholds (Vovk, Gammerman and Shafer 2005; Lei et al. 2018). Pure.
//!
//! Of n scores of normal images that the detector has not been fitted on, a new normal image's score takes each of the n + 1
//! places among them with the same chance. So p = (1 + number of scores at least as high) / (n + 1) is at most α with a chance of
//! at most α, and an alarm where p <= α is a false one with a chance of at most α, over the draw of all n + 1 images.

use crate::num::{binomial_cdf, root};
use crate::{Error, Result};

/// Scores of normal images, rising. Higher means odder.
#[derive(Debug, Clone, PartialEq)]
pub struct Normal {
    sorted: Vec<f64>,
}

/// Above which level an image is called odd.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// The false-alarm rate that was asked for.
    pub rate: f64,
    /// Alarm where a score is greater.
    pub level: f64,
    /// The level is the k-th smallest of n scores.
    pub k: usize,
    pub n: usize,
}

/// The false-alarm rate of one threshold as it is: what a repetition of the whole calibration would give varies, and this is
/// its distribution, Beta(n + 1 - k, k).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrueRate {
    pub mean: f64,
    /// Not exceeded with a chance of 90 %.
    pub most: f64,
}

impl Normal {
    /// # Errors
    /// No score, or one that is not a number.
    pub fn new(scores: &[f64]) -> Result<Self> {
        if scores.is_empty() || scores.iter().any(|score| score.is_nan()) {
            let what = if scores.is_empty() { "there are no scores" } else { "a score is not a number" };
            return Err(Error::environment(format!("calibration: {what}"), "calibrate with good images that can be scored"));
        }
        let mut sorted = scores.to_vec();
        sorted.sort_by(f64::total_cmp);
        Ok(Self { sorted })
    }

    pub fn count(&self) -> usize {
        self.sorted.len()
    }

    /// The p-value of a score, in (0, 1]; ties count against an alarm.
    pub fn p_value(&self, score: f64) -> f64 {
        let least = self.sorted.partition_point(|&normal| normal < score);
        (1 + self.count() - least) as f64 / (self.count() + 1) as f64
    }

    /// The smallest false-alarm rate that so many scores can promise.
    pub fn smallest_rate(&self) -> f64 {
        1.0 / (self.count() + 1) as f64
    }

    /// The threshold whose alarms are false with a chance of at most `rate`, on average over the draw of the normal images.
    ///
    /// # Errors
    /// `Kind::Config` for a rate that is none, or that so few images cannot promise: how many it takes.
    pub fn threshold(&self, rate: f64) -> Result<Threshold> {
        check_rate(rate)?;
        let n = self.count();
        // ceil((n + 1)(1 - rate)), and 0.05 * 20 is 1.
        let allowed = ((n + 1) as f64 * rate * (1.0 + 4.0 * f64::EPSILON)).floor() as usize;
        if allowed == 0 {
            return Err(Error::config(
                format!("{n} normal images promise no false-alarm rate below {}", percent(self.smallest_rate())),
                format!("{} more good images are needed for {}, or ask for {}", needed(rate) - n, percent(rate), up(self.smallest_rate())),
            ));
        }
        let k = (n + 1).saturating_sub(allowed).max(1);
        Ok(Threshold { rate, level: self.sorted[k - 1], k, n })
    }

    /// The threshold whose own false-alarm rate is at most `rate` with the chance `confidence`: a promise for this calibration, and
    /// not on average.
    ///
    /// # Errors
    /// Those of [`Normal::threshold`].
    pub fn threshold_with(&self, rate: f64, confidence: f64) -> Result<Threshold> {
        check_rate(rate)?;
        if !(confidence > 0.0 && confidence < 1.0) {
            return Err(Error::config(
                format!("a confidence of {confidence} is out of range"),
                "give a number between 0 and 1, such as 0.9",
            ));
        }
        let n = self.count() as u64;
        // P(Beta(n + 1 - k, k) <= rate) = P(Bin(n, 1 - rate) <= k - 1).
        let k = (1..=n).find(|k| binomial_cdf(k - 1, n, 1.0 - rate) >= confidence);
        k.map(|k| Threshold { rate, level: self.sorted[k as usize - 1], k: k as usize, n: n as usize }).ok_or_else(|| {
            let enough = ((1.0 - confidence).ln() / (1.0 - rate).ln()).ceil() as u64;
            Error::config(
                format!("{n} normal images cannot promise {} with {} confidence", percent(rate), percent(confidence)),
                format!("{} more good images are needed; a higher rate or less confidence takes fewer", enough.saturating_sub(n)),
            )
        })
    }
}

impl Threshold {
    /// Whether a score raises an alarm: the same as a p-value of at most the rate.
    pub fn alarms(&self, score: f64) -> bool {
        score > self.level
    }

    pub fn true_rate(&self) -> TrueRate {
        let (n, beyond) = (self.n as u64, (self.n + 1 - self.k) as u64);
        // P(Beta(a, n + 1 - a) <= x) = P(Bin(n, x) >= a).
        let most = root(|x| 1.0 - binomial_cdf(beyond - 1, n, x), 0.9);
        TrueRate { mean: beyond as f64 / (n + 1) as f64, most }
    }
}

/// Normal images that a rate takes at least.
pub fn needed(rate: f64) -> usize {
    (1.0 / rate * (1.0 - 4.0 * f64::EPSILON)).ceil() as usize - 1
}

fn check_rate(rate: f64) -> Result<()> {
    if rate > 0.0 && rate < 1.0 {
        return Ok(());
    }
    Err(Error::config(
        format!("a false-alarm rate of {rate} is out of range"),
        "give a number between 0 and 1, such as 0.05 for one good part in twenty",
    ))
}

/// A rate for people, with two digits that count.
pub fn percent(rate: f64) -> String {
    let percent = 100.0 * rate;
    let digits = if percent >= 10.0 { 0 } else { (1.0 - percent.log10().floor()).clamp(0.0, 6.0) as usize };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A level for people, with four digits that count.
pub fn rounded(level: f64) -> String {
    let size = if level == 0.0 { 0.0 } else { level.abs().log10().floor() };
    if !(-4.0..6.0).contains(&size) {
        return format!("{level:.3e}");
    }
    format!("{level:.digits$}", digits = (3.0 - size).max(0.0) as usize)
}

/// A rate as it is typed that is not below this one.
fn up(rate: f64) -> String {
    format!("--rate {}", (rate * 1000.0).ceil() / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed;
    use proptest::prelude::*;
    use rand::{Rng, RngExt};

    fn normal(n: usize) -> Normal {
        Normal::new(&(1..=n).map(|v| v as f64).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn p_values_count_who_is_at_least_as_odd() {
        let four = normal(4);
        for (score, p) in [(0.5, 1.0), (1.0, 1.0), (1.5, 0.8), (4.0, 0.4), (4.5, 0.2)] {
            assert_eq!(four.p_value(score), p, "{score}");
        }
        assert_eq!(Normal::new(&[2.0; 3]).unwrap().p_value(2.0), 1.0, "ties count against an alarm");
    }

    #[test]
    fn thresholds_are_those_of_the_table() {
        // n, rate, k, mean and 90 % end in percent.
        let table = [(20, 0.05, 20, 4.8, 10.9), (60, 0.05, 58, 4.9, 8.6), (100, 0.01, 100, 0.99, 2.3), (1000, 0.01, 991, 1.0, 1.4)];
        for (n, rate, k, mean, most) in table {
            let threshold = normal(n).threshold(rate).unwrap();
            let TrueRate { mean: found, most: end } = threshold.true_rate();
            assert_eq!((threshold.k, threshold.level), (k, k as f64));
            assert!((100.0 * found - mean).abs() < 0.05 && (100.0 * end - most).abs() < 0.06, "{n}: {found} {end}");
        }
        assert_eq!(normal(60).threshold_with(0.05, 0.9).unwrap().k, 60);
        assert_eq!(normal(1000).threshold_with(0.01, 0.9).unwrap().k, 995);
        assert_eq!(normal(3000).threshold_with(0.001, 0.9).unwrap().k, 3000);
    }

    #[test]
    fn what_so_few_images_cannot_promise_is_refused_with_how_many_it_takes() {
        for (rate, needs) in [(0.05, 19), (0.01, 99), (0.001, 999), (0.1, 9), (0.3, 3)] {
            assert_eq!(needed(rate), needs);
            assert!(normal(needs).threshold(rate).is_ok(), "{rate}");
            let error = normal(needs - 1).threshold(rate).unwrap_err();
            assert!(error.remedy.starts_with("1 more good images"), "{error}");
        }
        let error = normal(60).threshold(0.01).unwrap_err();
        assert_eq!(error.what, "60 normal images promise no false-alarm rate below 1.6 %");
        assert_eq!(error.remedy, "39 more good images are needed for 1 %, or ask for --rate 0.017");
        assert!(normal(44).threshold_with(0.05, 0.9).is_err() && normal(45).threshold_with(0.05, 0.9).is_ok());
        for rate in [0.0, 1.0, -0.1, f64::NAN] {
            assert!(normal(60).threshold(rate).unwrap_err().what.contains("out of range"));
        }
        assert!(Normal::new(&[]).is_err() && Normal::new(&[1.0, f64::NAN]).is_err());
    }

    #[test]
    fn the_promised_rate_holds_for_exchangeable_scores_ties_included() {
        // 1,000 draws for each size, scores from a few values so that many are equal.
        for n in [19, 60] {
            for values in [5_u32, 1000] {
                let alarms = (0..1000).filter(|&draw| {
                    let mut stream = seed::stream(draw, "calibration", u64::from(values), n);
                    let mut score = || (f64::from(stream.random_range(0..values)) / 7.0).powi(2);
                    let scores: Vec<f64> = (0..n).map(|_| score()).collect();
                    Normal::new(&scores).unwrap().threshold(0.05).unwrap().alarms(score())
                });
                // At most 50 are expected; 75 or more have a chance below one in a thousand.
                let alarms = alarms.count();
                assert!(alarms < 75, "{alarms} of 1000 at {n} scores of {values} values");
                // Without ties the rate is also not far below.
                assert!(values < 1000 || alarms > 25, "{alarms} of 1000 at {n} scores");
            }
        }
    }

    #[test]
    fn rates_are_written_with_two_digits_that_count() {
        for (rate, text) in [(0.05, "5 %"), (0.0164, "1.6 %"), (0.001, "0.1 %"), (0.5, "50 %"), (0.123, "12 %"), (0.00018, "0.018 %")] {
            assert_eq!(percent(rate), text);
        }
    }

    #[test]
    fn levels_are_written_with_four_digits_that_count() {
        for (level, text) in [
            (57.14330291748047, "57.14"),
            (-0.20253, "-0.2025"),
            (8.0, "8.000"),
            (0.0, "0.000"),
            (123456.7, "123457"),
            (1.5e-7, "1.500e-7"),
        ] {
            assert_eq!(rounded(level), text);
        }
    }

    proptest! {
        #[test]
        fn a_score_above_the_threshold_is_one_whose_p_is_at_most_the_rate(n in 1..200_usize, rate in 0.001..0.999, seed: u64) {
            let mut stream = seed::stream(seed, "test", 0, 0);
            let scores: Vec<f64> = (0..n).map(|_| f64::from(stream.next_u32() % 50)).collect();
            let normal = Normal::new(&scores).unwrap();
            match normal.threshold(rate) {
                Ok(threshold) => for score in 0..51 {
                    let score = f64::from(score) - 0.5 * f64::from(stream.next_u32() % 2);
                    // The rate as the rounded product sees it.
                    prop_assert_eq!(threshold.alarms(score), normal.p_value(score) <= rate * (1.0 + 1e-12));
                },
                Err(_) => prop_assert!(rate < normal.smallest_rate()),
            }
        }
    }
}
