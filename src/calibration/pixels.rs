//! Levels that a small share of all pixels exceeds, exactly, in two passes over maps of any number and size.

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::image::Map;
use crate::metric::{key, score};

/// The shares whose levels are kept, falling.
const SHARES: [f64; 9] = [0.1, 0.05, 0.02, 0.01, 5e-3, 1e-3, 5e-4, 1e-4, 1e-5];

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PixelLevel {
    pub share: f64,
    /// Exceeded by at most that share of the pixels: by it exactly where no values are equal.
    pub level: f32,
}

/// Values of a half of a sort key.
const HALF: usize = 1 << 16;

impl PixelLevel {
    /// The levels over the maps 0..`count`, as far as there are enough pixels to tell them; each map is asked for twice, and has to be finite.
    ///
    /// # Errors
    /// Those of `map`.
    pub fn of(count: usize, map: &dyn Fn(usize) -> Result<Map>) -> Result<Vec<Self>> {
        // Greater values first: counted by the upper half of their keys, then, where a level lies, by the lower.
        let mut upper = vec![0_u64; HALF];
        for index in 0..count {
            map(index)?.data.iter().for_each(|&value| upper[(key(value) >> 16) as usize] += 1);
        }
        let pixels: u64 = upper.iter().sum();
        let told = SHARES.iter().map(|&share| (share, (share * pixels as f64).floor() as u64)).filter(|(_, above)| *above > 0);
        let places: Vec<(f64, Place)> = told.map(|(share, above)| (share, Place::of(&upper, above))).collect();
        let mut lower: Vec<(usize, Vec<u64>)> = places.iter().map(|(_, place)| (place.bin, vec![0; HALF])).collect();
        lower.dedup_by_key(|(bin, _)| *bin);
        for index in 0..count {
            for &value in &map(index)?.data {
                let key = key(value);
                if let Some((_, counts)) = lower.iter_mut().find(|(bin, _)| *bin == (key >> 16) as usize) {
                    counts[key as usize & (HALF - 1)] += 1;
                }
            }
        }
        let level = |(share, place): (f64, Place)| {
            let (_, counts) = lower.iter().find(|(bin, _)| *bin == place.bin).expect("it was made for this place");
            let low = Place::of(counts, place.left).bin;
            Self { share, level: score((place.bin << 16 | low) as u32) }
        };
        Ok(places.into_iter().map(level).collect())
    }
}

/// Where a value lies that a number of values exceeds: its bin, and how many of the bin exceed it.
struct Place {
    bin: usize,
    left: u64,
}

impl Place {
    fn of(counts: &[u64], above: u64) -> Self {
        let mut left = above;
        for (bin, &count) in counts.iter().enumerate().rev() {
            if left < count {
                return Self { bin, left };
            }
            left -= count;
        }
        Self { bin: 0, left: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_level_is_the_value_at_its_rank_among_all(values in proptest::collection::vec(-5.0f32..5.0, 100..3000), coarse: bool, count in 1..4_usize) {
            let values: Vec<f32> = values.iter().map(|v| if coarse { v.round() } else { *v }).collect();
            let maps: Vec<Map> = values.chunks(values.len().div_ceil(count)).map(|part| Map::from_vec(part.len(), 1, part.to_vec())).collect();
            let levels = PixelLevel::of(maps.len(), &|index| Ok(maps[index].clone())).unwrap();
            let mut sorted = values.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            prop_assert_eq!(levels.len(), SHARES.iter().filter(|share| **share * values.len() as f64 >= 1.0).count());
            for PixelLevel { share, level } in levels {
                let above = (share * values.len() as f64).floor() as usize;
                prop_assert_eq!(level, sorted[above] + 0.0);
                prop_assert!(values.iter().filter(|v| **v > level).count() <= above);
            }
        }
    }
}
