//! From values to places along an axis, and the ticks beside it. Pure.

/// An axis' range, `low < high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scale {
    Linear {
        low: f64,
        high: f64,
    },
    /// Logarithmic; `low` above zero.
    Log {
        low: f64,
        high: f64,
    },
}

/// A mark at a value; minor ones have no label.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    pub at: f64,
    pub label: Option<String>,
}

/// Greatest over least value from which on an axis is logarithmic.
const WIDE: f64 = 30.0;

/// What a logarithmic axis shows below its greatest value, at most.
const DEPTH: f64 = 1e5;

impl Scale {
    /// A linear axis from `low` to a round number at or above `high`; for counts the ticks are whole.
    pub fn up_from(low: f64, high: f64) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        let step = round_step((high - low) / 5.0);
        Self::Linear { low, high: low + ((high - low) / step - 1e-9).ceil() * step }
    }

    /// The axis for values that are never negative: from zero, or logarithmic where they span more than a factor of 30. Zeros
    /// then stand at its lower end. Values that are not finite are passed over.
    pub fn of_magnitudes(values: impl Iterator<Item = f64> + Clone) -> Self {
        let finite = values.filter(|v| v.is_finite());
        let high = finite.clone().fold(0.0, f64::max);
        let least = finite.clone().fold(0.0, f64::min);
        let low = finite.filter(|&v| v > 0.0).fold(f64::INFINITY, f64::min).max(high / DEPTH);
        if least < 0.0 {
            let step = round_step((high - least) / 5.0);
            return Self::up_from((least / step).floor() * step, high);
        }
        if high <= WIDE * low {
            return Self::up_from(0.0, high);
        }
        let (below, above) = (steps_of_decade(low).0, steps_of_decade(high).1);
        Self::Log { low: below, high: above }
    }

    /// A linear axis around values, from a round number to a round number, that leaves `within` only where values do. It does
    /// not start at zero, which whoever draws it has to mark. Values that are not finite are passed over; of none, `within`.
    pub fn around(values: impl Iterator<Item = f64> + Clone, within: [f64; 2]) -> Self {
        let finite = values.filter(|v| v.is_finite());
        let (least, greatest) = (finite.clone().fold(f64::INFINITY, f64::min), finite.fold(f64::NEG_INFINITY, f64::max));
        if least > greatest {
            return Self::Linear { low: within[0], high: within[1] };
        }
        // Values that are equal but for rounding stand in the middle; others keep a little off the ends.
        let differ = greatest - least > 1e-9 * greatest.abs().max(least.abs());
        let margin = if differ { 0.04 * (greatest - least) } else { 0.02 * (within[1] - within[0]) };
        let step = round_step((greatest - least + 2.0 * margin) / 5.0);
        let low = (((least - margin) / step).floor() * step).max(within[0].min(least));
        let high = (((greatest + margin) / step).ceil() * step).min(within[1].max(greatest));
        Self::Linear { low, high }
    }

    /// Place of a value, 0..=1 along the axis; what lies below a logarithmic axis stands at its lower end.
    pub fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear { low, high } => (value - low) / (high - low),
            Self::Log { .. } if value.is_nan() => value,
            Self::Log { low, high } => (value.max(low) / low).ln() / (high / low).ln(),
        }
    }

    /// Round values within the range; about `wanted` of them carry a label.
    pub fn ticks(self, wanted: usize) -> Vec<Tick> {
        match self {
            Self::Linear { low, high } => {
                let step = round_step((high - low) / wanted as f64);
                let ticks = linear_ticks(low, high, step);
                // Between ends that are not round there may be room for one alone.
                if ticks.len() < 2 { linear_ticks(low, high, round_step(0.4 * step)) } else { ticks }
            }
            Self::Log { low, high } => log_ticks(low, high, wanted),
        }
    }

    /// [`Scale::ticks`] at whole numbers only.
    pub fn whole_ticks(self, wanted: usize) -> Vec<Tick> {
        match self {
            Self::Linear { low, high } => linear_ticks(low, high, round_step((high - low) / wanted as f64).max(1.0)),
            Self::Log { low, high } => log_ticks(low, high, wanted),
        }
    }
}

/// The least of 1, 2, 5 times a power of ten that is `least` or more.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= least * (1.0 - 1e-9)).unwrap_or(10.0);
    factor * power
}

/// The numbers of 1, 2, 5 times a power of ten next at or below and at or above a value.
fn steps_of_decade(value: f64) -> (f64, f64) {
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|f| f * power);
    let below = steps.into_iter().rev().find(|s| *s <= value * (1.0 + 1e-9)).unwrap_or(power);
    (below, steps.into_iter().find(|s| *s >= value * (1.0 - 1e-9)).unwrap_or(10.0 * power))
}

fn linear_ticks(low: f64, high: f64, step: f64) -> Vec<Tick> {
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    let (first, last) = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
    let label = |at: f64| match decimals > 4 || high.abs().max(low.abs()) >= 1e5 {
        true => scientific(at, step),
        false => format!("{:.decimals$}", at + 0.0),
    };
    (first..=last).map(|i| i as f64 * step).map(|at| Tick { at, label: Some(label(at)) }).collect()
}

/// With as many digits as neighbours at a distance of `step` need.
fn scientific(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let digits = (value.abs().log10().floor() - (step.log10() + 1e-9).floor()).max(0.0) as usize;
    format!("{value:.digits$e}")
}

/// Powers of ten with labels and their multiples without; where there are fewer than two such, 1, 2, 5 have labels.
fn log_ticks(low: f64, high: f64, wanted: usize) -> Vec<Tick> {
    let (first, last) = (low.log10().floor() as i32, (high.log10() + 1e-9).floor() as i32);
    let inside = |v: f64| v >= low * (1.0 - 1e-9) && v <= high * (1.0 + 1e-9);
    let powers = (first..=last).filter(|&e| inside(10_f64.powi(e))).count();
    let every = powers.div_ceil(wanted.max(1)).max(1) as i32;
    let all = (first..=last).flat_map(|e| (1..10).map(move |m| (m, e)));
    all.filter_map(|(m, e)| {
        let at = f64::from(m) * 10_f64.powi(e);
        let labelled = if powers < 3 { matches!(m, 1 | 2 | 5) } else { m == 1 && e.rem_euclid(every) == 0 };
        inside(at).then(|| Tick { at, label: labelled.then(|| power_label(m, e)) })
    })
    .collect()
}

/// Such as `0.02`, `500`, `10⁻⁵`, `2·10⁶`.
fn power_label(factor: i32, exponent: i32) -> String {
    if (-3..=3).contains(&exponent) {
        let decimals = (-exponent).max(0) as usize;
        return format!("{:.decimals$}", f64::from(factor) * 10_f64.powi(exponent));
    }
    let superscript = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        digit => char::from_u32('⁰' as u32 + digit as u32 - '0' as u32).unwrap_or(digit),
    };
    let power: String = exponent.to_string().chars().map(superscript).collect();
    if factor == 1 { format!("10{power}") } else { format!("{factor}·10{power}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(ticks: Vec<Tick>) -> Vec<String> {
        ticks.into_iter().filter_map(|t| t.label).collect()
    }

    #[test]
    fn ticks_are_round_and_written_short() {
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 1.0 }.ticks(5)), ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 0.3 }.ticks(6)), ["0.00", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]);
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 3.0 }.whole_ticks(10)), ["0", "1", "2", "3"]);
        assert_eq!(labels(Scale::Linear { low: 0.0, high: 4e5 }.ticks(4)), ["0", "1e5", "2e5", "3e5", "4e5"]);
        assert_eq!(labels(Scale::Log { low: 1e-5, high: 1e5 }.ticks(6)), ["10⁻⁴", "0.01", "1", "100", "10⁴"]);
        assert_eq!(labels(Scale::Log { low: 0.2, high: 20.0 }.ticks(6)), ["0.2", "0.5", "1", "2", "5", "10", "20"]);
    }

    #[test]
    fn the_axis_fits_the_values() {
        let of = |v: &[f64]| Scale::of_magnitudes(v.iter().copied());
        assert_eq!(of(&[0.5, 3.7, 2.0, f64::NAN]), Scale::Linear { low: 0.0, high: 4.0 });
        assert_eq!(of(&[0.03, 3.7, 0.0]), Scale::Log { low: 0.02, high: 5.0 });
        assert_eq!(of(&[]), Scale::Linear { low: 0.0, high: 1.0 });
        assert_eq!(of(&[0.0, 0.0]), Scale::Linear { low: 0.0, high: 1.0 });
        assert_eq!(of(&[-1.0, 3.0]), Scale::Linear { low: -1.0, high: 3.0 });
        assert_eq!(of(&[0.03, 3.7]).place(0.0), 0.0, "zero stands at the end of a logarithmic axis");
    }

    #[test]
    fn an_axis_around_values_ends_on_round_numbers_within_its_bounds() {
        let of = |v: &[f64]| Scale::around(v.iter().copied(), [0.0, 100.0]);
        assert_eq!(of(&[97.3, 98.7, f64::NAN]), Scale::Linear { low: 97.0, high: 99.0 });
        assert_eq!(of(&[61.0, 99.9]), Scale::Linear { low: 50.0, high: 100.0 });
        assert_eq!(of(&[99.0, 100.4]), Scale::Linear { low: 98.5, high: 100.4 }, "an interval may go beyond");
        assert_eq!(of(&[]), Scale::Linear { low: 0.0, high: 100.0 });
        let Scale::Linear { low, high } = of(&[50.0]) else { panic!() };
        assert!(low < 50.0 && 50.0 < high);
        assert_eq!(of(&[0.3 * 3.0, 0.9]), of(&[0.9, 0.9]), "rounding is not a spread");
    }

    #[test]
    fn an_axis_between_ends_that_are_not_round_has_two_ticks_at_least() {
        let places = |low, high| Scale::Linear { low, high }.ticks(4).iter().map(|tick| tick.at).collect::<Vec<_>>();
        assert_eq!(places(-4.357_751, 4.0), [-4.0, -2.0, 0.0, 2.0, 4.0]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn all_values_lie_on_the_axis_around_them(values in prop::collection::vec(-5.0..105.0_f64, 1..20)) {
            let scale = Scale::around(values.iter().copied(), [0.0, 100.0]);
            prop_assert!(values.iter().all(|&v| (0.0..=1.0).contains(&scale.place(v))), "{:?}", scale);
            prop_assert!((2..=12).contains(&scale.ticks(4).len()), "{:?}", scale);
        }

        #[test]
        fn all_values_and_ticks_lie_on_the_axis(values in prop::collection::vec((-9.0..9.0_f64).prop_map(|e| 10_f64.powf(e)), 1..20), sign in prop::bool::ANY) {
            let values: Vec<f64> = values.into_iter().enumerate().map(|(i, v)| if sign && i == 0 { -v } else { v }).collect();
            let scale = Scale::of_magnitudes(values.iter().copied());
            let on = |v: f64| (-1e-6..=1.0 + 1e-6).contains(&scale.place(v));
            prop_assert!(values.iter().all(|&v| on(v)), "{:?} {:?}", scale, values);
            let ticks = scale.ticks(6);
            prop_assert!(ticks.iter().all(|t| on(t.at)));
            let count = ticks.iter().filter(|t| t.label.is_some()).count();
            prop_assert!((2..=10).contains(&count), "{} labels on {:?}", count, scale);
        }
    }
}
