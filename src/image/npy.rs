//! Score maps in files: NumPy's `.npy` (read and written) and TIFF of one channel (read), of floats or whole numbers.
//!
//! NaN passes: what uses a map decides whether it may hold one. Both readers refuse what they would have to guess at.

use super::codec::MAX_SIDE;
use super::numbers::{self, Numbers};
use super::{Map, Map64};
use crate::{Error, Result};
use std::path::Path;

const MAGIC: &[u8] = b"\x93NUMPY";

/// Greatest number of pixels of a TIFF map, which may be compressed: a file of a few kB may claim any number.
const MAX_TIFF: usize = 1 << 26;

/// Bytes at the start of a file in which its header is looked for.
const HEADER: u64 = 4096;

const REMEDY: &str = "save it with numpy.save(path, numpy.ascontiguousarray(map, dtype=\"<f4\")), one [height, width] map a file";

/// Reads a map of float32 from a `.npy` or a TIFF file, told apart by content.
///
/// # Errors
/// As [`read_numbers`], and where float32 would round a value.
pub fn read_map(path: &Path) -> Result<Map> {
    single(read_numbers(path)?, path)
}

/// Reads the numbers of a map from a `.npy` or a TIFF file, told apart by content.
pub fn read_numbers(path: &Path) -> Result<Numbers> {
    let bytes = crate::file::content(path).map_err(|e| Error::io("read", path, &e))?;
    match bytes.get(..4) {
        Some(b"\x93NUM") => decode_numbers(&bytes, path),
        Some(b"II*\0" | b"MM\0*" | b"II+\0" | b"MM\0+") => tiff_numbers(&bytes, path),
        _ => Err(Error::environment(format!("{} is neither .npy nor TIFF", path.display()), REMEDY)),
    }
}

/// False where a file's header says that float32 holds its numbers, whatever they are.
pub fn may_need_float64(path: &Path) -> Result<bool> {
    use std::io::Read;
    let mut start = Vec::new();
    let file = crate::file::open_regular(path).map_err(|e| Error::io("read", path, &e))?;
    file.take(HEADER).read_to_end(&mut start).map_err(|e| Error::io("read", path, &e))?;
    Ok(Header::of(&start, path).map_or(true, |header| header.kind.bytes() > 4 || matches!(header.kind.code(), "i4" | "u4")))
}

/// Reads a `.npy` file; see [`decode`].
pub fn read(path: &Path) -> Result<Map> {
    decode(&crate::file::content(path).map_err(|e| Error::io("read", path, &e))?, path)
}

fn single(numbers: Numbers, name: &Path) -> Result<Map> {
    match numbers {
        Numbers::Single(map) => Ok(map),
        Numbers::Double(_) => Err(Error::environment(format!("{}: float32 would round its values", name.display()), REMEDY)),
    }
}

/// Writes a map as `.npy` version 1.0, `<f4`, C order, shape (height, width), replacing the file whole; maps come by the hundred
/// and are [`crate::file::Durable::OnceSynced`].
pub fn write(path: &Path, map: &Map) -> Result<()> {
    super::encode::write_many(path, &encode(map))
}

/// The bytes of a `.npy` file.
pub fn encode(map: &Map) -> Vec<u8> {
    encode_array("<f4", &[map.height, map.width], map.data.iter().flat_map(|v| v.to_le_bytes()))
}

/// The same of any array in C order: `descr` is NumPy's name of its numbers, `data` their bytes.
pub fn encode_array(descr: &str, shape: &[usize], data: impl Iterator<Item = u8>) -> Vec<u8> {
    let sizes = shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
    let comma = if shape.len() == 1 { "," } else { "" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}{comma}), }}");
    // Magic, version and length take 10 bytes; the data start at a multiple of 64, after a line feed.
    let length = (10 + header.len() + 1).next_multiple_of(64) - 10;
    let mut bytes = Vec::with_capacity(10 + length + data.size_hint().0);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[1, 0]);
    bytes.extend_from_slice(&(length as u16).to_le_bytes());
    bytes.extend_from_slice(format!("{header:<width$}\n", width = length - 1).as_bytes());
    bytes.extend(data);
    bytes
}

/// [`decode_numbers`] of a map of float32.
///
/// # Errors
/// Where float32 would round a value.
pub fn decode(bytes: &[u8], name: &Path) -> Result<Map> {
    single(decode_numbers(bytes, name)?, name)
}

/// Decodes `.npy` versions 1 to 3 with a [height, width] array (leading dimensions of 1 are dropped) of floats of 2 to 8 bytes,
/// whole numbers of 1 to 8 or booleans in C order, of either byte order; nothing is rounded. `name` stands in errors.
///
/// # Errors
/// What is none of these, and whole numbers beyond 2^53.
pub fn decode_numbers(bytes: &[u8], name: &Path) -> Result<Numbers> {
    let wrong = |what: &str| Error::environment(format!("{}: {what}", name.display()), REMEDY);
    let Header { start, kind, width, height } = Header::of(bytes, name)?;
    let body = &bytes[start..];
    let size = width * height * kind.bytes();
    if body.len() != size {
        let (found, kind) = (body.len(), kind.name);
        return Err(wrong(&format!("{found} bytes of data, but {height} x {width} numbers of type {kind} are {size}")));
    }
    if kind.name == "<f4" {
        return Ok(Numbers::Single(Map::from_vec(width, height, body.as_chunks().0.iter().map(|c| f32::from_le_bytes(*c)).collect())));
    }
    let numbers = body.chunks_exact(kind.bytes()).map(|bytes| kind.number(bytes)).collect::<Option<_>>();
    let numbers = numbers.ok_or_else(|| wrong("it holds whole numbers beyond 2^53, which float64 would round"))?;
    Ok(Numbers::of(Map64::from_vec(width, height, numbers)))
}

/// What a `.npy` file says before its data.
struct Header<'a> {
    /// Where the data start.
    start: usize,
    kind: Kind<'a>,
    width: usize,
    height: usize,
}

impl<'a> Header<'a> {
    fn of(bytes: &'a [u8], name: &Path) -> Result<Self> {
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
        let value = |key: &str| {
            let rest = header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
            rest.ok_or_else(|| wrong(&format!("its header has no {key}")))
        };
        let kind = value("descr")?;
        let kind = kind.get(1..).and_then(|k| k.split_once('\'')).map(|(k, _)| k).ok_or_else(|| wrong("it holds records, not numbers"))?;
        let kind = Kind::of(kind).ok_or_else(|| wrong(&format!("it holds numbers of type {kind:?}, not scores")))?;
        if !value("fortran_order")?.starts_with("False") {
            return Err(wrong("it is in Fortran order"));
        }
        let (width, height) = shape(value("shape")?).ok_or_else(|| wrong("its shape is not [height, width]"))?;
        Ok(Self { start: start + length, kind, width, height })
    }
}

/// A type of numbers in NumPy's spelling: byte order, kind and bytes.
struct Kind<'a> {
    name: &'a str,
}

impl<'a> Kind<'a> {
    fn of(name: &'a str) -> Option<Self> {
        let (order, code) = name.split_at_checked(1)?;
        let known = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1"].contains(&code);
        (known && (matches!(order, "<" | ">") || order == "|" && code.ends_with('1'))).then_some(Self { name })
    }

    fn code(&self) -> &str {
        &self.name[1..]
    }

    fn bytes(&self) -> usize {
        usize::from(self.name.as_bytes()[2] - b'0')
    }

    /// One number; `None` where float64 would round it.
    fn number(&self, bytes: &[u8]) -> Option<f64> {
        let mut little = [0; 8];
        let each = bytes.len();
        little[..each].copy_from_slice(bytes);
        if self.name.starts_with('>') {
            little[..each].reverse();
        }
        let whole = u64::from_le_bytes(little);
        // Shifted up and down again, the sign comes along.
        let with_sign = || ((whole << (64 - 8 * each)) as i64) >> (64 - 8 * each);
        match self.code() {
            "f2" => Some(half::f16::from_bits(whole as u16).to_f64()),
            "f4" => Some(f64::from(f32::from_bits(whole as u32))),
            "f8" => Some(f64::from_bits(whole)),
            code if code.starts_with('i') => numbers::signed(with_sign()),
            _ => numbers::unsigned(whole),
        }
    }
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

/// Decodes a TIFF file of one page and one channel of floats or whole numbers; nothing is rounded. `name` stands in errors.
///
/// # Errors
/// What is none of these, and whole numbers beyond 2^53.
pub fn tiff_numbers(bytes: &[u8], name: &Path) -> Result<Numbers> {
    use tiff::decoder::{Decoder, DecodingResult};
    use tiff::{ColorType, TiffResult};
    const REMEDY: &str = "use one page of one channel, in floating point or whole numbers";
    let read = || -> TiffResult<_> {
        let mut decoder = Decoder::new(std::io::Cursor::new(bytes))?;
        let (colour, (width, height)) = (decoder.colortype()?, decoder.dimensions()?);
        let small = width.max(height) as usize <= MAX_SIDE && width as usize * height as usize <= MAX_TIFF;
        let grey = matches!(colour, ColorType::Gray(_)) && small;
        let pixels = if grey { Some(decoder.read_image()?) } else { None };
        Ok((width as usize, height as usize, pixels, decoder.more_images()))
    };
    let broken = |why: String| {
        Error::environment(format!("cannot decode {}: {why}", name.display()), "the file is damaged or truncated: copy it again")
    };
    // As in codec: a decoder that panics on broken bytes means a broken file.
    let read = std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)).map_err(|_| broken("the decoder gave up".into()))?;
    let (width, height, pixels, more) = read.map_err(|e| broken(e.to_string()))?;
    if more {
        return Err(Error::environment(format!("{} has several pages", name.display()), REMEDY));
    }
    let whole = |numbers: Option<Vec<f64>>| {
        let what = || format!("{} holds whole numbers beyond 2^53, which float64 would round", name.display());
        numbers.ok_or_else(|| Error::environment(what(), REMEDY))
    };
    let data = match pixels {
        Some(DecodingResult::F32(data)) if data.len() == width * height && !data.is_empty() => {
            return Ok(Numbers::Single(Map::from_vec(width, height, data)));
        }
        Some(DecodingResult::F16(data)) => data.iter().map(|v| v.to_f64()).collect(),
        Some(DecodingResult::F32(data)) => data.into_iter().map(f64::from).collect(),
        Some(DecodingResult::F64(data)) => data,
        Some(DecodingResult::U8(data)) => data.into_iter().map(f64::from).collect(),
        Some(DecodingResult::U16(data)) => data.into_iter().map(f64::from).collect(),
        Some(DecodingResult::U32(data)) => data.into_iter().map(f64::from).collect(),
        Some(DecodingResult::I8(data)) => data.into_iter().map(f64::from).collect(),
        Some(DecodingResult::I16(data)) => data.into_iter().map(f64::from).collect(),
        Some(DecodingResult::I32(data)) => data.into_iter().map(f64::from).collect(),
        Some(DecodingResult::U64(data)) => whole(data.into_iter().map(numbers::unsigned).collect())?,
        Some(DecodingResult::I64(data)) => whole(data.into_iter().map(numbers::signed).collect())?,
        None => {
            let what = format!("{} is not a TIFF of one channel and at most {MAX_TIFF} px", name.display());
            return Err(Error::environment(what, REMEDY));
        }
    };
    if data.len() != width * height || data.is_empty() {
        return Err(broken(format!("{} pixels for {width} x {height}", data.len())));
    }
    Ok(Numbers::of(Map64::from_vec(width, height, data)))
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
        for (name, word) in [("map_fortran.npy", "Fortran"), ("map_3d.npy", "shape")] {
            let error = read_map(&root().join("tests/golden").join(name)).unwrap_err();
            assert!(error.what.contains(name) && error.what.contains(word), "{error}");
            assert!(!error.remedy.is_empty());
        }
        assert!(read_map(&root().join("Cargo.toml")).unwrap_err().what.contains("neither"));
        assert!(read(Path::new("no/such.npy")).unwrap_err().what.contains("no/such.npy"));
    }

    /// A `.npy` file of one row of numbers, made by NumPy's own rules.
    fn row(kind: &str, numbers: &[&[u8]]) -> Vec<u8> {
        let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': (1, {}), }}\n", numbers.len());
        [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), &numbers.concat()].concat()
    }

    #[test]
    fn every_kind_of_number_is_read_exactly() {
        let read = |kind: &str, numbers: &[&[u8]]| decode_numbers(&row(kind, numbers), here());
        let values = |kind: &str, numbers: &[&[u8]]| read(kind, numbers).unwrap().double().data;
        assert_eq!(values("<f2", &[&[0x00, 0x3c], &[0x01, 0x00], &[0x00, 0xc1]]), [1.0, 2_f64.powi(-24), -2.5]);
        assert_eq!(values("<f8", &[&0.1_f64.to_le_bytes(), &1e300_f64.to_le_bytes()]), [0.1, 1e300]);
        assert_eq!(values(">f4", &[&0.1_f32.to_be_bytes()]), [f64::from(0.1_f32)]);
        assert_eq!(values("|i1", &[&[0xff], &[0x7f]]), [-1.0, 127.0]);
        assert_eq!(values("|b1", &[&[1], &[0]]), [1.0, 0.0]);
        assert_eq!(values(">i2", &[&(-300_i16).to_be_bytes()]), [-300.0]);
        assert_eq!(values("<i4", &[&16_777_217_i32.to_le_bytes(), &i32::MIN.to_le_bytes()]), [16_777_217.0, -2_147_483_648.0]);
        assert_eq!(values("<u4", &[&u32::MAX.to_le_bytes()]), [4_294_967_295.0]);
        assert_eq!(values("<i8", &[&(-(1_i64 << 53)).to_le_bytes()]), [-9_007_199_254_740_992.0]);
        let error = read("<u8", &[&u64::MAX.to_le_bytes()]).unwrap_err();
        assert!(error.what.contains("2^53"), "{error}");
        for kind in ["<c8", "<U4", "<f16", "|f4", "=f4", "f4", ""] {
            assert!(read(kind, &[&[0; 8]]).unwrap_err().what.contains("not scores"), "{kind}");
        }
        assert!(decode(&row("<f8", &[&0.1_f64.to_le_bytes()]), here()).unwrap_err().what.contains("would round"));
    }

    #[test]
    fn only_what_may_need_float64_is_looked_at_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        for (kind, may) in [("<f4", false), (">f4", false), ("<f2", false), ("<u2", false), ("<f8", true), ("<i4", true), ("<u8", true)] {
            std::fs::write(&path, row(kind, &[&[0; 8]])).unwrap();
            assert_eq!(may_need_float64(&path).unwrap(), may, "{kind}");
        }
        assert!(may_need_float64(&root().join("tests/golden/map_f4.tif")).unwrap());
    }

    #[test]
    fn whole_numbers_of_a_tiff_are_read_and_several_pages_refused() {
        use tiff::encoder::{TiffEncoder, colortype::Gray32, colortype::Gray64Float};
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
        encoder.write_image::<Gray32>(2, 1, &[16_777_217, 3]).unwrap();
        let one = bytes.get_ref().clone();
        assert_eq!(tiff_numbers(&one, here()).unwrap().double().data, [16_777_217.0, 3.0]);
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut bytes).unwrap();
        encoder.write_image::<Gray64Float>(2, 1, &[0.1, 3.0]).unwrap();
        encoder.write_image::<Gray64Float>(2, 1, &[0.2, 3.0]).unwrap();
        assert!(tiff_numbers(bytes.get_ref(), here()).unwrap_err().what.contains("several pages"));
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
            let _ = if tiff { tiff_numbers(&bytes, here()) } else { decode_numbers(&bytes, here()) };
        }
    }
}
