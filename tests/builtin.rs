//! The built-in set as its readers see it.

use harness::config::MaskRule;
use harness::data::builtin::{self, Split, categories, render};
use harness::image::Rgb;
use harness::image::codec::decode;
use harness::image::truth::decode_mask;
use std::path::Path;

/// The image of a kind in the faintest eighth of the range, where a mask could come out empty.
fn faintest(kind: usize) -> usize {
    (0..8).find(|index| (index * 5 + kind * 3).is_multiple_of(8)).unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn there_are_two_textures_and_two_objects_with_five_kinds_of_defect_each() {
    let names: Vec<&str> = categories().iter().map(|c| c.name).collect();
    assert_eq!(names, ["chip", "fabric", "gear", "terrazzo"]);
    for category in categories() {
        assert_eq!(category.defects.len(), 5);
        assert!(category.defects.is_sorted() && !category.defects.contains(&"good"));
    }
}

#[test]
fn even_the_faintest_defect_of_each_kind_has_a_mask_of_thirty_pixels() {
    for category in categories() {
        for (kind, defect) in category.defects.iter().enumerate() {
            let (rgb, mask) = render(category.name, Split::Test, defect, faintest(kind)).unwrap();
            let mask = mask.unwrap();
            assert_eq!((rgb.width, rgb.height, mask.width, mask.height), (256, 256, 256, 256));
            assert!(mask.data.iter().all(|&p| p <= 1));
            let area = mask.area();
            assert!((builtin::LEAST_AREA..65536 / 4).contains(&area), "{}/{defect}: {area} px", category.name);
        }
    }
}

#[test]
fn an_image_depends_on_its_place_alone() {
    let first = render("terrazzo", Split::Train, "good", 3).unwrap();
    assert_eq!(first, render("terrazzo", Split::Train, "good", 3).unwrap());
    assert_ne!(first.0, render("terrazzo", Split::Train, "good", 4).unwrap().0);
    assert_ne!(first.0, render("terrazzo", Split::Test, "good", 3).unwrap().0);
    assert!(first.1.is_none());
}

#[test]
fn what_does_not_exist_is_not_drawn() {
    assert!(render("carpet", Split::Test, "good", 0).is_none());
    assert!(render("gear", Split::Test, "hole", 0).is_none());
    assert!(render("gear", Split::Train, "rust", 0).is_none());
}

#[test]
fn the_pixels_are_those_of_this_version() {
    // A change here changes every result on the set: it needs a new builtin::VERSION.
    let hash = |rgb: &Rgb| blake3::hash(&rgb.data).to_hex()[..16].to_owned();
    let drawn: Vec<String> = categories()
        .iter()
        .flat_map(|category| {
            let good = render(category.name, Split::Train, "good", 0).unwrap().0;
            let (bad, mask) = render(category.name, Split::Test, category.defects[1], 7).unwrap();
            [hash(&good), hash(&bad), mask.unwrap().area().to_string()]
        })
        .collect();
    assert_eq!(drawn, PINNED);
}

/// Of each category: a normal image, a defective one, and the area of its mask in px.
const PINNED: [&str; 12] = [
    "a0f68b2f580ce8c1",
    "6826c314da889aa9",
    "1318",
    "b661ba43a6f72fe7",
    "2f1a30b426729ba2",
    "438",
    "a366705d24eed521",
    "9672086add8c148e",
    "834",
    "b99e356ab72dd204",
    "bddb8f6cac78e19f",
    "476",
];

#[test]
fn a_small_set_has_the_layout_of_mvtec_ad() {
    let folder = tempfile::tempdir().unwrap();
    builtin::write_small(folder.path(), &["gear", "fabric"], 2, 1, 1, 48).unwrap();
    assert_eq!(files(folder.path()), ["fabric", "gear"]);
    let gear = folder.path().join("gear");
    assert_eq!(files(&gear), ["ground_truth", "test", "train"]);
    assert_eq!(files(&gear.join("train/good")), ["000.png", "001.png"]);
    assert_eq!(files(&gear.join("test")), ["bent_tooth", "broken_tooth", "good", "misdrilled", "rust", "scratch"]);
    assert_eq!(files(&gear.join("ground_truth/rust")), ["000_mask.png"]);
    let (rgb, mask) = (
        decode(&gear.join("test/rust/000.png")).unwrap(),
        decode_mask(&gear.join("ground_truth/rust/000_mask.png"), MaskRule::Nonzero).unwrap(),
    );
    assert_eq!((rgb.width, mask.width, mask.height), (48, 48, 48));
    assert!(!mask.is_empty());
}

#[test]
fn a_small_set_of_an_unknown_category_or_size_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let error = builtin::write_small(folder.path(), &["carpet"], 1, 1, 1, 64).unwrap_err();
    assert!(error.remedy.contains("terrazzo"));
    assert!(builtin::write_small(folder.path(), &["gear"], 1, 1, 1, 4).is_err());
}
