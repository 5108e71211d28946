//! Curves for drawing: a polyline of thousands of groups thinned to at most a thousand points.

use super::ranking::{Group, tag_of};
use serde::{Deserialize, Serialize};

/// Points `[false positive rate, rate]` from [0, 0] to [1, 1], to be joined by straight lines; empty where the metric has
/// no value. No point of the exact curve is farther than 1/480 from the drawn one. All are of the exact form, whatever
/// the protocol's variant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Curves {
    /// True positive rate of all pixels.
    pub pixel_roc: Vec<[f64; 2]>,
    /// Mean covered fraction of the regions; holds the point at the FPR limit.
    pub pro: Vec<[f64; 2]>,
    /// True positive rate of the images.
    pub image_roc: Vec<[f64; 2]>,
}

/// Least length of a drawn segment, |dx| + |dy|. A rising curve is 2 long in this sense: at most 960 points and 3 more.
const STEP: f64 = 1.0 / 480.0;

/// A rising polyline that forgets points too near the last one kept.
#[derive(Debug, Clone)]
pub struct Thinned {
    kept: Vec<[f64; 2]>,
    last: [f64; 2],
    limit: f64,
}

impl Thinned {
    /// Starts at the origin; the point at x = `limit` is always kept (the last of them on a vertical piece).
    pub fn new(limit: f64) -> Self {
        Self { kept: vec![[0.0, 0.0]], last: [0.0, 0.0], limit }
    }

    /// Goes straight on to `[x, y]`.
    pub fn line_to(&mut self, [x, y]: [f64; 2]) {
        let [x0, y0] = self.last;
        if x0 <= self.limit && self.limit < x {
            self.keep([self.limit, y0 + (y - y0) * (self.limit - x0) / (x - x0)]);
        }
        self.last = [x, y];
        let [xk, yk] = self.kept[self.kept.len() - 1];
        if (x - xk).abs() + (y - yk).abs() >= STEP {
            self.keep([x, y]);
        }
    }

    /// Ends at [1, 1].
    pub fn finish(mut self) -> Vec<[f64; 2]> {
        self.line_to([1.0, 1.0]);
        self.keep([1.0, 1.0]);
        self.kept
    }

    fn keep(&mut self, point: [f64; 2]) {
        if self.kept.last() != Some(&point) {
            self.kept.push(point);
        }
    }
}

/// A curve that grows with the groups of a ranking: ROC with one weight for all positives, PRO with `1/(|r| R)`.
pub struct Rising<'a> {
    line: Thinned,
    /// Weight of a positive by its tag; without weights each counts `1/positives`.
    weights: Option<&'a [f64]>,
    normals: f64,
    positives: f64,
    y: f64,
}

impl<'a> Rising<'a> {
    pub fn new(normals: u64, positives: u64, weights: Option<&'a [f64]>, limit: f64) -> Self {
        Self { line: Thinned::new(limit), weights, normals: normals as f64, positives: positives as f64, y: 0.0 }
    }

    /// Takes the next group down.
    pub fn add(&mut self, group: &Group) {
        self.line.line_to([group.fp_before as f64 / self.normals, self.y]);
        self.y = match self.weights {
            None => group.tp as f64 / self.positives,
            Some(weights) => group.members.iter().fold(self.y, |y, &member| y + weights[tag_of(member)]),
        };
        self.line.line_to([group.fp as f64 / self.normals, self.y]);
    }

    /// The points, or none where a class is missing.
    pub fn finish(self) -> Vec<[f64; 2]> {
        if self.normals > 0.0 && self.positives > 0.0 { self.line.finish() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::slow::Lcg;
    use super::*;

    #[test]
    fn a_thinned_curve_is_short_near_the_whole_one_and_holds_the_limit() {
        let mut random = Lcg(5);
        let n = 20_000;
        let mut rise = |bend: f64| {
            let mut values: Vec<f64> = (0..n).map(|_| random.unit().powf(bend)).collect();
            values.sort_by(f64::total_cmp);
            values
        };
        let (xs, ys) = (rise(3.0), rise(0.3));
        let mut thinned = Thinned::new(0.3);
        xs.iter().zip(&ys).for_each(|(&x, &y)| thinned.line_to([x, y]));
        let points = thinned.finish();
        assert!(points.len() <= 1000, "{}", points.len());
        assert_eq!((points[0], points[points.len() - 1]), ([0.0, 0.0], [1.0, 1.0]));
        assert!(points.iter().any(|p| p[0] == 0.3));
        assert!(points.windows(2).all(|w| w[0][0] <= w[1][0] && w[0][1] <= w[1][1]));
        for (&x, &y) in xs.iter().zip(&ys).step_by(50) {
            let distance = |w: &[[f64; 2]]| {
                let ([x0, y0], [x1, y1]) = (w[0], w[1]);
                let (dx, dy) = (x1 - x0, y1 - y0);
                let along = (((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
                (x0 + along * dx - x).hypot(y0 + along * dy - y)
            };
            let nearest = points.windows(2).map(distance).fold(f64::MAX, f64::min);
            assert!(nearest <= STEP, "[{x}, {y}] is {nearest} off");
        }
    }
}
