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
use crate::image::{Mask, Rgb};
use crate::seed::stream;
use crate::synth::{self, Sample};

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
    queue: Queue<Made, Batch>,
}

impl Loader {
    /// Starts `data.workers` threads on `epoch`; `source` must hold `epoch.shape.images` images.
    pub fn start(source: Arc<Source>, epoch: Epoch, data: &config::Data, pseudo: &config::Pseudo) -> Self {
        assert_eq!(source.len(), epoch.shape.images, "the source holds the images of the plan");
        let Epoch { shape, seed, first_batch, .. } = epoch;
        let plan = Arc::new(Plan::new(shape, seed, epoch.epoch));
        let groups = plan.batches_from(first_batch);
        let size = source.size();
        let recipe = Recipe::new(source, epoch, data, pseudo);
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

/// One item: an image, which may be that of the cache, and its mask where a pixel is anomalous.
struct Made {
    image: Arc<Rgb>,
    mask: Option<Mask>,
}

/// All that the items of an epoch depend on.
pub struct Recipe {
    source: Arc<Source>,
    augment: Augment,
    pseudo: config::Pseudo,
    /// Which items get a pseudo anomaly.
    chosen: Vec<bool>,
    seed: u64,
    epoch: u64,
}

impl Recipe {
    pub fn new(source: Arc<Source>, epoch: Epoch, data: &config::Data, pseudo: &config::Pseudo) -> Self {
        let Epoch { shape, seed, epoch, .. } = epoch;
        let chosen = synth::chosen(pseudo, seed, epoch, shape.items());
        Self { source, augment: data.augment, pseudo: pseudo.clone(), chosen, seed, epoch }
    }

    /// An item before its pseudo anomaly: resized, and augmented if `data.augment` says so.
    pub fn normal(&self, item: usize) -> Result<Arc<Rgb>> {
        let image = self.source.get(item % self.source.len())?;
        Ok(match self.augment {
            Augment::None => image,
            Augment::Light => Arc::new(synth::augment::light(&image, &mut stream(self.seed, "augment", self.epoch, item as u64))),
        })
    }

    /// The same item with its pseudo anomaly; `None` where it is not chosen to have one.
    pub fn anomalous(&self, item: usize, normal: &Rgb) -> Option<Sample> {
        let mut draws = synth::item_stream(&self.pseudo, self.seed, self.epoch, item as u64);
        self.chosen[item].then(|| synth::pseudo(normal, &self.pseudo, &mut draws))
    }

    fn make(&self, item: usize) -> Result<Made> {
        let image = self.normal(item)?;
        Ok(match self.anomalous(item, &image) {
            None => Made { image, mask: None },
            Some(sample) => Made { image: Arc::new(sample.image), mask: Some(sample.mask) },
        })
    }
}

fn join(items: Vec<usize>, made: Vec<Made>, size: usize) -> Batch {
    let mut images = Vec::with_capacity(3 * size * size * made.len());
    let mut masks = Vec::with_capacity(size * size * made.len());
    for one in &made {
        images.extend_from_slice(&one.image.data);
        match &one.mask {
            Some(mask) => masks.extend_from_slice(&mask.data),
            None => masks.resize(masks.len() + size * size, 0),
        }
    }
    Batch { images, masks, size, items }
}
