//! Folders in MVTec AD's layout: what is found, what is refused, and what the content hash depends on.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use harness::data::hash::category_hash_in;
use harness::data::{Category, category, open};
use harness::testing::{shared, skip};

/// Makes empty files, with their folders: the layout never opens a file.
fn touch(root: &Path, names: &[&str]) {
    for name in names {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }
}

const SCREW: [&str; 10] = [
    "screw/train/good/000.png",
    "screw/train/good/001.JPG",
    "screw/test/good/000.bmp",
    "screw/test/scratch/000.png",
    "screw/test/scratch/001.TIFF",
    "screw/test/scratch/002.png",
    "screw/test/dent/000.png",
    "screw/ground_truth/scratch/000_mask.png",
    "screw/ground_truth/scratch/001.png",
    "screw/ground_truth/dent/000_mask.bmp",
];

fn screw(root: &Path) -> Category {
    touch(root, &SCREW);
    category(root, "screw").unwrap()
}

#[test]
fn a_category_is_sorted_by_key_and_each_defect_finds_its_mask() {
    let root = tempfile::tempdir().unwrap();
    let found = screw(root.path());
    assert_eq!(found.train.iter().map(|i| i.key.as_str()).collect::<Vec<_>>(), ["train/good/000", "train/good/001"]);
    let test: Vec<(&str, &str, Option<&str>)> = found
        .test
        .iter()
        .map(|i| (i.key.as_str(), i.defect.as_str(), i.mask.as_ref().map(|m| m.path().file_name().unwrap().to_str().unwrap())))
        .collect();
    assert_eq!(
        test,
        [
            ("test/dent/000", "dent", Some("000_mask.bmp")),
            ("test/good/000", "good", None),
            ("test/scratch/000", "scratch", Some("000_mask.png")),
            ("test/scratch/001", "scratch", Some("001.png")),
            ("test/scratch/002", "scratch", None),
        ]
    );
}

#[test]
fn hidden_files_and_files_that_are_no_images_are_passed_over() {
    let root = tempfile::tempdir().unwrap();
    let before = screw(root.path());
    touch(
        root.path(),
        &[
            "screw/readme.txt",
            "screw/train/good/.000.png",
            "screw/test/.cache/000.png",
            "screw/test/good/Thumbs.db",
            "screw/test/notes.txt",
            "screw/train/empty/readme.txt",
        ],
    );
    touch(root.path(), &["screw/ground_truth/scratch/000_mask.bmp", "screw/ground_truth/good/000_mask.png", "notes/readme.txt"]);
    let after = category(root.path(), "screw").unwrap();
    assert_eq!((after.train, after.test), (before.train, before.test), "a PNG mask goes before others; a good image has none");
    assert_eq!(open(root.path()).unwrap(), ["screw"]);
}

#[test]
fn the_categories_of_a_root_are_sorted() {
    let root = tempfile::tempdir().unwrap();
    touch(root.path(), &["b/train/good/0.png", "a/train/good/0.png", "c/test/good/0.png", ".d/train/good/0.png"]);
    assert_eq!(open(root.path()).unwrap(), ["a", "b"]);
}

#[test]
fn a_root_that_cannot_be_used_is_refused_with_the_way_out() {
    let root = tempfile::tempdir().unwrap();
    let fault = |path: &Path| {
        let error = open(path).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        error.to_string()
    };
    assert!(fault(root.path()).contains("no category under"));
    assert!(fault(&root.path().join("nowhere")).contains("does not exist"));
    touch(root.path(), &SCREW);
    assert!(fault(&root.path().join("screw/train/good/000.png")).contains("is not a folder"));
    let inside = fault(&root.path().join("screw"));
    assert!(inside.contains("is itself a category") && inside.contains("data.categories = \"screw\""), "{inside}");
    assert!(inside.contains(&format!("data.root = \"{}\"", root.path().canonicalize().unwrap().display())), "{inside}");
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_looked_into_is_an_error_and_no_category_less() {
    let root = tempfile::tempdir().unwrap();
    touch(root.path(), &["a/train/good/0.png", "b/test/good/0.png"]);
    // What leads to itself cannot be entered, by nobody: permissions would not stop root.
    std::os::unix::fs::symlink("train", root.path().join("b/train")).unwrap();
    let error = open(root.path()).unwrap_err();
    assert!(error.what.contains("cannot look into") && error.what.contains("b/train/good"), "{error}");
    std::fs::rename(root.path().join("b"), root.path().join("lost+found")).unwrap();
    assert_eq!(open(root.path()).unwrap(), ["a"]);
}

#[test]
fn a_category_that_cannot_be_used_is_refused_with_the_way_out() {
    let cases: [(&[&str], &str); 5] = [
        (&["x/test/good/0.png"], "no image in train/good"),
        (&["x/train/good/0.png", "x/test/good/0.png"], "only one image in train/good"),
        (&["x/train/good/0.png", "x/train/good/1.png", "x/train/dent/0.png", "x/test/good/0.png"], "train/dent holds 1 image,"),
        (&["x/train/good/0.png", "x/train/good/0.jpg", "x/test/good/0.png"], "2 images would be called train/good/0"),
        (&["y/train/good/0.png"], "does not exist"),
    ];
    for (files, expected) in cases {
        let root = tempfile::tempdir().unwrap();
        touch(root.path(), files);
        let error = category(root.path(), "x").unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.what.contains(expected) && !error.remedy.is_empty(), "{error}");
    }
}

#[test]
fn the_content_hash_follows_names_and_bytes_and_not_the_place() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let hash = |c: &Category| category_hash_in(c, None, SystemTime::now()).unwrap();
    let first = hash(&screw(here.path()));
    assert_eq!(first.len(), 64);
    assert_eq!(first, hash(&screw(there.path())));
    // What no run reads does not count.
    touch(here.path(), &["screw/readme.txt", "screw/ground_truth/scratch/099_mask.png"]);
    assert_eq!(first, hash(&category(here.path(), "screw").unwrap()));
    for (change, to) in [("screw/train/good/000.png", "other bytes"), ("screw/ground_truth/dent/000_mask.bmp", "other bytes")] {
        let root = tempfile::tempdir().unwrap();
        screw(root.path());
        fs::write(root.path().join(change), to).unwrap();
        assert_ne!(first, hash(&category(root.path(), "screw").unwrap()));
    }
    fs::rename(here.path().join("screw/test/scratch/002.png"), here.path().join("screw/test/scratch/003.png")).unwrap();
    assert_ne!(first, hash(&category(here.path(), "screw").unwrap()));
}

/// The cache's one file.
fn cache_file(cache: &Path) -> std::path::PathBuf {
    let files: Vec<_> = fs::read_dir(cache).unwrap().map(|e| e.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

#[test]
fn hashes_are_kept_by_size_and_time_and_a_broken_cache_is_rebuilt() {
    let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let found = screw(root.path());
    let later = SystemTime::now() + Duration::from_secs(60);
    let hash = |now| category_hash_in(&found, Some(&cache.path().join("harness")), now).unwrap();
    let first = hash(later);
    let file = cache_file(&cache.path().join("harness"));

    // A known hash is believed: this is how we see that the file is not read again.
    let text = fs::read_to_string(&file).unwrap();
    let known = blake3::hash(b"screw/train/good/000.png").to_hex().to_string();
    assert!(text.contains(&known) && text.len() < 4096);
    fs::write(&file, text.replace(&known, &blake3::hash(b"other").to_hex())).unwrap();
    assert_ne!(hash(later), first);

    // Another time of change: read again.
    let image = fs::File::options().write(true).open(&found.train[0].path).unwrap();
    image.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
    assert_eq!(hash(later), first);

    for broken in [
        "",
        "{",
        "{\"format\":99,\"files\":{}}",
        "{\"format\":1,\"files\":{\"a\":{\"size_bytes\":1,\"mtime_ns\":2,\"blake3\":\"xyz\"}}}",
        &text[..text.len() / 2],
    ] {
        fs::write(&file, broken).unwrap();
        assert_eq!(hash(later), first, "{broken}");
        assert!(fs::read_to_string(&file).unwrap().contains(&known), "rebuilt");
    }
    // A folder that cannot be made: a file stands in its place.
    assert_eq!(category_hash_in(&found, Some(&file), later).unwrap(), first);
}

#[test]
fn a_file_changed_a_moment_ago_is_not_trusted_to_show_its_next_change() {
    let (root, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let found = screw(root.path());
    let hash = || category_hash_in(&found, Some(cache.path()), SystemTime::now()).unwrap();
    let first = hash();
    // Same size, and a time put back to the same nanosecond.
    let path = &found.train[0].path;
    let time = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, "screw/train/good/00X.png").unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    assert_ne!(hash(), first);
}

#[test]
fn real_folders_are_read() {
    let Some(root) = shared("data/mvtec") else { return skip("no shared/data/mvtec") };
    assert_eq!(open(&root).unwrap(), ["toothbrush", "transistor"]);
    let found = category(&root, "transistor").unwrap();
    assert_eq!((found.train.len(), found.test.len()), (213, 100));
    assert!(found.test.iter().all(|i| i.is_good() == i.mask.is_none()));
}
