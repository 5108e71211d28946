//! One item of an epoch: its image, augmented, with its pseudo anomalies, cropped. Draws from the item's own streams alone.

use std::sync::Arc;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::plan::Epoch;
use super::views::Views;
use crate::Result;
use crate::config::{self, Augment};
use crate::data::dataset::Source;
use crate::image::{Mask, Rgb, resize};
use crate::pseudo::{self, Beside, Generator, Name, Sample, scar};
use crate::seed::stream;

/// All that the items of an epoch depend on.
pub struct Recipe {
    source: Arc<Source>,
    views: Views,
    augment: Augment,
    pseudo: config::Pseudo,
    /// Which items get a pseudo anomaly.
    chosen: Vec<bool>,
    seed: u64,
    epoch: u64,
}

/// One view: an image, which may be that of the cache, and its mask where a pixel is anomalous.
pub(super) struct View {
    pub image: Arc<Rgb>,
    pub mask: Option<Mask>,
    /// 0 = normal, else [`Name::kind`].
    pub kind: u8,
}

impl View {
    fn normal(image: Arc<Rgb>) -> Self {
        Self { image, mask: None, kind: 0 }
    }

    /// What a generator made of `image`, if anything shows.
    fn with(made: Option<(Rgb, Mask)>, name: Name, image: &Arc<Rgb>) -> Self {
        match made {
            Some((image, mask)) => Self { image: Arc::new(image), mask: Some(mask), kind: name.kind() },
            None => Self::normal(image.clone()),
        }
    }
}

impl Recipe {
    pub fn new(source: Arc<Source>, epoch: Epoch, views: Views, data: &config::Data, pseudo: &config::Pseudo) -> Self {
        assert!(views.side(source.size()) <= source.size(), "a crop of {views:?} lies in an image of {} px", source.size());
        let Epoch { shape, seed, epoch, .. } = epoch;
        let chosen = pseudo::chosen(pseudo, seed, epoch, shape.items());
        Self { source, views, augment: data.augment, pseudo: pseudo.clone(), chosen, seed, epoch }
    }

    /// An item before its pseudo anomaly and before it is cropped: resized, and augmented if `data.augment` says so.
    pub fn normal(&self, item: usize) -> Result<Arc<Rgb>> {
        let image = self.source.loaded(item % self.source.len())?;
        let draws = || stream(self.seed, "augment", self.epoch, item as u64);
        Ok(match self.augment {
            // FCDD's comes after the pseudo anomaly.
            Augment::None | Augment::Fcdd => image,
            Augment::Light => Arc::new(pseudo::augment::light(&image, &mut draws())),
            Augment::Translate => Arc::new(pseudo::augment::translate(&image, &mut draws())),
        })
    }

    /// The same item with its pseudo anomaly; `None` where it is not chosen to have one.
    ///
    /// # Errors
    /// Another image or a photograph, which the anomaly takes a part of, cannot be read.
    pub fn with_pseudo_anomaly(&self, item: usize, normal: &Rgb) -> Result<Option<Sample>> {
        if !self.chosen[item] {
            return Ok(None);
        }
        let other = self.other(item)?;
        let epoch = pseudo::stream_epoch(&self.pseudo, self.epoch);
        let photograph = self.source.photograph(&mut stream(self.seed, "photograph", epoch, item as u64))?;
        let beside = Beside { other: other.as_deref().unwrap_or(normal), photograph: photograph.as_deref() };
        let mut draws = pseudo::item_stream(&self.pseudo, self.seed, self.epoch, item as u64);
        Ok(Some(pseudo::pseudo(normal, beside, &self.pseudo, &mut draws)))
    }

    /// Another normal image, where an anomaly may need one and there is one.
    fn other(&self, item: usize) -> Result<Option<Arc<Rgb>>> {
        let count = self.source.len();
        if !pseudo::needs_other(&self.pseudo) || count < 2 {
            return Ok(None);
        }
        let mut draws = stream(self.seed, "other", pseudo::stream_epoch(&self.pseudo, self.epoch), item as u64);
        let steps = draws.random_range(1..count);
        self.source.loaded((item + steps) % count).map(Some)
    }

    /// The views of an item, `views.count()` of them.
    pub(super) fn make(&self, item: usize) -> Result<Vec<View>> {
        Ok(match self.views {
            Views::Bare => vec![View::normal(self.source.get(item % self.source.len())?)],
            Views::Plain => vec![self.finished(View::normal(self.normal(item)?), item)],
            Views::Pseudo => vec![self.finished(self.pseudo_view(item)?, item)],
            Views::ThreeWay { crop } => self.three(item, crop)?.into(),
        })
    }

    /// A view at the size of the network's input, with the augmentation that follows a pseudo anomaly. Draws, in this order: the
    /// crop, the augmentation; nothing where neither is asked for.
    fn finished(&self, view: View, item: usize) -> View {
        let mut draws = stream(self.seed, "finish", self.epoch, item as u64);
        let mut view = if self.source.loaded_size() > self.source.size() { self.cropped(view, &mut draws) } else { view };
        if self.augment == Augment::Fcdd {
            view.image = Arc::new(pseudo::augment::fcdd(&view.image, &mut draws));
        }
        view
    }

    /// A random crop of the view, or all of it resized, with equal chance. The kind stays: it says what was done to the image,
    /// also where nothing of it is in the crop.
    fn cropped(&self, view: View, draws: &mut ChaCha8Rng) -> View {
        let (side, slack) = (self.source.size(), self.source.loaded_size() - self.source.size());
        if !draws.random::<bool>() {
            let mask = view.mask.map(|mask| resize::nearest_mask(&mask, side, side));
            return View { image: Arc::new(self.source.resized(&view.image)), mask, kind: view.kind };
        }
        let (x, y) = (draws.random_range(0..=slack), draws.random_range(0..=slack));
        let mask = view.mask.map(|mask| mask.crop(x, y, side, side));
        View { image: Arc::new(view.image.crop(x, y, side, side)), mask, kind: view.kind }
    }

    fn pseudo_view(&self, item: usize) -> Result<View> {
        let image = self.normal(item)?;
        Ok(match self.with_pseudo_anomaly(item, &image)? {
            None => View::normal(image),
            Some(Sample { image, mask, by }) => {
                View { image: Arc::new(image), mask: Some(mask), kind: by.last().map_or(0, |name| name.kind()) }
            }
        })
    }

    /// Normal, CutPaste, scar. Draws, in this order: the crop's place, CutPaste, scar.
    fn three(&self, item: usize, crop: Option<usize>) -> Result<[View; 3]> {
        let epoch = pseudo::stream_epoch(&self.pseudo, self.epoch);
        let mut draws = stream(self.seed, "views", epoch, item as u64);
        let whole = self.finished(View::normal(self.normal(item)?), item).image;
        let image = match crop {
            None => whole.clone(),
            Some(side) => {
                let (x, y) = (draws.random_range(0..=whole.width - side), draws.random_range(0..=whole.height - side));
                Arc::new(whole.crop(x, y, side, side))
            }
        };
        let pasted = self.pseudo.cutpaste.apply(&image, Beside::image(&image), &mut draws);
        // A crop shows the picture at its own scale: so does a scar in it.
        let scarred = scar::apply(&image, &self.pseudo.scar, self.source.size(), &mut draws);
        let with = |made, name| View::with(made, name, &image);
        Ok([View::normal(image.clone()), with(pasted, Name::CutPaste), with(scarred, Name::Scar)])
    }
}
