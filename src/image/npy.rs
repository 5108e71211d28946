//! Score maps in files: NumPy's `.npy` (read and written) and 32-bit floating-point TIFF (read).
//!
//! NaN passes: what uses a map decides whether it may hold one. Both readers refuse what they would have to guess at.

use super::Map;
use super::codec::{self, MAX_SIDE};
use crate::{Error, Result};
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";

const REMEDY: &str = "save it with numpy.save(path, numpy.ascontiguousarray(map, dtype=\"<f4\")), one [height, width] map a file";

/// Reads a map from a `.npy` or a floating-point TIFF file, told apart by content.
pub fn read_map(path: &Path) -> Result<Map> {
    let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
    match bytes.get(..4) {
        Some(b"\x93NUM") => decode(&bytes, path),
        Some(b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+") => decode_tiff(&bytes, path),
        _ => Err(Error::environment(format!("{} is neither .npy nor TIFF", path.display()), REMEDY)),
    }
}

/// Reads a `.npy` file; see [`decode`].
pub fn read(path: &Path) -> Result<Map> {
    decode(&std::fs::read(path).map_err(|e| Error::io("read", path, &e))?, path)
}

/// Writes a map as `.npy` version 1.0, `<f4`, C order, shape (height, width), replacing the file whole; maps come by the hundred
/// and are [`crate::file::Durable::OnceSynced`].
pub fn write(path: &Path, map: &Map) -> Result<()> {
    codec::write_many(path, &encode(map))
}

/// The bytes of a `.npy` file.
pub fn encode(map: &Map) -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", map.height, map.width);
    // Magic, version and length take 10 bytes; the data start at a multiple of 64, after a line feed.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = Vec::with_capacity(10 + length + 4 * map.data.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&(length as u16).to_le_bytes());
    bytes.extend_from_slice(format!("{header:<width$}\n", width = length - 1).as_bytes());
    bytes.extend(map.data.iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

/// Decodes `.npy` versions 1 to 3 with a [height, width] array (leading dimensions of 1 are dropped) of little-endian
/// float32 or float64 in C order; float64 is rounded to float32. `name` stands in errors.
pub fn decode(bytes: &[u8], name: &Path) -> Result<Map> {
    let wrong = |what: &str| Error::environment(format!("{}: {what}", name.display()), REMEDY);
    if !bytes.starts_with(MAGIC) {
        return Err(wrong("not a .npy file"));
    }
    let short = || wrong("truncated");
    let version = *bytes.get(6).ok_or_else(short)?;
    let (start, length) = match version {
        1 => (10_usize, u16::from_le_bytes(array(bytes, 8).ok_or_else(short)?) as usize),
        2 | 3 => (12, u32::from_le_bytes(array(bytes, 8).ok_or_else(short)?) as usize),
        v => return Err(wrong(&format!("version {v} of .npy is not known"))),
    };
    let header = bytes.get(start..start.saturating_add(length)).ok_or_else(short)?;
    let header = std::str::from_utf8(header).map_err(|_| wrong("its header is not text"))?;
    let body = &bytes[start + length..];

    let value = |key: &str| {
        header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start()).ok_or_else(|| wrong(&format!("its header has no {key}")))
    };
    let kind = value("descr")?;
    let kind = kind.get(1..).and_then(|k| k.split_once('\'')).map(|(k, _)| k).ok_or_else(|| wrong("it holds records, not numbers"))?;
    if !value("fortran_order")?.starts_with("False") {
        return Err(wrong("it is in Fortran order"));
    }
    let (width, height) = shape(value("shape")?).ok_or_else(|| wrong("its shape is not [height, width]"))?;
    let bytes_each = match kind {
        "<f4" => 4,
        "<f8" => 8,
        k => return Err(wrong(&format!("it holds numbers of type {k:?}, not float32"))),
    };
    if body.len() != width * height * bytes_each {
        return Err(wrong(&format!(
            "{} bytes of data, but {height} x {width} numbers of type {kind} are {}",
            body.len(),
            width * height * bytes_each
        )));
    }
    let data = match bytes_each {
        4 => body.as_chunks().0.iter().map(|c| f32::from_le_bytes(*c)).collect(),
        _ => body.as_chunks().0.iter().map(|c| f64::from_le_bytes(*c) as f32).collect(),
    };
    Ok(Map::from_vec(width, height, data))
}

/// Width and height from a Python tuple.
fn shape(tuple: &str) -> Option<(usize, usize)> {
    let inside = tuple.strip_prefix('(')?.split_once(')')?.0;
    let sizes: Vec<usize> = inside.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok()).collect::<Option<_>>()?;
    let (lead, [height, width]) = sizes.split_last_chunk()?;
    let fits = |size: usize| (1..=MAX_SIDE).contains(&size);
    (lead.iter().all(|&n| n == 1) && fits(*width) && fits(*height)).then_some((*width, *height))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// Decodes the first page of a TIFF file of one channel in float32 or float64. `name` stands in errors.
pub fn decode_tiff(bytes: &[u8], name: &Path) -> Result<Map> {
    use tiff::decoder::{Decoder, DecodingResult};
    use tiff::{ColorType, TiffResult};
    const REMEDY: &str = "use one channel of 32-bit floating point";
    let read = || -> TiffResult<_> {
        let mut decoder = Decoder::new(std::io::Cursor::new(bytes))?;
        let (colour, (width, height)) = (decoder.colortype()?, decoder.dimensions()?);
        let grey = matches!(colour, ColorType::Gray(_)) && width.max(height) as usize <= MAX_SIDE;
        Ok((width as usize, height as usize, if grey { Some(decoder.read_image()?) } else { None }))
    };
    let broken = |why: String| {
        Error::environment(format!("cannot decode {}: {why}", name.display()), "the file is damaged or truncated: copy it again")
    };
    // As in codec: a decoder that panics on broken bytes means a broken file.
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).map_err(|_| broken("the decoder gave up".into()))?;
    let (width, height, pixels) = read.map_err(|e| broken(e.to_string()))?;
    let data = match pixels {
        Some(DecodingResult::F32(data)) => data,
        Some(DecodingResult::F64(data)) => data.iter().map(|&v| v as f32).collect(),
        _ => return Err(Error::environment(format!("{} is not a TIFF of one floating-point channel", name.display()), REMEDY)),
    };
    if data.len() != width * height || data.is_empty() {
        return Err(broken(format!("{} pixels for {width} x {height}", data.len())));
    }
    Ok(Map::from_vec(width, height, data))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::root;
    use proptest::prelude::*;

    fn here() -> &'static Path {
        Path::new("folder/map.npy")
    }

    /// The map in every file of tests/oracle/numpy_maps.py: `y - x / 4`, with NaN at (2, 1).
    fn is_the_golden_map(map: &Map) {
        assert_eq!((map.width, map.height), (5, 3));
        for y in 0..3 {
            for x in 0..5 {
                let v = map.at(x, y);
                assert!(if (x, y) == (2, 1) { v.is_nan() } else { v == y as f32 - x as f32 / 4.0 }, "({x}, {y}): {v}");
            }
        }
    }

    #[test]
    fn files_of_numpy_and_pillow_are_read() {
        for name in ["map_f4.npy", "map_f8_v2.npy", "map_f4_batch.npy", "map_f4.tif"] {
            is_the_golden_map(&read_map(&root().join("tests/golden").join(name)).unwrap_or_else(|e| panic!("{name}: {e}")));
        }
    }

    #[test]
    fn the_bytes_are_those_that_numpy_writes() {
        let golden = std::fs::read(root().join("tests/golden/map_f4.npy")).unwrap();
        assert_eq!(encode(&decode(&golden, here()).unwrap()), golden);
    }

    #[test]
    fn what_is_not_a_float_map_is_refused_by_name() {
        for (name, word) in
            [("map_fortran.npy", "Fortran"), ("map_i4.npy", "<i4"), ("map_3d.npy", "shape"), ("map_u8.tif", "floating-point")]
        {
            let error = read_map(&root().join("tests/golden").join(name)).unwrap_err();
            assert!(error.what.contains(name) && error.what.contains(word), "{error}");
            assert!(!error.remedy.is_empty());
        }
        assert!(read_map(&root().join("Cargo.toml")).unwrap_err().what.contains("neither"));
        assert!(read(Path::new("no/such.npy")).unwrap_err().what.contains("no/such.npy"));
    }

    #[test]
    fn a_written_map_is_read_back_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        let map = Map::from_vec(3, 2, vec![0.1, -0.0, f32::INFINITY, f32::MIN_POSITIVE / 2.0, 3.0, -7.5e30]);
        write(&folder.path().join("map.npy"), &map).unwrap();
        let back = read(&folder.path().join("map.npy")).unwrap();
        assert_eq!(back.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), map.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn hostile_maps_never_panic(tiff: bool, cut: proptest::sample::Index, at in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..8)) {
            let name = if tiff { "map_f4.tif" } else { "map_f4.npy" };
            let mut bytes = std::fs::read(root().join("tests/golden").join(name)).unwrap();
            for (index, value) in at {
                let i = index.index(bytes.len());
                bytes[i] = value;
            }
            bytes.truncate(cut.index(2 * bytes.len()));
            let _ = if tiff { decode_tiff(&bytes, here()) } else { decode(&bytes, here()) };
        }
    }
}
