//! A radix sort of scores: bare keys (`u32`), or keys with a tag in the low half (`u64`). Stable, ascending.
//!
//! Keys are taken relative to the least one and their bits cut into equal digits of at most [`DIGIT_BITS`]; one stable
//! counting pass a digit, lowest first. Scores of one detector seldom span more than 27 bits: three passes of 512 buckets.
//! Several threads first divide the keys into ranges of about equal number, then each sorts its own. A stable sort has
//! one result, so nothing depends on the number of threads. Memory: one scratch copy.

use rayon::prelude::*;

/// 1024 write streams at most: more no longer fit the first-level cache, and each write would miss it.
const DIGIT_BITS: u32 = 10;

/// Below this many items a further thread costs more than it saves.
const ITEMS_PER_THREAD: usize = 1 << 16;

/// Buckets of the division into ranges.
const RANGE_BITS: u32 = 12;

/// Something that is sorted by a `u32` key.
pub trait Item: Copy + Default + Send + Sync {
    fn key(self) -> u32;
}

impl Item for u32 {
    #[inline]
    fn key(self) -> u32 {
        self
    }
}

/// The key in the high half, a tag in the low half; only the key is compared.
impl Item for u64 {
    #[inline]
    fn key(self) -> u32 {
        (self >> 32) as u32
    }
}

/// Sorts by key, ascending and stable, on rayon's current threads. At most `u32::MAX` items.
pub fn sort<T: Item>(items: &mut [T]) {
    let (least, greatest) = items.iter().fold((u32::MAX, 0), |(lo, hi), i| (lo.min(i.key()), hi.max(i.key())));
    if least >= greatest {
        return; // nothing to order; `least` is above `greatest` where there is no item
    }
    let keys = Keys { least, bits: 32 - (greatest - least).leading_zeros() };
    let mut scratch = vec![T::default(); items.len()];
    let threads = rayon::current_num_threads().min(items.len() / ITEMS_PER_THREAD);
    if threads <= 1 {
        return sort_digits(items, &mut scratch, keys);
    }
    let ranges = ranges(items, keys, threads);
    let sizes = ranges.iter().map(|range| range.size);
    let parts = split(&mut scratch, sizes.clone());
    parts.into_par_iter().zip(&ranges).for_each(|(part, range)| {
        // Each thread reads all items and keeps its own: reading is cheap, and the order of arrival is kept.
        let own = items.iter().filter(|item| (range.first..range.end).contains(&keys.bucket(item.key())));
        part.iter_mut().zip(own).for_each(|(slot, item)| *slot = *item);
    });
    let (from, to) = (split(&mut scratch, sizes.clone()), split(items, sizes));
    from.into_par_iter().zip(to).for_each(|(from, to)| {
        to.copy_from_slice(from);
        sort_digits(to, from, keys);
    });
}

/// What all keys have in common: `key - least` has at most `bits` bits, 1..=32.
#[derive(Clone, Copy)]
struct Keys {
    least: u32,
    bits: u32,
}

impl Keys {
    /// The bucket of a key in the division into ranges: its highest bits.
    fn bucket(self, key: u32) -> usize {
        ((key - self.least) >> self.bits.saturating_sub(RANGE_BITS)) as usize
    }
}

/// Buckets `first..end` of the division and the number of items in them.
struct Range {
    first: usize,
    end: usize,
    size: usize,
}

/// Cuts the buckets into at most `parts` ranges of about equally many items.
fn ranges<T: Item>(items: &[T], keys: Keys, parts: usize) -> Vec<Range> {
    let mut counts = vec![0; 1 << RANGE_BITS];
    items.iter().for_each(|item| counts[keys.bucket(item.key())] += 1);
    let share = items.len().div_ceil(parts);
    let mut ranges = Vec::with_capacity(parts);
    let mut open = Range { first: 0, end: 0, size: 0 };
    for (bucket, count) in counts.into_iter().enumerate() {
        open.end = bucket + 1;
        open.size += count;
        if open.size >= share || open.end == 1 << RANGE_BITS {
            let next = Range { first: open.end, end: open.end, size: 0 };
            ranges.push(std::mem::replace(&mut open, next));
        }
    }
    ranges
}

/// Cuts a slice into neighbouring parts of the given sizes.
fn split<T>(mut items: &mut [T], sizes: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    sizes
        .map(|size| {
            let (part, rest) = std::mem::take(&mut items).split_at_mut(size);
            items = rest;
            part
        })
        .collect()
}

/// The sort of one thread; the result is left in `items`.
fn sort_digits<T: Item>(items: &mut [T], scratch: &mut [T], keys: Keys) {
    let passes = keys.bits.div_ceil(DIGIT_BITS);
    let width = keys.bits.div_ceil(passes);
    let (mut from, mut to) = (&mut *items, &mut *scratch);
    for pass in 0..passes {
        move_by_digit(from, to, |item| ((item.key() - keys.least) >> (pass * width)) as usize & ((1 << width) - 1));
        std::mem::swap(&mut from, &mut to);
    }
    if passes % 2 == 1 {
        to.copy_from_slice(from);
    }
}

/// One counting pass: moves `from` into `to`, of the same length, stable and ascending by `digit`, below `BUCKETS`.
fn move_by_digit<T: Item>(from: &[T], to: &mut [T], digit: impl Fn(T) -> usize) {
    const BUCKETS: usize = 1 << DIGIT_BITS;
    let mut next = [0_u32; BUCKETS];
    from.iter().for_each(|&item| next[digit(item) % BUCKETS] += 1);
    let mut start = 0;
    for slot in &mut next {
        start += std::mem::replace(slot, start);
    }
    for &item in from {
        let at = &mut next[digit(item) % BUCKETS];
        // Always there; saying so in this way, without a panic, makes the pass 1.6 times as fast as indexing.
        if let Some(slot) = to.get_mut(*at as usize) {
            *slot = item;
        }
        *at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::slow::{self, threads};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_as_the_standard_library_does(keys in prop::collection::vec(any::<u32>(), 0..300), shift in 0u32..32) {
            let mut fast: Vec<u32> = keys.iter().map(|k| k >> shift).collect();
            let mut slow = fast.clone();
            sort(&mut fast);
            slow.sort();
            prop_assert_eq!(fast, slow);
        }

        #[test]
        fn pairs_of_equal_keys_keep_their_order(keys in prop::collection::vec(0u32..20, 0..300), base in any::<u32>()) {
            let pairs: Vec<u64> = keys.iter().zip(0u64..).map(|(&k, i)| u64::from(base.saturating_add(k)) << 32 | (1000 - i)).collect();
            let (mut fast, mut slow) = (pairs.clone(), pairs);
            sort(&mut fast);
            slow.sort_by_key(|p| p >> 32);
            prop_assert_eq!(fast, slow);
        }
    }

    #[test]
    fn one_thread_and_five_sort_alike() {
        let mut random = slow::Lcg(3);
        for spread in [0.0, 1e-3, 1.0] {
            let pairs: Vec<u64> = (0..400_000).map(|i| (random.unit() * spread * 4e9) as u64 * 0x1_0000_0000 + i % 7).collect();
            let sorted = |n| {
                threads(n, || {
                    let mut p = pairs.clone();
                    sort(&mut p);
                    p
                })
            };
            let mut slow = pairs.clone();
            slow.sort_by_key(|p| p >> 32);
            assert_eq!(sorted(1), slow);
            assert_eq!(sorted(5), slow);
        }
    }
}
