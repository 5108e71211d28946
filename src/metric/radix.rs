//! A radix sort of scores: bare keys (`u32`), or keys with a tag in the low half (`u64`). Stable, ascending.
//!
//! Items come in parts (a part an image), as many as were made at once. They are first dealt into ranges of keys that each fit a
//! core's own cache, all threads at once; each range is then sorted from the lowest digit of its keys up, one counting pass a
//! digit. Ranges are cut so that they hold about equally many items, since scores crowd: their floats' highest bits have few
//! values. A stable sort has one result, so nothing depends on the number of threads. Memory: the dealt copy; the parts are freed
//! once they are dealt.

use rayon::prelude::*;

/// Bits of a digit: 1024 write streams at most, for more no longer fit the first-level cache, and each write would miss it.
const DIGIT_BITS: u32 = 10;
const BUCKETS: usize = 1 << DIGIT_BITS;

/// Ranges are cut at multiples of the span of all keys over this.
const CUTS: usize = 1 << 16;

/// Buckets behind the cuts, of items outside the keys that are sorted.
const ABOVE: usize = CUTS;
const BELOW: usize = CUTS + 1;

/// The range of those buckets.
const NOWHERE: u16 = u16::MAX;

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

/// Sorts the items of all parts whose key is in `least..=greatest`, ascending by key and stable, on rayon's current threads; gives
/// also how many lay above. Fewer than 2^32 items.
pub fn sort_within<T: Item>(parts: Vec<Vec<T>>, least: u32, greatest: u32) -> (Vec<T>, usize) {
    let (mut items, sizes, above) = deal(&parts, least, greatest);
    drop(parts);
    let ranges = split(&mut items, sizes.into_iter()).into_par_iter();
    ranges.for_each_init(Vec::new, |scratch, range| {
        if scratch.len() < range.len() {
            scratch.resize(range.len(), T::default());
        }
        sort_range(range, &mut scratch[..range.len()]);
    });
    (items, above)
}

/// Sorts all items, as [`sort_within`] does.
pub fn sort<T: Item>(items: Vec<T>) -> Vec<T> {
    let (least, greatest) = span(&items);
    sort_within(vec![items], least, greatest).0
}

/// The items of all parts whose key is in `least..=greatest`, so that ranges of keys follow one another, each in the order of
/// arrival; the number of items of each range; and how many items lay above. Each thread deals a share of the items to places of
/// its own.
fn deal<T: Item>(parts: &[Vec<T>], least: u32, greatest: u32) -> (Vec<T>, Vec<usize>, usize) {
    let shift = bits(least, greatest).saturating_sub(CUTS.ilog2());
    let bucket = |item: T| match item.key() {
        key if key > greatest => ABOVE,
        key if key < least => BELOW,
        key => ((key - least) >> shift) as usize,
    };
    let pieces: Vec<&[T]> = parts.iter().flat_map(|part| part.chunks(LOCAL)).collect();
    let shares: Vec<&[&[T]]> = pieces.chunks(pieces.len().div_ceil(rayon::current_num_threads()).max(1)).collect();
    let counts: Vec<Vec<u32>> = shares.par_iter().map(|share| count(share, bucket)).collect();
    let above = counts.iter().map(|count| count[ABOVE] as usize).sum();
    let kept = counts.iter().flat_map(|count| &count[..CUTS]).map(|&n| n as usize).sum::<usize>();

    let least_size = LOCAL.max(kept / BUCKETS);
    let mut range_of = vec![NOWHERE; CUTS + 2]; // of a bucket; at most BUCKETS + 1 ranges
    let mut sizes = vec![vec![0; shares.len()]]; // of a range in each share
    for bucket in 0..CUTS {
        let range = sizes.len() - 1;
        range_of[bucket] = range as u16;
        counts.iter().zip(&mut sizes[range]).for_each(|(count, size)| *size += count[bucket] as usize);
        if sizes[range].iter().sum::<usize>() >= least_size {
            sizes.push(vec![0; shares.len()]);
        }
    }

    // One range behind the other, and in each the shares in their order.
    let mut items = vec![T::default(); kept];
    let mut places: Vec<Vec<_>> = shares.iter().map(|_| Vec::with_capacity(sizes.len())).collect();
    for (place, share) in split(&mut items, sizes.iter().flatten().copied()).into_iter().zip((0..shares.len()).cycle()) {
        places[share].push(place.iter_mut());
    }
    shares.into_par_iter().zip(places).for_each(|(share, mut places)| {
        for &item in share.iter().copied().flatten() {
            // Items outside have no range. Others always have a place; saying so in this way is faster than indexing.
            if let Some(place) = places.get_mut(usize::from(range_of[bucket(item)])).and_then(Iterator::next) {
                *place = item;
            }
        }
    });
    (items, sizes.into_iter().map(|shares| shares.into_iter().sum()).collect(), above)
}

/// Sorts a range on one thread; `scratch` has its length.
fn sort_range<T: Item>(range: &mut [T], scratch: &mut [T]) {
    let (least, greatest) = span(range);
    let bits = bits(least, greatest);
    let passes = bits.div_ceil(DIGIT_BITS);
    let (mut from, mut to) = if passes.is_multiple_of(2) {
        (range, scratch)
    } else {
        scratch.copy_from_slice(range);
        (scratch, range)
    };
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

/// The items of each of the [`CUTS`] buckets, of [`ABOVE`] and of [`BELOW`].
fn count<T: Item>(share: &[&[T]], bucket: impl Fn(T) -> usize) -> Vec<u32> {
    let mut counts = vec![0; CUTS + 2];
    share.iter().copied().flatten().for_each(|&item| counts[bucket(item)] += 1);
    counts
}

/// Least and greatest key.
fn span<T: Item>(items: &[T]) -> (u32, u32) {
    items.iter().fold((u32::MAX, 0), |(lo, hi), i| (lo.min(i.key()), hi.max(i.key())))
}

/// Bits of the greatest key relative to the least one; none without keys, see [`span`].
fn bits(least: u32, greatest: u32) -> u32 {
    32 - greatest.saturating_sub(least).leading_zeros()
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
            let mut slow: Vec<u32> = keys.iter().map(|k| k >> shift).collect();
            let fast = sort(slow.clone());
            slow.sort();
            prop_assert_eq!(fast, slow);
        }

        #[test]
        fn pairs_of_equal_keys_keep_their_order(keys in prop::collection::vec(0u32..20, 0..300), base in any::<u32>()) {
            let pairs: Vec<u64> = keys.iter().zip(0u64..).map(|(&k, i)| u64::from(base.saturating_add(k)) << 32 | (1000 - i)).collect();
            let (fast, mut slow) = (sort(pairs.clone()), pairs);
            slow.sort_by_key(|p| p >> 32);
            prop_assert_eq!(fast, slow);
        }

        #[test]
        fn parts_are_sorted_as_one_and_what_is_outside_is_counted(
            parts in prop::collection::vec(prop::collection::vec(0u32..50, 0..40), 0..6), a in 0u32..60, b in 0u32..60,
        ) {
            let (least, greatest) = (a.min(b), a.max(b));
            let mut slow: Vec<u32> = parts.concat();
            let above = slow.iter().filter(|&&k| k > greatest).count();
            slow.retain(|k| (least..=greatest).contains(k));
            slow.sort();
            prop_assert_eq!(sort_within(parts, least, greatest), (slow, above));
        }
    }

    #[test]
    fn one_thread_and_five_sort_alike() {
        let mut random = slow::Lcg(3);
        for spread in [0.0, 1e-3, 1.0] {
            let pairs: Vec<u64> = (0..400_000).map(|i| (random.unit() * spread * 4e9) as u64 * 0x1_0000_0000 + i % 7).collect();
            let parts = || pairs.chunks(30_011).map(<[u64]>::to_vec).collect::<Vec<_>>();
            let sorted = |n| threads(n, || sort_within(parts(), 0, u32::MAX).0);
            let mut slow = pairs.clone();
            slow.sort_by_key(|p| p >> 32);
            assert_eq!(sorted(1), slow);
            assert_eq!(sorted(5), slow);
        }
    }
}
