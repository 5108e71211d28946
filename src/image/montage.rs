//! A labelled grid of equally sized tiles: contact sheets, galleries, panels.

use super::Rgb;
use super::draw::{BLACK, WHITE, blit, fitted, text, text_height, text_width};

/// Space between tiles and around the grid, px.
const GAP: usize = 6;

/// Tiles in rows on white, with a label above each column and one left of each row.
///
/// The cell is as large as the largest tile; smaller ones stand in its upper left corner. Labels wider than a tile
/// are shortened; with no labels (an empty slice) their space is saved. There must be at least one tile.
pub fn montage(tiles: &[Vec<Rgb>], row_labels: &[String], column_labels: &[String]) -> Rgb {
    let all = || tiles.iter().flatten();
    let (width, height) = (all().map(|t| t.width).max().unwrap_or(0), all().map(|t| t.height).max().unwrap_or(0));
    assert!(width > 0 && height > 0, "a montage has at least one tile");
    let columns = tiles.iter().map(Vec::len).max().unwrap_or(0);
    let size_px = (width as f32 / 11.0).clamp(11.0, 22.0);
    let line = text_height(size_px);

    let widest = row_labels.iter().map(|l| text_width(l, size_px)).max().unwrap_or(0);
    let left = GAP + if widest == 0 { 0 } else { widest.min(width) + GAP };
    let top = GAP + if column_labels.is_empty() { 0 } else { line + GAP / 2 };
    let (cell_x, cell_y) = (|c: usize| left + c * (width + GAP), |r: usize| top + r * (height + GAP));

    let mut sheet = Rgb::filled(cell_x(columns), cell_y(tiles.len()), WHITE);
    for (c, label) in column_labels.iter().enumerate().take(columns) {
        text(&mut sheet, cell_x(c) as i64, GAP as i64 / 2, size_px, BLACK, &fitted(label, size_px, width));
    }
    for (r, row) in tiles.iter().enumerate() {
        if let Some(label) = row_labels.get(r) {
            let middle = cell_y(r) + height.saturating_sub(line) / 2;
            text(&mut sheet, GAP as i64, middle as i64, size_px, BLACK, &fitted(label, size_px, left - 2 * GAP));
        }
        for (c, tile) in row.iter().enumerate() {
            blit(&mut sheet, tile, cell_x(c) as i64, cell_y(r) as i64);
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_stand_in_rows_and_columns_whole() {
        let tile = |i: u8| Rgb::filled(30, 20, [i, 0, 0]);
        let rows = vec![vec![tile(1), tile(2), tile(3)], vec![tile(4), tile(5)]];
        let bare = montage(&rows, &[], &[]);
        assert_eq!((bare.width, bare.height), (GAP + 3 * (30 + GAP), GAP + 2 * (20 + GAP)));
        let labelled = montage(&rows, &["row".into(), "a much longer label".into()], &["one".into(), "two".into(), "three".into()]);
        assert!(labelled.width > bare.width && labelled.height > bare.height);
        for sheet in [bare, labelled] {
            for i in 1..=5_u8 {
                let count = (0..sheet.height)
                    .flat_map(|y| (0..sheet.width).map(move |x| (x, y)))
                    .filter(|&(x, y)| sheet.at(x, y) == [i, 0, 0])
                    .count();
                assert_eq!(count, 600, "tile {i} is whole");
            }
        }
    }
}
