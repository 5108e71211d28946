//! Patch features against their definition in loops.

use harness::config::{Config, Nearest};
use harness_torch::detector::nearest::{features, width};
use harness_torch::nn::Stages;
use tch::Tensor;

use super::{noise, one_thread, values};

fn stages() -> Stages {
    Stages { c1: noise(&[2, 6, 8, 8], 1), c2: noise(&[2, 10, 4, 4], 2), c3: noise(&[2, 16, 2, 2], 3) }
}

fn config(stages: &[usize], dims: i64) -> Nearest {
    Nearest { stages: stages.to_vec(), dims, ..Config::default().nearest }
}

/// `from[start .. end]` averaged to `to` numbers, each over the cells that it overlaps.
fn adaptive(from: &[f64], to: usize) -> Vec<f64> {
    let n = from.len();
    (0..to)
        .map(|i| {
            let cells = &from[i * n / to..((i + 1) * n).div_ceil(to)];
            cells.iter().sum::<f64>() / cells.len() as f64
        })
        .collect()
}

/// The 3x3 neighbourhood of (y, x), channel by channel, zeros beyond the edge.
fn around(map: &Tensor, b: i64, y: i64, x: i64) -> Vec<f64> {
    let (_, channels, height, width) = map.size4().unwrap();
    let mut all = vec![];
    for c in 0..channels {
        for (dy, dx) in (-1..2).flat_map(|dy| (-1..2).map(move |dx| (dy, dx))) {
            let inside = (0..height).contains(&(y + dy)) && (0..width).contains(&(x + dx));
            all.push(if inside { map.double_value(&[b, c, y + dy, x + dx]) } else { 0.0 });
        }
    }
    all
}

#[test]
fn one_stage_is_its_neighbourhoods_averaged_adaptively() {
    one_thread();
    let all = stages();
    for dims in [1, 7, 10, 25] {
        let made = features(&all, &config(&[2], dims));
        assert_eq!(made.size(), [2, 16, dims]);
        for (b, p) in [(0, 0), (1, 5), (1, 15)] {
            let slow = adaptive(&around(&all.c2, b, p / 4, p % 4), dims as usize);
            let fast = values(&made.get(b).get(p));
            assert!(fast.iter().zip(&slow).all(|(a, b)| (a - b).abs() < 1e-5), "{dims}: {fast:?} against {slow:?}");
        }
    }
}

#[test]
fn two_stages_stand_at_the_first_ones_resolution_and_are_averaged_once_more() {
    one_thread();
    let all = stages();
    // Constant in space, so that only the middle of the map is needed and its upsampling is known.
    let flat = |map: &Tensor| map.mean_dim([2i64, 3].as_slice(), true, tch::Kind::Float).expand_as(map).contiguous();
    let all = Stages { c1: flat(&all.c1), c2: flat(&all.c2), c3: flat(&all.c3) };
    let made = features(&all, &config(&[1, 2], 5));
    assert_eq!(made.size(), [2, 64, 5]);
    let both = [adaptive(&around(&all.c1, 1, 3, 4), 5), adaptive(&around(&all.c2, 1, 1, 2), 5)].concat();
    let slow = adaptive(&both, 5);
    let fast = values(&made.get(1).get(3 * 8 + 4));
    assert!(fast.iter().zip(&slow).all(|(a, b)| (a - b).abs() < 1e-5), "{fast:?} against {slow:?}");
}

#[test]
fn without_dims_all_channels_stay_as_plain_means() {
    one_thread();
    let all = stages();
    let cfg = config(&[2, 3], 0);
    let made = features(&all, &cfg);
    assert_eq!(made.size(), [2, 16, 26]);
    assert_eq!((width([6, 10, 16], &cfg), width([6, 10, 16], &config(&[3], 9))), (26, 9));
    let slow: Vec<f64> = around(&all.c2, 0, 1, 2).chunks(9).map(|c| c.iter().sum::<f64>() / 9.0).collect();
    let fast = values(&made.get(0).get(6));
    assert!(fast.iter().zip(&slow).all(|(a, b)| (a - b).abs() < 1e-5));
}
