//! The generators as a list: what one does, and which there are.

use std::fmt;

use rand_chacha::ChaCha8Rng;

use crate::config::Pseudo;
use crate::image::{Mask, Rgb};

/// What an anomaly may take from outside of the image that it is put on.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// Another normal image of the same size, or the image itself where there is none.
    pub other: &'a Rgb,
    /// A photograph of any size, where `pseudo.perlin.texture` asks for one.
    pub photograph: Option<&'a Rgb>,
}

impl<'a> Beside<'a> {
    /// Another image, and no photograph.
    pub fn image(other: &'a Rgb) -> Self {
        Self { other, photograph: None }
    }
}

/// A way of making a pseudo anomaly. Its settings in the configuration are the generator.
pub trait Generator {
    /// The image with the anomaly on it, and a mask of its size that is not empty; `None` where nothing shows. Draws from
    /// `draws` alone, in a fixed order.
    fn apply(&self, image: &Rgb, beside: Beside, draws: &mut ChaCha8Rng) -> Option<(Rgb, Mask)>;

    /// True where it takes parts of another image.
    fn takes_another(&self) -> bool {
        false
    }

    /// True where the mask is a whole region, false where it is the pixels that changed.
    fn marks_region(&self) -> bool {
        false
    }
}

/// Names the generators, in the order in which they are put on one image. A new one comes last: numbers and draws of the others stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    CutPaste,
    Scar,
    Confetti,
    Perlin,
    Simplex,
    Nsa,
}

impl Name {
    /// Each name as its keys spell it, in order.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::CutPaste, "cutpaste"),
        (Self::Scar, "scar"),
        (Self::Confetti, "confetti"),
        (Self::Perlin, "perlin"),
        (Self::Simplex, "simplex"),
        (Self::Nsa, "nsa"),
    ];

    /// The number of this kind of view in a batch: 1 and up in the order of [`Name::ALL`]; 0 is a normal view.
    pub fn kind(self) -> u8 {
        1 + self as u8
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(Self::ALL[*self as usize].1)
    }
}

/// The generator of that name with its settings, and its weight. The one place where names become code.
pub fn generator(name: Name, cfg: &Pseudo) -> (&dyn Generator, f64) {
    match name {
        Name::CutPaste => (&cfg.cutpaste, cfg.weight.cutpaste),
        Name::Scar => (&cfg.scar, cfg.weight.scar),
        Name::Confetti => (&cfg.confetti, cfg.weight.confetti),
        Name::Perlin => (&cfg.perlin, cfg.weight.perlin),
        Name::Simplex => (&cfg.simplex, cfg.weight.simplex),
        Name::Nsa => (&cfg.nsa, cfg.weight.nsa),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Weight, reference};

    #[test]
    fn each_generator_has_its_place_its_weight_and_its_section() {
        let mut named: Vec<String> = Vec::new();
        for (place, (name, text)) in Name::ALL.into_iter().enumerate() {
            assert_eq!((name as usize, name.kind() as usize, name.to_string()), (place, place + 1, text.to_owned()));
            assert!(reference::keys().iter().any(|key| key.path.starts_with(&format!("pseudo.{text}."))), "{text} has no section");
            named.push(format!("pseudo.weight.{text}"));
        }
        let mut weights: Vec<String> =
            reference::keys().iter().map(|k| k.path.clone()).filter(|p| p.starts_with("pseudo.weight.")).collect();
        named.sort();
        weights.sort();
        assert_eq!(named, weights);
        let weight = Weight { cutpaste: 1.0, scar: 2.0, confetti: 3.0, perlin: 4.0, simplex: 5.0, nsa: 6.0 };
        let cfg = Pseudo { weight, ..Config::default().pseudo };
        assert_eq!(Name::ALL.map(|(name, _)| generator(name, &cfg).1), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    }
}
