//! Archives of sweeps, which somebody else may have made: read, verified and unpacked, and nothing lies outside afterwards.

use std::path::Path;

use harness::archive::{self, Source};
use harness::{Error, Result, testing};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use crate::Target;
use crate::mutate::Corpus;

const WORDS: &[&str] =
    &["../", "/", "..", "\\", "c:", "\0", "ustar  \0", "small/", "archive.json", "././@LongLink", "\"bytes\": 0", "1e999", "{", "}"];

pub fn target() -> Target {
    Target { name: "archive", corpus, read }
}

/// The small finished sweep, packed.
fn corpus() -> Corpus {
    let dir = tempfile::tempdir().expect("a temporary folder can be made");
    let results = testing::root().join("tests/fuzz/corpus/store");
    let out = dir.path().join("small.tar");
    archive::pack(&Source { sweep: "small", results: &results, plots: dir.path() }, &out).expect("the checkout is whole");
    Corpus { sound: vec![std::fs::read(out).expect("it was just written")], words: WORDS, seal }
}

/// The headers' sums made right again, but for some of the inputs: else no damage would get past them.
fn seal(bytes: &[u8], draws: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if draws.random_bool(0.1) {
        return bytes;
    }
    for block in bytes.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

fn read(input: &[u8], dir: &Path) -> Result<()> {
    let tar = dir.join("in.tar");
    std::fs::write(&tar, input).expect("it is a folder of ours");
    let unpacked = archive::unpack(&tar, &dir.join("out"));
    let left: Vec<_> = std::fs::read_dir(dir).expect("it is a folder of ours").flatten().map(|entry| entry.file_name()).collect();
    assert!(left.iter().all(|name| name == "in.tar" || name == "out"), "{left:?}");
    match unpacked? {
        (verified, Some(folder)) => {
            let bytes: u64 = harness::store::removal::size_bytes(&folder);
            assert!(bytes <= input.len() as u64 && verified.faults.is_empty(), "{bytes} of {}", input.len());
            Ok(())
        }
        (verified, None) => {
            assert!(!verified.faults.is_empty() && !dir.join("out").join(&verified.manifest.sweep).exists());
            Err(Error::environment(verified.faults.join("; ").chars().take(200).collect::<String>(), "fetch it again"))
        }
    }
}
