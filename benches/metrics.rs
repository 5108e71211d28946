//! Every metric of score maps and masks that are in memory, timed: `cargo bench --bench metrics -- FOLDER [THREADS]`.
//!
//! FOLDER holds `maps/*.npy` and, for the anomalous images, `masks/*.png` of the same name; `benches/run.py` writes such
//! folders and compares this with scikit-learn and numpy. Prints one JSON object.

use std::path::Path;
use std::time::Instant;

use harness::config::MaskRule;
use harness::image::{Map, Mask, npy, truth};
use harness::metric::{Protocol, Sample, evaluate, image_score};
use rayon::prelude::*;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let Some(folder) = words.first().map(Path::new) else { return println!("give a folder of maps and masks") };
    let threads = words.get(1).map_or(1, |word| word.parse().expect("THREADS is a number"));

    let mut paths: Vec<_> =
        std::fs::read_dir(folder.join("maps")).expect("FOLDER/maps").map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    let images: Vec<(String, Map, Option<Mask>)> = paths
        .iter()
        .map(|path| {
            let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
            let mask = folder.join("masks").join(format!("{name}.png"));
            let mask = mask.exists().then(|| truth::decode_mask(&mask, MaskRule::Nonzero).expect("a mask"));
            (name, npy::read(path).expect("a map"), mask)
        })
        .collect();

    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let memory = Memory::start();
    let start = Instant::now();
    let (scores, _) = pool.install(|| {
        let samples: Vec<Sample> = images
            .par_iter()
            .map(|(name, map, mask)| Sample {
                name,
                map,
                mask: mask.as_ref(),
                image_score: image_score(map).expect("a map has pixels"),
                anomalous: mask.is_some(),
            })
            .collect();
        evaluate(&samples, &Protocol::default()).expect("maps and masks fit")
    });
    let seconds = start.elapsed().as_secs_f64();
    let values: serde_json::Map<_, _> = scores.metrics().into_iter().map(|(name, value)| (name, value.into())).collect();
    let extra = memory.peak_extra_bytes();
    println!("{}", serde_json::json!({ "seconds": seconds, "threads": threads, "peak_extra_bytes": extra, "values": values }));
}

/// Resident memory beyond what there was at the beginning; Linux only.
struct Memory {
    before: Option<u64>,
}

impl Memory {
    fn start() -> Self {
        let forgotten = std::fs::write("/proc/self/clear_refs", "5").is_ok(); // forgets the peak so far
        Self { before: status("VmRSS").filter(|_| forgotten) }
    }

    fn peak_extra_bytes(&self) -> Option<u64> {
        Some(status("VmHWM")?.saturating_sub(self.before?))
    }
}

fn status(name: &str) -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
}
