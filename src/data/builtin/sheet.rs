//! The contact sheet of the set: for each category two normal images, then one of each kind of defect, outlined.

use super::subject::Severity;
use super::{Split, categories, render_at};
use crate::image::{Mask, Rgb};
use rayon::prelude::*;

/// Colour of the outlines.
const OUTLINE: [u8; 3] = [255, 40, 40];

/// A row a category, seven pictures of `cell` px (16..=256) each: two normal ones, then the fairly clear example of each
/// kind with its mask outlined.
pub fn contact_sheet(cell: usize) -> Rgb {
    let columns = 2 + categories()[0].defects.len();
    let cells: Vec<(usize, usize)> = (0..categories().len()).flat_map(|row| (0..columns).map(move |column| (row, column))).collect();
    let pictures: Vec<Rgb> = cells.par_iter().map(|&(row, column)| picture(row, column, cell)).collect();
    let mut sheet = Rgb::filled(columns * cell, categories().len() * cell, [255; 3]);
    for (&(row, column), picture) in cells.iter().zip(&pictures) {
        for y in 0..cell {
            for x in 0..cell {
                sheet.set(column * cell + x, row * cell + y, picture.at(x, y));
            }
        }
    }
    sheet
}

fn picture(row: usize, column: usize, side: usize) -> Rgb {
    let category = categories()[row];
    let (folder, index) = match column {
        0 | 1 => ("good", column),
        _ => (category.defects[column - 2], Severity::index_of_step(column - 2, 6)),
    };
    let drawn = render_at(category.name, Split::Test, folder, index, side);
    let (mut rgb, mask) = drawn.expect("every category draws its own kinds");
    if let Some(mask) = mask {
        outline(&mut rgb, &mask);
    }
    rgb
}

/// Marks the pixels that lie two or three pixels outside the mask.
fn outline(rgb: &mut Rgb, mask: &Mask) {
    let near = |x: usize, y: usize, radius: usize| {
        let rows = y.saturating_sub(radius)..(y + radius + 1).min(mask.height);
        rows.into_iter().any(|sy| {
            (x.saturating_sub(radius)..(x + radius + 1).min(mask.width))
                .any(|sx| mask.at(sx, sy) != 0 && sx.abs_diff(x).pow(2) + sy.abs_diff(y).pow(2) <= radius * radius)
        })
    };
    for y in 0..mask.height {
        for x in 0..mask.width {
            if near(x, y, 3) && !near(x, y, 2) {
                rgb.set(x, y, OUTLINE);
            }
        }
    }
}
