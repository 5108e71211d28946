//! Slow twins: each metric straight from its definition, in nested loops.

use super::super::{Connectivity, Protocol, Sample, Scores, evaluate};
use crate::image::{Map, Mask, Plane};

/// A 64-bit linear congruential generator that needs one line in any language (constants of Knuth's MMIX).
pub struct Lcg(pub u64);

impl Lcg {
    /// The next 31 random bits.
    pub fn bits(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as u32
    }

    /// A multiple of 2^-31 in 0..1.
    pub fn unit(&mut self) -> f64 {
        f64::from(self.bits()) / 2f64.powi(31)
    }
}

/// Runs `f` with `n` rayon threads.
pub fn threads<T: Send>(n: usize, f: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(f)
}

/// An image that owns its planes; an image without a mask is good.
#[derive(Debug, Clone)]
pub struct Image {
    pub map: Map,
    pub mask: Option<Mask>,
}

impl Image {
    pub fn sample(&self) -> Sample<'_> {
        let image_score = self.map.data.iter().copied().fold(f32::MIN, f32::max);
        Sample { name: "test.png", map: &self.map, mask: self.mask.as_ref(), image_score, anomalous: self.mask.is_some() }
    }
}

/// The scores of images under a protocol.
pub fn scores(images: &[Image], protocol: &Protocol) -> Scores {
    let samples: Vec<Sample> = images.iter().map(Image::sample).collect();
    evaluate(&samples, protocol).unwrap().0
}

/// Labels in raster order of the regions' first pixels, by a stack of pixels to visit.
pub fn flood_fill(mask: &Mask, connectivity: Connectivity) -> (Plane<u32>, usize) {
    let mut labels = Plane::filled(mask.width, mask.height, 0);
    let mut count = 0;
    for start in 0..mask.data.len() {
        if mask.data[start] == 0 || labels.data[start] != 0 {
            continue;
        }
        count += 1;
        let mut stack = vec![(start % mask.width, start / mask.width)];
        while let Some((x, y)) = stack.pop() {
            if mask.at(x, y) == 0 || labels.at(x, y) != 0 {
                continue;
            }
            labels.set(x, y, count as u32);
            for dy in -1..=1_isize {
                for dx in -1..=1_isize {
                    let (nx, ny) = (x.wrapping_add_signed(dx), y.wrapping_add_signed(dy));
                    if nx < mask.width && ny < mask.height && (connectivity == Connectivity::Eight || dx * dy == 0) {
                        stack.push((nx, ny));
                    }
                }
            }
        }
    }
    (labels, count)
}

/// Scores of the pixels outside every region, and of each region.
pub fn pixels(images: &[Image], connectivity: Connectivity) -> (Vec<f32>, Vec<Vec<f32>>) {
    let (mut normal, mut regions) = (Vec::new(), Vec::new());
    for image in images {
        let good = Mask::filled(image.map.width, image.map.height, 0);
        let (labels, count) = flood_fill(image.mask.as_ref().unwrap_or(&good), connectivity);
        let first = regions.len();
        regions.resize(first + count, Vec::new());
        for (&label, &score) in labels.data.iter().zip(&image.map.data) {
            match label {
                0 => normal.push(score),
                region => regions[first + region as usize - 1].push(score),
            }
        }
    }
    (normal, regions)
}

/// Mann-Whitney: the share of pairs that the positive wins, half for a tie.
pub fn auroc(normal: &[f32], positive: &[f32]) -> Option<f64> {
    let wins: f64 =
        positive.iter().flat_map(|p| normal.iter().map(move |n| f64::from(u8::from(p > n)) + 0.5 * f64::from(u8::from(p == n)))).sum();
    (!normal.is_empty() && !positive.is_empty()).then(|| wins / (normal.len() * positive.len()) as f64)
}

/// Distinct values, descending.
fn distinct<'a>(values: impl Iterator<Item = &'a f32>) -> Vec<f32> {
    let mut values: Vec<f32> = values.copied().collect();
    values.sort_by(|a, b| b.partial_cmp(a).unwrap());
    values.dedup();
    values
}

fn at_least(values: &[f32], threshold: f32) -> f64 {
    values.iter().filter(|&&v| v >= threshold).count() as f64
}

/// Average precision, greatest F1 and its threshold, over every distinct score.
pub fn ap_and_f1(normal: &[f32], positive: &[f32]) -> Option<(f64, f64, f64)> {
    let (mut ap, mut best, mut before) = (0.0, (0.0, 0.0), 0.0);
    for t in distinct(normal.iter().chain(positive)) {
        let (tp, fp) = (at_least(positive, t), at_least(normal, t));
        let (precision, recall) = (tp / (tp + fp), tp / positive.len() as f64);
        ap += (recall - before) * precision;
        before = recall;
        let f1 = if tp > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 };
        if f1 > best.0 + 1e-12 {
            best = (f1, f64::from(t));
        }
    }
    (!positive.is_empty()).then_some((ap, best.0, best.1))
}

/// The PRO curve with a point for every distinct score, from the origin.
pub fn pro_curve(normal: &[f32], regions: &[Vec<f32>]) -> Vec<[f64; 2]> {
    let mut points = vec![[0.0, 0.0]];
    for t in distinct(normal.iter().chain(regions.iter().flatten())) {
        let overlaps = regions.iter().map(|r| at_least(r, t) / r.len() as f64);
        points.push([at_least(normal, t) / normal.len() as f64, overlaps.sum::<f64>() / regions.len() as f64]);
    }
    points
}

/// Trapezoids up to the limit, the last one cut there; divided by the limit.
pub fn aupro(normal: &[f32], regions: &[Vec<f32>], limit: f64) -> Option<f64> {
    if normal.is_empty() || regions.is_empty() {
        return None;
    }
    let mut area = 0.0;
    for w in pro_curve(normal, regions).windows(2) {
        let ([x0, y0], [x1, y1]) = (w[0], w[1]);
        if x1 <= limit {
            area += (x1 - x0) * (y0 + y1) / 2.0;
        } else if x0 < limit {
            let y = y0 + (y1 - y0) * (limit - x0) / (x1 - x0);
            area += (limit - x0) * (y0 + y) / 2.0;
        }
    }
    Some(area / limit)
}
