//! What a calibrated run's scores mean, in the model's metadata.

use harness::calibration::Calibration;
use harness::store::Store;

use super::fixture::Fixture;

#[test]
fn a_calibrated_runs_model_carries_its_thresholds_where_they_hold() {
    let fixture = Fixture::bare("resnet18");
    fixture.run(&["detector=padim", "padim.channels=10", "calibrate.mode=folds", "calibrate.folds=2", "calibrate.rate=0.2"]);
    let entry = Store::new(&fixture.path("results")).find("latest").unwrap();
    let calibration = Calibration::read(&entry.folder.calibration_json(), &entry.id.to_string()).unwrap().unwrap();
    let level = calibration.levels(0.2, None).unwrap().image.level.to_string();
    let holds = |words: &[&str], text: &str| {
        fixture.export(words);
        let bytes = std::fs::read(fixture.path("model.onnx")).unwrap();
        bytes.windows(text.len()).any(|part| part == text.as_bytes())
    };
    assert!(holds(&["--no-check", "--input", "84x84"], "harness.threshold_map"));
    assert!(holds(&["--no-check", "--input", "84x84"], &level), "{level}");
    // Of a map at the network's size the greatest value is another one.
    assert!(!holds(&["--no-check", "--input", "network"], "harness.threshold"));
    fixture.run(&["detector=padim", "padim.channels=10"]);
    assert!(!holds(&["--no-check", "--input", "84x84"], "harness.threshold"), "it is not calibrated");
}
