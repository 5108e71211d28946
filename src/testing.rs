//! What tests may lean on and may lack: real data, Python packages, ImageNet weights. A test that lacks something says so
//! through [`skip`]; `just ci` lists those lines at its end, and `HARNESS_REQUIRE=all` turns each into a failure.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::run::{Id, Lineage, Summary, TimeSpent, summary};
use crate::weights;

/// Notes that a test is skipped and why: on stderr and in the file that `HARNESS_SKIP_LOG` names.
/// Panics where `HARNESS_REQUIRE=all`. Use: `let Some(x) = … else { return skip("…") };`
pub fn skip(why: &str) {
    let name = std::thread::current().name().unwrap_or("?").to_owned();
    let line = format!("skipped {name}: {why}");
    assert!(std::env::var("HARNESS_REQUIRE").as_deref() != Ok("all"), "HARNESS_REQUIRE=all, but {line}");
    eprintln!("{line}");
    if let Some(path) = std::env::var_os("HARNESS_SKIP_LOG") {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let _ = file.and_then(|mut f| writeln!(f, "{line}"));
    }
}

/// The root of the checkout.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A path below the folder `shared` beside the checkout, if it is there: real data for runs, never part of the project.
pub fn shared(below: &str) -> Option<PathBuf> {
    let path = root().parent()?.join("shared").join(below);
    path.exists().then_some(path)
}

/// A file below `weights/`, if it was fetched (`just weights`, `just weights-lite`).
pub fn weights(name: &str) -> Option<PathBuf> {
    let path = root().join("weights").join(name);
    path.exists().then_some(path)
}

/// A Python that can import all of `packages`: `HARNESS_PYTHON`, or `python3`.
pub fn python(packages: &[&str]) -> Option<PathBuf> {
    let python = PathBuf::from(std::env::var_os("HARNESS_PYTHON").unwrap_or_else(|| "python3".into()));
    let script: String = packages.iter().map(|p| format!("import {p}\n")).collect();
    let works = std::process::Command::new(&python).args(["-c", &script]).stderr(std::process::Stdio::null()).status();
    works.is_ok_and(|s| s.success()).then_some(python)
}

/// A network that is fetched and what it has to compute. tests/oracle/resnet_features.py and efficientnet_lite0.py write such files;
/// the first says what is in one.
pub struct Golden {
    pub file: weights::File,
    /// Height and width of the pictures.
    pub size: usize,
    /// Largest difference allowed, in deviations of a map.
    pub tolerance: f64,
    /// One entry a picture: its `name`, and its `maps` by key.
    pub images: Vec<Value>,
}

/// The golden features of the network `name`, which `recipe` fetches, or none, with a word why, where it is not there with this
/// `lineage`.
pub fn golden(name: &str, lineage: &str, recipe: &str) -> Option<Golden> {
    let Some(path) = weights(&format!("{name}.safetensors")) else {
        skip(&format!("weights/{name}.safetensors is not there: `{recipe}` fetches it"));
        return None;
    };
    let file = weights::File::open(&path).unwrap();
    if file.meta.lineage != lineage {
        skip(&format!("weights/{name}.safetensors is not the network that `{recipe}` fetches"));
        return None;
    }
    let values: usize = file.shapes().values().map(|shape| shape.iter().product::<usize>()).sum();
    if std::fs::metadata(&path).unwrap().len() < 4 * values as u64 {
        skip(&format!("weights/{name}.safetensors holds half floats, the golden values are for f32"));
        return None;
    }
    let text = std::fs::read_to_string(root().join(format!("tests/golden/{name}_features.json"))).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(golden["format"], "harness-golden-features/1");
    Some(Golden {
        file,
        size: golden["size"].as_u64().unwrap() as usize,
        tolerance: golden["tolerance"].as_f64().unwrap(),
        images: golden["images"].as_array().unwrap().clone(),
    })
}

impl Golden {
    /// Repeats `image` of tests/oracle/resnet_features.py, normalised as the weight file says: [3, size, size], row-major.
    pub fn picture(&self, name: &str) -> Vec<f32> {
        let pixel = |x: u64, y: u64, c: u64| match name {
            "ramps" => [4 * x, 4 * y, 2 * (x + y)][c as usize],
            "checks" if (x / 8 + y / 8).is_multiple_of(2) => 230 - (c + 1) * x,
            "checks" => 20 + 30 * c,
            "noise" => {
                let h = (x * 374_761_393 + y * 668_265_263 + c * 2_246_822_519 + 12345) & 0xffff_ffff;
                let h = ((h ^ (h >> 13)) * 1_274_126_177) & 0xffff_ffff;
                (h >> 16) & 255
            }
            other => panic!("unknown image {other}"),
        };
        let (size, meta) = (self.size, &self.file.meta);
        (0..3 * size * size)
            .map(|i| {
                let (c, y, x) = (i / (size * size), i / size % size, i % size);
                ((pixel(x as u64, y as u64, c as u64) as f64 / 255.0 - meta.input_mean[c]) / meta.input_std[c]) as f32
            })
            .collect()
    }
}

/// The summary of a run that measured nothing; tests fill in what they are about.
pub fn summary(id: &Id, category: &str) -> Summary {
    Summary {
        format: summary::FORMAT,
        id: id.to_string(),
        category: category.into(),
        seed: id.seed,
        detector: "mlff".into(),
        headline: "S".into(),
        metrics: BTreeMap::new(),
        protocol: Value::Null,
        backbone: Lineage::default(),
        data_hash: "d".into(),
        losses: BTreeMap::new(),
        grad_norm: None,
        counts: BTreeMap::new(),
        timing: TimeSpent::default(),
    }
}
