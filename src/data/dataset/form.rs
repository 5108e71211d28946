//! Names whose letters are composed in other ways: `ö` is one character on most systems and `o` with a mark on macOS, and both look
//! the same. Names are compared in one form and shown in their own.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use unicode_normalization::{UnicodeNormalization, is_nfc};

/// A name with its letters composed (NFC).
pub fn composed(name: &str) -> Cow<'_, str> {
    if is_nfc(name) { Cow::Borrowed(name) } else { Cow::Owned(name.nfc().collect()) }
}

/// Whether two names differ in the form of their letters alone, or not at all.
pub fn alike(one: &str, other: &str) -> bool {
    one == other || composed(one) == composed(other)
}

/// The first two names that are alike and not the same.
pub fn twins<'a>(names: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let pairs = names.iter().enumerate().flat_map(|(i, one)| names[..i].iter().map(move |other| (*other, *one)));
    pairs.into_iter().find(|(one, other)| one != other && alike(one, other))
}

/// The files and folders at `root/below`, each part by a name that is alike: several where a folder holds names in two forms.
pub fn find(root: &Path, below: &str) -> Vec<PathBuf> {
    below.split('/').fold(vec![root.to_owned()], |folders, part| {
        let inside = |folder: PathBuf| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            entries.filter(|entry| entry.file_name().to_str().is_some_and(|name| alike(name, part))).map(|entry| entry.path())
        };
        folders.into_iter().flat_map(inside).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_two_forms_are_alike_and_found() {
        assert!(alike("h\u{f6}", "ho\u{308}") && !alike("ho", "h\u{f6}"));
        assert_eq!(twins(&["a", "h\u{f6}", "a", "ho\u{308}"]), Some(("h\u{f6}", "ho\u{308}")));
        assert_eq!(twins(&["a", "b", "a"]), None);
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("ho\u{308}")).unwrap();
        std::fs::write(dir.path().join("ho\u{308}/e\u{301}.npy"), "").unwrap();
        assert_eq!(find(dir.path(), "h\u{f6}/\u{e9}.npy"), [dir.path().join("ho\u{308}/e\u{301}.npy")]);
        assert!(find(dir.path(), "h\u{f6}/e.npy").is_empty());
    }
}
