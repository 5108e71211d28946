//! What a sweep varies, as factors with levels: which rows differ in one thing alone, and which are compared.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;

use super::axes::{Against, Counterpart};
use super::study::Study;

/// The factor of named rows, and its name where rows, columns and conditions are asked for.
pub const ROW: &str = "row";

/// The factor of points that are no grid: several keys that vary together.
pub const SETTINGS: &str = "settings";

/// One thing that varies.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Factor {
    /// A key of the configuration, [`ROW`] or [`SETTINGS`].
    pub name: String,
    /// In the order of the rows: values as they are typed, or names.
    pub levels: Vec<String>,
}

/// The factors of a study. Crossed: each combination of levels is exactly one row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Design {
    pub factors: Vec<Factor>,
    /// At which level of each factor a row stands; none for a quoted row.
    places: Vec<Option<Vec<usize>>>,
}

impl Design {
    /// Named rows are one factor, and each varied key one; where not every combination of the keys' values is there, the points
    /// are one.
    pub fn of(study: &Study) -> Self {
        let keys: Vec<&str> = study.axes.iter().map(|axis| axis.key.as_str()).collect();
        let run: Vec<bool> = (0..study.rows.len()).map(|row| !study.is_quoted(row)).collect();
        let entry = |row: usize| study.rows[row].entry.clone().map(|name| (ROW.to_owned(), name));
        let value = |row: usize, key: &str| study.rows[row].settings.get(key).map_or_else(String::new, spelled);
        let each = |row: usize| keys.iter().map(|key| (key.to_string(), value(row, key))).collect::<Vec<_>>();
        let joined = |row: usize| {
            let point = each(row).iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", ");
            vec![(SETTINGS.to_owned(), point)]
        };
        let design = |points: &dyn Fn(usize) -> Vec<(String, String)>| {
            Self::from_rows(
                (0..study.rows.len()).map(|row| run[row].then(|| entry(row).into_iter().chain(points(row)).collect())).collect(),
            )
        };
        let grid = design(&each);
        if grid.is_complete() || keys.len() < 2 { grid } else { design(&joined) }
    }

    /// By what each row names: factor and level.
    fn from_rows(rows: Vec<Option<Vec<(String, String)>>>) -> Self {
        let mut factors: Vec<Factor> = vec![];
        let mut place = |(name, level): (String, String)| {
            let at = factors.iter().position(|factor| factor.name == name).unwrap_or_else(|| {
                factors.push(Factor { name, levels: vec![] });
                factors.len() - 1
            });
            let levels = &mut factors[at].levels;
            levels.iter().position(|known| *known == level).unwrap_or_else(|| {
                levels.push(level);
                levels.len() - 1
            })
        };
        let places: Vec<Option<Vec<usize>>> =
            rows.into_iter().map(|row| row.map(|names| names.into_iter().map(&mut place).collect())).collect();
        // What all rows share does not vary.
        let varies: Vec<bool> = factors.iter().map(|factor| factor.levels.len() > 1).collect();
        let kept = |place: Vec<usize>| place.into_iter().zip(&varies).filter_map(|(level, varies)| varies.then_some(level)).collect();
        let places = places.into_iter().map(|place| place.map(kept)).collect();
        factors.retain(|factor| factor.levels.len() > 1);
        Self { factors, places }
    }

    /// Whether each combination of levels is exactly one row.
    fn is_complete(&self) -> bool {
        let rows: Vec<&Vec<usize>> = self.places.iter().flatten().collect();
        let distinct: HashSet<&&Vec<usize>> = rows.iter().collect();
        let planned: usize = self.factors.iter().map(|factor| factor.levels.len()).product();
        rows.len() == planned && distinct.len() == planned
    }

    /// Whether two things or more vary, each at every level of the others.
    pub fn is_crossed(&self) -> bool {
        self.factors.len() > 1 && self.is_complete()
    }

    /// Rows at one level of a factor, in their order.
    pub fn at(&self, factor: usize, level: usize) -> Vec<usize> {
        let here = |row: &usize| self.level(*row, factor) == Some(level);
        (0..self.places.len()).filter(here).collect()
    }

    /// At which level of a factor a row stands.
    pub fn level(&self, row: usize, factor: usize) -> Option<usize> {
        self.places.get(row)?.as_ref()?.get(factor).copied()
    }

    /// The row that differs from `row` in one factor alone, where it stands at `level`.
    pub fn beside(&self, row: usize, factor: usize, level: usize) -> Option<usize> {
        let mut place = self.places.get(row)?.clone()?;
        *place.get_mut(factor)? = level;
        self.places.iter().position(|other| other.as_ref() == Some(&place))
    }

    /// The factors in which two rows differ.
    fn differing(&self, one: usize, other: usize) -> Vec<usize> {
        (0..self.factors.len()).filter(|&factor| self.level(one, factor) != self.level(other, factor)).collect()
    }

    /// The level that the others of a factor are compared with, and whether each is compared with the one before it instead.
    pub fn reference(&self, factor: usize, against: Against) -> Reference {
        match against {
            Against::Previous if self.factors[factor].name == ROW => Reference::Previous,
            Against::Previous => Reference::Level(0),
            Against::Row(row) => Reference::Level(self.level(row, factor).unwrap_or(0)),
        }
    }

    /// The row that stands opposite to a row: at the same levels of all other factors, so that one thing alone differs. Named
    /// rows are compared within each point; of a grid of keys those are compared that differ from the reference in one key.
    fn opposite(&self, row: usize, against: Against) -> Option<usize> {
        if let Some(factor) = self.factors.iter().position(|factor| factor.name == ROW) {
            let own = self.level(row, factor)?;
            let level = self.reference(factor, against).of(own)?;
            return self.beside(row, factor, level);
        }
        let Against::Row(reference) = against else { return row.checked_sub(1).filter(|&before| self.differing(row, before).len() == 1) };
        (self.differing(row, reference).len() == 1).then_some(reference)
    }
}

/// What a level of a factor is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    Previous,
    Level(usize),
}

impl Reference {
    /// The level opposite to a level; none for the reference itself.
    pub fn of(self, level: usize) -> Option<usize> {
        match self {
            Self::Previous => level.checked_sub(1),
            Self::Level(reference) => (reference != level).then_some(reference),
        }
    }
}

impl Study {
    /// What is compared: each as the pairs of rows that stand opposite to one another. Where several things vary and every
    /// combination is planned, each level of each factor over all else; else each row and its counterpart.
    pub fn comparisons(&self) -> Vec<Vec<(usize, usize)>> {
        let design = Design::of(self);
        if !design.is_crossed() {
            return self.counterparts().into_iter().enumerate().filter_map(|(row, other)| Some(vec![(row, other?)])).collect();
        }
        let levels =
            design.factors.iter().enumerate().flat_map(|(factor, levels)| (0..levels.levels.len()).map(move |level| (factor, level)));
        let of = |(factor, level)| {
            let other = design.reference(factor, self.against).of(level)?;
            Some(design.at(factor, level).into_iter().zip(design.at(factor, other)).collect())
        };
        levels.filter_map(of).collect()
    }

    /// The counterpart of each row in paired differences. None for the one that others are compared with, for one that is
    /// quoted, where more than one thing differs in a grid, and where both are the same runs, or an earlier row is this
    /// comparison already: what is asked once counts once.
    pub fn counterparts(&self) -> Vec<Option<usize>> {
        let (design, first) = (Design::of(self), self.firsts());
        let mut seen = HashSet::new();
        let opposite = |row: usize| match (self.is_quoted(row), self.against) {
            (true, _) => None,
            _ if self.rows[row].against.is_some() => match self.rows[row].against {
                Some(Counterpart::Row(other)) => Some(other),
                _ => None,
            },
            _ if design.is_crossed() => design.opposite(row, self.against),
            (_, Against::Previous) => row.checked_sub(1),
            (_, Against::Row(other)) => (other != row).then_some(other),
        };
        let mut counterpart = |row: usize| {
            let other = opposite(row)?;
            let (one, another) = (first[row], first[other]);
            (one != another && seen.insert([one.min(another), one.max(another)])).then_some(other)
        };
        (0..self.rows.len()).map(&mut counterpart).collect()
    }

    /// For each row the first that is made of the same runs: itself where there is none before it.
    pub fn firsts(&self) -> Vec<usize> {
        let mut runs: BTreeMap<usize, Vec<(&str, u64)>> = BTreeMap::new();
        for cell in &self.cells {
            runs.entry(cell.row).or_default().push((cell.id.hash10.as_str(), cell.id.seed));
        }
        let mut known: HashMap<Vec<(&str, u64)>, usize> = HashMap::new();
        let mut first = |row: usize| match runs.remove(&row) {
            None => row,
            Some(mut own) => {
                own.sort_unstable();
                own.dedup();
                *known.entry(own).or_insert(row)
            }
        };
        (0..self.rows.len()).map(&mut first).collect()
    }
}

/// A value as it is typed: text without quotes, 2.0 as 2.
pub fn spelled(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.as_f64().filter(|_| number.is_f64()).map_or_else(|| number.to_string(), |float| float.to_string()),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::study::example;

    #[test]
    fn rows_beside_axes_are_compared_at_the_same_point() {
        let study = example::crossed();
        let design = Design::of(&study);
        let factors: Vec<_> = design.factors.iter().map(|f| (f.name.as_str(), f.levels.join(" "))).collect();
        assert_eq!(factors, [(ROW, "plain texture".to_owned()), ("loss.score.gamma", "1 2".into()), ("loss.score.lambda", "0.5 1".into())]);
        assert!(design.is_crossed());
        assert_eq!(study.counterparts(), [None, None, None, None, Some(0), Some(1), Some(2), Some(3)]);
        let previous = Study { against: Against::Previous, ..study };
        assert_eq!(previous.counterparts(), [None, None, None, None, Some(0), Some(1), Some(2), Some(3)]);
        let rows = vec![(4, 0), (5, 1), (6, 2), (7, 3)];
        let gamma = vec![(2, 0), (3, 1), (6, 4), (7, 5)];
        let lambda = vec![(1, 0), (3, 2), (5, 4), (7, 6)];
        assert_eq!(previous.comparisons(), [rows, gamma, lambda]);
    }

    #[test]
    fn of_a_grid_of_keys_those_are_compared_that_differ_in_one_key() {
        let study = example::grid();
        assert_eq!(study.counterparts(), [None, Some(0), Some(0), None]);
        let from_last = Study { against: Against::Row(3), ..study.clone() };
        assert_eq!(from_last.counterparts(), [None, Some(3), Some(3), None]);
        let mut holed = study;
        holed.rows.pop();
        holed.cells.retain(|cell| cell.row < 3);
        assert!(!Design::of(&holed).is_crossed());
        assert_eq!(Design::of(&holed).factors[0].name, SETTINGS);
        assert_eq!(holed.counterparts(), [None, Some(0), Some(0)], "points that are no grid are compared as they stand");
    }

    #[test]
    fn named_rows_alone_are_one_factor() {
        let ladder = example::ladder();
        assert!(!Design::of(&ladder).is_crossed());
        assert_eq!(ladder.counterparts(), [None, Some(0), Some(1)]);
        let mut own = ladder.clone();
        own.rows[1].against = Some(Counterpart::None);
        own.rows[2].against = Some(Counterpart::Row(0));
        assert_eq!(own.counterparts(), [None, None, Some(0)]);
        assert_eq!(ladder.comparisons(), [vec![(1, 0)], vec![(2, 1)]]);
    }
}
