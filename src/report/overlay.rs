//! A scored image for people: the heat map over it, what lies above the threshold outlined, and below it the score and the colour bar.

use crate::image::draw::{self, BLACK, WHITE};
use crate::image::{Map, Mask, Rgb, resize};

/// What is drawn of one image.
pub struct Overlay<'a> {
    pub image: &'a Rgb,
    /// The map as it is scored; it decides the size.
    pub map: &'a Map,
    /// Values at the dark and at the bright end of the colours.
    pub range: [f32; 2],
    /// Pixels to outline.
    pub marked: Option<&'a Mask>,
    /// Score and decision in a line.
    pub caption: &'a str,
}

/// Least width of the picture, px: the caption has to be read.
const LEAST: usize = 320;
const OUTLINE: [u8; 3] = [0, 255, 255];

impl Overlay<'_> {
    pub fn draw(&self) -> Rgb {
        let (width, height) = (self.map.width, self.map.height);
        let image = resize::bilinear(self.image, width, height);
        let mut picture = self.laid_over(&image);
        if let Some(marked) = self.marked {
            draw::outline(&mut picture, marked, OUTLINE, (width.min(height) / 200).max(1));
        }
        let across = width.max(LEAST);
        // Readable at the size of the picture.
        let size_px = (across as f32 / 26.0).clamp(14.0, 96.0);
        let line = draw::text_height(size_px);
        let mut canvas = Rgb::filled(across, height + 2 * line + line / 2, WHITE);
        draw::blit(&mut canvas, &picture, ((across - width) / 2) as i64, 0);
        let margin = line / 4;
        let caption = draw::fitted(self.caption, size_px, across - 2 * margin);
        draw::text(&mut canvas, margin as i64, (height + margin) as i64, size_px, BLACK, &caption);
        self.bar(&mut canvas, [margin, height + margin + line], size_px);
        canvas
    }

    /// The map's colours over the image, which shows through where the map is low.
    fn laid_over(&self, image: &Rgb) -> Rgb {
        let [low, high] = self.range;
        let colours = draw::heat_map(self.map, low, high);
        let opacity = |value: f32| ((value - low) / (high - low).max(f32::MIN_POSITIVE) * 1.2).clamp(0.0, 0.6);
        let pixels = image.data.iter().zip(&colours.data).enumerate();
        let mix = |(i, (&under, &over)): (usize, (&u8, &u8))| {
            let share = opacity(self.map.data[i / 3]);
            (f32::from(under) * (1.0 - share) + f32::from(over) * share).round() as u8
        };
        Rgb::from_vec(image.width, image.height, pixels.map(mix).collect())
    }

    /// The colour bar between its ends' values.
    fn bar(&self, canvas: &mut Rgb, [x, y]: [usize; 2], size_px: f32) {
        let [low, high] = self.range.map(|value| format!("{value:.4}"));
        let (from, line) = (x + draw::text_width(&low, size_px) + x, draw::text_height(size_px));
        let until = canvas.width.saturating_sub(draw::text_width(&high, size_px) + 2 * x);
        draw::text(canvas, x as i64, y as i64, size_px, BLACK, &low);
        for column in from..until {
            let part = (column - from) as f32 / (until - from) as f32;
            draw::fill_rect(canvas, column as i64, y as i64, 1, line, draw::heat(part));
        }
        draw::text(canvas, (until + x) as i64, y as i64, size_px, BLACK, &high);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_have_equal_colours_whatever_else_is_in_the_map() {
        let image = Rgb::filled(40, 30, [100; 3]);
        let draw = |values: [f32; 2]| {
            let data = (0..40 * 30).map(|i| values[usize::from(i % 40 >= 20)]).collect();
            Overlay { image: &image, map: &Map::from_vec(40, 30, data), range: [0.0, 1.0], marked: None, caption: "score 1" }.draw()
        };
        let (one, other) = (draw([0.3, 0.5]), draw([0.3, 5.0]));
        let left = (LEAST - 40) / 2;
        assert_eq!(one.at(left + 5, 10), other.at(left + 5, 10));
        assert_ne!(one.at(left + 25, 10), other.at(left + 25, 10));
    }

    #[test]
    fn marked_pixels_are_outlined_and_the_caption_stands_below() {
        let (image, map) = (Rgb::filled(400, 300, [0; 3]), Map::filled(400, 300, 0.0));
        let mut marked = Mask::filled(400, 300, 0);
        (100..140).for_each(|x| marked.set(x, 150, 1));
        let picture = Overlay { image: &image, map: &map, range: [0.0, 1.0], marked: Some(&marked), caption: "score 1" }.draw();
        assert!(picture.width == 400 && picture.height > 300);
        assert_eq!(picture.at(120, 149), OUTLINE);
        assert_ne!(picture.at(120, 150), OUTLINE, "what is marked stays visible");
        let dark = (300..picture.height).flat_map(|y| (0..100).map(move |x| (x, y))).filter(|&(x, y)| picture.at(x, y)[0] < 64);
        assert!(dark.count() > 50, "there is a caption");
    }
}
