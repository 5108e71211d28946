//! A folder in which `harness` is typed, with photographs of gears.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use harness::data::builtin;
use harness::image::{Rgb, codec};
use image::ImageEncoder;

/// A detector that looks at each image once, on a random backbone.
pub const QUICK: &[&str] = &[
    "detector=padim",
    "padim.channels=20",
    "data.size=64",
    "model.backbone.name=resnet18",
    "model.backbone.weights=none",
    "run.threads=1",
    "run.device=cpu",
];

pub struct Desk {
    pub dir: tempfile::TempDir,
}

impl Desk {
    /// The built-in category `gear` in `data/`, of 64 px: so many training images, good test images, and images of each defect.
    pub fn of(train: usize, good: usize, each: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        builtin::write_small(&dir.path().join("data"), &["gear"], train, good, each, 64).unwrap();
        Self { dir }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_harness-torch"));
        command.args(words).current_dir(self.dir.path());
        command
    }

    pub fn harness_in(&self, folder: &str, words: &[&str]) -> Output {
        fs::create_dir_all(self.path(folder)).unwrap();
        self.command(words).current_dir(self.path(folder)).output().unwrap()
    }

    pub fn harness(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Standard output and standard error of a command that succeeded.
    pub fn says(&self, words: &[&str]) -> (String, String) {
        let output = self.harness(words);
        assert!(output.status.success(), "{words:?}: {}", said(&output));
        (String::from_utf8(output.stdout.clone()).unwrap(), said(&output))
    }
}

/// What was said on standard error.
pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What lies in a folder, sorted.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// Saves a picture as a camera does that was held upright: its pixels lie on their side, and a tag (EXIF, 6) says so.
pub fn lay_on_its_side(path: &Path) {
    let Rgb { width, height, data } = codec::decode(path).unwrap();
    let upright = image::RgbImage::from_raw(width as u32, height as u32, data).unwrap();
    // Whoever reads it turns it by 90 degrees clockwise.
    let lying = image::imageops::rotate270(&upright);
    let mut encoder = image::codecs::png::PngEncoder::new(fs::File::create(path).unwrap());
    let exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    encoder.set_exif_metadata(exif).unwrap();
    encoder.write_image(lying.as_raw(), lying.width(), lying.height(), image::ExtendedColorType::Rgb8).unwrap();
}
