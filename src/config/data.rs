//! `[data]`: where images come from and how they become network input.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Where images come from and how they become network input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Folder in MVTec AD's layout, a plain folder of images, or `"builtin"`.
    pub root: String,
    /// A CSV file that names every image, or `"none"`.
    pub list: String,
    /// `"all"`, one category, or a list of them.
    pub categories: Categories,
    /// Side of the square network input, px; a multiple of 32.
    pub size: usize,
    /// Side at which images are loaded, px; 0 = `size`.
    pub crop: usize,
    /// Pixels that are cut off at each side, after an image was resized to `size` and twice as many; a multiple of 16.
    pub margin: usize,
    /// How often an epoch visits each training image.
    pub repeat: usize,
    pub normalize: Normalize,
    pub augment: Augment,
    pub resize: Resize,
    pub mask_rule: MaskRule,
    pub orientation: Orientation,
    /// Images and masks of more pixels are refused; never changes a result.
    pub max_pixels: usize,
    pub masks: Masks,
    /// Outside of it maps are not scored.
    pub roi: Roi,
    /// Loader threads; never changes a result.
    pub workers: usize,
    /// Bound of the decoded-image cache, MiB; never changes a result.
    pub cache_mb: usize,
}

impl Data {
    /// How image files are read.
    pub fn reading(&self) -> Reading {
        Reading { orientation: self.orientation, max_pixels: self.max_pixels }
    }

    /// The key by which another section reads other data, if there is one.
    pub fn differs(&self, other: &Self) -> Option<&'static str> {
        let keys = [
            ("data.root", self.root != other.root),
            ("data.list", self.list != other.list),
            ("data.orientation", self.orientation != other.orientation),
            ("data.masks", self.masks != other.masks),
            ("data.roi", self.roi != other.roi),
        ];
        keys.into_iter().find(|(_, differs)| *differs).map(|(key, _)| key)
    }

    /// The relations between its keys.
    ///
    /// # Errors
    /// `Kind::Config` naming the key and the remedy.
    pub(super) fn check(&self) -> Result<()> {
        if let Roi::Rect([.., width, height]) = self.roi
            && width * height == 0
        {
            return Err(Error::config("data.roi: nothing is inside of it", "give [x, y, width, height] in px, or a mask's file"));
        }
        if self.size > 0 && self.size.is_multiple_of(32) {
            return Ok(());
        }
        Err(Error::config(format!("data.size: {} is not a multiple of 32", self.size), "use one, such as 128 or 256"))
    }
}

/// `data.categories`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Categories {
    /// `"all"` = those found under the root, or a single name.
    One(String),
    Many(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// ImageNet mean and standard deviation.
    Imagenet,
    /// Local contrast normalisation, then class min-max (FCDD).
    Lcn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Augment {
    None,
    /// A random crop and a light jitter of brightness and contrast, before the pseudo anomaly.
    Light,
    /// A random shift with a reflected border and a jitter of all colours, before the pseudo anomaly (CutPaste's).
    Translate,
    /// A jitter of all colours and noise, after the pseudo anomaly (FCDD's).
    Fcdd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Antialiased bilinear as PIL does it.
    Bilinear,
    Nearest,
}

/// `data.roi`, the region of interest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Roi {
    /// `"none"` = all of an image; else the file of a mask of the images' size, in which all but 0 is inside.
    Named(String),
    /// Left, top, width and height, px of an image as it is read.
    Rect([usize; 4]),
}

impl Roi {
    /// The file of a mask.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Self::Named(name) if name != "none" => Some(Path::new(name)),
            _ => None,
        }
    }

    /// Whether all of an image is scored.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Named(name) if name == "none")
    }
}

impl Default for Roi {
    fn default() -> Self {
        Self::Named("none".into())
    }
}

/// What is asked of the masks of defective images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Masks {
    /// All have one, or none has: then there are image-level metrics alone.
    #[default]
    Auto,
    /// All have one.
    Required,
    /// None is looked for.
    Ignore,
}

/// What becomes of the orientation tag (EXIF) that cameras write instead of turning the pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Orientation {
    /// Images and masks are turned upright, each by the tag of its own file.
    #[default]
    Apply,
    /// Pixels are taken as they lie in the file.
    Ignore,
}

/// How image files are read: images and masks alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    pub orientation: Orientation,
    /// Files of more pixels are refused before memory is taken.
    pub max_pixels: usize,
}

impl Default for Reading {
    /// Turned upright; some 200 MB of pixels as RGB, as in base.toml.
    fn default() -> Self {
        Self { orientation: Orientation::Apply, max_pixels: 1 << 26 }
    }
}

/// Which values of a mask's file are anomalous: one rule for all masks, whatever else lies beside them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskRule {
    /// All but 0.
    #[default]
    Nonzero,
    /// Half of full scale and more: 128 of 8 bits, 32768 of 16.
    Half,
}

impl MaskRule {
    /// As it is written in configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nonzero => "nonzero",
            Self::Half => "half",
        }
    }
}
