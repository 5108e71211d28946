//! The ranking of positives among negatives, from which every exact metric is read in one descending pass.
//!
//! Only groups of equal scores that hold a positive can change a metric: between them just the number of negatives
//! passed grows. So positives carry a tag (their region), negatives are bare keys, and negatives outside the range of
//! the positives are counted, not sorted. All counts are integers: nothing is rounded before a metric's last division.

use super::key::{Scale, key};
use super::radix;

/// What is ranked: pixels or images, unordered, with [`key`]s for scores. Fewer than 2^32 in all, so that the sums of
/// products of two counts fit 64 bits.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Population {
    /// Keys of the negatives in any number of parts: 4 bytes each.
    pub normal: Vec<Vec<u32>>,
    /// [`packed`] keys and tags of the positives: 8 bytes each.
    pub positive: Vec<u64>,
}

/// Key and tag of a positive.
#[inline]
pub fn packed(key: u32, tag: u32) -> u64 {
    u64::from(key) << 32 | u64::from(tag)
}

/// The key of a positive.
#[inline]
pub fn key_of(positive: u64) -> u32 {
    (positive >> 32) as u32
}

/// The tag of a positive: the index of its region.
#[inline]
pub fn tag_of(positive: u64) -> usize {
    positive as u32 as usize
}

impl Population {
    /// How many negatives there are.
    pub fn normals(&self) -> usize {
        self.normal.iter().map(Vec::len).sum()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.normals() + self.positive.len()
    }

    /// Least and greatest score, or `None` of nothing.
    pub fn range(&self, scale: &Scale) -> Option<(f64, f64)> {
        let keys = self.normal.iter().flatten().copied().chain(self.positive.iter().map(|&p| key_of(p)));
        let (least, greatest) = keys.fold((u32::MAX, 0), |(lo, hi), k| (lo.min(k), hi.max(k)));
        (least <= greatest).then(|| (scale.score(least), scale.score(greatest)))
    }

    /// Replaces every score by `f` of it, a float32.
    pub fn map_scores(&mut self, scale: &Scale, f: impl Fn(f64) -> f32) {
        self.normal.iter_mut().flatten().for_each(|k| *k = key(f(scale.score(*k))));
        self.positive.iter_mut().for_each(|p| *p = packed(key(f(scale.score(key_of(*p)))), *p as u32));
    }
}

/// A population in order.
pub struct Ranking {
    /// Keys of the negatives within the range of the positives, ascending.
    normal: Vec<u32>,
    /// Negatives above every positive.
    above: u64,
    /// All negatives.
    pub normals: u64,
    /// Ascending.
    positive: Vec<u64>,
}

/// The positives of one score and their place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Group<'a> {
    pub key: u32,
    /// Negatives with a higher score.
    pub fp_before: u64,
    /// Negatives with this or a higher score.
    pub fp: u64,
    /// Positives with this or a higher score.
    pub tp: u64,
    /// The positives of this score, never empty.
    pub members: &'a [u64],
}

impl Ranking {
    /// Sorts a population: most of an evaluation's 15 to 20 ns a pixel on one thread. Needs as much memory again as it has.
    pub fn new(population: Population) -> Self {
        let normals = population.normals() as u64;
        let positive = radix::sort(population.positive);
        let (normal, above) = match (positive.first(), positive.last()) {
            (Some(&least), Some(&greatest)) => radix::sort_within(population.normal, key_of(least), key_of(greatest)),
            _ => Default::default(),
        };
        Self { normal, above: above as u64, normals, positive }
    }

    /// All positives.
    pub fn positives(&self) -> u64 {
        self.positive.len() as u64
    }

    /// The groups of equal scores that hold a positive, from the highest score down.
    pub fn groups(&self) -> impl Iterator<Item = Group<'_>> {
        let (mut normal, mut positive) = (&self.normal[..], &self.positive[..]);
        std::iter::from_fn(move || {
            let key = key_of(*positive.last()?);
            let passed = |rest: &[u32]| self.above + (self.normal.len() - rest.len()) as u64;
            normal = &normal[..leading(normal, |&k| k <= key)];
            let fp_before = passed(normal);
            normal = &normal[..leading(normal, |&k| k < key)];
            let (rest, members) = positive.split_at(leading(positive, |&p| key_of(p) < key));
            positive = rest;
            Some(Group { key, fp_before, fp: passed(normal), tp: (self.positive.len() - rest.len()) as u64, members })
        })
    }
}

/// The number of leading items that satisfy `holds`, given that they all come first. Searches in growing steps from the
/// end, since the pass always goes on where it stopped.
fn leading<T>(items: &[T], holds: impl Fn(&T) -> bool) -> usize {
    let (mut end, mut step) = (items.len(), 1);
    while end > 0 && !holds(&items[end.saturating_sub(step)]) {
        end = end.saturating_sub(step);
        step *= 2;
    }
    let start = end.saturating_sub(step);
    start + items[start..end].partition_point(holds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn groups_are_what_counting_finds(normal in prop::collection::vec(0u32..30, 0..200), positive in prop::collection::vec((5u32..25, 0u32..4), 0..80)) {
            let population = Population { normal: normal.chunks(70).map(<[u32]>::to_vec).collect(), positive: positive.iter().map(|&(k, t)| packed(k, t)).collect() };
            let ranking = Ranking::new(population);
            let groups: Vec<Group> = ranking.groups().collect();
            let mut keys: Vec<u32> = positive.iter().map(|p| p.0).collect();
            keys.sort();
            keys.dedup();
            keys.reverse();
            prop_assert_eq!(groups.iter().map(|g| g.key).collect::<Vec<_>>(), keys);
            for g in groups {
                prop_assert_eq!(g.fp_before, normal.iter().filter(|&&k| k > g.key).count() as u64);
                prop_assert_eq!(g.fp, normal.iter().filter(|&&k| k >= g.key).count() as u64);
                prop_assert_eq!(g.tp, positive.iter().filter(|p| p.0 >= g.key).count() as u64);
                let tags: Vec<u32> = positive.iter().filter(|p| p.0 == g.key).map(|p| p.1).collect();
                prop_assert_eq!(g.members.iter().map(|&m| tag_of(m) as u32).collect::<Vec<_>>(), tags);
            }
        }

        #[test]
        fn leading_is_partition_point(ones in 0usize..200, zeros in 0usize..200) {
            let items: Vec<bool> = std::iter::repeat_n(true, ones).chain(std::iter::repeat_n(false, zeros)).collect();
            prop_assert_eq!(leading(&items, |&b| b), ones);
        }
    }
}
