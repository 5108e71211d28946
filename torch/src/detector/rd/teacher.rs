//! The teacher: a frozen backbone, whose maps of a training image are computed once where the image is the same at each visit.

use std::cell::RefCell;
use std::collections::HashMap;

use harness::Result;
use harness::config::Augment;
use harness::data::Source;
use tch::Tensor;

use super::student::Levels;
use crate::detector::{Count, Features, Parts};
use crate::nn::Stages;
use crate::train::Fed;

pub struct Teacher {
    features: Features,
    /// Of training images, by their place in the source; none where the images vary.
    known: Option<RefCell<Known>>,
}

/// Maps of training images, each computed alone.
struct Known {
    maps: HashMap<usize, Levels>,
    bytes: usize,
    limit: usize,
}

impl Teacher {
    /// The configured backbone, from its file or drawn from the seed.
    ///
    /// # Errors
    /// Weights that do not fit the configuration.
    pub fn new(parts: &Parts) -> Result<Self> {
        let limit = parts.cfg.rd.cache_mb << 20;
        let same = parts.cfg.data.augment == Augment::None;
        let known = same.then(|| RefCell::new(Known { maps: HashMap::new(), bytes: 0, limit }));
        Ok(Self { features: Features::new(parts)?, known })
    }

    /// Learns what is to be known of the images of `source` before training.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub fn prepare(&mut self, source: &Source) -> Result<()> {
        self.forget();
        self.features.learn_normalization(source)
    }

    /// Gives back the memory of what is known of training images.
    pub fn forget(&mut self) {
        if let Some(known) = &mut self.known {
            let known = known.get_mut();
            (known.maps, known.bytes) = (HashMap::new(), 0);
        }
    }

    /// The maps of a training batch.
    ///
    /// Where they may be kept, each image's are computed alone, whether they fit or not: a convolution may depend on the batch's size
    /// in the last bits, and neither the limit nor a resume, which begins with nothing known, may show in a result.
    pub fn of_batch(&self, fed: &Fed) -> Levels {
        let Some(known) = &self.known else { return self.of_images(&fed.images) };
        let mut known = known.borrow_mut();
        let alone = fed.items.iter().zip(0..).map(|(&item, place)| known.get(item, || self.of_images(&fed.images.narrow(0, place, 1))));
        let alone: Vec<Levels> = alone.collect();
        [0, 1, 2].map(|level| Tensor::cat(&alone.iter().map(|maps| &maps[level]).collect::<Vec<_>>(), 0))
    }

    /// The maps of images `[B, 3, S, S]` in 0..=1.
    pub fn of_images(&self, images: &Tensor) -> Levels {
        let Stages { c1, c2, c3 } = self.features.stages(images);
        [c1, c2, c3]
    }

    pub fn count(&self) -> Count {
        self.features.count()
    }

    /// As [`Features::state`].
    pub fn state(&self) -> Vec<(String, Tensor)> {
        self.features.state()
    }

    /// Puts back what [`Teacher::state`] gave.
    pub fn restore(&mut self, get: &dyn Fn(&str) -> Option<Tensor>) {
        self.features.restore(get);
    }
}

impl Known {
    fn get(&mut self, item: usize, compute: impl FnOnce() -> Levels) -> Levels {
        if let Some(maps) = self.maps.get(&item) {
            return maps.each_ref().map(Tensor::shallow_clone);
        }
        let maps = compute();
        let bytes = maps.iter().map(|map| 4 * map.numel()).sum::<usize>();
        if self.bytes + bytes <= self.limit {
            self.bytes += bytes;
            self.maps.insert(item, maps.each_ref().map(Tensor::shallow_clone));
        }
        maps
    }
}
