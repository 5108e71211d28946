//! How files are opened that others may have put there: without waiting, and those that this program writes without following links.
//!
//! A link in the place of a lock or a log would let whoever put it there empty or lengthen a file elsewhere. A FIFO would be waited
//! for without end, and a device read without end.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Opens a file that this program appends to or locks: a regular file, and no link.
///
/// # Errors
/// As the system gives them; what is not a regular file, or a link.
pub fn open_own(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    if is_link(path) {
        return Err(refused("it is a link, and what it points to is not this program's: remove it"));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    regular(options.open(path)?)
}

/// Opens a file for reading, wherever links lead to.
///
/// # Errors
/// As the system gives them; what is not a regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NONBLOCK);
    }
    regular(options.open(path)?)
}

/// The content of a file, as [`open_regular`] opens it.
pub fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open_regular(path)?;
    let mut bytes = Vec::with_capacity(file.metadata().map_or(0, |data| data.len() as usize));
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a link lies at `path`, wherever it leads to.
pub fn is_link(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|data| data.file_type().is_symlink())
}

/// Whether a folder lies at `path`, and no link to one.
pub fn is_own_folder(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|data| data.is_dir())
}

fn regular(file: File) -> io::Result<File> {
    let data = file.metadata()?;
    if data.is_dir() {
        return Err(io::Error::from(ErrorKind::IsADirectory));
    }
    if data.is_file() { Ok(file) } else { Err(refused("it is not a regular file (a pipe, a socket or a device)")) }
}

fn refused(why: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, why)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_not_followed_to_be_written_and_is_to_be_read() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link) = (dir.path().join("victim"), dir.path().join(".lock"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        for options in [OpenOptions::new().write(true).create(true).truncate(true), OpenOptions::new().append(true).create(true)] {
            assert!(open_own(&link, options).unwrap_err().to_string().contains("it is a link"));
        }
        assert_eq!(std::fs::read(&victim).unwrap(), b"precious");
        assert_eq!(content(&link).unwrap(), b"precious");
        assert!(is_link(&link) && !is_link(&victim) && is_own_folder(dir.path()));
        // One that leads nowhere is not created elsewhere either.
        std::fs::remove_file(&victim).unwrap();
        assert!(open_own(&link, OpenOptions::new().append(true).create(true)).is_err());
        assert!(!victim.exists());
    }

    #[test]
    fn pipes_devices_and_folders_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("x.png");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        for path in [fifo.as_path(), Path::new("/dev/zero")] {
            assert!(content(path).unwrap_err().to_string().contains("not a regular file"), "{}", path.display());
        }
        assert!(open_own(&fifo, OpenOptions::new().read(true).write(true)).is_err());
        assert_eq!(content(dir.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    }
}
