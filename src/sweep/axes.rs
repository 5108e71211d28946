//! Axes over configuration keys, the points they span, and which row each is compared with. Pure.

use rand::{Rng, RngExt};
use serde::Deserialize;
use serde_json::Value as Json;
use toml::{Table, Value};

use crate::config::{flatten, upgrade};
use crate::{Error, Result, seed};

/// The most points that a sweep may have; each costs a configuration and a run for each category and seed.
pub const MOST_POINTS: usize = 10_000;

/// One setting of the varied keys: key and value, in the order of the axes.
pub type Point = Vec<(String, Value)>;

/// One varied key.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Axis {
    pub key: String,
    pub values: Vec<Json>,
}

/// Which row is a row's counterpart in paired differences.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The row before it, as in a cumulative ablation.
    Previous,
    /// One row, by its place.
    Row(usize),
}

/// A row's own counterpart, instead of the one that all have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counterpart {
    None,
    Row(usize),
}

/// The ways of varying keys; together they span the product of their points.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Axes {
    /// Every combination of the keys' values; the last key varies fastest.
    pub grid: Table,
    /// The keys' values side by side; lists of equal length.
    pub zip: Table,
    /// Points as written.
    pub list: Vec<Table>,
    pub random: Option<Random>,
}

/// `[random]`: points drawn from a seeded stream; each further key says how its values are drawn:
/// `{ uniform = [a, b] }`, `{ log = [a, b] }`, `{ int = [a, b] }` or `{ choice = […] }`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Random {
    pub n: usize,
    #[serde(default)]
    pub seed: u64,
    #[serde(flatten)]
    pub keys: Table,
}

/// How a key's values are drawn.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Draw {
    /// Evenly between two numbers.
    Uniform([f64; 2]),
    /// Evenly in the logarithm between two positive numbers.
    Log([f64; 2]),
    /// A whole number between two, both included.
    Int([i64; 2]),
    Choice(Vec<Value>),
}

impl Axes {
    pub fn is_empty(&self) -> bool {
        self.grid.is_empty() && self.zip.is_empty() && self.list.is_empty() && self.random.is_none()
    }

    /// All points: grid, then zip, list and random; the last varies fastest. One point without keys where nothing varies.
    ///
    /// # Errors
    /// `Kind::Config`: an axis that is not a list or an empty one, lists of unequal length side by side, an empty range, a key
    /// that varies twice.
    pub fn points(&self) -> Result<Vec<Point>> {
        self.check_count()?;
        let mut points: Vec<Point> = vec![vec![]];
        for (key, values) in lists("grid", &self.grid)? {
            points = product(&points, &values.into_iter().map(|v| vec![(key.clone(), v)]).collect::<Vec<_>>());
        }
        for part in [self.zipped()?, self.listed(), self.drawn()?].into_iter().flatten() {
            points = product(&points, &part);
        }
        for point in &points {
            if let Some((key, now)) = point.iter().find_map(|(key, _)| Some((key, upgrade::successor(key)?))) {
                return Err(Error::config(format!("{key} is a key of an older version and cannot be an axis"), format!("it is now {now}")));
            }
            if let Some((_, (key, _))) = point.iter().enumerate().find(|(i, (key, _))| point[..*i].iter().any(|(other, _)| other == key)) {
                return Err(Error::config(format!("{key} varies twice"), "name it in one of [grid], [zip], [[list]] and [random]"));
            }
        }
        Ok(points)
    }

    /// Counts the points before any is made.
    fn check_count(&self) -> Result<()> {
        let zipped = self.zip.values().next().map(|_| lists("zip", &self.zip)).transpose()?;
        let parts = lists("grid", &self.grid)?.into_iter().map(|(_, values)| values.len());
        let parts = parts.chain(zipped.and_then(|lists| lists.first().map(|(_, values)| values.len())));
        let mut parts = parts.chain(Some(self.list.len()).filter(|&n| n > 0)).chain(self.random.as_ref().map(|random| random.n));
        let count = parts.try_fold(1usize, |count, n| count.checked_mul(n));
        if count.is_some_and(|count| count <= MOST_POINTS) {
            return Ok(());
        }
        let count = count.map_or("more than 10^19".to_owned(), |count| count.to_string());
        Err(Error::config(
            format!("the axes span {count} points; a sweep has at most {MOST_POINTS}"),
            "vary fewer keys or values, or draw points with [random]",
        ))
    }

    fn zipped(&self) -> Result<Option<Vec<Point>>> {
        let lists = lists("zip", &self.zip)?;
        let Some((first, values)) = lists.first() else { return Ok(None) };
        if let Some((key, other)) = lists.iter().find(|(_, other)| other.len() != values.len()) {
            let what = format!("[zip]: {first} has {} values, {key} has {}", values.len(), other.len());
            return Err(Error::config(what, "give all lists of [zip] the same length; [grid] combines freely"));
        }
        Ok(Some((0..values.len()).map(|i| lists.iter().map(|(key, values)| (key.clone(), values[i].clone())).collect()).collect()))
    }

    fn listed(&self) -> Option<Vec<Point>> {
        (!self.list.is_empty()).then(|| self.list.iter().map(flatten).collect())
    }

    fn drawn(&self) -> Result<Option<Vec<Point>>> {
        let Some(random) = &self.random else { return Ok(None) };
        let fault = |key: &str, why: &str| {
            Error::config(format!("[random]: {key}: {why}"), "use uniform, log, int = [low, high] or choice = [values]")
        };
        if random.n == 0 {
            return Err(Error::config("[random]: n is 0", "draw at least one point"));
        }
        let mut keys = vec![];
        for (path, value) in draws(&random.keys) {
            let draw = Draw::deserialize(value).map_err(|e| fault(&path, e.message()))?;
            let good = match &draw {
                Draw::Uniform([low, high]) => low < high,
                Draw::Log([low, high]) => 0.0 < *low && low < high,
                Draw::Int([low, high]) => low <= high,
                Draw::Choice(values) => !values.is_empty(),
            };
            if !good {
                return Err(fault(&path, "the range is empty"));
            }
            keys.push((path, draw));
        }
        if keys.is_empty() {
            return Err(Error::config("[random] names no key", "add a key, such as optim.lr = { log = [1e-4, 1e-2] }"));
        }
        // A stream for each key and point: another key, or more points, change none that were there.
        let point = |i: usize| {
            keys.iter()
                .map(|(path, draw)| (path.clone(), draw.value(&mut seed::stream(random.seed, &format!("sweep/{path}"), 0, i as u64))))
                .collect()
        };
        Ok(Some((0..random.n).map(point).collect()))
    }
}

impl Draw {
    fn value(&self, rng: &mut impl Rng) -> Value {
        match self {
            Draw::Uniform([low, high]) => Value::Float(low + (high - low) * rng.random::<f64>()),
            Draw::Log([low, high]) => Value::Float((low.ln() + (high.ln() - low.ln()) * rng.random::<f64>()).exp()),
            Draw::Int([low, high]) => Value::Integer(rng.random_range(*low..=*high)),
            Draw::Choice(values) => values[rng.random_range(0..values.len())].clone(),
        }
    }
}

/// Each point once, where it stands first; and those that stand there again.
pub fn once(points: Vec<Point>) -> (Vec<Point>, Vec<Point>) {
    let (mut kept, mut again): (Vec<Point>, Vec<Point>) = (vec![], vec![]);
    for point in points {
        if kept.iter().any(|other| same(other, &point)) { again.push(point) } else { kept.push(point) }
    }
    (kept, again)
}

/// Whether two points set the same keys to the same values; 1 is 1.0.
fn same(one: &Point, other: &Point) -> bool {
    let number = |value: &Value| value.as_float().or_else(|| value.as_integer().map(|n| n as f64));
    let equal = |a: &Value, b: &Value| a == b || number(a).is_some() && number(a) == number(b);
    one.len() == other.len() && one.iter().all(|(key, value)| other.iter().any(|(k, v)| k == key && equal(value, v)))
}

/// Dotted keys with their lists.
fn lists(section: &str, table: &Table) -> Result<Vec<(String, Vec<Value>)>> {
    let mut found = vec![];
    for (key, value) in flatten(table) {
        match value {
            Value::Array(values) if !values.is_empty() => found.push((key, values)),
            _ => {
                let what = format!("[{section}]: {key} is not a list of values");
                return Err(Error::config(what, format!("write {key} = [value, value, …]")));
            }
        }
    }
    Ok(found)
}

/// Dotted keys with the table that says how they are drawn: the innermost tables, which hold no further ones.
fn draws(table: &Table) -> Vec<(String, Value)> {
    let mut found = vec![];
    for (key, value) in table {
        match value {
            Value::Table(inner) if inner.values().any(Value::is_table) => {
                found.extend(draws(inner).into_iter().map(|(path, value)| (format!("{key}.{path}"), value)));
            }
            value => found.push((key.clone(), value.clone())),
        }
    }
    found
}

fn product(left: &[Point], right: &[Point]) -> Vec<Point> {
    left.iter().flat_map(|l| right.iter().map(move |r| l.iter().chain(r).cloned().collect())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn axes(text: &str) -> Axes {
        #[derive(Deserialize)]
        #[serde(default, deny_unknown_fields)]
        #[derive(Default)]
        struct Parts {
            grid: Table,
            zip: Table,
            list: Vec<Table>,
            random: Option<Random>,
        }
        let parts: Parts = toml::from_str(text).unwrap();
        Axes { grid: parts.grid, zip: parts.zip, list: parts.list, random: parts.random }
    }

    fn shown(points: &[Point]) -> Vec<String> {
        points.iter().map(|p| p.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_grid_is_every_combination_and_a_zip_is_not() {
        let grid = axes("[grid]\npseudo.ratio = [0, 1]\noptim.lr = [0.1, 0.2]");
        let expected =
            ["pseudo.ratio=0 optim.lr=0.1", "pseudo.ratio=0 optim.lr=0.2", "pseudo.ratio=1 optim.lr=0.1", "pseudo.ratio=1 optim.lr=0.2"];
        assert_eq!(shown(&grid.points().unwrap()), expected);
        let zip = axes("[zip]\n\"pseudo.ratio\" = [0, 1]\n\"optim.lr\" = [0.1, 0.2]");
        assert_eq!(shown(&zip.points().unwrap()), ["pseudo.ratio=0 optim.lr=0.1", "pseudo.ratio=1 optim.lr=0.2"]);
        let list = axes("[grid]\ntrain.batch = [8]\n[[list]]\npseudo.ratio = 0\n[[list]]\noptim.lr = 0.5");
        assert_eq!(shown(&list.points().unwrap()), ["train.batch=8 pseudo.ratio=0", "train.batch=8 optim.lr=0.5"]);
        assert_eq!(Axes::default().points().unwrap(), [Point::new()]);
    }

    #[test]
    fn what_is_not_an_axis_is_refused() {
        let fault = |text| axes(text).points().unwrap_err().what;
        assert!(fault("[grid]\npseudo.ratio = 0.5").contains("pseudo.ratio is not a list"));
        assert!(fault("[grid]\npseudo.ratio = []").contains("not a list"));
        assert!(fault("[zip]\na = [1]\nb = [1, 2]").contains("a has 1 values, b has 2"));
        assert!(fault("[grid]\na = [1]\n[[list]]\na = 2").contains("a varies twice"));
        assert!(fault("[random]\nn = 2\na = { log = [0, 1] }").contains("a: the range is empty"));
        assert!(fault("[random]\nn = 2\na = { gauss = [0, 1] }").contains("[random]: a"));
        assert!(fault("[random]\nn = 2").contains("names no key"));
        assert!(
            fault("[grid]\npseudo.confetti_prob = [0, 1]")
                .contains("pseudo.confetti_prob is a key of an older version and cannot be an axis")
        );
    }

    #[test]
    fn more_points_than_a_sweep_may_have_are_refused_before_they_are_made() {
        let fault = |text: &str| axes(text).points().unwrap_err().what;
        let draw = "a = { int = [-9223372036854775808, 9223372036854775807] }";
        for n in ["9223372036854775807", "2000000000", "10001"] {
            assert!(fault(&format!("[random]\nn = {n}\n{draw}")).contains(&format!("span {n} points; a sweep has at most 10000")));
        }
        let key = |k: usize| format!("k{k} = {:?}\n", (0..100).collect::<Vec<_>>());
        let grid = |keys: usize| format!("[grid]\n{}", (0..keys).map(key).collect::<String>());
        assert!(fault(&grid(8)).contains("span 10000000000000000 points"));
        assert!(fault(&grid(12)).contains("more than 10^19 points"));
        assert_eq!(axes(&grid(2)).points().unwrap().len(), MOST_POINTS);
        assert_eq!(axes(&format!("[random]\nn = 3\n{draw}")).points().unwrap().len(), 3);
    }

    proptest! {
        #[test]
        fn a_grid_has_as_many_points_as_the_product_of_its_axes(sizes in proptest::collection::vec(1usize..5, 1..4)) {
            let text: String = sizes.iter().enumerate().map(|(i, n)| format!("k{i} = {:?}\n", (0..*n).collect::<Vec<_>>())).collect();
            let points = axes(&format!("[grid]\n{text}")).points().unwrap();
            prop_assert_eq!(points.len(), sizes.iter().product::<usize>());
            let mut distinct = shown(&points);
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), points.len());
        }

        #[test]
        fn drawn_points_lie_in_their_ranges_and_more_of_them_begin_with_the_same(n in 1usize..20, seed: u32) {
            let draw = |n: usize, more: &str| {
                axes(&format!("[random]\nn = {n}\nseed = {seed}\na.lr = {{ log = [0.001, 0.1] }}\nb = {{ int = [2, 4] }}\n{more}")).points().unwrap()
            };
            let points = draw(n, "");
            for point in &points {
                let (lr, b) = (point[0].1.as_float().unwrap(), point[1].1.as_integer().unwrap());
                prop_assert!((0.001..=0.1).contains(&lr) && (2..=4).contains(&b));
            }
            let more = draw(n + 3, "c = { choice = [1, 2] }");
            for (short, long) in points.iter().zip(&more) {
                prop_assert_eq!(&short[..], &long[..2]);
            }
        }
    }
}
