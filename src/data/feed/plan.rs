//! Which images an epoch visits, and in which batches. Pure: a function of (seed, epoch) and four numbers.

use std::ops::Range;

use rand::seq::SliceRandom;

use crate::config;
use crate::seed::stream;

/// The size of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Training images.
    pub images: usize,
    /// How often each is visited (`data.repeat`).
    pub repeat: usize,
    /// Images a step (`train.batch`), at least 1.
    pub batch: usize,
    /// Omit the last, smaller batch (`train.drop_last`).
    pub drop_last: bool,
}

impl Shape {
    /// The epochs of a run on `images` training images.
    pub fn new(images: usize, data: &config::Data, train: &config::Train) -> Self {
        Self { images, repeat: data.repeat, batch: train.batch, drop_last: train.drop_last }
    }

    /// Items of an epoch: `repeat * images`. Item `i` is a visit to image `i % images`.
    pub fn items(&self) -> usize {
        self.repeat * self.images
    }

    /// Batches of an epoch. Fewer items than one batch make one batch of all of them, whatever `drop_last` says.
    pub fn batches(&self) -> usize {
        let items = self.items();
        match items / self.batch.max(1) {
            0 => usize::from(items > 0),
            full if self.drop_last => full,
            _ => items.div_ceil(self.batch.max(1)),
        }
    }

    /// Images of the smallest batch: of the last one, where it is not a full one.
    pub fn smallest(&self) -> usize {
        let before = self.batches().saturating_sub(1) * self.batch;
        self.batch.min(self.items() - before)
    }

    /// True where `train.batch` is more than an epoch has: its one batch is smaller, which a log should say once.
    pub fn is_short(&self) -> bool {
        self.items() < self.batch
    }
}

/// Which epoch, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Epoch {
    pub shape: Shape,
    /// The run's seed.
    pub seed: u64,
    pub epoch: u64,
    /// The first batch that is wanted: 0, or where a resumed run goes on.
    pub first_batch: usize,
}

/// The order of one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub shape: Shape,
    /// A permutation of `0..shape.items()`; what `drop_last` omits is at its end.
    pub order: Vec<usize>,
}

impl Plan {
    /// The plan of `epoch`: a permutation drawn from the stream (seed, "order", epoch, 0).
    pub fn new(shape: Shape, seed: u64, epoch: u64) -> Self {
        let mut order: Vec<usize> = (0..shape.items()).collect();
        order.shuffle(&mut stream(seed, "order", epoch, 0));
        Self { shape, order }
    }

    /// The positions in `order` of each batch from `first_batch` on.
    pub fn batches_from(&self, first_batch: usize) -> Vec<Range<usize>> {
        let batch = self.shape.batch.max(1);
        (first_batch..self.shape.batches()).map(|b| b * batch..((b + 1) * batch).min(self.order.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shape() -> impl Strategy<Value = Shape> {
        (0..40usize, 1..6usize, 1..50usize, any::<bool>()).prop_map(|(images, repeat, batch, drop_last)| Shape {
            images,
            repeat,
            batch,
            drop_last,
        })
    }

    /// Batches cut off the order one after the other.
    fn slow_batches(plan: &Plan) -> Vec<Vec<usize>> {
        let Shape { batch, drop_last, .. } = plan.shape;
        let mut batches: Vec<Vec<usize>> = Vec::new();
        for &item in &plan.order {
            match batches.last_mut() {
                Some(last) if last.len() < batch => last.push(item),
                _ => batches.push(vec![item]),
            }
        }
        if drop_last && batches.len() > 1 && batches.last().is_some_and(|last| last.len() < batch) {
            batches.pop();
        }
        batches
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn batches_are_what_cutting_the_order_gives(shape in shape(), seed: u64, epoch in 0..9u64) {
            let plan = Plan::new(shape, seed, epoch);
            let fast: Vec<Vec<usize>> = plan.batches_from(0).into_iter().map(|r| plan.order[r].to_vec()).collect();
            prop_assert_eq!(&fast, &slow_batches(&plan));
            prop_assert_eq!(fast.len(), shape.batches());
            prop_assert_eq!(fast.iter().map(Vec::len).min().unwrap_or(0), shape.smallest());
            prop_assert_eq!(plan.batches_from(2), plan.batches_from(0).into_iter().skip(2).collect::<Vec<_>>());
        }

        #[test]
        fn an_epoch_visits_each_image_repeat_times(shape in shape(), seed: u64) {
            let plan = Plan::new(shape, seed, 3);
            let mut visits = vec![0; shape.images];
            plan.order.iter().for_each(|item| visits[item % shape.images] += 1);
            prop_assert!(visits.iter().all(|&v| v == shape.repeat));
            let mut sorted = plan.order.clone();
            sorted.sort_unstable();
            prop_assert_eq!(sorted, (0..shape.items()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_order_depends_on_seed_and_epoch_alone() {
        let shape = Shape { images: 20, repeat: 2, batch: 8, drop_last: true };
        let here = Plan::new(shape, 1, 1);
        assert_eq!(here, Plan::new(shape, 1, 1));
        assert_ne!(here.order, Plan::new(shape, 1, 2).order);
        assert_ne!(here.order, Plan::new(shape, 2, 1).order);
        assert_eq!(here.order, Plan::new(Shape { batch: 3, drop_last: false, ..shape }, 1, 1).order);
    }

    #[test]
    fn the_order_is_that_of_the_first_release() {
        // A change here changes every result: it needs a new METHOD_VERSION.
        let plan = Plan::new(Shape { images: 8, repeat: 1, batch: 4, drop_last: true }, 0, 0);
        assert_eq!(plan.order, GOLDEN);
    }

    const GOLDEN: [usize; 8] = [5, 7, 4, 6, 1, 0, 3, 2];

    #[test]
    fn fewer_items_than_a_batch_make_one_batch_of_all() {
        let shape = Shape { images: 3, repeat: 2, batch: 32, drop_last: true };
        assert_eq!((shape.batches(), shape.is_short()), (1, true));
        assert_eq!(Plan::new(shape, 0, 0).batches_from(0), vec![0..6]);
    }
}
