//! PyTorch's `.pth` files without Python: a state dict's tensors out of what `torch.save` wrote.
//!
//! Two forms: a zip archive with `data.pkl` and one entry for each storage (PyTorch 1.6 and later), and before that a
//! row of pickles (magic number, version, system, state dict, storage keys) followed by the storages. Sizes are checked
//! against each other before anything is allocated.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use super::file::{Foreign, Tensor, Tensors};
use super::pickle::{self, Dtype, Storage, Value, View};
use crate::{Error, Result};

/// The number at the head of the old form.
const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
/// Bound of all elements together, far above the largest network here (wide ResNet-50-2: 69 M).
const LIMIT: usize = 1 << 27;

/// How often the elements of all storages may be taken.
const SHARED: usize = 4;

/// All float tensors of the state dict in `path`, as f32, and what else it holds.
///
/// # Errors
/// The file cannot be read, holds more than plain tensors, or its parts contradict each other.
pub(super) fn read(path: &Path) -> Result<(Tensors, Foreign)> {
    let bytes = crate::file::content(path).map_err(|e| Error::io("read", path, &e))?;
    let tensors = if bytes.starts_with(b"PK") { zip_form(&bytes) } else { old_form(&bytes) };
    tensors.map_err(|what| {
        Error::environment(
            format!("{} is not a state dict that can be read without Python: {what}", path.display()),
            "in Python: torch.save(model.state_dict(), FILE), or safetensors.torch.save_file(model.state_dict(), FILE)",
        )
    })
}

fn zip_form(bytes: &[u8]) -> Result<(Tensors, Foreign), String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let names: Vec<String> = archive.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
    let prefix = names.iter().find_map(|name| name.strip_suffix("data.pkl")).ok_or("the archive has no data.pkl")?;
    let mut entry = |name: &str| -> Result<Vec<u8>, String> {
        let entry = archive.by_name(&format!("{prefix}{name}")).map_err(|e| format!("{name}: {e}"))?;
        let (size, mut data) = (entry.size(), Vec::new());
        if size > bytes.len() as u64 {
            return Err(format!("{name} is larger than the archive, which torch doesn't compress"));
        }
        entry.take(size).read_to_end(&mut data).map_err(|e| format!("{name}: {e}"))?;
        Ok(data)
    };
    if names.contains(&format!("{prefix}byteorder")) && entry("byteorder")? != b"little" {
        return Err("its numbers are big-endian".into());
    }
    let program = entry("data.pkl")?;
    let value = pickle::load(&mut program.as_slice())?;
    let (views, foreign) = float_views(&value)?;
    let mut storages = BTreeMap::new();
    for storage in views.iter().map(|(_, view)| &view.storage) {
        if !storages.contains_key(&storage.key) {
            let data = entry(&format!("data/{}", storage.key))?;
            storages.insert(storage.key.clone(), floats(storage, &data)?);
        }
    }
    Ok((gather(&views, &storages)?, foreign))
}

fn old_form(mut rest: &[u8]) -> Result<(Tensors, Foreign), String> {
    if pickle::load(&mut rest)?.int() != Some(MAGIC) {
        return Err("it is a pickle without torch's magic number".into());
    }
    match pickle::load(&mut rest)?.int() {
        Some(1001) => {}
        version => return Err(format!("it has the version {version:?}, known is 1001")),
    }
    pickle::load(&mut rest)?; // sizes of the writer's integer types
    let value = pickle::load(&mut rest)?;
    let keys = pickle::load(&mut rest)?.texts().ok_or("the list of its storages is malformed")?;
    let all = value.state_dict()?;
    let known: BTreeMap<&str, &Storage> = all.iter().map(|(_, view)| (view.storage.key.as_str(), &view.storage)).collect();
    let mut storages = BTreeMap::new();
    for key in keys {
        let storage = known.get(key.as_str()).ok_or_else(|| format!("no tensor uses the storage {key}"))?;
        let (len, after) = rest.split_first_chunk().ok_or("it is cut off")?;
        if u64::from_le_bytes(*len) != storage.len as u64 {
            return Err(format!("the storage {key} has {} elements, expected {}", u64::from_le_bytes(*len), storage.len));
        }
        let size = storage.len.checked_mul(storage.dtype.size()).ok_or("a storage is too large")?;
        let (data, after) = after.split_at_checked(size).ok_or("it is cut off")?;
        rest = after;
        if !matches!(storage.dtype, Dtype::Other(_)) {
            storages.insert(key, floats(storage, data)?);
        }
    }
    let (views, foreign) = float_views(&value)?;
    Ok((gather(&views, &storages)?, foreign))
}

/// A tensor in the file with its name.
type Named<'a> = (&'a str, &'a View);

/// The tensors of floats, and what the others are.
fn float_views(value: &Value) -> Result<(Vec<Named<'_>>, Foreign), String> {
    let (mut floats, mut foreign) = (Vec::new(), Foreign::new());
    for (name, view) in value.state_dict()? {
        match view.storage.dtype {
            Dtype::Other(size) => {
                foreign.insert(name.to_owned(), (format!("whole numbers of {size} bytes"), view.shape.clone()));
            }
            _ => floats.push((name, view)),
        }
    }
    Ok((floats, foreign))
}

fn floats(storage: &Storage, bytes: &[u8]) -> Result<Vec<f32>, String> {
    if Some(bytes.len()) != storage.len.checked_mul(storage.dtype.size()) {
        return Err(format!(
            "the storage {} has {} bytes, expected {} elements of {}",
            storage.key,
            bytes.len(),
            storage.len,
            storage.dtype.size()
        ));
    }
    let data = match storage.dtype {
        Dtype::F32 => bytes.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect(),
        Dtype::F16 => bytes.as_chunks().0.iter().map(|&b| half::f16::from_le_bytes(b).to_f32()).collect(),
        Dtype::Bf16 => bytes.as_chunks().0.iter().map(|&b| half::bf16::from_le_bytes(b).to_f32()).collect(),
        Dtype::F64 => bytes.as_chunks().0.iter().map(|&b| f64::from_le_bytes(b) as f32).collect(),
        Dtype::Other(_) => Vec::new(),
    };
    Ok(data)
}

fn gather(views: &[Named], storages: &BTreeMap<String, Vec<f32>>) -> Result<Tensors, String> {
    // Views may share a storage, as tied weights do, but not make much of little.
    let stored = storages.values().map(Vec::len).sum::<usize>();
    let mut left = LIMIT.min(stored.saturating_mul(SHARED));
    let mut tensors = Tensors::new();
    for &(name, view) in views {
        let storage = storages.get(&view.storage.key).ok_or_else(|| format!("the storage of {name} is missing"))?;
        let count = view.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        if count.is_some_and(|count| count > storage.len().max(1)) {
            return Err(format!("{name} repeats the {} elements of its storage: {:?}", storage.len(), view.shape));
        }
        left = count.and_then(|n| left.checked_sub(n)).ok_or_else(|| format!("{name} is too large: {:?}", view.shape))?;
        let data = elements(view, storage).ok_or_else(|| format!("{name} reaches beyond its storage"))?;
        tensors.insert(name.to_owned(), Tensor { shape: view.shape.clone(), data });
    }
    Ok(tensors)
}

/// The elements of `view` in row-major order; `None` where one lies outside of `storage`.
fn elements(view: &View, storage: &[f32]) -> Option<Vec<f32>> {
    if view.shape.len() != view.strides.len() {
        return None;
    }
    if view.shape.contains(&0) {
        return Some(Vec::new());
    }
    // Positions of all elements, built one dimension at a time from the first.
    let mut positions = vec![view.offset];
    for (&size, &stride) in view.shape.iter().zip(&view.strides) {
        let last = *positions.last().expect("no dimension is empty");
        if stride.checked_mul(size - 1)?.checked_add(last)? >= storage.len() {
            return None;
        }
        positions = positions.iter().flat_map(|&p| (0..size).map(move |i| p + i * stride)).collect();
    }
    positions.into_iter().map(|p| storage.get(p).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn golden(name: &str) -> std::path::PathBuf {
        crate::testing::root().join("tests/golden").join(name)
    }

    #[test]
    fn both_forms_of_torch_save_give_the_same_tensors() {
        // Written by tests/oracle/resnet_pth.py, which lists the values.
        for name in ["resnet_tiny.pth", "resnet_tiny_old.pth", "resnet_tiny_wrapped.pth"] {
            let (tensors, foreign) = read(&golden(name)).unwrap();
            assert_eq!(foreign["bn1.num_batches_tracked"], ("whole numbers of 8 bytes".to_owned(), vec![]));
            let names: Vec<&str> = tensors.keys().map(String::as_str).collect();
            assert_eq!(names, ["bn1.running_mean", "bn1.running_var", "conv1.weight", "scalar", "tail", "transposed"], "{name}");
            let tensor = |name: &str| (tensors[name].shape.as_slice(), tensors[name].data.as_slice());
            let halves: Vec<f32> = (0..12u8).map(|i| f32::from(i) / 2.0).collect();
            assert_eq!(tensor("conv1.weight"), ([2, 3, 1, 2].as_slice(), halves.as_slice()));
            assert_eq!(tensor("bn1.running_mean"), ([4].as_slice(), [1.0, -2.0, 0.25, 65504.0].as_slice()));
            assert_eq!(tensor("bn1.running_var"), ([3].as_slice(), [1.0, -2.0, 0.5].as_slice()));
            assert_eq!(tensor("transposed"), ([2, 3].as_slice(), [0.0, 2.0, 4.0, 1.0, 3.0, 5.0].as_slice()));
            assert_eq!(tensor("tail"), ([2].as_slice(), [4.0, 5.0].as_slice()));
            assert_eq!(tensor("scalar"), ([].as_slice(), [42.0].as_slice()));
        }
    }

    #[test]
    fn of_several_state_dicts_none_is_chosen() {
        let error = read(&golden("resnet_tiny_several.pth")).unwrap_err();
        assert!(error.what.contains("several dictionaries of tensors: model, average"), "{error}");
    }

    #[test]
    fn little_is_not_made_much_of() {
        let storage = Storage { key: "0".into(), dtype: Dtype::F32, len: 4 };
        let storages = BTreeMap::from([("0".to_owned(), vec![1.0f32; 4])]);
        let view =
            |shape: &[usize], strides: &[usize]| View { storage: storage.clone(), offset: 0, shape: shape.into(), strides: strides.into() };
        let (plain, expanded) = (view(&[2, 2], &[2, 1]), view(&[1 << 20], &[0]));
        assert!(gather(&[("w", &expanded)], &storages).unwrap_err().contains("w repeats the 4 elements"));
        let tied: Vec<(&str, &View)> = ["a", "b", "c", "d", "e"].map(|name| (name, &plain)).to_vec();
        assert_eq!(gather(&tied[..SHARED], &storages).unwrap().len(), SHARED);
        assert!(gather(&tied, &storages).unwrap_err().contains("too large"));
        let mut long: &[u8] = &[&vec![b'N'; NODES_AND_MORE][..], b"."].concat();
        assert!(pickle::load(&mut long).err().unwrap().contains("instructions"));
    }

    /// More than any pickle may have.
    const NODES_AND_MORE: usize = (1 << 20) + 2;

    #[test]
    fn a_pickle_that_wants_to_call_anything_else_is_refused_by_name() {
        let error = read(&golden("resnet_evil.pth")).unwrap_err();
        assert!(error.what.contains("posix.system"), "{error}");
        assert!(error.remedy.contains("state_dict"));
    }

    #[test]
    fn a_file_that_is_cut_off_anywhere_is_an_error() {
        let bytes = std::fs::read(golden("resnet_tiny_old.pth")).unwrap();
        for end in 0..bytes.len() {
            assert!(old_form(&bytes[..end]).is_err(), "{end}");
        }
        let bytes = std::fs::read(golden("resnet_tiny.pth")).unwrap();
        for end in (0..bytes.len()).step_by(7) {
            assert!(zip_form(&bytes[..end]).is_err(), "{end}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_damaged_file_never_panics(place in 0usize..2048, byte: u8) {
            for (name, form) in [("resnet_tiny.pth", zip_form as fn(&[u8]) -> _), ("resnet_tiny_old.pth", old_form)] {
                let mut bytes = std::fs::read(golden(name)).unwrap();
                let n = bytes.len();
                bytes[place % n] = byte;
                let _: Result<(Tensors, Foreign), String> = form(&bytes);
            }
        }

        #[test]
        fn a_view_reads_what_index_arithmetic_says(
            dims in prop::collection::vec((0usize..4, 0usize..5), 0..4), offset in 0usize..6, len in 0usize..40,
        ) {
            let storage: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let (shape, strides): (Vec<usize>, Vec<usize>) = dims.into_iter().unzip();
            let view = View { storage: Storage { key: "0".into(), dtype: Dtype::F32, len }, offset, shape, strides };
            // One element at a time: digits of its row-major number are its indices.
            let slow: Option<Vec<f32>> = (0..view.shape.iter().product::<usize>())
                .map(|number| {
                    let (mut rest, mut at) = (number, offset);
                    for (&size, &stride) in view.shape.iter().zip(&view.strides).rev() {
                        at += rest % size * stride;
                        rest /= size;
                    }
                    storage.get(at).copied()
                })
                .collect();
            prop_assert_eq!(elements(&view, &storage), slow);
        }
    }
}
