//! An epoch's batches, made by threads ahead of the network: the [`Views`] of each item with their masks.
//!
//! What a batch holds depends on (seed, epoch, index of the item) and nothing else: not on the number of threads, on what was
//! made before, nor on whether the epoch was begun in its middle. Threads share the items of a batch, so that the first batch
//! of an epoch is ready as early as it can be. Memory: at most `2 + ceil(workers / batch)` batches of 4 * size^2 bytes a view
//! beside the one being joined and the one in use.

use std::sync::Arc;

use super::plan::{Epoch, Plan};
use super::queue::{Queue, Work};
use super::recipe::{Recipe, View};
use super::views::Views;
use crate::data::dataset::Source;
use crate::{Result, config};

/// One batch of B items with V views each, as the network takes it: all views of the first item, then those of the second.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[B * V, size, size, 3]`, RGB.
    pub images: Vec<u8>,
    /// `[B * V, size, size]`, 1 = anomalous.
    pub masks: Vec<u8>,
    /// `[B * V]`: 0 = normal, else the generator's number ([`crate::pseudo::Name::kind`]: 1 CutPaste, 2 scar, 3 confetti); of
    /// several on one view, the last, which lies on top. A view on which a paste did not show is 0, as its mask is; one whose paste
    /// lies outside its crop (`data.crop`) keeps its kind, while its mask is empty.
    pub kinds: Vec<u8>,
    /// V, the number of views an item.
    pub views: usize,
    /// Side, px.
    pub size: usize,
    /// `[B]`: which visit of the epoch each item is, `0..repeat * images`; its image is `item % images`.
    pub items: Vec<usize>,
}

impl Batch {
    /// B, the number of items. There are `views` times as many images.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

/// The stream of an epoch's batches.
pub struct Loader {
    queue: Queue<Vec<View>, Batch>,
}

impl Loader {
    /// Starts `data.workers` threads on `epoch`. `source` must hold `epoch.shape.images` images, no smaller than a crop of
    /// `views`.
    pub fn start(source: Arc<Source>, epoch: Epoch, views: Views, data: &config::Data, pseudo: &config::Pseudo) -> Self {
        assert_eq!(source.len(), epoch.shape.images, "the source holds the images of the plan");
        let Epoch { shape, seed, first_batch, .. } = epoch;
        let plan = Arc::new(Plan::new(shape, seed, epoch.epoch));
        let groups = plan.batches_from(first_batch);
        let size = views.side(source.size());
        let recipe = Recipe::new(source, epoch, views, data, pseudo);
        let order = plan.clone();
        let work = Work {
            groups,
            make: Box::new(move |position| recipe.make(order.order[position])),
            join: Box::new(move |range, made| join(plan.order[range].to_vec(), made, size)),
        };
        let depth = 2 + data.workers.div_ceil(shape.batch.max(1));
        Self { queue: Queue::start(work, data.workers, depth) }
    }

    /// The next batch, waiting for it; `None` at the end of the epoch and after an error.
    #[expect(clippy::should_implement_trait, reason = "a stream that can fail, as that of Queue")]
    pub fn next(&mut self) -> Option<Result<Batch>> {
        self.queue.next()
    }
}

/// The batch of some items, each with its views.
fn join(items: Vec<usize>, made: Vec<Vec<View>>, size: usize) -> Batch {
    let views = made.first().map_or(1, Vec::len);
    let count = views * made.len();
    let mut images = Vec::with_capacity(3 * size * size * count);
    let mut masks = Vec::with_capacity(size * size * count);
    let mut kinds = Vec::with_capacity(count);
    for view in made.iter().flatten() {
        images.extend_from_slice(&view.image.data);
        match &view.mask {
            Some(mask) => masks.extend_from_slice(&mask.data),
            None => masks.resize(masks.len() + size * size, 0),
        }
        kinds.push(view.kind);
    }
    Batch { images, masks, kinds, views, size, items }
}
