//! What is not exported, and why.

use super::fixture::Fixture;

/// Exit code and message of an export.
fn said(fixture: &Fixture, words: &[&str]) -> (i32, String) {
    let output = fixture.try_export(words);
    (output.status.code().unwrap(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[track_caller]
fn refuses(fixture: &Fixture, words: &[&str], code: i32, parts: &[&str]) {
    let (found, error) = said(fixture, words);
    assert_eq!(found, code, "{error}");
    assert!(parts.iter().all(|part| error.contains(part)), "{error}");
    assert!(!fixture.path("model.onnx").exists());
}

#[test]
fn what_no_file_can_hold_is_refused_with_a_way_out() {
    let fixture = Fixture::bare("resnet18");
    fixture.run(&["detector=padim", "padim.channels=10", "model.backbone.weights=none"]);
    refuses(&fixture, &[], 2, &["was drawn from the run's seed", "model.backbone.weights"]);
    fixture.run(&["detector=padim", "padim.channels=10", "train.precision=bf16"]);
    refuses(&fixture, &[], 2, &["bf16", "train.precision=fp32"]);
}

#[test]
fn what_the_run_does_not_have_is_refused_with_a_way_out() {
    let fixture = Fixture::bare("resnet18");
    fixture.run(&["detector=padim", "padim.channels=10"]);
    refuses(&fixture, &["--map", "S"], 2, &["padim of this run gives no `S`", "it gives A"]);
    refuses(&fixture, &["--input", "640"], 2, &["`640` is not a size", "1024x768"]);
    refuses(&fixture, &["--data", "elsewhere"], 3, &["elsewhere", "--no-check with --input"]);
    std::fs::write(fixture.path("backbone.safetensors"), std::fs::read(fixture.path("us_p17.safetensors")).unwrap()).unwrap();
    refuses(&fixture, &[], 3, &["backbone.safetensors"]);
}

#[test]
fn without_a_check_the_data_need_not_be_there() {
    let fixture = Fixture::bare("resnet18");
    fixture.run(&["detector=padim", "padim.channels=10"]);
    std::fs::rename(fixture.path("data"), fixture.path("moved")).unwrap();
    fixture.export(&["--input", "100x50", "--no-check"]);
    assert!(!fixture.path("model.check").exists());
    fixture.export(&["--input", "100x50", "--data", "moved"]);
    assert!(!fixture.path("model.check").exists(), "no test image has this size");
}
