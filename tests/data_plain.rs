//! Folders that hold normal parts alone, and what turns in them: plain folders, fit only, orientation in the content hash.

use std::fs;
use std::path::Path;

use harness::config::{Config, Data};
use harness::data::report::Grade;
use harness::data::{Contents, Dataset, check, open};
use harness::image::Rgb;
use harness::image::codec::write_png;

fn data(keys: &[&str]) -> Data {
    Config::default().with(&keys.iter().map(|key| key.to_string()).collect::<Vec<_>>()).unwrap().data
}

fn dataset(root: &Path, keys: &[&str]) -> Dataset {
    Dataset::at(root, &data(keys)).unwrap()
}

fn put(root: &Path, name: &str, number: usize) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_png(&path, &Rgb::from_vec(20, 10, (0..600).map(|i| (i * 31 + number * 57 + i / 7) as u8).collect())).unwrap();
}

/// A JPEG with this orientation tag.
fn photograph(root: &Path, name: &str, tag: u8) {
    use image::ImageEncoder;
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new(fs::File::create(path).unwrap());
    let exif = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[tag, 0, 0, 0, 0, 0, 0, 0]].concat();
    encoder.set_exif_metadata(exif).unwrap();
    let pixels: Vec<u8> = (0..600).map(|i| (i * 7 + usize::from(tag) * 13) as u8).collect();
    encoder.write_image(&pixels, 20, 10, image::ExtendedColorType::Rgb8).unwrap();
}

#[test]
fn a_plain_folder_is_one_category_of_its_name_in_it_or_in_one_good_inside() {
    for inside in ["", "good/"] {
        let root = tempfile::tempdir().unwrap();
        let parts = root.path().join("parts");
        (0..3).for_each(|i| put(&parts, &format!("{inside}IMG_{i}.png"), i));
        fs::write(parts.join(".DS_Store"), "").unwrap();
        assert_eq!(open(&parts).unwrap(), ["parts"]);
        let found = dataset(&parts, &[]).category("parts").unwrap();
        let keys: Vec<&str> = found.train.iter().map(|item| item.key.as_str()).collect();
        assert_eq!(keys, ["train/good/IMG_0", "train/good/IMG_1", "train/good/IMG_2"]);
        assert!(found.test.is_empty());
        let report = check::check(&dataset(&parts, &[])).unwrap();
        assert_eq!((report.count(Grade::Spoils), report.count(Grade::Warns)), (0, 1));
        assert!(report.text().contains("fitted only"), "{}", report.text());
    }
}

#[test]
fn a_folder_with_a_trailing_dot_has_the_name_of_the_folder_it_stands_for() {
    let root = tempfile::tempdir().unwrap();
    (0..2).for_each(|i| put(root.path(), &format!("bolts/{i}.png"), i));
    assert_eq!(open(&root.path().join("bolts/../bolts/.")).unwrap(), ["bolts"]);
    (0..2).for_each(|i| put(root.path(), &format!("nuts/train/good/{i}.png"), i));
    assert_eq!(open(&root.path().join("nuts/train/good")).unwrap(), ["nuts"]);
}

#[test]
fn images_in_both_places_are_refused_and_folders_beside_good_are_named() {
    let root = tempfile::tempdir().unwrap();
    (0..2).for_each(|i| put(root.path(), &format!("good/{i}.png"), i));
    put(root.path(), "bad/9.png", 9);
    let report = check::check(&dataset(root.path(), &[])).unwrap();
    assert!(report.all().any(|(_, f)| f.what.contains("beside") && f.files == ["bad"]), "{}", report.text());
    put(root.path(), "loose.png", 5);
    let error = open(root.path()).unwrap_err();
    assert!(error.what.contains("holds 1 image, and 2 in good/") && error.remedy.contains("data.root"), "{error}");
}

#[test]
fn a_folder_without_images_says_what_it_may_hold() {
    let root = tempfile::tempdir().unwrap();
    let error = open(root.path()).unwrap_err();
    assert!(error.what.contains("no images in it") && error.remedy.contains("a folder of images of normal parts"), "{error}");
}

#[test]
fn webp_is_read_and_other_pictures_are_counted_aloud() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "0.png", 0);
    let pixels: Vec<u8> = (0..600).map(|i| (i * 3) as u8).collect();
    image::save_buffer(root.path().join("1.webp"), &pixels, 20, 10, image::ExtendedColorType::Rgb8).unwrap();
    ["2.heic", "3.gif"].iter().for_each(|name| fs::write(root.path().join(name), "GIF89a and more").unwrap());
    let dataset = dataset(root.path(), &[]);
    let name = &dataset.categories().unwrap()[0];
    assert_eq!(dataset.category(name).unwrap().train.len(), 2);
    let report = check::check(&dataset).unwrap();
    assert_eq!(report.count(Grade::Spoils), 0, "{}", report.text());
    assert!(report.text().contains("pictures of a format that is not read") && report.text().contains("(2)"), "{}", report.text());
}

#[test]
fn the_content_hash_says_that_files_are_turned_and_is_as_before_where_none_is() {
    let root = tempfile::tempdir().unwrap();
    let hash = |keys: &[&str]| {
        let found = dataset(root.path(), keys).category("nut").unwrap();
        let contents = Contents::of(&found).unwrap();
        (contents.hash, contents.turned)
    };
    photograph(root.path(), "nut/train/good/0.jpg", 1);
    put(root.path(), "nut/train/good/1.png", 1);
    put(root.path(), "nut/test/good/0.png", 2);
    let (upright, none) = hash(&[]);
    assert_eq!((hash(&["data.orientation=ignore"]), none), ((upright.clone(), 0), 0));
    photograph(root.path(), "nut/train/good/0.jpg", 6);
    let (ignored, applied) = (hash(&["data.orientation=ignore"]), hash(&[]));
    assert_eq!((ignored.1, applied.1), (0, 1));
    assert_ne!(ignored.0, applied.0, "the same bytes, read otherwise");
    // What older versions wrote is what `ignore` gives: blake3 over the sorted lines of names and hashes.
    let plain = |name: &str| blake3::hash(&fs::read(root.path().join("nut").join(name)).unwrap()).to_hex().to_string();
    let names = ["test/good/0.png", "train/good/0.jpg", "train/good/1.png"];
    let lines: String = names.iter().map(|name| format!("{name}\0{}\n", plain(name))).collect();
    assert_eq!(ignored.0, blake3::hash(lines.as_bytes()).to_hex().to_string());
}

#[test]
fn masks_that_are_ignored_are_neither_used_nor_hashed() {
    let root = tempfile::tempdir().unwrap();
    for (i, name) in ["train/good/0", "train/good/1", "test/good/2", "test/dent/3"].iter().enumerate() {
        put(root.path(), &format!("nut/{name}.png"), i);
    }
    let hash = |keys: &[&str]| {
        let found = dataset(root.path(), keys).category("nut").unwrap();
        (Contents::of(&found).unwrap().hash, found.test.iter().any(|item| item.mask.is_some()))
    };
    let without = hash(&[]);
    put(root.path(), "nut/ground_truth/dent/3_mask.png", 7);
    let with = hash(&[]);
    assert!(with.1 && with.0 != without.0);
    assert_eq!(hash(&["data.masks=ignore"]), (without.0, false));
}
