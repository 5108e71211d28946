//! The figures and the page of a sweep, from files to files.

mod fixture;
#[expect(dead_code, reason = "shared with the tests of a run's figures, which use all of it")]
#[path = "../report/fixture.rs"]
mod picture;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::image::codec;
use harness::report::study::figure::{Course, Drawn, Matrix, write_all};
use harness::report::study::page::{self, Listing, Machines, Page};
use harness::report::study::{Comparison, Form, Incomplete, Table};
use harness::sweep::Study;

const FIFTEEN: [&str; 15] = [
    "bottle",
    "cable",
    "capsule",
    "carpet",
    "grid",
    "hazelnut",
    "leather",
    "metal_nut",
    "pill",
    "screw",
    "tile",
    "toothbrush",
    "transistor",
    "wood",
    "zipper",
];

/// Where a test writes: a temporary folder, or one below `HARNESS_LOOK` for who wants to see the pictures.
fn place(name: &str) -> (Option<tempfile::TempDir>, PathBuf) {
    if let Some(look) = std::env::var_os("HARNESS_LOOK") {
        let path = PathBuf::from(look).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        return (None, path);
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    (Some(dir), path)
}

/// Names of the figures that have a file.
/// The plots by category and of ranks, of each metric of the fixture.
const BY_METRIC: [&str; 6] = [
    "categories-image_auroc",
    "ranks-image_auroc",
    "categories-pixel_auroc",
    "ranks-pixel_auroc",
    "categories-aupro-0.3",
    "ranks-aupro-0.3",
];
/// The sheets of test images of each category.
const PANELS: [&str; 4] = ["panels-felt", "panels-linen", "panels-errors-felt", "panels-errors-linen"];

fn names(drawn: &[Drawn]) -> Vec<&str> {
    drawn.iter().filter(|d| d.file.is_some()).map(|d| d.name.as_str()).collect()
}

/// Content by name of everything in a folder.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
}

#[test]
fn an_ablation_has_all_its_figures_and_the_same_bytes_again() {
    let (_dir, root) = place("ablation");
    let (study, comparison, store) = fixture::ablation(&root);
    let plots = root.join("plots");
    std::fs::create_dir_all(&plots).unwrap();
    std::fs::write(plots.join("matrix.svg"), "of an earlier report").unwrap();
    let drawn = write_all(&study, &comparison, &store, &plots).unwrap();
    assert_eq!(names(&drawn), [vec!["means", "differences", "learning", "training"], BY_METRIC.to_vec(), PANELS.to_vec()].concat());
    let first = files(&plots);
    assert_eq!(first.len(), 10 * 2 + 4, "{:?}", first.keys());
    for name in ["means", "differences", "learning", "training", "categories-image_auroc"] {
        let svg = std::str::from_utf8(&first[&format!("{name}.svg")]).unwrap();
        assert!(svg.contains("Ablation of the modules") && !svg.contains("NaN") && !svg.contains("2147483647"), "{name}");
        for row in fixture::ROWS.iter().skip(usize::from(name == "differences")).take(4) {
            let row = row.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            assert!(svg.contains(&row), "{name} names {row}");
        }
    }
    let means = std::str::from_utf8(&first["means.svg"]).unwrap();
    assert!(means.contains("3 of 4 runs") && means.contains("n = 4 runs a row: 2 categories, 2 seeds") && means.contains("not comparable"));
    assert!(means.contains("do not start at zero"));
    let categories = std::str::from_utf8(&first["categories-image_auroc.svg"]).unwrap();
    assert!(
        categories.contains("felt, %") && categories.contains("one seed") && categories.contains("mean of the seeds that are finished")
    );
    assert_eq!(write_all(&study, &comparison, &store, &plots).unwrap(), drawn);
    assert!(files(&plots) == first, "the same bytes");
}

#[test]
fn one_varied_number_has_a_course_and_two_have_maps() {
    let (_dir, root) = place("axes");
    let store = harness::store::Store::new(&root);
    let (study, comparison) = fixture::grid(&[("pseudo.ratio", &[0.0, 0.05, 0.25, 0.5, 0.75, 1.0])], &fixture::CATEGORIES);
    let drawn = write_all(&study, &comparison, &store, &root.join("one")).unwrap();
    assert_eq!(names(&drawn), [vec!["means", "differences", "course"], BY_METRIC.to_vec()].concat());
    let svg = std::fs::read_to_string(root.join("one/course.svg")).unwrap();
    assert!(svg.contains("pseudo.ratio") && svg.contains("1 of 6 values have no finished run") && svg.contains("published"));

    let (study, comparison) = fixture::grid(&[("loss.beta", &[0.5, 1.0, 2.0]), ("loss.score.gamma", &[1.0, 2.5, 5.0, 10.0])], &FIFTEEN);
    let drawn = write_all(&study, &comparison, &store, &root.join("two")).unwrap();
    assert_eq!(names(&drawn), [vec!["means", "differences", "matrix", "interaction"], BY_METRIC.to_vec()].concat());
    let svg = std::fs::read_to_string(root.join("two/matrix.svg")).unwrap();
    assert!(svg.contains("Hatched: no finished run.") && svg.contains("loss.score.gamma") && svg.contains("AUPRO@0.3, %"));
}

#[test]
fn rows_beside_axes_have_a_line_or_a_map_each_and_quoted_ones_none() {
    let (_dir, root) = place("rows");
    let store = harness::store::Store::new(&root);
    let (study, comparison) = fixture::rows_and_axes(&["baseline", "+ STLNet"], &[("pseudo.ratio", &[0.0, 0.25, 1.0])]);
    let course = Course::of(&study, &comparison).unwrap();
    for panel in &course.panels {
        let lines: Vec<_> = panel.lines.iter().map(|l| (l.name.as_str(), l.points.iter().map(|p| p.x).collect::<Vec<_>>())).collect();
        assert_eq!(lines, [("baseline", vec![0.0, 0.25, 1.0]), ("+ STLNet", vec![0.0, 0.25, 1.0])], "each rises by itself");
    }
    let drawn = write_all(&study, &comparison, &store, &root.join("one")).unwrap();
    assert_eq!(names(&drawn), [vec!["means", "differences", "course"], BY_METRIC.to_vec()].concat());
    let svg = std::fs::read_to_string(root.join("one/course.svg")).unwrap();
    assert!(svg.contains("baseline") && svg.contains("+ STLNet"));

    let axes: [(&str, &[f64]); 2] = [("loss.beta", &[0.5, 1.0]), ("loss.score.gamma", &[1.0, 2.5])];
    let (study, comparison) = fixture::rows_and_axes(&["baseline", "+ STLNet"], &axes);
    let matrix = Matrix::of(&study, &comparison).unwrap();
    let titles: Vec<&str> = matrix.panels.iter().map(|p| p.title.as_str()).collect();
    assert_eq!(titles[..2], ["image AUROC, %: baseline", "image AUROC, %: + STLNet"]);
    for (panel, first) in matrix.panels.iter().take(2).zip([0, 4]) {
        let shown: Vec<f64> = panel.cells.iter().flatten().flatten().map(|c| c.value).collect();
        let of_rows = comparison.lines[first..first + 4].iter().filter_map(|line| Some(100.0 * line.figures["image_auroc"].mean?));
        assert_eq!(shown, of_rows.collect::<Vec<_>>());
    }
    assert_eq!(
        names(&write_all(&study, &comparison, &store, &root.join("two")).unwrap()),
        [vec!["means", "differences", "matrix", "interaction"], BY_METRIC.to_vec()].concat()
    );
}

#[test]
fn panels_of_categories_that_are_gone_are_removed() {
    let (_dir, root) = place("stale");
    let (study, comparison) = fixture::grid(&[("pseudo.ratio", &[0.0, 0.5])], &fixture::CATEGORIES);
    std::fs::create_dir_all(root.join("plots")).unwrap();
    for name in ["panels-velvet.png", "notes.png"] {
        std::fs::write(root.join("plots").join(name), "").unwrap();
    }
    write_all(&study, &comparison, &harness::store::Store::new(&root), &root.join("plots")).unwrap();
    let left = files(&root.join("plots"));
    assert!(!left.contains_key("panels-velvet.png") && left.contains_key("notes.png"));
}

#[test]
fn without_data_or_maps_all_else_is_drawn_and_the_gap_is_told() {
    let (_dir, root) = place("gone");
    let (study, comparison, store) = fixture::ablation(&root);
    let (plots, seed_0_row_1) = (root.join("plots"), &study.cells[2].id);
    std::fs::remove_dir_all(store.folder(seed_0_row_1).maps()).unwrap();
    std::fs::remove_dir_all(root.join("data/linen")).unwrap();
    let drawn = write_all(&study, &comparison, &store, &plots).unwrap();
    let of = |name: &str| drawn.iter().find(|d| d.name == name).unwrap();
    assert!(codec::decode(of("panels-felt").file.as_ref().unwrap()).unwrap().height > 1000);
    let gone = of("panels-linen");
    assert!(gone.file.is_none() && gone.caption.starts_with("The panels of linen could not be drawn: "), "{}", gone.caption);
    assert!(!plots.join("panels-linen.png").exists());
}

#[test]
fn a_figure_that_cannot_be_drawn_again_stays_as_it_is() {
    let (_dir, root) = place("stays");
    let (mut study, comparison, store) = fixture::ablation(&root);
    let plots = root.join("plots");
    write_all(&study, &comparison, &store, &plots).unwrap();
    let before = files(&plots);
    let again = |study: &Study| write_all(study, &comparison, &store, &plots).unwrap();
    let caption = |drawn: &[Drawn], name: &str| drawn.iter().find(|d| d.name == name).unwrap().caption.clone();

    // The data were moved, and are found where the plan says that they lie now.
    std::fs::rename(root.join("data"), root.join("elsewhere")).unwrap();
    let drawn = again(&study);
    assert!(caption(&drawn, "panels-linen").starts_with("As an earlier report drew it. It could not be drawn again: "));
    assert!(drawn.iter().all(|d| d.file.is_some()) && files(&plots) == before);
    study.root = root.join("elsewhere").to_str().unwrap().to_owned();
    assert!(caption(&again(&study), "panels-linen").starts_with("The same images") && files(&plots) == before);

    // Maps of some runs, then all, then all runs.
    std::fs::remove_dir_all(store.folder(&study.cells[2].id).maps()).unwrap();
    assert!(caption(&again(&study), "panels-felt").contains("maps of finished runs are gone") && files(&plots) == before);
    for cell in &study.cells {
        let _ = std::fs::remove_dir_all(store.folder(&cell.id).maps());
    }
    assert!(caption(&again(&study), "panels-felt").contains("not there") && files(&plots) == before);
    study.cells.iter_mut().for_each(|cell| cell.outcome = harness::sweep::Outcome::Missing);
    write_all(&study, &Comparison::of(&study), &store, &plots).unwrap();
    assert!(files(&plots) == before);
}

/// A listing with all that sorting has to cope with, then the study's own table.
fn tables(study: &Study, comparison: &Comparison) -> Vec<Listing> {
    let rows =
        [["baseline", "89.0 ± 0.4", "4 of 4"], ["+ STLNet", "9.5", "3 of 4"], ["+ more", "—", "0 of 4"], ["a <b>", "100.0", "12 of 12"]];
    let rows = rows.iter().map(|row| row.map(String::from).to_vec()).collect();
    let first = Listing {
        title: "Means".into(),
        header: ["row", "AUROC", "n"].map(String::from).to_vec(),
        rows,
        notes: vec!["n < 12".into()],
        ..Listing::default()
    };
    let own = Listing::of(&Table::of(study, comparison, Incomplete::Refuse), Form::Full);
    std::iter::once(first).chain(own).collect()
}

/// The page of the ablation, in its folder.
fn page(root: &Path) -> (PathBuf, Vec<Drawn>) {
    let (study, comparison, store) = fixture::ablation(root);
    let figures = write_all(&study, &comparison, &store, &root.join("plots")).unwrap();
    let machines = Machines::read(&study, &store).unwrap();
    let page = Page {
        study: &study,
        comparison: &comparison,
        findings: "Found <nothing> & more.\n\n- one thing\n- another",
        tables: &tables(&study, &comparison),
        figures: &figures,
        machines: &machines,
        command: "harness sweep ablation --profile cpu \"x<y>\"",
    };
    let path = root.join("report.html");
    page::write(&path, &page).unwrap();
    assert!(std::fs::read(&path).unwrap() == page.html().unwrap().into_bytes(), "the same bytes again");
    (path, figures)
}

#[test]
fn the_page_holds_everything_in_one_file_and_escapes_it() {
    let (_dir, root) = place("page");
    let (path, figures) = page(&root);
    let html = std::fs::read_to_string(&path).unwrap();
    assert!(html.len() < 10 << 20 && html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
    for drawn in &figures {
        assert!(html.contains(&format!("<figure id=\"{}\"><img src=\"data:image/", drawn.name)), "{}", drawn.name);
    }
    assert_eq!(html.matches("<img ").count(), figures.len());
    assert_eq!(html.matches("<img ").count(), html.matches("\" alt=\"").count(), "every picture has words for it");
    for words in [
        "Ablation of the modules",
        "made-up data",
        "18 of 20 finished, 1 failed, 1 missing",
        "+ consistency &lt;loss &amp; all&gt;",
        "Found &lt;nothing&gt; &amp; more.",
        "the loss is not finite in epoch 3\n  help: lower optim.lr &lt;now&gt;",
        "harness sweep ablation --profile cpu &quot;x&lt;y&gt;&quot;",
        "model.self_calibration",
        "Runs come from several states of the program",
        "exact, FPR limit 0.3, 8-connected",
        "61.2",
        "/somewhere/made-up data",
        "<th scope=\"col\" class=\"n\">gradient norm</th>",
        "Missing: 2 of 20 runs: + STLNet: felt seed 1; + score constraint: linen seed 1.",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(html.contains(&"a".repeat(40)) && html.contains(&"b".repeat(40)), "both git revisions");
    assert!(!html.contains("<loss") && !html.contains("x<y>") && !html.contains("http://") && !html.contains("https://"));
}

/// A Chromium that runs without a screen: `HARNESS_BROWSER`, one on the path, or one that playwright fetched.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("HARNESS_BROWSER").map(PathBuf::from);
    let known = ["chromium", "chromium-browser", "chromium-headless-shell", "google-chrome", "google-chrome-stable"].map(PathBuf::from);
    let cache = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/ms-playwright"));
    let below = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect::<Vec<_>>();
    let fetched =
        cache.iter().flat_map(|c| below(c)).filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("chromium")));
    let fetched = fetched
        .flat_map(|p| ["chrome-linux", "chrome-linux64"].map(|f| p.join(f)))
        .flat_map(|f| [f.join("chrome"), f.join("headless_shell")]);
    let works = |path: &PathBuf| {
        let version = Command::new(path).args(["--version"]).output();
        version.is_ok_and(|out| out.status.success() && String::from_utf8_lossy(&out.stdout).contains("Chrom"))
    };
    named.into_iter().chain(known).chain(fetched).find(works)
}

/// What a reader does, written by the browser into the page itself.
const READER: &str = r##"<script>
addEventListener("load", () => {
  const cells = (column) => [...document.querySelector("#tables tbody").rows].map((row) => row.cells[column].textContent);
  const button = document.querySelectorAll("#tables th button")[1];
  const seen = { errors: window.errors, before: cells(0) };
  button.click(); seen.up = cells(0); seen.state = button.parentElement.getAttribute("aria-sort");
  button.click(); seen.down = cells(0);
  button.click(); seen.again = cells(0);
  document.querySelectorAll("#tables th button")[0].click(); seen.words = cells(0);
  seen.focusable = button.tabIndex;
  const pictures = [...document.images];
  seen.pictures = pictures.length;
  seen.drawn = pictures.filter((p) => p.complete && p.naturalWidth > 0).length;
  seen.wide = document.documentElement.scrollWidth <= innerWidth;
  const out = document.createElement("pre");
  out.id = "seen"; out.textContent = JSON.stringify(seen);
  document.body.append(out);
});
</script></body>"##;

#[test]
fn a_browser_shows_the_page_without_errors_and_a_click_sorts_numbers_as_numbers() {
    let Some(browser) = browser() else {
        return harness::testing::skip("no Chromium was found (HARNESS_BROWSER can name one)");
    };
    let (_dir, root) = place("browser");
    let (path, figures) = page(&root);
    let html = std::fs::read_to_string(&path).unwrap();
    let watch = "<head>\n<script>window.errors = []; addEventListener('error', (e) => errors.push(String(e.message)));\
                 addEventListener('securitypolicyviolation', (e) => errors.push(e.violatedDirective));</script>";
    let html = html.replacen("<head>", watch, 1).replacen("</body>", READER, 1);
    let watched = root.join("watched.html");
    std::fs::write(&watched, html).unwrap();
    let home = root.join("browser");
    let out = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", "--dump-dom", "--virtual-time-budget=10000"])
        .arg(format!("--user-data-dir={}", home.display()))
        .arg(format!("file://{}", watched.display()))
        .output()
        .unwrap();
    let (dom, log) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(!log.contains("CONSOLE"), "{log}");
    let (_, seen) = dom.split_once("<pre id=\"seen\">").unwrap_or_else(|| panic!("the page was not run: {log}"));
    let seen = seen.split_once("</pre>").unwrap().0.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    let seen: serde_json::Value = serde_json::from_str(&seen).unwrap();
    assert_eq!(seen["errors"], serde_json::json!([]));
    let before = ["baseline", "+ STLNet", "+ more", "a <b>"];
    assert_eq!(seen["before"], serde_json::json!(before));
    assert_eq!(seen["up"], serde_json::json!(["+ STLNet", "baseline", "a <b>", "+ more"]), "what is missing stands last");
    assert_eq!(seen["state"], "ascending");
    assert_eq!(seen["down"], serde_json::json!(["a <b>", "baseline", "+ STLNet", "+ more"]));
    assert_eq!(seen["again"], serde_json::json!(before));
    assert_eq!(seen["words"], serde_json::json!(["+ more", "+ STLNet", "a <b>", "baseline"]));
    assert_eq!((&seen["focusable"], &seen["wide"]), (&serde_json::json!(0), &serde_json::json!(true)));
    assert_eq!(seen["pictures"], figures.len());
    assert_eq!(seen["drawn"], figures.len(), "all pictures have a width");
}
