//! A run as one file scores as the run does.

use std::path::Path;

use super::fixture::Fixture;

/// Everything that `predict` wrote of the test images, by name.
fn predicted(fixture: &Fixture, with: &[&str], out: &str) -> Vec<(String, Vec<u8>)> {
    let words = [&["predict", "data/gear/test", "--no-overlay", "--maps", "npy", "--device", "cpu", "--out", out][..], with].concat();
    let output = fixture.harness(&words);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut files = vec![];
    collect(&fixture.path(out), &mut files);
    files.sort();
    files
}

fn collect(folder: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let (name, bytes) = (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(path).unwrap());
            files.push((name.clone(), if name == "scores.csv" { timeless(&bytes) } else { bytes }));
        }
    }
}

/// A table without its column of times.
fn timeless(table: &[u8]) -> Vec<u8> {
    let lines: Vec<Vec<&str>> = std::str::from_utf8(table).unwrap().lines().map(|line| line.split(',').collect()).collect();
    let times = lines[0].iter().position(|name| *name == "ms").unwrap();
    let kept =
        |line: &Vec<&str>| line.iter().enumerate().filter(|(place, _)| *place != times).map(|(_, cell)| format!("{cell},")).collect();
    lines.iter().map(kept).collect::<Vec<String>>().join("\n").into_bytes()
}

fn bundled(fixture: &Fixture, words: &[&str]) {
    fixture.run(words);
    let output = fixture.harness(&["bundle", "--run", "latest", "--out", "part.harness"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_the_run_store_and_the_weights_it_scores_to_the_same_bytes() {
    for words in [&["detector=padim", "padim.channels=10"][..], &["detector=us", "us.width=0.05", "us.descriptor=4", "us.fields=[17]"]] {
        let fixture = Fixture::bare("resnet18");
        bundled(&fixture, words);
        let here = predicted(&fixture, &["--run", "latest"], "a");
        for gone in ["results", "backbone.safetensors", "us_p17.safetensors"] {
            std::fs::rename(fixture.path(gone), fixture.path(&format!("gone-{gone}"))).unwrap();
        }
        let there = predicted(&fixture, &["--model", "part.harness"], "b");
        assert!(here.len() > 3 && here == there, "{words:?}");
    }
}

#[test]
fn what_is_not_a_whole_bundle_is_refused() {
    let fixture = Fixture::bare("resnet18");
    bundled(&fixture, &["detector=padim", "padim.channels=10"]);
    let whole = std::fs::read(fixture.path("part.harness")).unwrap();
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (bytes, words) in
        [(&flipped[..], "is damaged"), (&whole[..whole.len() / 2], "not a whole bundle"), (&b"some text"[..], "not a whole")]
    {
        std::fs::write(fixture.path("part.harness"), bytes).unwrap();
        let output = fixture.harness(&["predict", "data/gear/test", "--out", "out", "--model", "part.harness"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{error}");
        assert!(error.contains(words) && error.contains("harness bundle"), "{error}");
    }
}
