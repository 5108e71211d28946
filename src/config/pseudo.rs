//! `[pseudo]`: which images get a pseudo anomaly, and of which kind.

use serde::{Deserialize, Serialize};

use super::reference;
use crate::{Error, Result};

/// Pseudo anomalies (docs/method.md, "Data and pseudo anomalies").
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pseudo {
    /// Share of an epoch's images that get a pseudo anomaly, 0..=1.
    pub ratio: f64,
    pub mode: RatioMode,
    pub combine: Combine,
    pub weight: Weight,
    pub confetti: Confetti,
    pub cutpaste: CutPaste,
    pub scar: Scar,
    pub perlin: Perlin,
    pub simplex: Simplex,
    pub nsa: Nsa,
}

/// How often each generator is drawn, relative to the others; 0 = never.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    pub confetti: f64,
    pub cutpaste: f64,
    pub scar: f64,
    pub perlin: f64,
    pub simplex: f64,
    pub nsa: f64,
}

/// How the generators with a weight above 0 share the chosen images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Combine {
    /// One of them on each image, drawn by weight.
    One,
    /// All of them on each image: CutPaste, scar, confetti, Perlin, simplex, NSA, in that order.
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioMode {
    /// Exactly `round(ratio * items)` items, drawn again each epoch.
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

/// Lengths are px of an image of 256 px; they scale with the image's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scar {
    /// Least and greatest width.
    pub width: [f64; 2],
    /// Least and greatest length.
    pub length: [f64; 2],
    /// Greatest rotation either way, degrees.
    pub rotation: f64,
    /// Brightness, contrast, saturation and hue jitter.
    pub jitter: f64,
}

/// A texture blended in under Perlin noise (DRAEM, Zavrtanik et al. 2021).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Perlin {
    /// Noise above it is anomalous.
    pub threshold: f64,
    /// Greatest turn of the noise either way, degrees.
    pub rotation: f64,
    /// Least and greatest share of the texture where it is blended in.
    pub opacity: [f64; 2],
    pub texture: Texture,
    /// A folder of photographs, or "none".
    pub textures: String,
    /// Blots on the object alone.
    pub foreground: bool,
}

/// What is blended in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Texture {
    /// Clouds, stripes, checks, dots or grain.
    Procedural,
    /// The image's own tiles in another order (MemSeg).
    Own,
    /// A photograph of `textures`, changed (DRAEM).
    Photographs,
}

/// Simplex noise in a box (RD++, Tien et al. 2023). Lengths are px of an image of 256 px; they scale with the image's side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Simplex {
    /// Least and greatest side of the box.
    pub side: [f64; 2],
    /// Of the noise, in units of the whole range of values.
    pub strength: f64,
    pub octaves: u32,
    /// Amplitude of an octave by that of the one before.
    pub persistence: f64,
    /// Of the first octave, px of the image as it is.
    pub wavelength: u32,
}

/// Patches of another normal image, blended in without a seam (NSA, Schlüter et al. 2022).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nsa {
    /// The most patches on an image: after the first each is there with probability 1/2.
    pub patches: u32,
    /// Least and greatest side of a patch, shares of the image's side.
    pub size: [f64; 2],
    /// Scale of the Gamma variate of shape 2 that is added to the least side.
    pub scale: f64,
    /// Least and greatest factor of resizing, and the deviation of the normal variate about 1 that is cut to them.
    pub resize: [f64; 2],
    pub resize_deviation: f64,
    pub gradients: Gradients,
    /// Mean change over the channels from which a pixel is marked, grey levels in [0, 255]; 0 marks any change.
    pub least_change: f64,
}

/// Which gradients a patch has after blending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gradients {
    /// Its own.
    Source,
    /// At each pair of pixels the stronger of its own and the image's.
    Mixed,
}

impl Weight {
    /// True where no generator can be drawn.
    pub fn is_zero(&self) -> bool {
        let Self { confetti, cutpaste, scar, perlin, simplex, nsa } = *self;
        [confetti, cutpaste, scar, perlin, simplex, nsa].iter().all(|&weight| weight <= 0.0)
    }
}

impl Pseudo {
    /// The folder of photographs that anomalies show, where any do.
    pub fn textures(&self) -> Option<&str> {
        let Self { ratio, weight, perlin, .. } = self;
        (perlin.texture == Texture::Photographs && weight.perlin > 0.0 && *ratio > 0.0).then_some(&perlin.textures)
    }

    /// Checks what no single key can tell. Weights of 0 throughout pass where no pseudo anomaly is made, `ratio = 0`.
    ///
    /// # Errors
    /// `Kind::Config` naming the keys and the remedy.
    pub fn check(&self) -> Result<()> {
        let Self { confetti, cutpaste, scar, perlin, simplex, nsa, .. } = self;
        ordered("pseudo.perlin.opacity", perlin.opacity, "the smaller share")?;
        ordered("pseudo.simplex.side", simplex.side, "the smaller side")?;
        ordered("pseudo.nsa.size", nsa.size, "the smaller share")?;
        ordered("pseudo.nsa.resize", nsa.resize, "the smaller factor")?;
        ordered("pseudo.confetti.size", confetti.size.map(f64::from), "the smaller side")?;
        ordered("pseudo.cutpaste.area", cutpaste.area, "the smaller share")?;
        ordered("pseudo.scar.width", scar.width, "the smaller width")?;
        ordered("pseudo.scar.length", scar.length, "the smaller length")?;
        if confetti.blur_kernel.is_multiple_of(2) {
            return Err(Error::config(format!("pseudo.confetti.blur_kernel: {} is even", confetti.blur_kernel), "use an odd side"));
        }
        if perlin.texture == Texture::Photographs && perlin.textures == "none" {
            return Err(Error::config(
                "pseudo.perlin.texture = \"photographs\", but pseudo.perlin.textures names no folder",
                "set pseudo.perlin.textures to a folder of photographs of textures, such as DTD's images",
            ));
        }
        if self.ratio > 0.0 { self.check_weights() } else { Ok(()) }
    }

    /// Checks that there is a generator to draw: for whoever makes pseudo anomalies whatever `ratio` says.
    ///
    /// # Errors
    /// `Kind::Config` naming the keys and the remedy.
    pub fn check_weights(&self) -> Result<()> {
        if self.weight.is_zero() {
            let keys = reference::keys().iter().map(|key| key.path.as_str()).filter(|path| path.starts_with("pseudo.weight."));
            let keys = keys.collect::<Vec<_>>().join(", ");
            return Err(Error::config(
                format!("{keys} are all 0: no pseudo anomaly can be drawn"),
                "set one of them above 0, or pseudo.ratio = 0",
            ));
        }
        Ok(())
    }
}

/// Refuses a pair whose first value is the greater one.
fn ordered(key: &str, [low, high]: [f64; 2], smaller: &str) -> Result<()> {
    if low <= high {
        return Ok(());
    }
    Err(Error::config(format!("{key}: [{low}, {high}] is not a range"), format!("put {smaller} first")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn refused(change: fn(&mut Pseudo)) -> String {
        let mut pseudo = Config::default().pseudo;
        pseudo.check().unwrap();
        change(&mut pseudo);
        pseudo.check().unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(refused(|p| p.confetti.blur_kernel = 4).contains("pseudo.confetti.blur_kernel: 4 is even"));
        assert!(refused(|p| p.confetti.size = [9, 8]).contains("pseudo.confetti.size: [9, 8] is not a range"));
        assert!(refused(|p| p.cutpaste.area = [0.2, 0.1]).contains("pseudo.cutpaste.area"));
        assert!(refused(|p| p.scar.width = [3.0, 2.0]).contains("pseudo.scar.width"));
        assert!(refused(|p| p.scar.length = [3.0, 2.0]).contains("pseudo.scar.length"));
        assert!(refused(|p| p.perlin.opacity = [0.9, 0.2]).contains("pseudo.perlin.opacity"));
        assert!(refused(|p| p.perlin.texture = Texture::Photographs).contains("pseudo.perlin.textures names no folder"));
        assert!(refused(|p| p.simplex.side = [9.0, 2.0]).contains("pseudo.simplex.side"));
        assert!(refused(|p| p.nsa.size = [0.4, 0.1]).contains("pseudo.nsa.size"));
        assert!(refused(|p| p.nsa.resize = [1.4, 0.1]).contains("pseudo.nsa.resize"));
    }

    #[test]
    fn weights_may_all_be_zero_only_where_nothing_is_drawn() {
        fn none(p: &mut Pseudo) {
            p.weight = Weight { confetti: 0.0, cutpaste: 0.0, scar: 0.0, perlin: 0.0, simplex: 0.0, nsa: 0.0 };
        }
        let error = refused(none);
        assert!(
            ["confetti", "cutpaste", "scar", "perlin", "simplex", "nsa"]
                .iter()
                .all(|name| error.contains(&format!("pseudo.weight.{name}"))),
            "{error}"
        );
        let mut pseudo = Config::default().pseudo;
        none(&mut pseudo);
        pseudo.ratio = 0.0;
        pseudo.check().unwrap();
        pseudo.check_weights().unwrap_err();
        pseudo.weight.scar = 1e-3;
        pseudo.check_weights().unwrap();
    }
}
