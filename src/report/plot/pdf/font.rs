//! The letters of the built-in font that a page uses, as a font of the file.
//!
//! A composite font (PDF 1.7, 9.7) over TrueType outlines: codes are the places of glyphs among those that are kept, and a map back to
//! characters lets text be searched and copied.

use std::collections::BTreeMap;

use ab_glyph::{Font, FontRef, GlyphId};
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Filter, Finish, Name, Pdf, Rect, Ref, Str};
use subsetter::GlyphRemapper;

use super::stream::compressed;
use crate::image::draw::FONT;
use crate::{Error, Result};

/// The objects that [`Used::embed`] writes.
pub const OBJECTS: i32 = 5;

/// A name of a part of a font begins with six capitals.
const NAME: Name = Name(b"HARNES+DejaVuSans");
const INFO: SystemInfo = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };

/// The thickness of upright strokes, thousandths of an em; it is a hint for readers that lack the font.
const STEM: f32 = 90.0;

/// The glyphs that are used.
pub struct Used {
    font: FontRef<'static>,
    places: GlyphRemapper,
    /// Characters by place.
    characters: BTreeMap<u16, char>,
}

impl Used {
    /// Those of all lines, in the order in which they come.
    pub fn of<'a>(lines: impl Iterator<Item = &'a str>) -> Self {
        let font = FontRef::try_from_slice(FONT).expect("the built-in font is a font");
        let (mut places, mut characters) = (GlyphRemapper::new(), BTreeMap::new());
        for character in lines.flat_map(str::chars) {
            let place = places.remap(font.glyph_id(character).0);
            characters.entry(place).or_insert(character);
        }
        Self { font, places, characters }
    }

    fn thousandths(&self, length: f32) -> f32 {
        1000.0 * length / self.font.units_per_em().expect("the built-in font has a size")
    }

    /// Place of each glyph of a line, and by how much it is moved to the left, thousandths of an em.
    pub fn glyphs(&self, line: &str) -> Vec<(u16, f32)> {
        let mut last: Option<GlyphId> = None;
        let one = |character: char| {
            let glyph = self.font.glyph_id(character);
            let kern = last.map_or(0.0, |last| -self.thousandths(self.font.kern_unscaled(last, glyph)));
            last = Some(glyph);
            (self.places.get(glyph.0).unwrap_or(0), kern)
        };
        line.chars().map(one).collect()
    }

    /// Width of a line, em.
    pub fn width(&self, line: &str) -> f64 {
        let moved: f32 = self.glyphs(line).iter().map(|(_, kern)| kern).sum();
        let advance = |c: char| self.thousandths(self.font.h_advance_unscaled(self.font.glyph_id(c)));
        f64::from(line.chars().map(advance).sum::<f32>() - moved) / 1000.0
    }

    /// Writes the font as the objects from `first` on.
    ///
    /// # Errors
    /// A fault of the program: the built-in font can be made smaller.
    pub fn embed(&self, pdf: &mut Pdf, first: i32) -> Result<()> {
        let [composite, cid, descriptor, program, unicode] = [0, 1, 2, 3, 4].map(|i| Ref::new(first + i));
        pdf.type0_font(composite).base_font(NAME).encoding_predefined(Name(b"Identity-H")).descendant_font(cid).to_unicode(unicode);

        let widths = self.places.remapped_gids().map(|glyph| self.thousandths(self.font.h_advance_unscaled(GlyphId(glyph))));
        let mut font = pdf.cid_font(cid);
        font.subtype(CidFontType::Type2).base_font(NAME).system_info(INFO).font_descriptor(descriptor).default_width(0.0);
        font.widths().consecutive(0, widths);
        font.cid_to_gid_map_predefined(Name(b"Identity"));
        font.finish();

        let ascent = self.thousandths(self.font.ascent_unscaled());
        let descent = self.thousandths(self.font.descent_unscaled());
        pdf.font_descriptor(descriptor)
            .name(NAME)
            .flags(FontFlags::SYMBOLIC)
            .bbox(Rect::new(-1020.0, descent, 1800.0, ascent))
            .italic_angle(0.0)
            .ascent(ascent)
            .descent(descent)
            .cap_height(729.0)
            .stem_v(STEM)
            .font_file2(program);

        let part = subsetter::subset(FONT, 0, &self.places)
            .map_err(|e| Error::run(format!("the font of a figure cannot be written: {e:?}"), ""))?;
        pdf.stream(program, &compressed(&part)).filter(Filter::FlateDecode).pair(Name(b"Length1"), part.len() as i32);

        let mut map = UnicodeCmap::new(Name(b"Custom"), INFO);
        self.characters.iter().for_each(|(&place, &character)| map.pair(place, character));
        pdf.stream(unicode, &compressed(map.finish().as_slice())).filter(Filter::FlateDecode);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::draw;

    #[test]
    fn a_line_is_as_wide_as_the_bitmap_sets_it() {
        let lines = ["image AUROC, %", "AVATAR To. — Δ 97.5", "", "++"];
        let used = Used::of(lines.into_iter());
        for line in lines {
            let (ours, theirs) = (used.width(line), draw::text_width(line, 1164.0625) as f64 / 1000.0);
            assert!((ours - theirs).abs() < 0.01, "{line}: {ours} {theirs}");
        }
    }

    #[test]
    fn every_letter_has_a_place_of_its_own() {
        let used = Used::of(["abca"].into_iter());
        let places: Vec<u16> = used.glyphs("abca").into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, [1, 2, 3, 1]);
    }
}
