//! `[data]` and `[pseudo]`: what the network sees.

use serde::{Deserialize, Serialize};

/// Where images come from and how they become network input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Folder in MVTec AD's layout, or `"builtin"`.
    pub root: String,
    /// `"all"`, one category, or a list of them.
    pub categories: Categories,
    /// Side of the square network input, px; a multiple of 32.
    pub size: usize,
    /// How often an epoch visits each training image.
    pub repeat: usize,
    pub normalize: Normalize,
    pub augment: Augment,
    pub resize: Resize,
    /// Loader threads; never changes a result.
    pub workers: usize,
    /// Bound of the decoded-image cache, MiB; never changes a result.
    pub cache_mb: usize,
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
    /// Light colour jitter and random crop before the pseudo anomaly.
    Light,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resize {
    /// Antialiased bilinear as PIL does it.
    Bilinear,
    Nearest,
}

/// Pseudo anomalies (method.md section 6).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pseudo {
    /// Share of an epoch's images that get a pseudo anomaly, 0..=1.
    pub ratio: f64,
    pub mode: RatioMode,
    /// Probability of confetti against CutPaste, 0..=1.
    pub confetti_prob: f64,
    /// Apply both generators to one image.
    pub both: bool,
    pub confetti: Confetti,
    pub cutpaste: CutPaste,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioMode {
    /// Exactly `round(ratio * items)` items, drawn anew each epoch.
    Exact,
    /// Each item with probability `ratio`.
    Bernoulli,
    /// One set of items and anomalies, the same in each epoch.
    Fixed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confetti {
    /// Probability that a pixel is the centre of a coloured blob.
    pub color_rate: f64,
    /// Probability that a pixel is the centre of a black-or-white blob.
    pub bw_rate: f64,
    /// Least and greatest side of a blob, px, inclusive.
    pub size: [u32; 2],
    /// Greatest rotation, degrees.
    pub rotation: f64,
    /// Side of the Gaussian kernel, px, odd.
    pub blur_kernel: u32,
    /// Standard deviation of the Gaussian, px.
    pub blur_sigma: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CutPaste {
    /// Least and greatest share of the image's area.
    pub area: [f64; 2],
    /// Least aspect ratio; the greatest is its inverse.
    pub aspect: f64,
    /// Brightness, contrast, saturation and hue jitter.
    pub jitter: f64,
    pub mask: CutPasteMask,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutPasteMask {
    /// Pixels that changed.
    Diff,
    /// The pasted rectangle.
    Rect,
}
