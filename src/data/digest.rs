//! One hash for many files.

/// blake3 over the sorted list of names and file hashes, one `name NUL hash LF` each.
pub(in crate::data) fn combine<'a>(sorted: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut hasher = blake3::Hasher::new();
    for (name, hash) in sorted {
        for part in [name, "\0", hash, "\n"] {
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex().to_string()
}
