//! The architecture as a test: which module may use which (ARCHITECTURE.md), that nothing is used in a circle, and what
//! `harness` is linked to.
//!
//! An edge goes from a file to each file whose items it names: in a `use` declaration, or by a path in its code. What a parent
//! hands on of its children (`pub use`, `mod`) is not an edge, and whoever takes it from the parent uses the child.

#[path = "layers/source.rs"]
mod source;

use std::collections::{BTreeMap, BTreeSet};

use source::{Crate, Module};

/// Lowest first. A module uses those of earlier lines, and those of its own line as long as that makes no circle.
const SRC: &[&[&str]] = &[
    &["error", "num", "seed", "file", "names", "place", "console", "allowance"],
    &["config"],
    &["image", "pseudo", "metric", "data", "run", "weights", "calibration"],
    &["store"],
    &["eval"],
    &["export"],
    &["ui", "launcher"],
    &["sweep"],
    &["report", "archive", "mlflow"],
    &["cli"],
];

/// The same of `torch/src`.
const TORCH_SRC: &[&[&str]] = &[
    &["device", "boundary", "tensors"],
    &["optim"],
    &["nn"],
    &["input"],
    &["train"],
    &["detector"],
    &["eval"],
    &["experiment"],
    &["predict", "bench", "distil", "fit"],
    &["calibrate", "rank"],
    &["command"],
];

/// `lib.rs` hands on, and `testing` is there for all.
fn is_apart(module: &[String]) -> bool {
    module.is_empty() || module[0] == "testing"
}

fn crates() -> [(&'static str, &'static [&'static [&'static str]], Crate); 2] {
    [("src", SRC), ("torch/src", TORCH_SRC)].map(|(src, layers)| (src, layers, Crate::read(&harness::testing::root().join(src))))
}

#[test]
fn modules_use_only_what_stands_below_them() {
    for (src, layers, code) in crates() {
        let level = |module: &Module| {
            let found = layers.iter().position(|layer| layer.contains(&module[0].as_str()));
            found.unwrap_or_else(|| panic!("{src}/{} is in no layer: name it here and in ARCHITECTURE.md", module[0]))
        };
        for (from, to) in code.edges().iter().filter(|(from, to)| !is_apart(from) && !is_apart(to)) {
            let (mine, theirs) = (level(from), level(to));
            assert!(theirs <= mine, "{src}: {} (layer {mine}) uses {} (layer {theirs})", from.join("/"), to.join("/"));
        }
    }
}

#[test]
fn nothing_is_used_in_a_circle() {
    let mut circles = vec![];
    for (src, _, code) in crates() {
        let edges: Vec<_> = code.edges().into_iter().filter(|(from, to)| !is_apart(from) && !is_apart(to)).collect();
        for (folder, graph) in graphs(&code, &edges) {
            circles.extend(circle(&graph).map(|circle| format!("{src}/{}: {}", folder.join("/"), described(&circle, &graph))));
        }
    }
    assert!(circles.is_empty(), "\n{}", circles.join("\n"));
}

/// What the members of one folder use of one another, with a pair of files that shows it.
type Graph = BTreeMap<String, BTreeMap<String, (Module, Module)>>;

/// One graph a folder. Its members are files and folders, the folder's own file (`mod.rs`) among them: so two folders may not
/// use one another either, whatever files of theirs do.
fn graphs(code: &Crate, edges: &[(Module, Module)]) -> BTreeMap<Module, Graph> {
    let place = |module: &Module| if code.has_children(module) { [&module[..], &["mod".to_owned()]].concat() } else { module.clone() };
    let mut graphs: BTreeMap<Module, Graph> = BTreeMap::new();
    for (from, to) in edges {
        let (a, b) = (place(from), place(to));
        let common = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
        let graph = graphs.entry(a[..common].to_vec()).or_default();
        graph.entry(a[common].clone()).or_default().entry(b[common].clone()).or_insert_with(|| (from.clone(), to.clone()));
    }
    graphs
}

/// Members that use one another around; none if there is no circle.
fn circle(graph: &Graph) -> Option<Vec<String>> {
    fn walk<'a>(graph: &'a Graph, at: &'a str, path: &mut Vec<&'a str>, clear: &mut BTreeSet<&'a str>) -> Option<Vec<String>> {
        if let Some(start) = path.iter().position(|seen| *seen == at) {
            return Some(path[start..].iter().map(|name| name.to_string()).collect());
        }
        if clear.contains(at) {
            return None;
        }
        path.push(at);
        let found = graph.get(at).into_iter().flat_map(BTreeMap::keys).find_map(|next| walk(graph, next, path, clear));
        path.pop();
        clear.insert(at);
        found
    }
    let mut clear = BTreeSet::new();
    graph.keys().find_map(|start| walk(graph, start, &mut vec![], &mut clear))
}

fn described(circle: &[String], graph: &Graph) -> String {
    let step = |i: usize| {
        let (from, to) = &graph[&circle[i]][&circle[(i + 1) % circle.len()]];
        format!("{} uses {}", from.join("/"), to.join("/"))
    };
    (0..circle.len()).map(step).collect::<Vec<_>>().join(", ")
}

#[test]
fn circles_are_found_between_files_and_between_folders() {
    let module = |path: &str| path.split('/').map(str::to_owned).collect::<Module>();
    let found = |pairs: &[(&str, &str)]| {
        let edges: Vec<_> = pairs.iter().map(|(a, b)| (module(a), module(b))).collect();
        let none = Crate::read(tempfile::tempdir().unwrap().path());
        graphs(&none, &edges).values().find_map(circle)
    };
    assert_eq!(found(&[("a/x", "a/y"), ("a/y", "a/z"), ("b", "a/x")]), None);
    assert_eq!(found(&[("a/x", "a/y"), ("a/y", "a/z"), ("a/z", "a/x")]).unwrap(), ["x", "y", "z"]);
    assert_eq!(found(&[("a/x", "b/x"), ("b/y", "a/y")]).unwrap(), ["a", "b"], "no file is in a circle, the folders are");
}

#[test]
fn harness_itself_needs_no_libtorch() {
    let Ok(output) = std::process::Command::new("readelf").arg("-d").arg(env!("CARGO_BIN_EXE_harness")).output() else {
        return harness::testing::skip("readelf is not installed");
    };
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("NEEDED"), "readelf understood the binary");
    assert!(!text.contains("torch") && !text.contains("libc10"), "{text}");
}
