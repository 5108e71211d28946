//! Maps in plain `f64`, and each loss written down from its definition with nested loops.

use harness::config::*;
use harness::seed;
use rand::RngExt;
use tch::{Kind, Tensor};

/// A map [B, C, H, W] in row-major order.
#[derive(Clone, Debug)]
pub struct Map {
    pub size: [usize; 4],
    pub data: Vec<f64>,
}

impl Map {
    /// Values in (-scale, scale).
    pub fn random(seed: u64, name: &str, size: [usize; 4], scale: f64) -> Self {
        let mut draw = seed::stream(seed, name, 0, 0);
        Self { size, data: (0..size.iter().product()).map(|_| draw.random_range(-scale..scale)).collect() }
    }

    /// A mask with about `share` ones in blocks of 2 x 2 pixels, and some images without any.
    pub fn mask(seed: u64, size: [usize; 4], share: f64) -> Self {
        let mut draw = seed::stream(seed, "mask", 0, 0);
        let [b, _, h, w] = size;
        let mut mask = Self { size, data: vec![0.0; b * h * w] };
        for image in 0..b {
            let share = if draw.random_bool(0.3) { 0.0 } else { share };
            for y in (0..h).step_by(2) {
                for x in (0..w).step_by(2) {
                    if draw.random_bool(share) {
                        for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                            if y + dy < h && x + dx < w {
                                mask.data[(image * h + y + dy) * w + x + dx] = 1.0;
                            }
                        }
                    }
                }
            }
        }
        mask
    }

    pub fn at(&self, b: usize, c: usize, y: usize, x: usize) -> f64 {
        let [_, channels, h, w] = self.size;
        self.data[((b * channels + c) * h + y) * w + x]
    }

    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { size: self.size, data: self.data.iter().copied().map(f).collect() }
    }

    /// The part of image `b`, for maps of one channel.
    pub fn image(&self, b: usize) -> &[f64] {
        let pixels = self.size[2] * self.size[3];
        &self.data[b * pixels..(b + 1) * pixels]
    }

    pub fn tensor(&self) -> Tensor {
        tch::set_num_threads(1);
        Tensor::from_slice(&self.data).reshape(self.size.map(|n| n as i64))
    }

    pub fn float(&self) -> Tensor {
        self.tensor().to_kind(Kind::Float)
    }
}

pub fn defaults() -> Loss {
    static DEFAULTS: std::sync::LazyLock<Loss> = std::sync::LazyLock::new(|| Config::default().loss);
    DEFAULTS.clone()
}

pub fn value(t: &Tensor) -> f64 {
    f64::try_from(t.to_kind(Kind::Double)).unwrap()
}

pub fn values(t: &Tensor) -> Vec<f64> {
    Vec::<f64>::try_from(t.to_kind(Kind::Double).reshape([-1])).unwrap()
}

/// Value, and gradient with respect to the map, of `loss` in float64.
pub fn with_gradient(map: &Map, loss: impl Fn(&Tensor) -> Tensor) -> (f64, Vec<f64>) {
    let x = map.tensor().set_requires_grad(true);
    let l = loss(&x);
    l.backward();
    (value(&l), values(&x.grad()))
}

/// Central differences of a slow twin.
pub fn differences(map: &Map, loss: impl Fn(&Map) -> f64) -> Vec<f64> {
    let step = 1e-6;
    let at = |i: usize, d: f64| {
        let mut moved = map.clone();
        moved.data[i] += d;
        loss(&moved)
    };
    (0..map.data.len()).map(|i| (at(i, step) - at(i, -step)) / (2.0 * step)).collect()
}

#[track_caller]
pub fn assert_near(got: f64, want: f64, tolerance: f64) {
    assert!((got - want).abs() <= tolerance * want.abs().max(1.0), "got {got}, want {want}");
}

#[track_caller]
pub fn assert_all_near(got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len());
    for (i, (&g, &w)) in got.iter().zip(want).enumerate() {
        assert!((g - w).abs() <= tolerance * w.abs().max(1.0), "at {i}: got {g}, want {w}");
    }
}

/// `sqrt(|psi|^2 + 1) - 1` as the paper prints it.
pub fn distance(psi: &Map) -> Map {
    let [b, c, h, w] = psi.size;
    let mut data = Vec::new();
    for image in 0..b {
        for y in 0..h {
            for x in 0..w {
                let u: f64 = (0..c).map(|channel| psi.at(image, channel, y, x).powi(2)).sum();
                data.push((u + 1.0).sqrt() - 1.0);
            }
        }
    }
    Map { size: [b, 1, h, w], data }
}

/// Eq. (4) over one set of pixels, with the printed logarithm.
fn feature_of(a: &[f64], y: &[f64], cfg: &Feature) -> f64 {
    let (mut pull, mut push, mut n1, mut n2) = (0.0, 0.0, 0.0, 0.0);
    for (&a, &y) in a.iter().zip(y) {
        if y == 0.0 {
            (pull, n1) = (pull + a, n1 + 1.0);
        } else {
            (push, n2) = (push - (1.0 - (-(a + cfg.eps)).exp()).ln(), n2 + 1.0);
        }
    }
    match (n1 > 0.0, n2 > 0.0) {
        (true, true) => 0.5 * pull / n1 + 0.5 * push / n2,
        (true, false) => cfg.single_class_weight * pull / n1,
        (false, true) => cfg.single_class_weight * push / n2,
        (false, false) => 0.0,
    }
}

pub fn feature(a: &Map, mask: &Map, cfg: &Feature) -> f64 {
    match cfg.norm_scope {
        Scope::Batch => feature_of(&a.data, &mask.data, cfg),
        Scope::Image => mean((0..a.size[0]).map(|b| feature_of(a.image(b), mask.image(b), cfg))),
    }
}

pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let all: Vec<f64> = values.collect();
    all.iter().sum::<f64>() / all.len().max(1) as f64
}

pub fn split(s: &[f64], y: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let of = |class: f64| s.iter().zip(y).filter(|p| *p.1 == class).map(|p| *p.0).collect();
    (of(0.0), of(1.0))
}

pub fn normal_hinge(s: &Map, mask: &Map, gamma: f64) -> f64 {
    mean(split(&s.data, &mask.data).0.iter().map(|n| (n - gamma).max(0.0)))
}

/// All pairs, or the means, of one set of pixels; `None` if a class is missing.
fn pair_of(s: &[f64], y: &[f64], cfg: &Score) -> Option<f64> {
    let (n, a) = split(s, y);
    if n.is_empty() || a.is_empty() {
        return None;
    }
    Some(match cfg.pair_mode {
        PairMode::AllPairs => mean(a.iter().flat_map(|a| n.iter().map(move |n| (cfg.lambda - (a - n)).max(0.0)))),
        PairMode::Mean => (cfg.lambda - (mean(a.iter().copied()) - mean(n.iter().copied()))).max(0.0),
        PairMode::Random => unreachable!("has no twin: its properties are tested"),
    })
}

pub fn pair_hinge(s: &Map, mask: &Map, cfg: &Score) -> f64 {
    match cfg.pair_scope {
        Scope::Batch => pair_of(&s.data, &mask.data, cfg).unwrap_or(0.0),
        Scope::Image => mean((0..s.size[0]).filter_map(|b| pair_of(s.image(b), mask.image(b), cfg))),
    }
}

/// One patch: its features, its scores, and whether it takes part.
struct Patch {
    f: Vec<f64>,
    z: Vec<f64>,
    valid: bool,
}

fn patch(map: &Map, b: usize, top: usize, left: usize, cfg: &Consistency) -> Vec<f64> {
    let [ph, pw] = cfg.patch.map(|n| n as usize);
    let channel = |c: usize| (0..ph * pw).map(move |i| map.at(b, c, top + i / pw, left + i % pw));
    match cfg.patch_repr {
        PatchRepr::Flatten => (0..map.size[1]).flat_map(channel).collect(),
        PatchRepr::Mean => (0..map.size[1]).map(|c| mean(channel(c))).collect(),
    }
}

/// The patches of all images.
pub fn patches(map: &Map, cfg: &Consistency) -> Vec<Vec<f64>> {
    let ([b, _, h, w], [ph, pw]) = (map.size, cfg.patch.map(|n| n as usize));
    let corners = (0..b).flat_map(|b| (0..h).step_by(ph).flat_map(move |y| (0..w).step_by(pw).map(move |x| (b, y, x))));
    corners.map(|(b, top, left)| patch(map, b, top, left, cfg)).collect()
}

/// Eqs. (6) and (7): the loss and the mean relative row entropies of features and scores.
pub fn consistency(f: &Map, z: &Map, mask: &Map, cfg: &Consistency) -> (f64, f64, f64) {
    let ([b, _, h, w], [_, _, height, width], [ph, pw]) = (f.size, mask.size, cfg.patch.map(|n| n as usize));
    let (sy, sx) = (height / h, width / w);
    let mut groups: Vec<Vec<Patch>> = Vec::new();
    for image in 0..b {
        let mut group = Vec::new();
        for top in (0..h).step_by(ph) {
            for left in (0..w).step_by(pw) {
                let mut valid = true;
                for y in 0..height {
                    for x in 0..width {
                        let inside = (top * sy..(top + ph) * sy).contains(&y) && (left * sx..(left + pw) * sx).contains(&x);
                        let counts = inside || cfg.scope == ConsistencyScope::NormalImages;
                        valid &= !(counts && mask.at(image, 0, y, x) == 1.0);
                    }
                }
                group.push(Patch { f: patch(f, image, top, left, cfg), z: patch(z, image, top, left, cfg), valid });
            }
        }
        groups.push(group);
    }
    if cfg.across_images {
        groups = vec![groups.into_iter().flatten().collect()];
    }
    let per_group: Vec<(f64, f64, f64)> = groups.iter().filter_map(|g| group_consistency(g, cfg)).collect();
    (mean(per_group.iter().map(|g| g.0)), mean(per_group.iter().map(|g| g.1)), mean(per_group.iter().map(|g| g.2)))
}

fn group_consistency(patches: &[Patch], cfg: &Consistency) -> Option<(f64, f64, f64)> {
    let valid: Vec<&Patch> = patches.iter().filter(|p| p.valid).collect();
    if valid.len() < 2 {
        return None;
    }
    let k = valid.len();
    let distances = |of: &dyn Fn(&Patch) -> Vec<f64>| -> Vec<Vec<f64>> {
        let d = |i: usize, j: usize| -> f64 { of(valid[i]).iter().zip(of(valid[j])).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt() };
        let all: Vec<Vec<f64>> = (0..k).map(|i| (0..k).map(|j| d(i, j)).collect()).collect();
        let unit = match cfg.normalize {
            DistanceNormalize::None => 1.0,
            DistanceNormalize::MeanDistance => {
                mean((0..k).flat_map(|i| (0..k).filter(move |&j| j != i).map(move |j| (i, j))).map(|(i, j)| all[i][j]))
            }
        };
        all.iter().map(|row| row.iter().map(|d| d / unit).collect()).collect()
    };
    let (p, q) = (distances(&|patch| patch.f.clone()), distances(&|patch| patch.z.clone()));
    let (mut loss, mut ep, mut eq) = (0.0, 0.0, 0.0);
    for i in 0..k {
        let softmax = |row: &[f64]| -> Vec<f64> {
            let sign = if cfg.similarity == Similarity::NegDistance { -1.0 } else { 1.0 };
            let e: Vec<f64> = (0..k).map(|j| if cfg.exclude_diagonal && i == j { 0.0 } else { (sign * row[j] / cfg.tau).exp() }).collect();
            e.iter().map(|x| x / e.iter().sum::<f64>()).collect()
        };
        let (p, q) = (softmax(&p[i]), softmax(&q[i]));
        let kl = |from: &[f64], to: &[f64]| -> f64 { from.iter().zip(to).filter(|c| *c.0 > 0.0).map(|(a, b)| a * (a / b).ln()).sum() };
        loss += if cfg.kl == KlDirection::QP { kl(&q, &p) } else { kl(&p, &q) };
        let choices = if cfg.exclude_diagonal { k - 1 } else { k };
        let entropy = |p: &[f64]| -p.iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f64>() / (choices.max(2) as f64).ln();
        (ep, eq) = (ep + entropy(&p), eq + entropy(&q));
    }
    let k = k as f64;
    Some((loss / k, ep / k, eq / k))
}

/// Bilinear upsampling of a map of one channel.
pub fn upsample(map: &Map, height: usize, width: usize, align_corners: bool) -> Map {
    let [b, _, h, w] = map.size;
    // Source coordinate: the two cells and the weight of the second.
    let source = |i: usize, from: usize, to: usize| -> (usize, usize, f64) {
        let at = match align_corners {
            true if to == 1 => 0.0,
            true => i as f64 * (from - 1) as f64 / (to - 1) as f64,
            false => ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).max(0.0),
        };
        let low = (at.floor() as usize).min(from - 1);
        (low, (low + 1).min(from - 1), at - low as f64)
    };
    let mut data = Vec::new();
    for image in 0..b {
        for y in 0..height {
            for x in 0..width {
                let ((y0, y1, fy), (x0, x1, fx)) = (source(y, h, height), source(x, w, width));
                let row = |y: usize| map.at(image, 0, y, x0) * (1.0 - fx) + map.at(image, 0, y, x1) * fx;
                data.push(row(y0) * (1.0 - fy) + row(y1) * fy);
            }
        }
    }
    Map { size: [b, 1, height, width], data }
}
