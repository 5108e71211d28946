//! What makes a detector whole (CONTRIBUTING.md, "Add a detector"): both of its halves, an experiment and a place in the documents.

use harness::config::{Detector, Request};
use harness::testing::root;

fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

#[test]
fn each_detector_has_its_folder_its_line_in_the_match_and_its_place_in_the_documents() {
    let (seam, method) = (text("torch/src/detector/mod.rs"), text("docs/method.md"));
    let page = |name: &str| std::fs::read_to_string(root().join(format!("docs/systems/{name}.md"))).unwrap_or_default();
    for detector in Detector::all() {
        let name = detector.name();
        assert!(root().join("torch/src/detector").join(name).join("mod.rs").is_file(), "torch/src/detector/{name}/mod.rs");
        assert!(root().join("src/config/detector").join(format!("{name}.rs")).is_file(), "src/config/detector/{name}.rs");
        assert!(seam.contains(&format!("\"{name}\" => ")), "{name} has no line in torch/src/detector/mod.rs");
        let steps = format!("detector = \"{name}\"");
        assert!(method.contains(&steps) || page(name).contains(&steps), "{name} is not in docs/method.md, nor is docs/systems/{name}.md");
    }
}

#[test]
fn each_detector_has_an_experiment() {
    let files = std::fs::read_dir(root().join("experiments")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "toml") && !path.ends_with("base.toml")).collect();
    // Sweep files are not experiments, and do not resolve as such.
    let named: Vec<Detector> = files
        .iter()
        .filter_map(|file| Request { file: Some(file.clone()), ..Request::default() }.resolve().ok())
        .map(|resolved| resolved.config.detector)
        .collect();
    assert!(named.len() >= 4, "{named:?}");
    for detector in Detector::all() {
        assert!(named.contains(&detector), "no file in experiments/ is about {detector}");
    }
}
