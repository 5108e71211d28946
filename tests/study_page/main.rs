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
use harness::report::study::{Comparison, Finding, Form, Incomplete, Kind, Table};
use harness::store::Store;
use harness::sweep::{Outcome, Study};

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

/// A listing with all that sorting has to cope with, the study's own table, and those by category.
fn tables(study: &Study, comparison: &Comparison) -> Vec<Vec<Listing>> {
    let rows =
        [["baseline", "89.0 ± 0.4", "4 of 4"], ["+ STLNet", "9.5", "3 of 4"], ["+ more", "—", "0 of 4"], ["a <b>", "100.0", "12 of 12"]];
    let first = Listing {
        title: "Means".into(),
        header: ["", "AUROC", "n"].map(String::from).to_vec(),
        rows: rows.iter().map(|row| row.map(String::from).to_vec()).collect(),
        notes: vec!["n < 12".into()],
        ..Listing::default()
    };
    let own = Listing::of(&Table::of(study, comparison, Incomplete::Refuse), Form::Full, Some(study));
    let by_category = |metric: &String| {
        let table = Table::by_category(study, comparison, metric, Incomplete::Mark).unwrap();
        Listing::of(&table, Form::Full, Some(study))
    };
    std::iter::once(vec![first]).chain([own]).chain(study.metrics.iter().map(by_category)).collect()
}

fn findings() -> Vec<Finding> {
    let finding = |kind, text: &str| Finding { kind, text: text.to_owned() };
    vec![
        finding(Kind::Reach, "Found <nothing> & more."),
        finding(Kind::Larger, "image AUROC: one thing."),
        finding(Kind::Within, "pixel AUROC: another."),
    ]
}

/// The page of a study below `root`, where its figures go too.
fn page_of(root: &Path, (study, comparison, store): &(Study, Comparison, Store), tables: &[Vec<Listing>]) -> (PathBuf, Vec<Drawn>) {
    let figures = write_all(study, comparison, store, &root.join("plots")).unwrap();
    let folder = root.join("results").join(&study.name);
    std::fs::create_dir_all(folder.join("rows")).unwrap();
    for name in ["sweep.toml", "plan.json", "table.md", "rows/1.toml"] {
        std::fs::write(folder.join(name), "").unwrap();
    }
    let page = Page {
        study,
        comparison,
        folder: &folder,
        answer: &["The first <sentence>.", "The second one.", "And the third."].map(String::from),
        findings: &findings(),
        tables,
        figures: &figures,
        machines: &Machines::read(study, store).unwrap(),
        command: "harness sweep ablation --profile cpu \"x<y>\" data.root=/home/ann/mvtec",
    };
    let path = folder.join("report.html");
    page::write(&path, &page).unwrap();
    assert!(std::fs::read(&path).unwrap() == page.html().unwrap().into_bytes(), "the same bytes again");
    (path, figures)
}

/// The page of the ablation, in its folder.
fn page(root: &Path) -> (PathBuf, Vec<Drawn>) {
    let made = fixture::ablation(root);
    let tables = tables(&made.0, &made.1);
    page_of(root, &made, &tables)
}

#[test]
fn a_page_that_is_passed_on_names_no_place_of_its_machine() {
    let root = tempfile::tempdir().unwrap();
    let mut made = fixture::ablation(root.path());
    made.0.root = "/home/ann lee/mvtec".into();
    made.0.cells[0].outcome = Outcome::Failed { error: "cannot read /home/ann/mvtec/gear/a.png: gone".into() };
    made.0.rows[0].settings.insert("model.backbone.weights".into(), "/home/ann lee/w.safetensors".into());
    let html = std::fs::read_to_string(page_of(root.path(), &made, &tables(&made.0, &made.1)).0).unwrap();
    assert!(!html.contains("/home"));
    for shown in ["data.root=…/mvtec", "cannot read …/a.png: gone", "…/w.safetensors", "<dd>…/mvtec</dd>"] {
        assert!(html.contains(shown), "{shown}");
    }
}

/// Every address that a page leads to, but places within itself.
fn addresses(html: &str) -> Vec<&str> {
    html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).filter(|address| !address.starts_with('#')).collect()
}

#[test]
fn the_answer_comes_first_then_the_table_the_picture_and_what_was_found() {
    let (_dir, root) = place("order");
    let (path, _) = page(&root);
    let html = std::fs::read_to_string(path).unwrap();
    let places = ["The first &lt;sentence&gt;.", "id=\"table\"", "id=\"picture\"", "id=\"findings\"", "id=\"tables\"", "id=\"runs\""];
    let places: Vec<usize> = places.iter().map(|words| html.find(words).unwrap_or_else(|| panic!("{words} is missing"))).collect();
    assert!(places.is_sorted(), "{places:?}");
    assert!(html.contains("<details><summary>1 finding within the noise</summary>"));
}

#[test]
fn links_hold_when_the_results_are_moved_as_a_whole() {
    let (_dir, root) = place("links");
    let (path, _) = page(&root);
    let moved = root.join("moved here");
    std::fs::rename(root.join("results"), &moved).unwrap();
    let path = moved.join(path.strip_prefix(root.join("results")).unwrap());
    let html = std::fs::read_to_string(&path).unwrap();
    let found = addresses(&html);
    assert!(found.contains(&"sweep.toml") && found.contains(&"rows/1.toml") && found.contains(&"table.md"), "{found:?}");
    assert!(!found.contains(&"rows/2.toml"), "what is not there is not linked");
    assert_eq!(found.iter().filter(|address| address.starts_with("../runs/")).count(), 18 + 2, "each finished run, the failed one twice");
    for address in found {
        assert!(path.parent().unwrap().join(address).exists(), "{address}");
    }
}

#[test]
fn the_page_of_an_ablation_holds_everything_in_one_file_and_escapes_it() {
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
        "data-metric=\"pixel_auroc\"",
        "<tr data-row=\"+ STLNet\" data-category=\"felt\">",
        "the loss is not finite in epoch 3\n  help: lower optim.lr &lt;now&gt;",
        "harness sweep ablation --profile cpu &quot;x&lt;y&gt;&quot;",
        "model.self_calibration",
        "Runs come from several states of the program",
        "exact, FPR limit 0.3, 8-connected",
        "61.2",
        "…/made-up data",
        "<th scope=\"col\" class=\"n\">gradient norm</th>",
        "Missing: 2 of 20 runs: + STLNet: felt seed 1; + score constraint: linen seed 1.",
    ] {
        assert!(html.contains(words), "{words}");
    }
    assert!(html.contains(&"a".repeat(40)) && html.contains(&"b".repeat(40)), "both git revisions");
    assert!(!html.contains("<loss") && !html.contains("x<y>") && !html.contains("http://") && !html.contains("https://"));
}

#[test]
fn the_page_of_many_rows_and_categories_marks_what_each_part_is_about() {
    let (_dir, root) = place("many");
    let axes: [(&str, &[f64]); 2] = [("loss.beta", &[0.5, 1.0, 2.0]), ("loss.score.gamma", &[1.0, 2.5, 5.0, 10.0])];
    let (mut study, comparison) = fixture::grid(&axes, &FIFTEEN);
    // More keys than a table has room for.
    for (place, row) in study.rows.iter_mut().enumerate() {
        row.settings.extend((0..9).map(|n| (format!("model.part{n}"), serde_json::json!(place % (n + 2) == 0))));
    }
    let store = Store::new(&root.join("results"));
    study.cells.iter().filter(|cell| cell.summary().is_some()).for_each(|cell| {
        std::fs::create_dir_all(store.folder(&cell.id).path()).unwrap();
    });
    let table = |table: Table| Listing::of(&table, Form::Full, Some(&study));
    let by_category = |metric: &String| table(Table::by_category(&study, &comparison, metric, Incomplete::Refuse).unwrap());
    let main = table(Table::of(&study, &comparison, Incomplete::Refuse));
    let tables: Vec<Vec<Listing>> = std::iter::once(main).chain(study.metrics.iter().map(by_category)).collect();
    let (path, _) = page_of(&root, &(study, comparison, store), &tables);
    let html = std::fs::read_to_string(path).unwrap();
    assert_eq!(html.matches("<th scope=\"col\" class=\"n\" data-category=\"screw\">").count(), 3, "a column in each table by category");
    assert_eq!(html.matches("<div class=\"block\" data-metric=\"pixel_auroc\">").count(), 3, "a table and two figures");
    assert!(html.contains("<body class=\"broad\">"), "eighteen columns want broad paper");
    assert!(html.contains("what loss.beta=0.5 loss.score.gamma=1.0 has otherwise"), "settings in a cell");
    let picture = html.split("id=\"picture\"").nth(1).unwrap();
    assert!(picture.split("</section>").next().unwrap().contains("id=\"interaction\""), "the picture of two axes is how they act together");
    assert_eq!(html.matches("8-connected.").count(), 1, "a note that all tables share stands below the first");
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
  const cells = (column) => [...document.querySelector("#table tbody").rows].map((row) => row.cells[column].textContent);
  const button = document.querySelectorAll("#table th button")[1];
  const seen = { errors: window.errors, before: cells(0) };
  button.click(); seen.up = cells(0); seen.state = button.parentElement.getAttribute("aria-sort");
  button.click(); seen.down = cells(0);
  button.click(); seen.again = cells(0);
  document.querySelectorAll("#table th button")[0].click(); seen.words = cells(0);
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
