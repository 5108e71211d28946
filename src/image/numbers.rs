//! The numbers of a score map as a file holds them: as float32 where that holds each exactly, else as float64, never rounded.

use super::{Map, Map64};

/// A map of float32, or one whose values float32 would round.
#[derive(Debug, Clone, PartialEq)]
pub enum Numbers {
    Single(Map),
    Double(Map64),
}

/// The greatest whole number up to which float64 holds each.
const WHOLE: u64 = 1 << 53;

impl Numbers {
    /// From float64: float32 where no value needs more.
    pub fn of(map: Map64) -> Self {
        if map.data.iter().any(|&v| f64::from(v as f32) != v && !v.is_nan()) {
            return Self::Double(map);
        }
        Self::Single(Map::from_vec(map.width, map.height, map.data.iter().map(|&v| v as f32).collect()))
    }

    /// In float64.
    pub fn double(self) -> Map64 {
        match self {
            Self::Single(map) => Map64::from_vec(map.width, map.height, map.data.iter().map(|&v| f64::from(v)).collect()),
            Self::Double(map) => map,
        }
    }

    /// Width and height.
    pub fn size(&self) -> [usize; 2] {
        match self {
            Self::Single(map) => [map.width, map.height],
            Self::Double(map) => [map.width, map.height],
        }
    }

    /// The first pixel that is NaN or infinite: its value, x and y.
    pub fn odd(&self) -> Option<(f64, usize, usize)> {
        let found = match self {
            Self::Single(map) => map.data.iter().position(|v| !v.is_finite()).map(|at| (f64::from(map.data[at]), at)),
            Self::Double(map) => map.data.iter().position(|v| !v.is_finite()).map(|at| (map.data[at], at)),
        };
        found.map(|(value, at)| (value, at % self.size()[0], at / self.size()[0]))
    }
}

/// A whole number as float64; `None` where that would round it.
pub(super) fn unsigned(value: u64) -> Option<f64> {
    (value <= WHOLE).then_some(value as f64)
}

/// [`unsigned`] of a number with a sign.
pub(super) fn signed(value: i64) -> Option<f64> {
    (value.unsigned_abs() <= WHOLE).then_some(value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_float32_would_round_keeps_the_whole_map_in_float64() {
        let of = |values: [f64; 2]| Numbers::of(Map64::from_vec(2, 1, values.to_vec()));
        assert_eq!(of([0.5, -3.0]), Numbers::Single(Map::from_vec(2, 1, vec![0.5, -3.0])));
        for values in [[0.5, 0.1], [16_777_217.0, 0.0], [1e50, 0.0], [1e-50, 0.0]] {
            assert_eq!(of(values), Numbers::Double(Map64::from_vec(2, 1, values.to_vec())));
        }
        assert_eq!(of([f64::NEG_INFINITY, 0.5]).odd(), Some((f64::NEG_INFINITY, 0, 0)));
        assert!(matches!(of([0.5, f64::NAN]), Numbers::Single(_)));
    }

    #[test]
    fn whole_numbers_beyond_float64_are_not_rounded() {
        assert_eq!((unsigned(1 << 53), unsigned((1 << 53) + 1)), (Some(9_007_199_254_740_992.0), None));
        assert_eq!((signed(-(1 << 53)), signed(i64::MIN)), (Some(-9_007_199_254_740_992.0), None));
    }
}
