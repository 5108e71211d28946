//! Writing a weight file: whole or not at all, and the same bytes for the same content.

use std::io::Write;
use std::path::Path;

use super::file::{Meta, Tensor, Tensors};
use crate::Result;
use crate::file::{self, Durable};

/// How floats are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    F32,
    /// Convolutions and matrices in half floats. Vectors stay f32: a batch norm's variance may exceed 65504.
    F16,
}

/// Writes `tensors` with `meta` to `path`, replacing the file whole. The header's keys are sorted, so that equal content gives
/// equal bytes and the file's hash can stand for it.
///
/// # Errors
/// A file cannot be written; what was at `path` before is then still there.
pub fn write(path: &Path, meta: &Meta, tensors: &Tensors, precision: Precision) -> Result<()> {
    write_with(path, meta.entries(), tensors, precision)
}

/// The same with any metadata, in f32.
pub(super) fn write_entries(path: &Path, entries: Vec<(&str, String)>, tensors: &Tensors) -> Result<()> {
    write_with(path, entries, tensors, Precision::F32)
}

fn write_with<'a>(
    path: &Path,
    entries: impl IntoIterator<Item = (&'a str, String)>,
    tensors: &Tensors,
    precision: Precision,
) -> Result<()> {
    let header = header(entries, tensors, precision);
    file::replace_with(path, Durable::Now, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(header.as_bytes())?;
        for tensor in tensors.values() {
            for &value in &tensor.data {
                match stored(tensor, precision) {
                    Precision::F32 => out.write_all(&value.to_le_bytes())?,
                    Precision::F16 => out.write_all(&half::f16::from_f32(value).to_le_bytes())?,
                }
            }
        }
        Ok(())
    })
}

/// The JSON header, padded with spaces so that the tensors' bytes are aligned to eight.
fn header<'a>(entries: impl IntoIterator<Item = (&'a str, String)>, tensors: &Tensors, precision: Precision) -> String {
    let mut map = serde_json::Map::new();
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    map.insert("__metadata__".into(), serde_json::Value::Object(entries));
    let mut end = 0;
    for (name, tensor) in tensors {
        let (dtype, size) = match stored(tensor, precision) {
            Precision::F32 => ("F32", 4),
            Precision::F16 => ("F16", 2),
        };
        let start = end;
        end += size * tensor.data.len();
        map.insert(name.clone(), serde_json::json!({"dtype": dtype, "shape": tensor.shape, "data_offsets": [start, end]}));
    }
    let mut text = serde_json::Value::Object(map).to_string();
    text.push_str(&" ".repeat(text.len().next_multiple_of(8) - text.len()));
    text
}

fn stored(tensor: &Tensor, precision: Precision) -> Precision {
    if tensor.shape.len() > 1 { precision } else { Precision::F32 }
}
