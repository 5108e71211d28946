//! Dashed lines as short ones, since no backend dashes. Pure.

/// Cuts a line into dashes, going on around corners.
pub fn dashes(points: &[[f64; 2]], dash: f64, gap: f64) -> Vec<Vec<[f64; 2]>> {
    let mut pieces = vec![vec![points[0]]];
    let (mut drawing, mut left) = (true, dash);
    for pair in points.windows(2) {
        let ([x0, y0], [x1, y1]) = (pair[0], pair[1]);
        let length = (x1 - x0).hypot(y1 - y0);
        let mut done = 0.0;
        while length - done > left {
            done += left;
            let at = [x0 + (x1 - x0) * done / length, y0 + (y1 - y0) * done / length];
            match drawing {
                true => pieces.last_mut().expect("there is a first piece").push(at),
                false => pieces.push(vec![at]),
            }
            drawing = !drawing;
            left = if drawing { dash } else { gap };
        }
        left -= length - done;
        if drawing {
            pieces.last_mut().expect("there is a first piece").push([x1, y1]);
        }
    }
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn dashes_lie_on_the_line_and_cover_their_share(corners in prop::collection::vec((0.0..100.0, 0.0..100.0), 2..8)) {
            let points: Vec<[f64; 2]> = corners.into_iter().map(|(x, y)| [x, y]).collect();
            let length = |line: &[[f64; 2]]| line.windows(2).map(|w| (w[1][0] - w[0][0]).hypot(w[1][1] - w[0][1])).sum::<f64>();
            let (whole, pieces) = (length(&points), dashes(&points, 7.0, 3.0));
            let drawn: f64 = pieces.iter().map(|piece| length(piece)).sum();
            prop_assert!((drawn - whole * 0.7).abs() <= 7.0, "{drawn} of {whole}");
            prop_assert!(pieces.iter().all(|piece| length(piece) <= 7.0 + 1e-9));
        }
    }
}
