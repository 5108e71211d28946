//! Contact sheets: of odd shapes, of broken files, and of real data.

use std::fs;
use std::path::Path;

use harness::cli::data::show::{Args, run};
use harness::image::codec::{decode, write_mask_png, write_png};
use harness::image::{Mask, Rgb};
use harness::testing::{shared, skip};

const ALARM: [u8; 3] = [225, 0, 60];

fn put(root: &Path, name: &str, width: usize, height: usize, colour: [u8; 3]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    write_png(&path, &Rgb::filled(width, height, colour)).unwrap();
}

fn count(sheet: &Rgb, colour: [u8; 3]) -> usize {
    sheet.data.chunks_exact(3).filter(|p| *p == colour).count()
}

#[test]
fn a_sheet_shows_every_folder_fits_every_shape_and_outlines_the_defects() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "nut/train/good/000.png", 300, 20, [10, 200, 10]);
    put(root.path(), "nut/train/good/001.png", 1, 900, [10, 200, 10]);
    put(root.path(), "nut/test/good/000.png", 8, 8, [10, 10, 200]);
    put(root.path(), "nut/test/dent/000.png", 640, 320, [200, 200, 10]);
    let mut mask = Mask::filled(640, 320, 0);
    // One pixel wide: nearest sampling would lose it.
    (50..300).for_each(|y| mask.set(333, y, 1));
    fs::create_dir_all(root.path().join("nut/ground_truth/dent")).unwrap();
    write_mask_png(&root.path().join("nut/ground_truth/dent/000_mask.png"), &mask).unwrap();

    let out = root.path().join("below/sheet.png");
    run(&Args { root: root.path().into(), list: None, category: vec![], out: out.clone() }).unwrap();
    let sheet = decode(&out).unwrap();
    assert!(count(&sheet, [10, 200, 10]) >= 160 * 10, "the wide image and the tall one");
    assert_eq!(count(&sheet, [10, 10, 200]), 160 * 160);
    assert!(count(&sheet, ALARM) > 100, "the outline of a thin scratch");
}

#[test]
fn broken_files_are_shown_as_such() {
    let root = tempfile::tempdir().unwrap();
    put(root.path(), "nut/train/good/000.png", 16, 16, [0; 3]);
    put(root.path(), "nut/test/dent/001.png", 16, 16, [0; 3]);
    fs::write(root.path().join("nut/train/good/001.png"), "no image").unwrap();
    let out = root.path().join("sheet.png");
    run(&Args { root: root.path().into(), list: None, category: vec!["nut".into()], out: out.clone() }).unwrap();
    let sheet = decode(&out).unwrap();
    assert!(count(&sheet, [225; 3]) > 160 * 150, "an empty tile");
    // Letters are soft: any pixel that is far more red than green is one of theirs.
    let reddish = sheet.data.chunks_exact(3).filter(|p| i32::from(p[0]) - i32::from(p[1]) > 60).count();
    assert!(reddish > 100, "\"no mask\" and \"unreadable\", {reddish} px");
    let error = run(&Args { root: root.path().into(), list: None, category: vec!["nutt".into()], out }).unwrap_err();
    assert!(error.remedy.contains("did you mean nut?"), "{error}");
}

#[test]
fn real_folders_are_shown() {
    let Some(root) = shared("data/mvtec") else { return skip("no shared/data/mvtec") };
    let out = tempfile::tempdir().unwrap();
    // To look at the sheet: HARNESS_KEEP_SHEET=sheet.png.
    let kept = std::env::var_os("HARNESS_KEEP_SHEET").map(Into::into);
    let out = kept.unwrap_or_else(|| out.path().join("sheet.png"));
    run(&Args { root, list: None, category: vec![], out: out.clone() }).unwrap();
    let sheet = decode(&out).unwrap();
    assert!(sheet.width > 1000 && sheet.height > 1500 && count(&sheet, ALARM) > 1000);
}
