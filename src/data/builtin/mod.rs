//! The built-in set, for machines without any data: two textures and two objects, drawn from seeded streams and shaded
//! like inspection photographs, in the layout of MVTec AD (`ROOT/<category>/{train/good, test/good, test/<defect>,
//! ground_truth/<defect>/<stem>_mask.png}`), 256 px, 60 training, 20 good and 40 defective test images a category.
//!
//! A defect belongs to the scene: it changes relief, material or geometry before the light falls on it. The eight images
//! of a kind go from faint to obvious in even steps. A mask holds the pixels that differ from the same scene, light and exposure without the defect. Every draw comes from the stream
//! (`SEED`, `builtin/<category>/<split>/<defect>`, 0, index), and arithmetic is fixed by IEEE 754 (see `math`), so that
//! the pixels are the same on every machine. Cost: some 0.1 s a good image on one core, twice that for a defective one.

mod camera;
mod chip;
mod draw;
mod fabric;
mod gear;
mod glyph;
mod mask;
mod math;
mod noise;
mod shade;
mod shape;
mod subject;
mod terrazzo;
mod write;

pub use subject::LEAST_AREA;
pub use write::{ensure, write_small};

use crate::image::{Mask, Rgb};
use chip::Chip;
use draw::Draw;
use fabric::Fabric;
use gear::Gear;
use shade::Grid;
use subject::Subject;
use terrazzo::Terrazzo;

/// Version of the pictures: any change of a pixel raises it.
pub const VERSION: u32 = 2;

/// Side of the pictures, px.
pub const SIDE: usize = 256;

/// Images a category: for training, good ones for the test, and defective ones of each kind.
pub const TRAIN: usize = 60;
pub const TEST_GOOD: usize = 20;
pub const PER_DEFECT: usize = 8;

/// Seed of every stream of the set.
const SEED: u64 = 0x6275_696c_7469_6e31;

/// Which part of the set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    Train,
    Test,
}

impl Split {
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// The name of the set's folder: `builtin-v<VERSION>`.
pub fn folder_name() -> String {
    format!("builtin-v{VERSION}")
}

/// A category's name and its kinds of defect, both in alphabetical order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Category {
    pub name: &'static str,
    pub defects: &'static [&'static str],
}

const fn category<S: Subject>() -> Category {
    Category { name: S::NAME, defects: S::DEFECTS }
}

/// The four categories: objects `chip` and `gear`, textures `fabric` and `terrazzo`.
pub fn categories() -> &'static [Category] {
    const { &[category::<Chip>(), category::<Fabric>(), category::<Gear>(), category::<Terrazzo>()] }
}

/// Image `index` of a split's folder `defect` (`"good"` or a kind), with its mask if it is defective.
/// `None` for a category or a kind that doesn't exist, and for defects in the training split.
pub fn render(category: &str, split: Split, defect: &str, index: usize) -> Option<(Rgb, Option<Mask>)> {
    render_at(category, split, defect, index, SIDE)
}

/// The same at `side` px, 16..=256: the same scene in fewer pixels, not a resized picture.
pub(crate) fn render_at(category: &str, split: Split, defect: &str, index: usize, side: usize) -> Option<(Rgb, Option<Mask>)> {
    let picture = match category {
        Chip::NAME => picture::<Chip>,
        Fabric::NAME => picture::<Fabric>,
        Gear::NAME => picture::<Gear>,
        Terrazzo::NAME => picture::<Terrazzo>,
        _ => return None,
    };
    // Small pictures take more samples a pixel, or fine structure would turn into moiré.
    picture(split, defect, index, Grid { side, samples: (SIDE / side.max(1)).clamp(2, 4) })
}

fn picture<S: Subject>(split: Split, defect: &str, index: usize, grid: Grid) -> Option<(Rgb, Option<Mask>)> {
    let domain = format!("builtin/{}/{}/{defect}", S::NAME, split.name());
    let mut draw = Draw(crate::seed::stream(SEED, &domain, 0, index as u64));
    if defect == "good" {
        return Some((subject::normal::<S>(&mut draw, grid), None));
    }
    let kind = S::DEFECTS.iter().position(|&d| d == defect).filter(|_| split == Split::Test)?;
    let (rgb, mask) = subject::defective::<S>(kind, index, &mut draw, grid);
    Some((rgb, Some(mask)))
}
