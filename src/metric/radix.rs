//! A radix sort of scores: bare keys (`u32`), or keys with a tag in the low half (`u64`). Stable, ascending.
//!
//! Many items are first dealt into ranges of keys that each fit a core's own cache, all threads at once; each range is then
//! sorted from the lowest digit of its keys up, one counting pass a digit. Ranges are cut so that they hold about equally many
//! items, since scores crowd: their floats' highest bits have few values. A stable sort has one result, so nothing depends
//! on the number of threads. Memory: one scratch copy.

use rayon::prelude::*;

/// Bits of a digit: 1024 write streams at most, for more no longer fit the first-level cache, and each write would miss it.
const DIGIT_BITS: u32 = 10;
const BUCKETS: usize = 1 << DIGIT_BITS;

/// Ranges are cut at multiples of the span of all keys over this.
const CUTS: usize = 1 << 16;

/// Items that one thread sorts best as they are.
const LOCAL: usize = 1 << 16;

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
    let mut scratch = vec![T::default(); items.len()];
    if items.len() <= LOCAL {
        scratch.copy_from_slice(items);
        return sort_into(&mut scratch, items);
    }
    let sizes = deal(items, &mut scratch);
    let ranges = split(&mut scratch, sizes.iter().copied()).into_par_iter().zip(split(items, sizes.iter().copied()));
    ranges.for_each(|(from, to)| sort_into(from, to));
}

/// Moves `from` into `to`, of the same length, so that ranges of keys follow one another, each in the order of arrival. Gives
/// the number of items of each range. Each thread deals a part of the items to places of its own.
fn deal<T: Item>(from: &[T], to: &mut [T]) -> Vec<usize> {
    let parts: Vec<&[T]> = from.chunks(from.len().div_ceil(rayon::current_num_threads()).max(LOCAL)).collect();
    let spans: Vec<_> = parts.par_iter().map(|part| span(part)).collect();
    let (least, greatest) = spans.into_iter().fold((u32::MAX, 0), |(a, b), (c, d)| (a.min(c), b.max(d)));
    let shift = bits(least, greatest).saturating_sub(CUTS.ilog2());
    let bucket = |item: T| ((item.key() - least) >> shift) as usize % CUTS;
    let counts: Vec<Vec<u32>> = parts.par_iter().map(|part| count(part, CUTS, bucket)).collect();

    let share = LOCAL.max(from.len() / BUCKETS);
    let mut range_of = Vec::with_capacity(CUTS); // of a bucket; at most BUCKETS + 1 ranges
    let mut sizes = vec![vec![0; parts.len()]]; // of a range in each part
    for bucket in 0..CUTS {
        let range = sizes.len() - 1;
        range_of.push(range as u16);
        counts.iter().zip(&mut sizes[range]).for_each(|(part, size)| *size += part[bucket] as usize);
        if sizes[range].iter().sum::<usize>() >= share {
            sizes.push(vec![0; parts.len()]);
        }
    }

    // One range behind the other, and in each the parts in their order.
    let mut places: Vec<Vec<_>> = parts.iter().map(|_| Vec::with_capacity(sizes.len())).collect();
    for (place, part) in split(to, sizes.iter().flatten().copied()).into_iter().zip((0..parts.len()).cycle()) {
        places[part].push(place.iter_mut());
    }
    parts.into_par_iter().zip(places).for_each(|(part, mut places)| {
        for &item in part {
            // Always there; saying so in this way, without a panic, makes the pass faster than indexing.
            if let Some(place) = places.get_mut(usize::from(range_of[bucket(item)])).and_then(Iterator::next) {
                *place = item;
            }
        }
    });
    sizes.into_iter().map(|parts| parts.into_iter().sum()).collect()
}

/// Sorts `from` into `to`, of the same length, on one thread.
fn sort_into<T: Item>(from: &mut [T], to: &mut [T]) {
    let (least, greatest) = span(from);
    let bits = if least < greatest { bits(least, greatest) } else { 0 };
    let passes = bits.div_ceil(DIGIT_BITS);
    if passes % 2 == 0 {
        to.copy_from_slice(from);
    }
    let (mut from, mut to) = if passes % 2 == 0 { (to, from) } else { (from, to) };
    for pass in 0..passes {
        let width = bits.div_ceil(passes);
        let digit = |item: T| ((item.key() - least) >> (pass * width)) as usize & ((1 << width) - 1);
        move_by_digit(from, to, digit);
        std::mem::swap(&mut from, &mut to);
    }
}

/// One counting pass: moves `from` into `to`, of the same length, stable and ascending by `digit`, below [`BUCKETS`].
fn move_by_digit<T: Item>(from: &[T], to: &mut [T], digit: impl Fn(T) -> usize) {
    let mut next = [0_u32; BUCKETS];
    from.iter().for_each(|&item| next[digit(item) % BUCKETS] += 1);
    let mut start = 0;
    for slot in &mut next {
        start += std::mem::replace(slot, start);
    }
    for &item in from {
        let at = &mut next[digit(item) % BUCKETS];
        if let Some(slot) = to.get_mut(*at as usize) {
            *slot = item; // always there, as above
        }
        *at += 1;
    }
}

/// The items of each bucket, of which there are `buckets`.
fn count<T: Item>(items: &[T], buckets: usize, bucket: impl Fn(T) -> usize) -> Vec<u32> {
    let mut counts = vec![0; buckets];
    items.iter().for_each(|&item| counts[bucket(item)] += 1);
    counts
}

/// Least and greatest key.
fn span<T: Item>(items: &[T]) -> (u32, u32) {
    items.iter().fold((u32::MAX, 0), |(lo, hi), i| (lo.min(i.key()), hi.max(i.key())))
}

/// Bits of the greatest key relative to the least one.
fn bits(least: u32, greatest: u32) -> u32 {
    32 - (greatest - least).leading_zeros()
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
