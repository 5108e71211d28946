//! Pixels in memory: planes of one value a pixel and interleaved 8-bit RGB. Pure, no tch.

pub mod blur;
pub mod codec;
pub mod draw;
pub mod encode;
mod jpeg;
pub mod montage;
pub mod npy;
pub mod numbers;
pub mod resize;
pub mod truth;
pub mod upsample;

/// One value a pixel, row-major: `data[y * width + x]`, `data.len() == width * height`.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane<T> {
    pub width: usize,
    pub height: usize,
    pub data: Vec<T>,
}

/// A binary mask: 1 = anomalous, 0 = normal. Where metrics are computed it may hold [`NOT_SCORED`] too.
pub type Mask = Plane<u8>;

/// The value of a pixel that no metric counts.
pub const NOT_SCORED: u8 = 2;

/// An anomaly score map: higher = more anomalous, any real range.
pub type Map = Plane<f32>;

/// The same from elsewhere, with values that float32 would round.
pub type Map64 = Plane<f64>;

/// 8-bit RGB, row-major and interleaved: `data[3 * (y * width + x) + channel]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb {
    pub width: usize,
    pub height: usize,
    pub data: Vec<u8>,
}

impl<T: Copy> Plane<T> {
    /// A plane of one value.
    pub fn filled(width: usize, height: usize, value: T) -> Self {
        Self { width, height, data: vec![value; width * height] }
    }

    /// Wraps row-major `data`; its length must be `width * height`.
    pub fn from_vec(width: usize, height: usize, data: Vec<T>) -> Self {
        assert_eq!(data.len(), width * height, "a plane of {width}x{height} pixels");
        Self { width, height, data }
    }

    pub fn at(&self, x: usize, y: usize) -> T {
        self.data[y * self.width + x]
    }

    pub fn set(&mut self, x: usize, y: usize, value: T) {
        self.data[y * self.width + x] = value;
    }

    /// The rectangle whose upper left corner is (`x`, `y`); it must lie inside the plane.
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        let data = (y..y + height).flat_map(|y| &self.data[y * self.width + x..][..width]).copied().collect();
        Self { width, height, data }
    }

    /// The plane in a frame of `wide` columns at each side and `high` rows above and below, which repeat its border.
    pub fn framed(&self, [wide, high]: [usize; 2]) -> Self {
        let (width, height) = (self.width + 2 * wide, self.height + 2 * high);
        let inside = |at: usize, before: usize, side: usize| at.saturating_sub(before).min(side - 1);
        let cell = |at: usize| self.at(inside(at % width, wide, self.width), inside(at / width, high, self.height));
        Self { width, height, data: (0..width * height).map(cell).collect() }
    }
}

impl Mask {
    /// True where no pixel is anomalous.
    pub fn is_empty(&self) -> bool {
        self.data.iter().all(|&p| p == 0)
    }

    /// Number of anomalous pixels.
    pub fn area(&self) -> usize {
        self.data.iter().filter(|&&p| p != 0).count()
    }
}

impl Rgb {
    /// An image of one colour.
    pub fn filled(width: usize, height: usize, colour: [u8; 3]) -> Self {
        Self { width, height, data: colour.repeat(width * height) }
    }

    /// Wraps interleaved `data`; its length must be `3 * width * height`.
    pub fn from_vec(width: usize, height: usize, data: Vec<u8>) -> Self {
        assert_eq!(data.len(), 3 * width * height, "an RGB image of {width}x{height} pixels");
        Self { width, height, data }
    }

    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let i = 3 * (y * self.width + x);
        [self.data[i], self.data[i + 1], self.data[i + 2]]
    }

    pub fn set(&mut self, x: usize, y: usize, colour: [u8; 3]) {
        let i = 3 * (y * self.width + x);
        self.data[i..i + 3].copy_from_slice(&colour);
    }

    /// The bytes of `width` pixels of a row, from (`x`, `y`) on.
    pub fn row(&self, x: usize, y: usize, width: usize) -> &[u8] {
        &self.data[3 * (y * self.width + x)..][..3 * width]
    }

    /// The same, to be changed.
    pub fn row_mut(&mut self, x: usize, y: usize, width: usize) -> &mut [u8] {
        &mut self.data[3 * (y * self.width + x)..][..3 * width]
    }

    /// The rectangle whose upper left corner is (`x`, `y`); it must lie inside the image.
    pub fn crop(&self, x: usize, y: usize, width: usize, height: usize) -> Self {
        Self { width, height, data: (y..y + height).flat_map(|y| self.row(x, y, width)).copied().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_repeats_the_border_and_is_cut_off_again() {
        let plane = Plane::from_vec(2, 1, vec![1, 2]);
        let framed = plane.framed([2, 1]);
        assert_eq!((framed.width, framed.height), (6, 3));
        assert_eq!(framed.data, [[1, 1, 1, 2, 2, 2]; 3].concat());
        assert_eq!(framed.crop(2, 1, 2, 1), plane);
        assert_eq!(plane.framed([0, 0]), plane);
    }
}
