//! A detector over images: score maps at the network's resolution.

use harness::Result;
use harness::data::Source;
use harness::eval::MapKind;
use harness::image::Map;
use tch::{Device, Kind, Tensor};

use crate::detector::Detector;
use crate::input;

/// Calls `each(index, maps)` for the images of `source` in order, `batch` images a forward pass on a GPU.
///
/// A CPU takes them one by one, whatever `batch` says: its kernels depend on the batch's size in the last bits, and an
/// image's score must be the same alone and among others.
pub fn score_all(
    detector: &dyn Detector,
    source: &Source,
    batch: usize,
    device: Device,
    each: &mut dyn FnMut(usize, Vec<(MapKind, Map)>) -> Result<()>,
) -> Result<()> {
    let batch = if device.is_cuda() { batch.max(1) } else { 1 };
    for first in (0..source.len()).step_by(batch) {
        let indices = first..(first + batch).min(source.len());
        let images = indices.clone().map(|i| source.get(i)).collect::<Result<Vec<_>>>()?;
        let bytes: Vec<u8> = images.iter().flat_map(|image| image.data.iter().copied()).collect();
        let maps = detector.score(&input::unit(&bytes, images.len(), source.size(), device));
        for (position, index) in indices.enumerate() {
            each(index, maps.iter().map(|(kind, maps)| (*kind, to_map(&maps.get(position as i64)))).collect())?;
        }
    }
    Ok(())
}

/// The map of a kind among those that a detector gave.
pub fn of_kind<T>(maps: &[(MapKind, T)], kind: MapKind) -> &T {
    maps.iter().find(|(k, _)| *k == kind).map(|(_, map)| map).expect("a detector gives its headline map")
}

/// A map `[h, w]` as a plane.
pub fn to_map(map: &Tensor) -> Map {
    let [height, width]: [i64; 2] = map.size().try_into().expect("a map has two dimensions");
    let flat = map.to_device(Device::Cpu).to_kind(Kind::Float).contiguous().view([-1]);
    Map::from_vec(width as usize, height as usize, Vec::try_from(flat).expect("a vector of f32"))
}
