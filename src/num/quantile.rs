//! Quantiles by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996, numpy's default).

/// The value below which a share `q`, 0..=1, of the values lies; `None` without values, or if `q` is outside 0..=1. No value may be NaN.
pub fn quantile(values: &[f64], q: f64) -> Option<f64> {
    if values.is_empty() || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = q * (sorted.len() - 1) as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(low + (high - low) * place.fract())
}

/// The middle value, or the mean of the two middle ones.
pub fn median(values: &[f64]) -> Option<f64> {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_numpys() {
        // numpy.quantile([3, 1, 4, 1, 5, 9, 2, 6], [0, 0.1, 0.25, 0.5, 0.9, 1])
        let values = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
        let expected = [1.0, 1.0, 1.75, 3.5, 6.9, 9.0];
        for (q, e) in [0.0, 0.1, 0.25, 0.5, 0.9, 1.0].into_iter().zip(expected) {
            assert!((quantile(&values, q).unwrap() - e).abs() < 1e-12, "at {q}");
        }
        assert_eq!(median(&values), Some(3.5));
    }

    #[test]
    fn there_is_no_quantile_of_nothing_or_outside_of_the_unit_interval() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[1.0], 1.5), None);
        assert_eq!(quantile(&[1.0], f64::NAN), None);
    }
}
