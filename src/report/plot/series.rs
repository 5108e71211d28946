//! Long curves made short without losing what shows.

/// At most four points of every one of `columns` equal parts of `0..=width`: the first, the least, the greatest and the last,
/// in their order. Points that are not finite are kept where they end a finite stretch. `x` must not fall.
pub fn envelope(points: &[[f64; 2]], width: f64, columns: usize) -> Vec<[f64; 2]> {
    let column = |p: &[f64; 2]| (p[0] / width * columns as f64).floor() as i64;
    let together = |a: &[f64; 2], b: &[f64; 2]| column(a) == column(b) && a[1].is_finite() == b[1].is_finite();
    let mut kept = Vec::new();
    for part in points.chunk_by(together) {
        if !part[0][1].is_finite() {
            kept.push(part[0]);
            continue;
        }
        let by_value = |a: &usize, b: &usize| part[*a][1].total_cmp(&part[*b][1]);
        let least = (0..part.len()).min_by(by_value).expect("a part has points");
        let greatest = (0..part.len()).max_by(by_value).expect("a part has points");
        let mut chosen = [0, least, greatest, part.len() - 1];
        chosen.sort_unstable();
        kept.extend(chosen.iter().enumerate().filter(|&(i, c)| i == 0 || chosen[i - 1] != *c).map(|(_, &c)| part[c]));
    }
    kept
}

/// The part of a rising curve up to `x = limit`, its last point on the limit if the curve reaches it.
pub fn up_to(points: &[[f64; 2]], limit: f64) -> Vec<[f64; 2]> {
    let inside = points.partition_point(|p| p[0] <= limit);
    let mut part = points[..inside].to_vec();
    if let (Some(&[x0, y0]), Some(&[x1, y1])) = (part.last(), points.get(inside))
        && x0 < limit
    {
        part.push([limit, y0 + (y1 - y0) * (limit - x0) / (x1 - x0)]);
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_curve_is_cut_on_the_limit() {
        let curve = [[0.0, 0.0], [0.0, 0.5], [0.2, 0.7], [0.6, 0.9], [1.0, 1.0]];
        let cut = up_to(&curve, 0.4);
        assert_eq!(cut[..3], curve[..3]);
        assert!((cut[3][0] - 0.4).abs() < 1e-12 && (cut[3][1] - 0.8).abs() < 1e-12 && cut.len() == 4);
        assert_eq!(up_to(&curve, 0.6), curve[..4]);
        assert_eq!(up_to(&curve, 1.0), curve);
        assert!(up_to(&[], 0.3).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_envelope_is_short_ordered_and_keeps_the_extremes(values in prop::collection::vec(-5.0..5.0_f64, 1..2000), gaps in prop::collection::vec(0..2000_usize, 0..3)) {
            let mut values = values;
            gaps.iter().filter(|&&g| g < values.len()).copied().collect::<Vec<_>>().into_iter().for_each(|g| values[g] = f64::NAN);
            let points: Vec<[f64; 2]> = values.iter().enumerate().map(|(i, &v)| [i as f64 / 100.0, v]).collect();
            let kept = envelope(&points, 20.0, 50);
            prop_assert!(kept.len() <= 4 * 51 + 5 * gaps.len());
            prop_assert!(kept.windows(2).all(|w| w[0][0] < w[1][0]), "points keep their order and stand once");
            let finite = |p: &&[f64; 2]| p[1].is_finite();
            for pick in [f64::min, f64::max] {
                let of = |all: &[[f64; 2]]| all.iter().filter(finite).map(|p| p[1]).reduce(pick);
                prop_assert_eq!(of(&kept), of(&points));
            }
            prop_assert_eq!(kept.iter().any(|p| p[1].is_nan()), values.iter().any(|v| v.is_nan()), "a gap stays a gap");
        }
    }
}
