//! A small data set, random weights in files, and the commands.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use harness::config::{BackboneName, Compact, StrideIn, Teaching};
use harness::data::builtin;
use harness::seed::stream;
use harness::testing;
use harness::weights::network::{self, Extent};
use harness::weights::{self, Meta, Precision, Tensor, Tensors};
use rand::RngExt;

/// What the check and onnx's own checker need.
const PACKAGES: &[&str] = &["numpy", "onnx", "onnxruntime"];

/// Seconds at most: 64 px, and images that have to be resized.
const SMALL: &[&str] = &[
    "data.root=data",
    "data.categories=gear",
    "data.size=64",
    "data.repeat=1",
    "train.batch=3",
    "train.epochs=0",
    "train.steps=2",
    "run.threads=1",
    "run.device=cpu",
];

/// Side of the images, px.
const SIDE: usize = 84;

pub struct Fixture {
    dir: tempfile::TempDir,
    python: PathBuf,
    network: BackboneName,
}

impl Fixture {
    /// On a ResNet-18 of random values; none, with a word why, without Python's packages.
    pub fn new() -> Option<Self> {
        Self::on("resnet18")
    }

    /// On the network of that name, behind which may stand where its stride is.
    pub fn on(name: &str) -> Option<Self> {
        let Some(python) = testing::python(PACKAGES) else {
            testing::skip("no Python with onnxruntime, onnx and numpy: `just onnx-check` makes one");
            return None;
        };
        Some(Self { python, ..Self::bare(name) })
    }

    /// Without a Python: nothing is checked.
    pub fn bare(name: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(&dir.path().join("data"), &["gear"], 6, 2, 1, SIDE).unwrap();
        let network = network::parse(name.trim_end_matches("_conv1")).unwrap();
        let stride_in = if name.ends_with("_conv1") { StrideIn::Conv1 } else { StrideIn::Conv2 };
        let meta = Meta { stride_in, ..Meta::published(network, "a test") };
        weights::write(&dir.path().join("backbone.safetensors"), &meta, &random(network), Precision::F32).unwrap();
        for field in [17, 33] {
            teacher(&dir.path().join(format!("us_p{field}.safetensors")), field);
        }
        Self { dir, python: PathBuf::new(), network }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Trains and scores.
    pub fn run(&self, words: &[&str]) {
        let mut all: Vec<String> = ["run"].iter().chain(SMALL).map(|word| word.to_string()).collect();
        if words.contains(&"detector=us") {
            all.push("us.teacher=us_p{p}.safetensors".into());
        } else if !words.contains(&"detector=psvdd") {
            all.push(format!("model.backbone.name={}", network::key(self.network)));
            all.push("model.backbone.weights=backbone.safetensors".into());
        }
        all.extend(words.iter().map(|word| word.to_string()));
        let output = self.harness(&all.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Writes the last run as `model.onnx`.
    pub fn export(&self, words: &[&str]) {
        let output = self.try_export(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn try_export(&self, words: &[&str]) -> Output {
        self.harness(&[&["export", "onnx", "--run", "latest", "--out", "model.onnx"][..], words].concat())
    }

    /// What the check says, and onnx's own; both must be content.
    pub fn check(&self) {
        let full = "import onnx; onnx.checker.check_model('model.onnx', full_check=True)";
        self.python(&["-c", full]);
        self.python(&["model.check/check.py"]);
    }

    fn python(&self, words: &[&str]) {
        let output = Command::new(&self.python).args(words).current_dir(self.dir.path()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{words:?}: {}{}", text(&output.stdout), text(&output.stderr));
    }

    pub fn harness(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        command.args(words).current_dir(self.dir.path()).stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
    }
}

/// A teacher of patches of `field` px with random values, of a twentieth of the published widths and four numbers a description.
fn teacher(path: &Path, field: usize) {
    let shapes: [[usize; 4]; 4] = match field {
        17 => [[6, 3, 6, 6], [13, 6, 5, 5], [13, 13, 5, 5], [4, 13, 4, 4]],
        _ => [[6, 3, 5, 5], [13, 6, 5, 5], [13, 13, 2, 2], [4, 13, 4, 4]],
    };
    let mut tensors = Tensors::new();
    for (number, shape) in (1..).zip(&shapes) {
        for (part, shape) in [("weight", &shape[..]), ("bias", &shape[..1])] {
            let name = format!("conv{number}.{part}");
            tensors.insert(name.clone(), uniform(&format!("{field}.{name}"), shape));
        }
    }
    let teaching = Teaching {
        backbone: BackboneName::Resnet18,
        backbone_hash: "b".into(),
        images: "a test".into(),
        images_hash: "i".into(),
        image_count: 1,
        field,
        width: 0.05,
        descriptor: 4,
        steps: 0,
        seed: 0,
        batch: 1,
        lr: 1e-3,
        compact: Compact::None,
        unexplained: 1.0,
    };
    weights::write_teacher(path, &teaching, &tensors).unwrap();
}

/// Values that neither let a map vanish nor grow.
fn uniform(name: &str, shape: &[usize]) -> Tensor {
    let bound = (6.0 / shape[1..].iter().product::<usize>().max(1) as f32).sqrt();
    let range = match (shape.len(), name.rsplit('.').next()) {
        (1, Some("weight" | "running_var")) => 0.6..1.4,
        (1, _) => -0.2..0.2,
        _ => -bound..bound,
    };
    let mut draws = stream(0, name, 0, 0);
    Tensor { shape: shape.to_vec(), data: (0..shape.iter().product()).map(|_| draws.random_range(range.clone())).collect() }
}

/// A network of random values, with statistics of its own in each batch norm.
fn random(network: BackboneName) -> Tensors {
    let shapes = network::tensors(network, Extent::Stages);
    shapes.iter().map(|(name, shape)| (name.clone(), uniform(name, shape))).collect()
}
