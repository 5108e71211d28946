//! `data check`: on a sound folder, on folders with one fault each, and on real data.

use std::fs;
use std::path::Path;

use harness::cli::data::check as data_check;
use harness::config::Config;
use harness::data::Dataset;
use harness::data::report::{Finding, Grade, Report};
use harness::image::codec::{write_mask_png, write_png};
use harness::image::{Mask, Rgb};
use harness::testing::{shared, skip};

/// A data set as these keys read it.
fn checked(root: &Path, keys: &[&str]) -> Report {
    let keys: Vec<String> = keys.iter().map(|key| key.to_string()).collect();
    harness::data::check::check(&Dataset::at(root, &Config::default().with(&keys).unwrap().data).unwrap()).unwrap()
}

fn args(root: &Path) -> data_check::Args {
    data_check::Args { root: root.into(), list: None, set: vec![], mask_rule: None, json: false }
}

/// An image that no other `number` gives.
fn image(number: usize, width: usize, height: usize) -> Rgb {
    Rgb::from_vec(width, height, (0..3 * width * height).map(|i| (i * 31 + number * 57 + i / 7) as u8).collect())
}

/// A square in the middle and, touching only its corner, one pixel: 1 region under 8-connectivity, 2 under 4.
fn mask(width: usize, height: usize) -> Mask {
    let mut mask = Mask::filled(width, height, 0);
    for (x, y) in [(4, 4), (5, 4), (4, 5), (5, 5), (6, 6)] {
        mask.set(x, y, 1);
    }
    mask
}

fn put(root: &Path, name: &str, image: &Rgb) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_png(&path, image).unwrap();
}

fn put_mask(root: &Path, name: &str, mask: &Mask) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_mask_png(&path, mask).unwrap();
}

/// Category `nut`: three training images of two sizes, one good test image, two scratches.
fn nut() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (number, (name, width, height)) in [
        ("nut/train/good/000.png", 16, 16),
        ("nut/train/good/001.png", 16, 16),
        ("nut/train/good/002.png", 24, 12),
        ("nut/test/good/000.png", 16, 16),
        ("nut/test/scratch/000.png", 16, 16),
        ("nut/test/scratch/001.png", 24, 12),
    ]
    .into_iter()
    .enumerate()
    {
        put(root.path(), name, &image(number, width, height));
    }
    put_mask(root.path(), "nut/ground_truth/scratch/000_mask.png", &mask(16, 16));
    put_mask(root.path(), "nut/ground_truth/scratch/001_mask.png", &mask(24, 12));
    root
}

fn copy(root: &Path, from: &str, to: &str) {
    fs::copy(root.join(from), root.join(to)).unwrap();
}

fn findings(root: &Path) -> Vec<Finding> {
    checked(root, &[]).all().map(|(_, finding)| finding.clone()).collect()
}

/// The one finding that `change` causes.
fn only(change: impl FnOnce(&Path)) -> Finding {
    let root = nut();
    change(root.path());
    let mut found = findings(root.path());
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn a_sound_folder_is_counted_and_nothing_is_found() {
    let root = nut();
    let report = checked(root.path(), &[]);
    assert_eq!(report.count(Grade::Spoils) + report.count(Grade::Warns), 0);
    let nut = &report.categories[0];
    let counts: Vec<_> =
        nut.counts.iter().map(|c| (c.split.as_str(), c.folder.as_str(), c.images, c.masks, c.regions_8, c.regions_4)).collect();
    assert_eq!(counts, [("train", "good", 3, 0, 0, 0), ("test", "good", 1, 0, 0, 0), ("test", "scratch", 2, 2, 2, 4)]);
    let sizes = nut.sizes.as_ref().unwrap();
    assert_eq!((sizes.smallest, sizes.largest, sizes.distinct), ([16, 16], [24, 12], 2));
    let text = report.text();
    assert!(text.contains("nut, 16x16 to 24x12 px in 2 sizes"), "{text}");
    assert!(text.ends_with("1 category, 6 images: nothing would spoil a result, 0 warnings\n"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!((json["format"].as_u64(), json["categories"][0]["counts"][2]["regions_4"].as_u64()), (Some(1), Some(4)));
    assert!(data_check::run(&args(root.path())).is_ok());
}

#[test]
fn what_would_spoil_a_result_is_found() {
    type Change = Box<dyn FnOnce(&Path)>;
    let cases: Vec<(&str, &str, Change)> = vec![
        (
            "images that cannot be read",
            "nut/test/good/000.png",
            Box::new(|root| {
                let path = root.join("nut/test/good/000.png");
                let bytes = fs::read(&path).unwrap();
                fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
            }),
        ),
        (
            "images that cannot be read",
            "nut/train/good/001.png",
            Box::new(|root| fs::write(root.join("nut/train/good/001.png"), "no image").unwrap()),
        ),
        (
            "defective images without a mask",
            "nut/test/scratch/001.png",
            Box::new(|root| fs::remove_file(root.join("nut/ground_truth/scratch/001_mask.png")).unwrap()),
        ),
        (
            "masks that cannot be read",
            "nut/ground_truth/scratch/000_mask.png",
            Box::new(|root| fs::write(root.join("nut/ground_truth/scratch/000_mask.png"), "").unwrap()),
        ),
        (
            "masks of another size than their image",
            "nut/ground_truth/scratch/001_mask.png",
            Box::new(|root| put_mask(root, "nut/ground_truth/scratch/001_mask.png", &mask(16, 16))),
        ),
        (
            "empty masks of defective images",
            "nut/ground_truth/scratch/000_mask.png",
            Box::new(|root| put_mask(root, "nut/ground_truth/scratch/000_mask.png", &Mask::filled(16, 16, 0))),
        ),
        (
            "images that occur in both train and test",
            "train/good/002 = test/good/007",
            Box::new(|root| copy(root, "nut/train/good/002.png", "nut/test/good/007.png")),
        ),
        (
            "images that are good and defective in test",
            "test/good/007 = test/scratch/000",
            Box::new(|root| copy(root, "nut/test/scratch/000.png", "nut/test/good/007.png")),
        ),
        (
            "only one image in train/good",
            "",
            Box::new(|root| {
                fs::remove_file(root.join("nut/train/good/000.png")).unwrap();
                fs::remove_file(root.join("nut/train/good/001.png")).unwrap();
            }),
        ),
        (
            "no image in train/good",
            "",
            Box::new(|root| {
                fs::remove_dir_all(root.join("nut/train/good")).unwrap();
                fs::create_dir(root.join("nut/train/good")).unwrap();
            }),
        ),
        ("train/scratch holds 1 image, ", "", Box::new(|root| put(root, "nut/train/scratch/000.png", &image(99, 16, 16)))),
        (
            "2 images would be called test/good/000",
            "",
            Box::new(|root| {
                let copy = image(98, 16, 16);
                put(root, "nut/test/good/000.bmp", &copy);
            }),
        ),
    ];
    for (what, file, change) in cases {
        let root = nut();
        change(root.path());
        let found = findings(root.path());
        let [finding] = found.as_slice() else { panic!("{what}: {found:?}") };
        assert_eq!(finding.grade, Grade::Spoils, "{finding:?}");
        assert!(finding.what.starts_with(what), "{finding:?}");
        assert!(finding.files.iter().any(|f| f.contains(file)) || file.is_empty(), "{finding:?}");
        assert!(!finding.files.iter().any(|f| f.contains(root.path().to_str().unwrap())), "files are named below the root: {finding:?}");
    }
}

#[test]
fn a_spoilt_folder_exits_with_3_after_the_report() {
    let root = nut();
    fs::remove_file(root.path().join("nut/ground_truth/scratch/001_mask.png")).unwrap();
    let error = data_check::run(&args(root.path())).unwrap_err();
    assert_eq!(error.exit_code(), 3);
    assert!(error.what.contains("1 finding would spoil"), "{error}");
}

#[test]
fn the_same_pixels_in_another_format_are_the_same_image() {
    let finding = only(|root| {
        let copy = image(0, 16, 16);
        image::save_buffer(root.join("nut/test/good/009.bmp"), &copy.data, 16, 16, image::ExtendedColorType::Rgb8).unwrap();
    });
    assert_eq!((finding.grade, finding.files), (Grade::Spoils, vec!["train/good/000 = test/good/009".to_owned()]));
}

#[test]
fn what_makes_a_figure_doubtful_is_a_warning() {
    type Change = Box<dyn FnOnce(&Path)>;
    let cases: Vec<(&str, Change)> = vec![
        ("images that occur more than once in train", Box::new(|root| put(root, "nut/train/good/009.png", &image(0, 16, 16)))),
        ("images that occur more than once in test", Box::new(|root| put(root, "nut/test/good/009.png", &image(3, 16, 16)))),
        ("no good image in test", Box::new(|root| fs::remove_dir_all(root.join("nut/test/good")).unwrap())),
        (
            "no defective image in test",
            Box::new(|root| {
                fs::remove_dir_all(root.join("nut/test/scratch")).unwrap();
                fs::remove_dir_all(root.join("nut/ground_truth")).unwrap();
            }),
        ),
        (
            "masks with values other than",
            Box::new(|root| {
                let grey: Vec<u8> = mask(16, 16).data.iter().map(|&v| if v == 0 { 0 } else { 200 }).collect();
                let path = root.join("nut/ground_truth/scratch/000_mask.png");
                image::save_buffer(path, &grey, 16, 16, image::ExtendedColorType::L8).unwrap();
            }),
        ),
        (
            "masks that mark more than half",
            Box::new(|root| {
                let inverted = mask(16, 16).data.iter().map(|&v| 1 - v).collect();
                put_mask(root, "nut/ground_truth/scratch/000_mask.png", &Mask::from_vec(16, 16, inverted));
            }),
        ),
        (
            "no image in test",
            Box::new(|root| {
                fs::remove_dir_all(root.join("nut/test")).unwrap();
                fs::remove_dir_all(root.join("nut/ground_truth")).unwrap();
            }),
        ),
        ("images more than twice as long as wide", Box::new(|root| put(root, "nut/train/good/009.png", &image(51, 40, 19)))),
        (
            "masks with defects smaller than a pixel",
            Box::new(|root| {
                put(root, "nut/test/scratch/009.png", &image(52, 320, 320));
                let mut speck = Mask::filled(320, 320, 0);
                speck.set(7, 7, 1);
                put_mask(root, "nut/ground_truth/scratch/009_mask.png", &speck);
            }),
        ),
        ("folders of defects without an image", Box::new(|root| fs::create_dir(root.join("nut/test/dent")).unwrap())),
        ("folders one level too deep", Box::new(|root| put(root, "nut/test/scratch/deep/000.png", &image(50, 16, 16)))),
        ("images outside of good", Box::new(|root| put(root, "nut/test/000.png", &image(50, 16, 16)))),
        ("masks that belong to no image", Box::new(|root| put_mask(root, "nut/ground_truth/scratch/099_mask.png", &mask(16, 16)))),
        ("folders that look like a category", Box::new(|root| put(root, "bolt/test/good/000.png", &image(50, 16, 16)))),
    ];
    for (what, change) in cases {
        let finding = only(change);
        assert_eq!(finding.grade, Grade::Warns, "{finding:?}");
        assert!(finding.what.starts_with(what), "{what}: {finding:?}");
    }
}

#[test]
fn masks_of_zero_and_one_are_sound_and_alpha_is_noted() {
    let root = nut();
    let path = root.path().join("nut/ground_truth/scratch/000_mask.png");
    image::save_buffer(path, &mask(16, 16).data, 16, 16, image::ExtendedColorType::L8).unwrap();
    assert_eq!(findings(root.path()), []);
    let finding = only(|root| {
        let rgba: Vec<u8> = (0..16 * 16 * 4).map(|i| (i * 13 % 251) as u8).collect();
        image::save_buffer(root.join("nut/train/good/004.png"), &rgba, 16, 16, image::ExtendedColorType::Rgba8).unwrap();
    });
    assert_eq!((finding.grade, finding.files), (Grade::Fact, vec!["nut/train/good/004.png".to_owned()]));
}

#[test]
fn many_files_are_named_in_full_only_in_json() {
    let root = nut();
    for i in 0..9 {
        put(root.path(), &format!("nut/test/dent/{i:03}.png"), &image(60 + i, 16, 16));
    }
    let report = checked(root.path(), &[]);
    let (text, json) = (report.text(), report.json());
    assert!(
        text.contains("SPOILS defective images without a mask: add masks, or set data.masks = \"ignore\" (9)")
            && text.contains("and 4 more")
            && !text.contains("dent/008"),
        "{text}"
    );
    assert!(json.contains("nut/test/dent/008.png"));
}

#[test]
fn real_folders_pass() {
    let Some(root) = shared("data/mvtec") else { return skip("no shared/data/mvtec") };
    let report = checked(&root, &[]);
    assert_eq!(report.count(Grade::Spoils), 0, "{}", report.text());
    let transistor = &report.categories[1];
    assert_eq!(transistor.counts.iter().map(|c| c.images).sum::<usize>(), 313);
    assert_eq!(transistor.counts.iter().map(|c| c.masks).sum::<usize>(), 40);
}

#[test]
fn images_of_fewer_bits_than_their_file_are_named() {
    let save = |root: &Path, name: &str, brightest: u16| {
        let pixels = image::ImageBuffer::from_fn(16, 16, |x, y| image::Luma([brightest - (x * 7 + y * 3) as u16]));
        pixels.save(root.join(name)).unwrap();
    };
    let found = only(|root| save(root, "nut/train/good/000.png", 4095));
    assert!(found.grade == Grade::Warns && found.what.contains("16 bits") && found.files == ["nut/train/good/000.png"], "{found:?}");
    // One image that uses the range shows that the others are dark by themselves.
    let root = nut();
    save(root.path(), "nut/train/good/000.png", 4095);
    save(root.path(), "nut/train/good/001.png", 65535);
    assert!(findings(root.path()).is_empty());
}

/// Saves an image as a JPEG with an orientation tag: 6, a turn by 90 degrees.
fn put_turned(root: &Path, name: &str, image: &Rgb) {
    use image::ImageEncoder;
    let mut encoder = image::codecs::jpeg::JpegEncoder::new(fs::File::create(root.join(name)).unwrap());
    // Little endian, one entry: orientation (0x112), a short.
    let exif = [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".as_slice()].concat();
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(&image.data, image.width as u32, image.height as u32, image::ExtendedColorType::Rgb8).unwrap();
}

#[test]
fn images_that_a_tag_turns_are_a_fact_and_a_warning_where_the_tag_is_ignored() {
    let root = nut();
    fs::remove_file(root.path().join("nut/train/good/000.png")).unwrap();
    put_turned(root.path(), "nut/train/good/000.jpg", &image(0, 16, 16));
    for (key, grade) in [("data.orientation=apply", Grade::Fact), ("data.orientation=ignore", Grade::Warns)] {
        let report = checked(root.path(), &[key]);
        let found: Vec<_> = report.all().map(|(_, finding)| finding).collect();
        assert!(found.len() == 1 && found[0].grade == grade && found[0].what.contains("orientation"), "{key}: {found:?}");
        assert_eq!(found[0].files, ["nut/train/good/000.jpg"]);
    }
}

#[test]
fn a_turned_image_fits_a_mask_that_was_drawn_upright_only_where_the_tag_is_applied() {
    let root = nut();
    fs::remove_file(root.path().join("nut/test/scratch/001.png")).unwrap();
    // It lies in the file, 12x24 px, and stands upright with 24x12, as its mask does.
    put_turned(root.path(), "nut/test/scratch/001.jpg", &image(5, 12, 24));
    assert_eq!(checked(root.path(), &[]).count(Grade::Spoils), 0);
    let report = checked(root.path(), &["data.orientation=ignore"]);
    let spoilt: Vec<_> = report.all().filter(|(_, f)| f.grade == Grade::Spoils).map(|(_, f)| &f.what).collect();
    assert!(spoilt.len() == 1 && spoilt[0].contains("another size") && spoilt[0].contains("orientation"), "{spoilt:?}");
}

#[test]
fn masks_are_all_there_or_none_is_as_the_key_asks() {
    let root = nut();
    let grades = |keys: &[&str]| {
        let report = checked(root.path(), keys);
        (report.count(Grade::Spoils), report.count(Grade::Warns))
    };
    fs::remove_file(root.path().join("nut/ground_truth/scratch/001_mask.png")).unwrap();
    assert_eq!([grades(&[]), grades(&["data.masks=required"]), grades(&["data.masks=ignore"])], [(1, 0), (1, 0), (0, 0)]);
    fs::remove_file(root.path().join("nut/ground_truth/scratch/000_mask.png")).unwrap();
    assert_eq!([grades(&[]), grades(&["data.masks=required"]), grades(&["data.masks=ignore"])], [(0, 1), (1, 0), (0, 0)]);
}

#[test]
fn a_region_of_interest_has_to_fit_and_to_hold_the_defects() {
    let root = nut();
    let found = |keys: &[&str]| -> Vec<(Grade, String)> {
        checked(root.path(), keys).all().map(|(_, finding)| (finding.grade, finding.what.clone())).collect()
    };
    assert_eq!(found(&["data.roi=[0, 0, 16, 12]"]), []);
    let [(grade, what)] = &found(&["data.roi=[8, 0, 8, 12]"])[..] else { panic!("one finding") };
    assert!(*grade == Grade::Warns && what.contains("outside of the region of interest"), "{what}");
    let [(grade, what)] = &found(&["data.roi=[0, 0, 20, 12]"])[..] else { panic!("one finding") };
    assert!(*grade == Grade::Spoils && what.contains("does not fit"), "{what}");
}

#[test]
fn names_after_which_no_map_could_be_written_are_found_before_training() {
    let root = nut();
    let long = "x".repeat(201);
    put(root.path(), &format!("nut/test/good/{long}.png"), &image(9, 16, 16));
    let report = checked(root.path(), &[]);
    let found = report.categories[0].findings.iter().find(|finding| finding.what.contains("names of more than 200 bytes")).unwrap();
    assert!(found.grade == Grade::Spoils && found.files.len() == 1 && found.files[0].contains(&long), "{found:?}");
    // The longest that may be.
    fs::rename(root.path().join(format!("nut/test/good/{long}.png")), root.path().join(format!("nut/test/good/{}.png", &long[1..])))
        .unwrap();
    assert!(checked(root.path(), &[]).categories[0].findings.iter().all(|finding| !finding.what.contains("names of more")));
}
