//! Reading a weight file.
//!
//! A weight file is safetensors with float tensors in their publisher's names and, in `__metadata__`, what [`Meta`] holds.
//! A file without our metadata is taken for its publisher's own. Cost of opening: one read of the whole file
//! (34 MB for ResNet-50's first three stages); a tensor is converted when it is asked for.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use safetensors::{Dtype, SafeTensors};

use super::network::{self, Shapes};
use crate::config::{BackboneName, Family, StrideIn};
use crate::{Error, Result};

/// Format and version of the metadata.
pub(super) const FORMAT: &str = "harness-weights/1";

/// Mean of ImageNet's training images, RGB in 0..=1, as torchvision normalises its networks' input.
pub const IMAGENET_MEAN: [f64; 3] = [0.485, 0.456, 0.406];
/// Their standard deviation, RGB in 0..=1.
pub const IMAGENET_STD: [f64; 3] = [0.229, 0.224, 0.225];

/// A dense tensor, row-major: `data.len()` is the product of `shape`.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Vec<f32>,
}

/// Tensors by name.
pub type Tensors = BTreeMap<String, Tensor>;

/// Tensors of something else than floats, by name: of what, and their shape.
pub(super) type Foreign = BTreeMap<String, (String, Vec<usize>)>;

/// What a weight file says of itself: whatever loads without an error when it is wrong.
#[derive(Debug, Clone, PartialEq)]
pub struct Meta {
    pub architecture: BackboneName,
    /// Who trained it and how: `"caffe"`, `"torchvision V1"`, `"unknown"`, ...
    pub lineage: String,
    /// Which convolution of a stage's first bottleneck carries the stride, where there are any; never [`StrideIn::Auto`].
    pub stride_in: StrideIn,
    /// Subtracted from RGB in 0..=1 before `conv1` pads with zeros.
    pub input_mean: [f64; 3],
    /// Divides what is left.
    pub input_std: [f64; 3],
    /// Where it was converted from: a package with its version, or a file's name.
    pub source: String,
    pub license: String,
}

/// An open weight file, in memory as it lies on disk.
pub struct File {
    path: PathBuf,
    pub meta: Meta,
    bytes: Vec<u8>,
    /// Where the tensors' bytes begin.
    start: usize,
    entries: BTreeMap<String, Entry>,
    hash: OnceLock<String>,
}

struct Entry {
    dtype: Dtype,
    shape: Vec<usize>,
    /// Relative to the start of the tensors' bytes; validated by the safetensors crate.
    range: (usize, usize),
}

impl File {
    /// Reads `path`.
    ///
    /// # Errors
    /// The file cannot be read, is not a safetensors file, carries metadata of another version, or carries none and fits no
    /// known network. Shapes are not checked here: see [`File::check`].
    pub fn open(path: &Path) -> Result<Self> {
        let bytes = crate::file::content(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::environment(
                format!("the weights {} are not there", path.display()),
                "fetch them with `just weights` (ResNet-50) or `just weights-lite` (EfficientNet-Lite0), convert a file of yours with `harness weights import FILE`, or set model.backbone.weights=none to start from random ones",
            ),
            _ => Error::io("read", path, &e),
        })?;
        let (header, index) = SafeTensors::read_metadata(&bytes).map_err(|e| {
            Error::environment(
                format!("{} is not a complete safetensors file: {e}", path.display()),
                "convert it again with `harness weights import`",
            )
        })?;
        let entries: BTreeMap<String, Entry> = index
            .tensors()
            .into_iter()
            .map(|(name, info)| (name, Entry { dtype: info.dtype, shape: info.shape.clone(), range: info.data_offsets }))
            .collect();
        let shapes = entries.iter().map(|(name, entry)| (name.clone(), entry.shape.clone())).collect();
        let meta = Meta::read(path, index.metadata().as_ref(), &shapes)?;
        // The header is its own length (eight bytes), then JSON.
        Ok(Self { path: path.to_owned(), meta, bytes, start: header + 8, entries, hash: OnceLock::new() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Names in alphabetical order, those of other types than float included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The shape of each tensor.
    pub fn shapes(&self) -> Shapes {
        self.entries.iter().map(|(name, entry)| (name.clone(), entry.shape.clone())).collect()
    }

    /// The tensor `name` in f32; halves and doubles are converted.
    ///
    /// # Errors
    /// There is no such tensor, or it holds no floats.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        let entry = self.entries.get(name).ok_or_else(|| {
            Error::environment(
                format!("{} has no tensor `{name}`", self.path.display()),
                "`harness weights show FILE` lists what is missing",
            )
        })?;
        let bytes = &self.bytes[self.start + entry.range.0..self.start + entry.range.1];
        let data = floats(entry.dtype, bytes).ok_or_else(|| {
            Error::environment(
                format!("{}: the tensor `{name}` holds {:?}, not floats", self.path.display(), entry.dtype),
                "weights are F32, F16, BF16 or F64",
            )
        })?;
        Ok(Tensor { shape: entry.shape.clone(), data })
    }

    /// True where `name` holds floats.
    pub fn is_float(&self, name: &str) -> bool {
        self.entries.get(name).is_some_and(|e| matches!(e.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16 | Dtype::F64))
    }

    /// Refuses values with which no network can compute.
    ///
    /// # Errors
    /// A float tensor with NaN or an infinite value, and a batch norm's variance below 0, by name.
    pub fn check_values(&self) -> Result<()> {
        for name in self.names().filter(|name| self.is_float(name)) {
            check_values(&self.path, name, &self.get(name)?.data)?;
        }
        Ok(())
    }

    /// blake3 of the whole file in hex; computed once, when it is first asked for.
    pub fn content_hash(&self) -> &str {
        self.hash.get_or_init(|| blake3::hash(&self.bytes).to_hex().to_string())
    }

    /// Checks names and shapes of what the detectors use of `architecture`.
    ///
    /// # Errors
    /// Lists what is missing, unexpected or of another shape.
    pub fn check(&self, architecture: BackboneName) -> Result<()> {
        network::check(&self.path, &self.shapes(), architecture, network::Extent::Stages)
    }
}

/// Refuses values of the tensor `name` with which no network can compute; `path` names its file.
pub(super) fn check_values(path: &Path, name: &str, data: &[f32]) -> Result<()> {
    let refuse = |what: &str| {
        Err(Error::environment(
            format!("{}: the tensor `{name}` holds {what}", path.display()),
            "the file is damaged or its training diverged: take another",
        ))
    };
    if data.iter().any(|v| !v.is_finite()) {
        return refuse("values that are not finite");
    }
    if name.ends_with("running_var") && data.iter().any(|&v| v < 0.0) {
        return refuse("variances below 0");
    }
    Ok(())
}

/// Little-endian bytes of `dtype` as f32; `None` where they are not floats.
pub(super) fn floats(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    let data = match dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::BF16 => bytes.as_chunks().0.iter().map(|&b| half::bf16::from_le_bytes(b).to_f32()).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        _ => return None,
    };
    Some(data)
}

impl Meta {
    /// What holds for a file as its publisher gives it: torchvision's place of the stride and ImageNet's statistics, or
    /// `(x - 127) / 128` for x in 0..=255, as TensorFlow feeds EfficientNet-Lite.
    pub fn published(architecture: BackboneName, source: &str) -> Self {
        let (input_mean, input_std) = match architecture.family() {
            Family::Residual | Family::Vgg => (IMAGENET_MEAN, IMAGENET_STD),
            Family::EfficientNetLite => ([127.0 / 255.0; 3], [128.0 / 255.0; 3]),
        };
        Self {
            architecture,
            lineage: "unknown".into(),
            stride_in: StrideIn::Conv2,
            input_mean,
            input_std,
            source: source.into(),
            license: "unknown".into(),
        }
    }

    /// The entries of `__metadata__`, in the order in which they are written.
    pub(super) fn entries(&self) -> [(&'static str, String); 8] {
        let numbers = |v: [f64; 3]| serde_json::to_string(&v).expect("three numbers are JSON");
        [
            ("format", FORMAT.into()),
            ("architecture", network::key(self.architecture).into()),
            ("lineage", self.lineage.clone()),
            ("stride_in", if self.stride_in == StrideIn::Conv1 { "conv1" } else { "conv2" }.into()),
            ("input_mean", numbers(self.input_mean)),
            ("input_std", numbers(self.input_std)),
            ("source", self.source.clone()),
            ("license", self.license.clone()),
        ]
    }

    fn read(path: &Path, entries: Option<&HashMap<String, String>>, shapes: &Shapes) -> Result<Self> {
        let text = |key: &str| entries.and_then(|e| e.get(key));
        // Other writers put "format": "pt" there.
        let format = text("format").filter(|f| f.starts_with("harness-weights/"));
        let Some(format) = format else {
            let source = path.file_name().unwrap_or_default().to_string_lossy();
            return network::infer(shapes).map(|architecture| Self::published(architecture, &source)).ok_or_else(|| {
                Error::environment(
                    format!("{} holds no network that is known here", path.display()),
                    format!("known networks: {}, with torchvision's tensor names or their publisher's", network::keys()),
                )
            });
        };
        if format != FORMAT {
            return Err(Error::environment(
                format!("{} has the format {format}, this version reads {FORMAT}", path.display()),
                "convert it again with `harness weights import`",
            ));
        }
        let broken = |key: &str| {
            Error::environment(
                format!("{}: the metadata's `{key}` is missing or not understood", path.display()),
                "convert it again with `harness weights import`",
            )
        };
        let need = |key: &str| text(key).cloned().ok_or_else(|| broken(key));
        let numbers = |key: &str| {
            let values: [f64; 3] = serde_json::from_str(&need(key)?).map_err(|_| broken(key))?;
            if values.iter().all(|v| v.is_finite()) { Ok(values) } else { Err(broken(key)) }
        };
        Ok(Self {
            architecture: network::parse(&need("architecture")?).ok_or_else(|| broken("architecture"))?,
            lineage: need("lineage")?,
            stride_in: match need("stride_in")?.as_str() {
                "conv1" => StrideIn::Conv1,
                "conv2" => StrideIn::Conv2,
                _ => return Err(broken("stride_in")),
            },
            input_mean: numbers("input_mean")?,
            input_std: Some(numbers("input_std")?).filter(|v| v.iter().all(|&s| s > 0.0)).ok_or_else(|| broken("input_std"))?,
            source: need("source")?,
            license: need("license")?,
        })
    }
}
