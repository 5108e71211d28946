//! JSON files that name their format, so that an older program refuses a newer file instead of misreading it.

use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{content, replace};
use crate::{Error, Result};

/// Writes `value` as indented JSON with a newline at its end; see [`replace`].
pub fn write_json<T: Serialize>(path: &Path, value: &T) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).expect("what is stored is plain data");
    text.push('\n');
    replace(path, text.as_bytes())
}

/// Reads a JSON file whose member `format` is at most `newest`; `None` if there is no such file.
pub fn read_json<T: DeserializeOwned>(path: &Path, newest: u32) -> Result<Option<T>> {
    let bytes = match content(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::io("read", path, &error)),
    };
    let broken = |error: serde_json::Error| {
        Error::environment(format!("cannot understand {}: {error}", path.display()), "move the file away and repeat the command")
    };
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(broken)?;
    check_format(path, value.get("format").and_then(serde_json::Value::as_u64), newest)?;
    serde_json::from_value(value).map(Some).map_err(broken)
}

/// Whether this program can read a file that says `format`; the error names `path`.
pub fn check_format(path: &Path, format: Option<u64>, newest: u32) -> Result<()> {
    match format {
        Some(format) if (1..=u64::from(newest)).contains(&format) => Ok(()),
        Some(format) => Err(Error::environment(
            format!("{} has format {format}, and this program reads formats up to {newest}", path.display()),
            "use the newer version of harness that wrote it",
        )),
        None => Err(Error::environment(format!("{} does not say which format it has", path.display()), "it was not written by harness")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_newer_format_and_a_missing_one_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.json");
        assert_eq!(read_json::<serde_json::Value>(&path, 1).unwrap(), None);
        write_json(&path, &json!({ "format": 1, "x": 2 })).unwrap();
        assert_eq!(read_json::<serde_json::Value>(&path, 1).unwrap().unwrap()["x"], 2);
        write_json(&path, &json!({ "format": 7 })).unwrap();
        let error = read_json::<serde_json::Value>(&path, 1).unwrap_err();
        assert!(error.what.contains("a.json has format 7") && error.remedy.contains("newer"), "{error}");
        replace(&path, b"{}").unwrap();
        assert!(read_json::<serde_json::Value>(&path, 1).is_err());
        replace(&path, b"{").unwrap();
        assert!(read_json::<serde_json::Value>(&path, 1).unwrap_err().what.contains("line 1"));
    }
}
