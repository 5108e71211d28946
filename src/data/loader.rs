//! An epoch's batches, made by threads ahead of the network: resized image, light augmentation, pseudo anomaly, mask.
//!
//! What a batch holds depends on (seed, epoch, index of the item) and nothing else: not on the number of threads, on what was
//! made before, nor on whether the epoch was begun in its middle. Threads share the items of a batch, so that the first batch
//! of an epoch is ready as early as it can be. Memory: at most `2 + ceil(workers / batch)` batches of 4 * size^2 bytes an item
//! beside the one being joined and the one in use.

use std::sync::Arc;

use super::plan::{Plan, Shape};
use super::queue::{Queue, Work};
use super::source::Source;
use crate::Result;
use crate::config::{self, Augment};
use crate::seed::stream;
use crate::synth::{self, Kind, Sample};

/// One batch, as the network takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[B, size, size, 3]`, RGB.
    pub images: Vec<u8>,
    /// `[B, size, size]`, 1 = anomalous.
    pub masks: Vec<u8>,
    /// Side, px.
    pub size: usize,
    /// Which visit of the epoch each item is, `0..repeat * images`; its image is `item % images`.
    pub items: Vec<usize>,
    /// What was put on each item.
    pub kinds: Vec<Kind>,
}

impl Batch {
    /// B, the number of items.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
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

/// The stream of an epoch's batches.
pub struct Loader {
    queue: Queue<Sample, Batch>,
}

impl Loader {
    /// Starts `data.workers` threads on `epoch`; `source` must hold `epoch.shape.images` images.
    pub fn start(source: Arc<Source>, epoch: Epoch, data: &config::Data, pseudo: &config::Pseudo) -> Self {
        assert_eq!(source.len(), epoch.shape.images, "the source holds the images of the plan");
        let Epoch { shape, seed, epoch, first_batch } = epoch;
        let plan = Arc::new(Plan::new(shape, seed, epoch));
        let groups = plan.batches_from(first_batch);
        let size = source.size();
        let recipe = Recipe {
            chosen: synth::chosen(pseudo, seed, epoch, shape.items()),
            source,
            augment: data.augment,
            pseudo: pseudo.clone(),
            images: shape.images,
            seed,
            epoch,
        };
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

/// All that an item depends on.
struct Recipe {
    source: Arc<Source>,
    augment: Augment,
    pseudo: config::Pseudo,
    /// Which items get a pseudo anomaly.
    chosen: Vec<bool>,
    images: usize,
    seed: u64,
    epoch: u64,
}

impl Recipe {
    fn make(&self, item: usize) -> Result<Sample> {
        let Self { seed, epoch, .. } = *self;
        let kept = self.source.get(item % self.images)?;
        let image = match self.augment {
            Augment::None => None,
            Augment::Light => Some(synth::augment::light(&kept, &mut stream(seed, "augment", epoch, item as u64))),
        };
        if self.chosen[item] {
            let mut draws = synth::item_stream(&self.pseudo, seed, epoch, item as u64);
            return Ok(synth::pseudo(image.as_ref().unwrap_or(&kept), &self.pseudo, &mut draws));
        }
        Ok(Sample::normal(image.unwrap_or_else(|| (*kept).clone())))
    }
}

fn join(items: Vec<usize>, made: Vec<Sample>, size: usize) -> Batch {
    let mut images = Vec::with_capacity(3 * size * size * made.len());
    let mut masks = Vec::with_capacity(size * size * made.len());
    let kinds = made.iter().map(|one| one.kind).collect();
    for one in &made {
        images.extend_from_slice(&one.image.data);
        masks.extend_from_slice(&one.mask.data);
    }
    Batch { images, masks, size, items, kinds }
}
