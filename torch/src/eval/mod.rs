//! A detector over images: what it gives of each, at its own resolution.

use harness::Result;
use harness::data::Source;
use harness::eval::Output;
use harness::image::Map;
use tch::{Device, Kind, Tensor};

use crate::detector::Detector;
use crate::input;
use crate::train::Scored;

/// What a detector gave of one image: its maps in the order of its `config::Outputs`, and its own score.
#[derive(Debug)]
pub struct ImageScored {
    pub maps: Vec<Map>,
    pub own: Option<f32>,
}

impl ImageScored {
    /// Image `place` of a batch.
    pub fn of(scored: &Scored, place: i64) -> Self {
        let number = |scores: &Tensor| scores.double_value(&[place]) as f32;
        Self { maps: scored.maps.iter().map(|maps| to_map(&maps.get(place))).collect(), own: scored.image.as_ref().map(number) }
    }

    /// The same of whole images, of which `source` cut a margin off: there, maps have the values of the nearest place inside.
    pub fn of_whole(self, source: &Source) -> Self {
        let frame = |map: Map| map.framed([map.width, map.height].map(|cells| cells * source.margin() / source.size()));
        if source.margin() == 0 { self } else { Self { maps: self.maps.into_iter().map(frame).collect(), ..self } }
    }

    /// What the headline's metrics are computed from.
    pub fn headline(&self) -> Output {
        Output { map: self.maps.first().cloned(), own: self.own }
    }
}

/// Calls `each(index, scored)` for the images of `source` in order, `batch` images a forward pass on a GPU.
///
/// A CPU takes them one by one, whatever `batch` says: its kernels depend on the batch's size in the last bits, and an
/// image's score must be the same alone and among others.
pub fn score_all(
    detector: &dyn Detector,
    source: &Source,
    batch: usize,
    device: Device,
    each: &mut dyn FnMut(usize, ImageScored) -> Result<()>,
) -> Result<()> {
    let batch = if device.is_cuda() { batch.max(1) } else { 1 };
    for first in (0..source.len()).step_by(batch) {
        let indices = first..(first + batch).min(source.len());
        let images = indices.clone().map(|i| source.get(i)).collect::<Result<Vec<_>>>()?;
        let bytes: Vec<u8> = images.iter().flat_map(|image| image.data.iter().copied()).collect();
        let scored = detector.score(&input::unit(&bytes, images.len(), source.size(), device));
        for (place, index) in (0..).zip(indices) {
            each(index, ImageScored::of(&scored, place).of_whole(source))?;
        }
    }
    Ok(())
}

/// A map `[h, w]` as a plane.
pub fn to_map(map: &Tensor) -> Map {
    let [height, width]: [i64; 2] = map.size().try_into().expect("a map has two dimensions");
    let flat = map.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]);
    Map::from_vec(width as usize, height as usize, Vec::try_from(flat).expect("a vector of f32"))
}
