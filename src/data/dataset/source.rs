//! Images as the network sees them: decoded, resized to `data.size`, and kept.
//!
//! The first images that are asked for stay in memory until the bound is reached (3 * size^2 bytes each); the rest is decoded
//! again each time. Nothing is evicted: an epoch visits everything once a round, in random order, where the oldest image is
//! as likely to be needed next as any other. Threads share a source; none waits while another decodes.

use std::io::Cursor;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use rand_chacha::ChaCha8Rng;

use super::hash::Contents;
use super::item::Item;
use crate::config::{Config, Data, MaskRule, Orientation, Reading, Resize, Roi};
use crate::data::photographs::Photographs;
use crate::image::{Mask, Rgb, codec, resize::resize, truth::Values};
use crate::{Error, Result};

/// Remedies for masks that cannot be used.
const TURNED: &str = "image or mask has an orientation tag (EXIF), and each is read by its own: draw masks on the picture as it is read, \
                      or set data.orientation (\"apply\" turns pictures upright, \"ignore\" does not)";
const UNEQUAL: &str = "make them equal; `harness data check` lists all that differ";
const EMPTY: &str = "an image in a folder of defects needs a mask with a defect: move it to test/good, or see data.mask_rule";

/// Items with a cache of their resized images.
pub struct Source {
    items: Vec<Item>,
    size: usize,
    /// Side at which images are loaded and kept, at least `size`.
    loaded: usize,
    /// Pixels that are cut off at each side of a larger image before it is kept.
    margin: usize,
    how: Resize,
    rule: MaskRule,
    reading: Reading,
    roi: Roi,
    /// Defective images have masks, as far as there are any.
    masked: bool,
    /// What files held when they were hashed.
    contents: Option<Arc<Contents>>,
    /// What pseudo anomalies on these images show.
    photographs: Option<Arc<Photographs>>,
    slots: Vec<Slot>,
    /// Images that may still be kept.
    room: AtomicUsize,
    alpha: AtomicBool,
}

#[derive(Default)]
struct Slot {
    image: OnceLock<Arc<Rgb>>,
    dimensions: OnceLock<(usize, usize)>,
    /// It was decoded, and turned upright.
    turned: AtomicBool,
}

impl Source {
    /// A source of `items` at `size` x `size` px that keeps at most `cache_mb` MiB of pixels. Opens no file.
    pub fn new(items: Vec<Item>, size: usize, how: Resize, cache_mb: usize) -> Self {
        Self::loading(items, [size; 2], how, cache_mb)
    }

    /// What a run looks at: `data.size`, `data.crop` where its detector reads it, `data.margin`, `data.resize`, `data.mask_rule`,
    /// `data.orientation`, `data.max_pixels`, `data.roi`.
    pub fn of(items: Vec<Item>, cfg: &Config, cache_mb: usize) -> Self {
        let data = &cfg.data;
        let crop = if cfg.reads("data.crop") { data.crop } else { 0 };
        let margin = if cfg.reads("data.margin") { data.margin } else { 0 };
        Self {
            rule: data.mask_rule,
            reading: data.reading(),
            roi: data.roi.clone(),
            margin,
            ..Self::loading(items, [data.size, crop.max(data.size)], data.resize, cache_mb)
        }
    }

    /// One image for a look at its region of interest: what `data` says of reading, and nothing of the network's input.
    pub(in crate::data) fn within(item: Item, data: &Data) -> Self {
        Self { reading: data.reading(), roi: data.roi.clone(), ..Self::new(vec![item], 1, data.resize, 0) }
    }

    fn loading(items: Vec<Item>, [size, loaded]: [usize; 2], how: Resize, cache_mb: usize) -> Self {
        let room = (cache_mb << 20) / (3 * loaded * loaded).max(1);
        let slots = items.iter().map(|_| Slot::default()).collect();
        let masked = items.iter().all(Item::is_good) || items.iter().any(|item| item.mask.is_some());
        Self {
            items,
            size,
            loaded,
            margin: 0,
            how,
            rule: MaskRule::default(),
            reading: Reading::default(),
            roi: Roi::default(),
            masked,
            contents: None,
            photographs: None,
            slots,
            room: AtomicUsize::new(room),
            alpha: AtomicBool::new(false),
        }
    }

    /// The same, and every file that is read from here on is compared with what was hashed.
    pub fn checked(self, contents: &Arc<Contents>) -> Self {
        Self { contents: Some(contents.clone()), ..self }
    }

    /// The same, with photographs for pseudo anomalies.
    pub fn beside(self, photographs: Option<Arc<Photographs>>) -> Self {
        Self { photographs, ..self }
    }

    /// One of the photographs; `None` where there are none.
    ///
    /// # Errors
    /// It cannot be read, or is not what was hashed.
    pub fn photograph(&self, draws: &mut ChaCha8Rng) -> Result<Option<Arc<Rgb>>> {
        self.photographs.as_ref().map(|photographs| photographs.one(draws)).transpose()
    }

    /// The content of a file, as it was hashed.
    fn read(&self, path: &Path) -> Result<Vec<u8>> {
        let bytes = codec::read(path)?;
        self.contents.iter().try_for_each(|contents| contents.check(path, &bytes))?;
        Ok(bytes)
    }

    pub fn items(&self) -> &[Item] {
        &self.items
    }

    pub fn len(&self) -> usize {
        self.items.len()
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Side of the images, px.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Side of the images as they are loaded, px: larger than [`Source::size`] where training crops them.
    pub fn loaded_size(&self) -> usize {
        self.loaded
    }

    /// Pixels that were cut off at each side of an image of [`Source::size`].
    pub fn margin(&self) -> usize {
        self.margin
    }

    /// Side of the images before anything was cut off, px.
    pub fn whole_size(&self) -> usize {
        self.size + 2 * self.margin
    }

    /// Image `index` at [`Source::size`].
    pub fn get(&self, index: usize) -> Result<Arc<Rgb>> {
        let image = self.loaded(index)?;
        Ok(if self.loaded == self.size { image } else { Arc::new(self.resized(&image)) })
    }

    /// A loaded image at [`Source::size`].
    pub fn resized(&self, loaded: &Rgb) -> Rgb {
        resize(loaded, self.size, self.how)
    }

    /// Image `index` in its own size.
    pub fn picture(&self, index: usize) -> Result<Rgb> {
        let (slot, path) = (&self.slots[index], &self.items[index].path);
        let decoded = codec::decode_as(&self.read(path)?, path, self.reading)?;
        if decoded.had_alpha {
            self.alpha.store(true, Ordering::Relaxed);
        }
        slot.turned.store(decoded.turned && self.reading.orientation == Orientation::Apply, Ordering::Relaxed);
        let _ = slot.dimensions.set((decoded.rgb.width, decoded.rgb.height));
        Ok(decoded.rgb)
    }

    /// Image `index` at [`Source::loaded_size`].
    pub fn loaded(&self, index: usize) -> Result<Arc<Rgb>> {
        let slot = &self.slots[index];
        if let Some(kept) = slot.image.get() {
            return Ok(kept.clone());
        }
        let picture = self.picture(index)?;
        let whole = resize(&picture, self.loaded + 2 * self.margin, self.how);
        let image = Arc::new(if self.margin == 0 { whole } else { whole.crop(self.margin, self.margin, self.loaded, self.loaded) });

        let take = |room: usize| room.checked_sub(1);
        if self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok() && slot.image.set(image.clone()).is_err() {
            // Another thread kept the same image meanwhile.
            self.room.fetch_add(1, Ordering::Relaxed);
        }
        Ok(image)
    }

    /// Width and height of image `index` as it is read, px: that of its score map. Reads the header if the image was not decoded yet.
    pub fn dimensions(&self, index: usize) -> Result<(usize, usize)> {
        if let Some(&known) = self.slots[index].dimensions.get() {
            return Ok(known);
        }
        let path = &self.items[index].path;
        let found = match &self.contents {
            None => codec::dimensions(path, self.reading)?,
            Some(_) => codec::dimensions_bytes(&self.read(path)?, path, self.reading)?,
        };
        Ok(*self.slots[index].dimensions.get_or_init(|| found))
    }

    /// Whether there is ground truth for pixels: not where no defective image has a mask.
    pub fn is_masked(&self) -> bool {
        self.masked
    }

    /// The ground truth of image `index` in the image's own size; empty for a good image, and where there is none for any. It is read again each time.
    ///
    /// # Errors
    /// A defective image without a mask where others have one, and a mask of another size than its image, grey or empty by `data.mask_rule`.
    pub fn mask(&self, index: usize) -> Result<Mask> {
        let item = &self.items[index];
        let (width, height) = self.dimensions(index)?;
        let Some(truth) = &item.mask else {
            if item.is_good() || !self.masked {
                return Ok(Mask::filled(width, height, 0));
            }
            return Err(Error::environment(
                format!("{} is defective but has no mask", item.path.display()),
                "add it as ground_truth/<defect>/<name>_mask.png; `harness data check` lists all that are missing",
            ));
        };
        let rule = truth.rule.unwrap_or(self.rule);
        let mut mask = Mask::filled(width, height, 0);
        for path in &truth.files {
            let one = Values::of(&self.read(path)?, path, self.reading)?.mask(rule, path)?;
            if (one.width, one.height) != (width, height) {
                let what = format!("mask {} has {}x{} px, its image {width}x{height}", path.display(), one.width, one.height);
                let turned = |path: &Path| codec::read(path).is_ok_and(|bytes| codec::asks_for_a_turn(Cursor::new(bytes), path));
                return Err(Error::environment(what, if turned(&item.path) || turned(path) { TURNED } else { UNEQUAL }));
            }
            mask.data.iter_mut().zip(one.data).for_each(|(all, one)| *all |= one);
        }
        if mask.is_empty() {
            let what = format!("mask {} marks no pixel as anomalous (data.mask_rule = {:?})", truth.path().display(), rule.name());
            return Err(Error::environment(what, EMPTY));
        }
        Ok(mask)
    }

    /// Where image `index` is scored, in its own size: 1 inside of `data.roi`; `None` = everywhere.
    ///
    /// # Errors
    /// A region that reaches beyond the image, or a mask that is not of its size or marks nothing.
    pub fn inside(&self, index: usize) -> Result<Option<Mask>> {
        if self.roi.is_none() {
            return Ok(None);
        }
        let (width, height) = self.dimensions(index)?;
        let image = || self.items[index].path.display();
        let mask = match &self.roi {
            Roi::Rect([x, y, w, h]) if x + w > width || y + h > height => {
                let what = format!("data.roi: [{x}, {y}, {w}, {h}] reaches beyond {} ({width}x{height} px)", image());
                return Err(Error::environment(what, "give [left, top, width, height] within the smallest image"));
            }
            Roi::Rect([x, y, w, h]) => {
                let row = |row: usize| (0..width).map(move |column| u8::from((*x..x + w).contains(&column) && (*y..y + h).contains(&row)));
                Mask::from_vec(width, height, (0..height).flat_map(row).collect())
            }
            Roi::Named(name) => {
                let path = Path::new(name);
                Values::of(&self.read(path)?, path, self.reading)?.mask(MaskRule::Nonzero, path)?
            }
        };
        if (mask.width, mask.height) != (width, height) || mask.is_empty() {
            let what = format!(
                "data.roi: {}x{} px with {} inside do not fit {} ({width}x{height} px)",
                mask.width,
                mask.height,
                mask.area(),
                image()
            );
            return Err(Error::environment(
                what,
                "give a mask of the images' size in which all but 0 is inside, or [left, top, width, height]",
            ));
        }
        Ok(Some(mask))
    }

    /// How many of the images that were decoded were turned upright, as their orientation tags (EXIF) ask.
    pub fn turned(&self) -> usize {
        self.slots.iter().filter(|slot| slot.turned.load(Ordering::Relaxed)).count()
    }

    /// True once an image with an alpha channel was decoded; it was composited over black, which a log should say once.
    pub fn saw_alpha(&self) -> bool {
        self.alpha.load(Ordering::Relaxed)
    }

    /// How many images are kept in memory now.
    pub fn kept(&self) -> usize {
        self.slots.iter().filter(|slot| slot.image.get().is_some()).count()
    }
}
