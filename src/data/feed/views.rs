//! What the loader makes of an item.

/// The views of one item, all of one image. A detector chooses them; no key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Views {
    /// One: as decoded and resized. What `data.augment` and `pseudo.*` say is not done. For passes over the training images.
    Bare,
    /// One: augmented as `data.augment` and `data.crop` say, without a pseudo anomaly.
    Plain,
    /// One: augmented, and with a pseudo anomaly where the item was chosen to have one (`pseudo.ratio`, `pseudo.mode`).
    Pseudo,
    /// Three of each item, whatever `pseudo.ratio` and the weights say: the augmented image, CutPaste on it, a scar on it.
    ThreeWay {
        /// Side in px, at most the image's: the image is cropped to it at a random place before anything is pasted, so that
        /// the three show the same place and a paste lies in the crop. `None` = the whole image.
        crop: Option<usize>,
    },
}

impl Views {
    /// V, the number of views an item.
    pub fn count(self) -> usize {
        match self {
            Self::Bare | Self::Plain | Self::Pseudo => 1,
            Self::ThreeWay { .. } => 3,
        }
    }

    /// Side of a view, px, of images of side `size`.
    pub fn side(self, size: usize) -> usize {
        match self {
            Self::ThreeWay { crop: Some(crop) } => crop,
            Self::Bare | Self::Plain | Self::Pseudo | Self::ThreeWay { crop: None } => size,
        }
    }
}
