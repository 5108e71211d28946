//! Lists of images, and those that `data import` makes of published layouts: each on a tiny tree of its own.

use std::fs;
use std::path::Path;

use harness::cli::data::check as data_check;
use harness::config::{Config, MaskRule};
use harness::data::import::{Entry, Kind, Names, write};
use harness::data::report::Grade;
use harness::data::{Category, Contents, Dataset, Source, check};
use harness::image::Rgb;
use harness::image::codec::write_png;

const SIDE: usize = 16;

/// An image that no other name has, in any format that its ending says.
fn put(root: &Path, name: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let hash = blake3::hash(name.as_bytes());
    let pixels: Vec<u8> = hash.as_bytes().iter().copied().cycle().take(3 * SIDE * SIDE).collect();
    let format = if name.to_lowercase().ends_with(".bmp") { image::ImageFormat::Bmp } else { image::ImageFormat::Png };
    image::save_buffer_with_format(path, &pixels, SIDE as u32, SIDE as u32, image::ExtendedColorType::Rgb8, format).unwrap();
}

/// A mask with these values in a row, or none.
fn mark(root: &Path, name: &str, values: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut grey = vec![0; SIDE * SIDE];
    grey[40..40 + values.len()].copy_from_slice(values);
    let format = if name.ends_with(".bmp") { image::ImageFormat::Bmp } else { image::ImageFormat::Png };
    image::save_buffer_with_format(path, &grey, SIDE as u32, SIDE as u32, image::ExtendedColorType::L8, format).unwrap();
}

fn text(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn all(root: &Path, names: &[&str]) {
    names.iter().for_each(|name| put(root, name));
}

/// A list of what `kind` finds, read back: the data set, of which nothing spoils a result.
fn imported(root: &Path, kind: Kind, names: &Names) -> Dataset {
    let list = root.join("list.csv");
    write(&list, &kind.entries(root, names).unwrap()).unwrap();
    let mut data = Config::default().data;
    data.list = list.display().to_string();
    let dataset = Dataset::at(root, &data).unwrap();
    let report = check::check(&dataset).unwrap();
    assert_eq!(report.count(Grade::Spoils), 0, "{kind:?}: {}", report.text());
    dataset
}

/// The keys of both splits.
fn keys(category: &Category) -> [Vec<&str>; 2] {
    [&category.train, &category.test].map(|items| items.iter().map(|item| item.key.as_str()).collect())
}

/// Anomalous pixels of the test images, in their order.
fn areas(category: &Category) -> Vec<usize> {
    let source = Source::of(category.test.clone(), &Config::default(), 0);
    (0..source.len()).map(|index| source.mask(index).unwrap().area()).collect()
}

#[test]
fn visa_has_its_own_split_and_masks_that_hold_numbers_of_kinds() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    all(root, &["candle/Data/Images/Normal/0.JPG", "candle/Data/Images/Normal/1.JPG", "candle/Data/Images/Normal/2.JPG"]);
    put(root, "candle/Data/Images/Anomaly/0.JPG");
    mark(root, "candle/Data/Masks/Anomaly/0.png", &[1, 2, 5]);
    let at = "candle/Data";
    text(
        root,
        "split_csv/1cls.csv",
        &format!(
            "object,split,label,image,mask\ncandle,train,normal,{at}/Images/Normal/0.JPG,\ncandle,train,normal,{at}/Images/Normal/1.JPG,\n\
             candle,test,normal,{at}/Images/Normal/2.JPG,\ncandle,test,anomaly,{at}/Images/Anomaly/0.JPG,{at}/Masks/Anomaly/0.png\n"
        ),
    );
    let found = imported(root, Kind::Visa, &Names::default()).category("candle").unwrap();
    assert_eq!(keys(&found), [vec!["train/good/0", "train/good/1"], vec!["test/anomaly/0", "test/good/2"]]);
    assert_eq!(areas(&found), [3, 0], "any number but 0 is a defect");
    assert_eq!(found.test[0].mask.as_ref().unwrap().rule, Some(MaskRule::Nonzero));
}

#[test]
fn btad_calls_good_ones_ok_and_has_masks_without_an_ending_of_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    all(
        root,
        &["01/train/ok/0.bmp", "01/train/ok/1.bmp", "01/test/ok/2.bmp", "01/test/ko/3.bmp", "02/train/ok/0.png", "02/train/ok/1.png"],
    );
    mark(root, "01/ground_truth/ko/3.png", &[255; 4]);
    let dataset = imported(root, Kind::Btad, &Names::default());
    assert_eq!(dataset.categories().unwrap(), ["01", "02"]);
    let found = dataset.category("01").unwrap();
    assert_eq!(keys(&found), [vec!["train/good/0", "train/good/1"], vec!["test/good/2", "test/ko/3"]]);
    assert_eq!(areas(&found), [0, 4]);
}

#[test]
fn mpdd_is_as_mvtec() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    all(root, &["tubes/train/good/0.png", "tubes/train/good/1.png", "tubes/test/good/2.png", "tubes/test/hole/3.png"]);
    mark(root, "tubes/ground_truth/hole/3_mask.png", &[255; 2]);
    let found = imported(root, Kind::Mpdd, &Names::default()).category("tubes").unwrap();
    assert_eq!((keys(&found)[1].clone(), areas(&found)), (vec!["test/good/2", "test/hole/3"], vec![0, 2]));
}

#[test]
fn mvtec_ad_2_has_a_public_test_set_and_validation_images() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    all(root, &["can/train/good/0.png", "can/train/good/1.png", "can/validation/good/2.png", "can/test_private/9.png"]);
    all(root, &["can/test_public/good/3.png", "can/test_public/bad/4_overexposed.png"]);
    mark(root, "can/test_public/ground_truth/bad/4_overexposed_mask.png", &[255; 3]);
    let dataset = imported(root, Kind::Mvtec2, &Names::default());
    let found = dataset.category("can").unwrap();
    assert_eq!(keys(&found), [vec!["train/good/0", "train/good/1"], vec!["test/bad/4_overexposed", "test/good/3"]]);
    assert_eq!(areas(&found), [3, 0]);
    assert!(check::check(&dataset).unwrap().text().contains("1 image of the split validation"));
}

#[test]
fn several_masks_of_loco_are_united() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    all(root, &["box/train/good/0.png", "box/train/good/1.png", "box/validation/good/2.png", "box/test/good/3.png"]);
    all(root, &["box/test/logical_anomalies/4.png"]);
    mark(root, "box/ground_truth/logical_anomalies/4/000.png", &[250, 250]);
    mark(root, "box/ground_truth/logical_anomalies/4/001.png", &[0, 3, 3]);
    let found = imported(root, Kind::Loco, &Names::default()).category("box").unwrap();
    assert_eq!((keys(&found)[1].clone(), areas(&found)), (vec!["test/good/3", "test/logical_anomalies/4"], vec![0, 3]));
}

#[test]
fn a_mask_of_kolektor_says_whether_there_is_a_defect_and_keys_name_the_folder() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for folder in ["kos01", "kos02", "kos03"] {
        for part in 0..2 {
            put(root, &format!("{folder}/Part{part}.jpg"));
            let values: &[u8] = if (folder, part) == ("kos01", 1) { &[255; 5] } else { &[] };
            mark(root, &format!("{folder}/Part{part}_label.bmp"), values);
        }
    }
    let found = imported(root, Kind::Kolektor, &Names::default()).category("kolektor").unwrap();
    let train = vec!["train/good/kos01-Part0", "train/good/kos02-Part0", "train/good/kos02-Part1"];
    assert_eq!(keys(&found), [train, vec!["test/defect/kos01-Part1", "test/good/kos03-Part0", "test/good/kos03-Part1"]]);
    assert_eq!(areas(&found), [5, 0, 0]);
}

#[test]
fn defective_images_that_kolektor_2_trains_on_are_left_out() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    for (name, values) in [("train/1", &[][..]), ("train/2", &[]), ("train/3", &[255]), ("test/4", &[]), ("test/5", &[255, 255])] {
        put(root, &format!("{name}.png"));
        mark(root, &format!("{name}_GT.png"), values);
    }
    let found = imported(root, Kind::Kolektor2, &Names::default()).category("kolektor2").unwrap();
    assert_eq!(keys(&found), [vec!["train/good/1", "train/good/2"], vec!["test/defect/5", "test/good/4"]]);
    assert_eq!(areas(&found), [2, 0]);
}

#[test]
fn images_of_dagm_are_defective_where_they_have_a_label() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    all(root, &["Class1/Train/1.PNG", "Class1/Train/2.PNG", "Class1/Train/3.PNG", "Class1/Test/4.PNG", "Class1/Test/5.PNG"]);
    mark(root, "Class1/Train/Label/3_label.PNG", &[255]);
    mark(root, "Class1/Test/Label/5_label.PNG", &[255; 6]);
    let found = imported(root, Kind::Dagm, &Names::default()).category("Class1").unwrap();
    assert_eq!(keys(&found), [vec!["train/good/1", "train/good/2"], vec!["test/defect/5", "test/good/4"]]);
    assert_eq!(areas(&found), [6, 0]);
}

#[test]
fn the_split_of_real_iad_is_in_json() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let at = "realiad_256/audiojack";
    for name in ["OK/S1/a_1.jpg", "OK/S2/a_2.jpg", "OK/S3/a_3.jpg", "NG/AK/S4/a_4.jpg"] {
        put(root, &format!("{at}/{name}"));
    }
    mark(root, &format!("{at}/NG/AK/S4/a_4.png"), &[255; 7]);
    let image = |class: &str, path: &str, mask: Option<&str>| serde_json::json!({ "category": "audiojack", "anomaly_class": class, "image_path": path, "mask_path": mask });
    let split = serde_json::json!({
        "meta": { "normal_class": "OK", "prefix": "audiojack/" },
        "train": [image("OK", "OK/S1/a_1.jpg", None), image("OK", "OK/S2/a_2.jpg", None)],
        "test": [image("OK", "OK/S3/a_3.jpg", None), image("AK", "NG/AK/S4/a_4.jpg", Some("NG/AK/S4/a_4.png"))],
    });
    text(root, "realiad_jsons/realiad_jsons/audiojack.json", &split.to_string());
    let found = imported(root, Kind::Realiad, &Names::default()).category("audiojack").unwrap();
    assert_eq!(keys(&found), [vec!["train/good/a_1", "train/good/a_2"], vec!["test/AK/a_4", "test/good/a_3"]]);
    assert_eq!(areas(&found), [7, 0]);
}

#[test]
fn folders_may_have_other_names_or_be_sorted_into_good_and_bad_alone() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    all(root, &["nut/learn/io/0.png", "nut/learn/io/1.png", "nut/look/io/2.png", "nut/look/nio/3.png"]);
    mark(root, "nut/truth/nio/3.png", &[255]);
    let [train, test, truth, good] = ["learn", "look", "truth", "io"].map(String::from);
    let found = imported(root, Kind::Folder, &Names { train, test, truth, good, ..Names::default() }).category("nut").unwrap();
    assert_eq!(keys(&found), [vec!["train/good/0", "train/good/1"], vec!["test/good/2", "test/nio/3"]]);
    let flat = tempfile::tempdir().unwrap();
    let root = flat.path().join("parts");
    (0..10).for_each(|i| put(&root, &format!("good/{i}.png")));
    put(&root, "bad/x.png");
    let found = imported(&root, Kind::Folder, &Names::default()).category("parts").unwrap();
    assert_eq!((found.train.len(), keys(&found)[1].clone()), (8, vec!["test/bad/x", "test/good/4", "test/good/9"]));
    assert!(!Source::of(found.test, &Config::default(), 0).is_masked());
}

#[test]
fn a_folder_of_another_layout_is_refused_with_the_layout_that_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    put(dir.path(), "train/good/0.png");
    for kind in [Kind::Btad, Kind::Kolektor, Kind::Kolektor2, Kind::Dagm, Kind::Realiad] {
        let error = kind.entries(dir.path(), &Names::default()).unwrap_err();
        assert!(error.exit_code() == 3 && error.remedy.contains("another kind"), "{kind:?}: {error}");
    }
    assert!(Kind::Visa.entries(dir.path(), &Names::default()).unwrap_err().what.contains("1cls.csv"));
}

/// A list of two training images and a defective one.
fn listed(root: &Path, list: &str, rule: &str) -> Dataset {
    fs::create_dir_all(root.join(list).parent().unwrap()).unwrap();
    let rows = format!(
        "category,split,defect,image,mask,rule\nnut,train,,a/0.png,,\nnut,train,,a/1.png,,\nnut,test,dent,a/2.png,m/2.png,{rule}\n"
    );
    fs::write(root.join(list), rows).unwrap();
    let mut data = Config::default().data;
    data.list = root.join(list).display().to_string();
    Dataset::at(&root.join("images"), &data).unwrap()
}

#[test]
fn the_hash_of_a_list_is_of_what_it_says_of_the_files_and_not_of_where_they_lie() {
    let hash = |dataset: &Dataset| Contents::of(&dataset.category("nut").unwrap()).unwrap().hash;
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for dir in [&one, &other] {
        ["a/0.png", "a/1.png", "a/2.png"].iter().for_each(|name| put(&dir.path().join("images"), name));
        mark(&dir.path().join("images"), "m/2.png", &[255; 3]);
    }
    let first = hash(&listed(one.path(), "list.csv", ""));
    assert_eq!(first, hash(&listed(other.path(), "elsewhere/of another name.csv", "")));
    assert_ne!(first, hash(&listed(one.path(), "list.csv", "half")), "another rule is another ground truth");
    write_png(&one.path().join("images/a/2.png"), &Rgb::filled(SIDE, SIDE, [9; 3])).unwrap();
    assert_ne!(first, hash(&listed(one.path(), "list.csv", "")));
}

#[test]
fn data_check_reads_lists_and_names_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path().join("images");
    ["a/0.png", "a/1.png", "a/2.png"].iter().for_each(|name| put(&images, name));
    let dataset = listed(dir.path(), "list.csv", "");
    let report = check::check(&dataset).unwrap();
    assert!(report.count(Grade::Spoils) == 1 && report.text().contains("masks that cannot be read"), "{}", report.text());
    let list = Some(dir.path().join("list.csv"));
    let args = data_check::Args { root: images.clone(), list, set: vec![], mask_rule: None, json: true };
    assert_eq!(data_check::run(&args).unwrap_err().exit_code(), 3);
    mark(&images, "m/2.png", &[255; 3]);
    assert!(data_check::run(&args).is_ok());
}

#[test]
fn what_is_written_is_what_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let entry = |split, defect: &str, image: &str, masks: &[&str]| Entry {
        category: "a, b".into(),
        split,
        defect: defect.into(),
        image: image.into(),
        masks: masks.iter().map(Into::into).collect(),
        rule: (!masks.is_empty()).then_some(MaskRule::Half),
    };
    use harness::data::list::{List, Split};
    let entries = [entry(Split::Train, "good", "x/\"1\".png", &[]), entry(Split::Test, "dent", "x/2.png", &["m/1.png", "m/2.png"])];
    let path = dir.path().join("list.csv");
    write(&path, &entries).unwrap();
    let found = List::read(&path, Path::new("/data")).unwrap().category("a, b").unwrap();
    assert_eq!((found.train[0].path.as_path(), found.train[0].key.as_str()), (Path::new("/data/x/\"1\".png"), "train/good/\"1\""));
    let mask = found.test[0].mask.as_ref().unwrap();
    assert_eq!((mask.files.len(), mask.rule), (2, Some(MaskRule::Half)));
    assert!(write(&path, &[entry(Split::Test, "dent", "a;b.png", &[])]).unwrap_err().what.contains("`;`"));
}
