//! The figures of a run, from files to files.

mod fixture;

use std::collections::BTreeMap;
use std::path::Path;

use fixture::{Kind, Run, record, training};
use harness::eval::{self, MapName, Output};
use harness::image::{Map, Rgb, codec};
use harness::metric::{Protocol, Variant};
use harness::report::panel;
use harness::run::Event;
use proptest::prelude::*;

const A: MapName = "A";
const S: MapName = "S";
const KINDS: [Kind; 3] = [("cut", 5, [8.0, 24.0]), ("good", 4, [0.0; 2]), ("hole", 4, [2.0, 5.0])];
const PLOTS: [&str; 4] = ["loss", "pro", "roc", "scores"];

fn decoded(run: &Run, name: &str) -> Rgb {
    codec::decode(&run.folder.figures().join(name)).unwrap()
}

/// Content by name of everything in a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
}

/// The plots that were written, each of which must be there in both formats and be more than white paper.
fn plots(run: &Run) -> Vec<&'static str> {
    let all = files(&run.folder.figures());
    let there = PLOTS.into_iter().filter(|name| {
        let (svg, png) = (all.get(&format!("{name}.svg")), all.get(&format!("{name}.png")));
        assert_eq!(svg.is_some(), png.is_some(), "{name} in both formats or in none");
        let Some(svg) = svg else { return false };
        let svg = std::str::from_utf8(svg).unwrap();
        assert!(svg.starts_with("<svg width=") && svg.trim_end().ends_with("</svg>"), "{name}.svg is whole");
        assert!(!svg.contains("NaN") && !svg.contains("inf") && svg.matches("<text").count() > 5, "{name}.svg");
        let image = decoded(run, &format!("{name}.png"));
        assert!(image.width > 800 && image.data.iter().any(|&v| v < 64), "{name}.png");
        true
    });
    there.collect()
}

#[test]
fn a_finished_run_has_all_figures_and_the_same_bytes_again() {
    let dir = tempfile::tempdir().unwrap();
    let run = fixture::run(dir.path(), &KINDS, &[(96, 96)], &[S, A]);
    record(&run.folder, &training(3, 4));
    run.report().unwrap();
    assert_eq!(plots(&run), PLOTS);
    let panels = decoded(&run, "panels.png");
    assert!(panels.width > 900 && panels.height > 900);
    let first = files(&run.folder.figures());
    assert_eq!(first.len(), 9, "nothing else is left: {:?}", first.keys());
    for (name, title) in [("loss", "Training loss"), ("roc", "ROC"), ("pro", "Per-region overlap"), ("scores", "Image scores")] {
        let svg = String::from_utf8(first[&format!("{name}.svg")].clone()).unwrap();
        assert!(svg.contains(&format!("{title} · linen · full/0a1b2c3d4e-s0")), "{name} names category and run");
    }
    let text = |name: &str| String::from_utf8(first[name].clone()).unwrap();
    let scores = &run.evaluations[1].1.scores;
    assert!(text("roc.svg").contains(&format!("map A: AUROC {:.4}", scores.pixel_auroc.unwrap())));
    assert!(text("pro.svg").contains(&format!("map A: AUPRO@0.3 {:.4}", scores.aupro.unwrap())));
    assert!(text("scores.svg").contains("normal (n = 4)") && text("scores.svg").contains("anomalous (n = 9)"));
    run.report().unwrap();
    assert!(files(&run.folder.figures()) == first, "the same bytes");
}

#[test]
fn the_images_of_the_panels_depend_on_masks_and_never_on_scores() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = fixture::run(dir.path(), &KINDS, &[(96, 96)], &[S]);
    run.report().unwrap();
    let one = decoded(&run, "panels.png");
    // Other maps, with other scores in another order.
    for map in &mut run.maps[0].1 {
        map.data.iter_mut().for_each(|v| *v = 3.0 - *v);
    }
    run.evaluations[0].1.images.iter_mut().for_each(|image| image.score = -image.score);
    run.report().unwrap();
    let other = decoded(&run, "panels.png");
    assert_eq!((one.width, one.height), (other.width, other.height));
    // Rows of pixels where images and ground truth of the first section stand are the same, those of the maps are not.
    let rows = |image: &Rgb, ys: std::ops::Range<usize>| image.data[3 * image.width * ys.start..3 * image.width * ys.end].to_vec();
    assert!(rows(&one, 190..380) == rows(&other, 190..380), "images");
    assert!(rows(&one, 410..590) == rows(&other, 410..590), "ground truth");
    assert!(rows(&one, 620..800) != rows(&other, 620..800), "maps");

    let (shown, good) = panel::chosen(&run.test, &run.cfg.eval).unwrap();
    let name = |c: &panel::Chosen| run.test.items()[c.index].key.clone();
    assert_eq!(good.iter().map(name).collect::<Vec<_>>(), ["test/good/000", "test/good/003"]);
    let slow = |kind: &str| {
        let of_kind = |i: &usize| run.test.items()[*i].defect == kind;
        let mut areas: Vec<(usize, usize)> = (0..run.test.len()).filter(of_kind).map(|i| (run.test.mask(i).unwrap().area(), i)).collect();
        areas.sort();
        [areas[0].1, areas[(areas.len() - 1) / 2].1, areas[areas.len() - 1].1]
    };
    assert_eq!(shown.iter().map(|c| c.index).collect::<Vec<_>>(), [slow("cut"), slow("hole")].concat());
}

#[test]
fn images_of_any_size_and_shape_find_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let sizes = [(300, 20), (20, 300), (1, 200), (200, 1), (1, 1), (5, 3), (64, 64)];
    let run = fixture::run(dir.path(), &[("a kind with a long name", 9, [1.0, 30.0]), ("good", 3, [0.0; 2])], &sizes, &[A]);
    run.report().unwrap();
    assert_eq!(plots(&run), ["pro", "roc", "scores"]);
    assert!(decoded(&run, "panels.png").width > 900);
}

#[test]
fn what_there_is_nothing_for_is_left_out_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let run = fixture::run(dir.path(), &[("good", 3, [0.0; 2])], &[(40, 30)], &[S, A]);
    std::fs::create_dir_all(run.folder.figures()).unwrap();
    for stale in ["loss.svg", "loss.png", "roc.png", "pro.svg"] {
        std::fs::write(run.folder.figures().join(stale), "of an earlier attempt").unwrap();
    }
    run.report().unwrap();
    assert_eq!(plots(&run), ["scores"]);
    let scores = std::fs::read_to_string(run.folder.figures().join("scores.svg")).unwrap();
    assert!(scores.contains("There are no anomalous images."));
    assert!(run.folder.figures().join("panels.png").exists());

    let dir = tempfile::tempdir().unwrap();
    let run = fixture::run(dir.path(), &[("cut", 2, [4.0, 9.0])], &[(40, 30)], &[S]);
    run.report().unwrap();
    assert_eq!(plots(&run), ["pro", "roc", "scores"]);
    let roc = std::fs::read_to_string(run.folder.figures().join("roc.svg")).unwrap();
    assert!(roc.contains("no curve: a class is missing"));
    // A detector that scores images and gives no map has no panels and no pixel curves, and leaves none of an earlier attempt.
    let dir = tempfile::tempdir().unwrap();
    let mut run = fixture::run(dir.path(), &[("cut", 2, [4.0, 9.0]), ("good", 2, [0.0; 2])], &[(40, 30)], &[S]);
    run.report().unwrap();
    assert_eq!(plots(&run), ["pro", "roc", "scores"]);
    let own = |i: usize| Ok(Output { map: None, own: Some(i as f32) });
    let evaluation = eval::evaluate(&run.test, &run.cfg.eval, &Protocol::default(), &own).unwrap();
    assert_eq!((evaluation.scores.pixel_auroc, evaluation.scores.aupro, evaluation.scores.pixels), (None, None, 0));
    run.evaluations = vec![(eval::IMAGE, evaluation)];
    run.report().unwrap();
    assert_eq!(plots(&run), ["roc", "scores"]);
    assert!(!run.folder.figures().join("panels.png").exists());
}

#[test]
fn a_run_without_images_or_maps_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = fixture::run(dir.path(), &[], &[(8, 8)], &[S]);
    run.report().unwrap();
    assert!(files(&run.folder.figures()).is_empty());
    run.evaluations.clear();
    run.report().unwrap();
    assert!(files(&run.folder.figures()).is_empty());
}

#[test]
fn constant_maps_and_other_variants_are_drawn() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = fixture::run(dir.path(), &[("cut", 2, [4.0, 9.0]), ("good", 2, [0.0; 2])], &[(40, 30)], &[S]);
    run.maps[0].1.iter_mut().for_each(|map| *map = Map::filled(2, 2, 0.25));
    run.evaluations[0].1.images.iter_mut().for_each(|image| image.score = 0.25);
    run.evaluations[0].1.protocol.variant = Variant::Linear200;
    run.report().unwrap();
    assert_eq!(plots(&run), ["pro", "roc", "scores"]);
    let pro = std::fs::read_to_string(run.folder.figures().join("pro.svg")).unwrap();
    assert!(pro.contains("variant linear200") && pro.contains("AUPRO_linear200@0.3"));
    run.evaluations[0].1.images.iter_mut().for_each(|image| image.score = f32::NAN);
    run.report().unwrap();
    assert_eq!(plots(&run), ["pro", "roc"], "no histogram without a finite score");
}

#[test]
fn errors_name_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let run = fixture::run(dir.path(), &[("cut", 1, [4.0, 9.0]), ("good", 1, [0.0; 2])], &[(40, 30)], &[S]);
    let mask = run.test.items()[0].mask.clone().unwrap();
    std::fs::remove_file(mask.path()).unwrap();
    let error = run.report().unwrap_err();
    assert!(error.what.contains("000_mask.png"), "{error}");
    std::fs::remove_dir_all(run.folder.figures()).unwrap();
    std::fs::write(run.folder.figures(), "a file where the folder should be").unwrap();
    let error = run.report().unwrap_err();
    assert!(error.what.contains("figures"), "{error}");
}

/// Events of a training that may break off or diverge at any place.
fn course() -> impl Strategy<Value = Vec<Event>> {
    let value = prop_oneof![5 => 0.0..5.0_f64, 1 => Just(0.0), 1 => Just(f64::NAN), 1 => Just(f64::INFINITY), 1 => -2.0..2.0_f64, 1 => Just(1e-300), 1 => Just(1e300)];
    let step = (0..3_u64, prop::collection::vec(value.clone(), 0..4), prop::option::of(value), prop::bool::ANY);
    prop::collection::vec(step, 0..30).prop_map(|mut steps| {
        steps.sort_by_key(|s| s.0);
        let event = |(n, (epoch, values, grad_norm, mean)): (usize, (u64, Vec<f64>, Option<f64>, bool))| {
            let losses = ["total", "feature", "x_y", "z"].map(String::from).into_iter().zip(values).collect();
            let (step, stats) = (n as u64, BTreeMap::new());
            if mean {
                Event::Epoch { epoch, step, losses, grad_norm, stats }
            } else {
                Event::Step { epoch, step, losses, lr: 0.1, grad_norm, stats }
            }
        };
        steps.into_iter().enumerate().map(event).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_course_of_a_training_can_be_drawn(events in course()) {
        use harness::report::plot::{History, Loss, svg};
        if let Some(history) = History::of(&events) {
            let text = svg(&Loss { title: "a & b".into(), history }).unwrap();
            prop_assert!(text.contains("a &amp; b") && !text.contains("NaN") && !text.contains("2147483647"));
        }
    }
}
