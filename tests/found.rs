//! A backbone that is found by its content, wherever it lies.

use std::fs;
use std::path::Path;

use harness::config::Config;
use harness::run::{Folder, Id, Summary};
use harness::store::config_with_weights;
use harness::testing::summary;
use harness::weights::{self, File, Meta, Precision, Tensor, Tensors};

/// A weight file of one number.
fn weight(path: &Path, value: f32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let tensors = Tensors::from([("conv1.weight".to_owned(), Tensor { shape: vec![1], data: vec![value] })]);
    let meta = Meta::published(harness::config::BackboneName::Resnet50, "a test");
    weights::write(path, &meta, &tensors, Precision::F32).unwrap();
}

/// A finished run below `desk/results` that was trained with the file of 1.0, by this path.
fn run(desk: &Path, typed: &str) -> (Folder, Summary) {
    let folder = Folder::of(&desk.join("results/runs"), &Id::new("x", "0123456789", 0).unwrap());
    fs::create_dir_all(folder.path()).unwrap();
    let mut cfg = Config::default();
    cfg.model.backbone.weights = typed.into();
    fs::write(folder.config_toml(), cfg.to_toml()).unwrap();
    let original = desk.join("original.safetensors");
    weight(&original, 1.0);
    let mut summary = summary(&Id::new("x", "0123456789", 0).unwrap(), "gear");
    summary.backbone.weights_hash = Some(File::open(&original).unwrap().content_hash().to_owned());
    fs::remove_file(original).unwrap();
    (folder, summary)
}

#[test]
fn of_several_files_the_one_is_taken_that_the_run_was_trained_with() {
    let desk = tempfile::tempdir().unwrap();
    let (folder, summary) = run(desk.path(), "weights/resnet50.safetensors");
    let found = |given: Option<&Path>| config_with_weights(&folder, &summary, given).map(|cfg| cfg.model.backbone.weights);
    let beside = desk.path().join("weights");
    weight(&beside.join("resnet50.safetensors"), 2.0);
    weight(&beside.join("under another name.safetensors"), 1.0);
    assert_eq!(Path::new(&found(None).unwrap()), beside.join("under another name.safetensors"));
    let given = desk.path().join("stick");
    weight(&given.join("b.safetensors"), 1.0);
    assert_eq!(Path::new(&found(Some(&given)).unwrap()), given.join("b.safetensors"));
    assert_eq!(Path::new(&found(Some(&given.join("b.safetensors"))).unwrap()), given.join("b.safetensors"));
    weight(&given.join("b.safetensors"), 3.0);
    let error = found(Some(&given)).unwrap_err();
    assert!(error.exit_code() == 3 && error.what.contains("--weights"), "{error}");
    fs::remove_dir_all(&beside).unwrap();
    weight(&folder.path().join("backbone.safetensors"), 1.0);
    assert_eq!(Path::new(&found(None).unwrap()), folder.path().join("backbone.safetensors"), "beside the run");
}
