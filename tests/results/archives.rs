//! A sweep as one file, and what hostile files cannot do.

use std::io::Write;
use std::path::Path;

use super::support::runs::{id, sweep, whole};
use super::{badly, copy, json, well};

/// A small sweep, packed; the folder it lies in.
fn packed() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    sweep(dir.path(), &[0, 1]);
    well(dir.path(), &["archive", "small", "--out", "small.tar"]);
    dir
}

fn names(tar: &Path) -> Vec<String> {
    let mut archive = tar::Archive::new(std::fs::File::open(tar).unwrap());
    archive.entries().unwrap().map(|entry| entry.unwrap().path().unwrap().display().to_string()).collect()
}

#[test]
fn an_archive_has_what_a_reader_needs_once_and_equal_results_give_equal_bytes() {
    let dir = packed();
    let tar = dir.path().join("small.tar");
    let names = names(&tar);
    assert_eq!(names[0], "small/archive.json");
    assert!(names[1..].is_sorted());
    let has = |end: &str| names.iter().any(|name| name.ends_with(end));
    for wanted in
        ["results/small/plan.json", "rows/1.toml", "table.md", "means.svg", "panels-gear.png", "summary.json", "config.toml", ".npy"]
    {
        assert!(has(wanted), "{wanted} is not in {names:?}");
    }
    for table in ["effects.tex", "verdicts.md", "ranks.csv", "sweep.toml"] {
        assert!(has(&format!("results/small/{table}")), "{table} is not in {names:?}");
    }
    for left in ["means.png", "weights.safetensors", "old.svg", "ledger.jsonl", ".lock", "log.txt"] {
        assert!(!has(left), "{left} is in {names:?}");
    }
    let mut archive = tar::Archive::new(std::fs::File::open(&tar).unwrap());
    for entry in archive.entries().unwrap() {
        let header = entry.unwrap().header().clone();
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap(), header.mode().unwrap()), (0, 0, 0, 0o644));
    }
    // Another place, another time.
    let other = tempfile::tempdir().unwrap();
    ["results", "plots"].iter().for_each(|name| copy(&dir.path().join(name), &other.path().join(name)));
    let told = well(other.path(), &["archive", "small", "--out", "again.tar"]);
    assert_eq!(std::fs::read(other.path().join("again.tar")).unwrap(), std::fs::read(&tar).unwrap());
    let digest = json(&well(dir.path(), &["verify", "small.tar", "--json"]))["blake3"].as_str().unwrap().to_owned();
    assert!(told.contains(&digest), "{told}");
}

#[test]
fn reports_metrics_and_other_stores_are_made_from_the_unpacked_folder() {
    let dir = packed();
    let desk = tempfile::tempdir().unwrap();
    let tar = dir.path().join("small.tar").display().to_string();
    let told = well(desk.path(), &["verify", &tar, "--unpack", "paper"]);
    assert!(told.contains("every file is what the manifest says") && told.contains("harness report small"), "{told}");
    well(desk.path(), &["verify", "paper/small"]);
    let run = id(&whole(dir.path(), 0));
    let data = dir.path().join("data").display().to_string();
    let scored = well(desk.path(), &["score", "--run", &run, "--results", "paper/small/results", "--data", &data]);
    assert_eq!(scored, well(dir.path(), &["score", "--run", &run]));
    let report = ["report", "small", "--format", "csv"];
    let here = well(dir.path(), &report);
    let there = ["--results", "paper/small/results", "--plots", "paper/small/plots", "--data", &data];
    assert_eq!(well(desk.path(), &[&report[..], &there].concat()), here);
    assert!(well(desk.path(), &["runs", "merge", "paper/small", "--results", "mine"]).contains("2 brought"));
    // Without the data the panels stay as they came, and without events the curves do.
    let plots = desk.path().join("paper/small/plots/small");
    std::fs::write(plots.join("learning.svg"), "<svg>drawn before</svg>").unwrap();
    let runs = desk.path().join("paper/small/results/runs/small");
    for run in std::fs::read_dir(runs).unwrap().flatten() {
        std::fs::remove_file(run.path().join("events.jsonl")).unwrap();
    }
    let panels = std::fs::read(plots.join("panels-gear.png")).unwrap();
    well(desk.path(), &[&report[..], &there[..4]].concat());
    assert_eq!(std::fs::read(plots.join("panels-gear.png")).unwrap(), panels);
    assert_eq!(std::fs::read_to_string(plots.join("learning.svg")).unwrap(), "<svg>drawn before</svg>");
    // Another folder than the data that the sweep was made with.
    let error = badly(desk.path(), &[&report[..], &there[..4], &["--data", "paper"]].concat(), 3);
    assert!(error.contains("paper"), "{error}");
    assert!(json(&well(desk.path(), &["verify", &tar, "--json"]))["whole"].as_bool().unwrap());
    badly(desk.path(), &["verify", &tar, "--unpack", "paper"], 3);
    assert!(desk.path().join("paper/small/results/small/plan.json").exists(), "the folder that was there stays");
}

#[test]
fn what_was_changed_or_lost_in_a_folder_or_a_file_is_named() {
    let dir = packed();
    well(dir.path(), &["verify", "small.tar", "--unpack", "."]);
    let table = dir.path().join("small/results/small/table.md");
    std::fs::write(&table, "u").unwrap();
    std::fs::remove_file(dir.path().join("small/plots/small/means.svg")).unwrap();
    std::fs::write(dir.path().join("small/readme"), "mine").unwrap();
    let (code, out, _) = super::harness(dir.path(), &["verify", "small"]);
    assert_eq!(code, 3, "{out}");
    for words in
        ["results/small/table.md: another content", "plots/small/means.svg: missing", "1 file there that the manifest does not name"]
    {
        assert!(out.contains(words), "{words}: {out}");
    }
    // What does not fit its manifest is not brought in either.
    let run = whole(dir.path(), 0);
    let map = dir.path().join("small/results/runs").join(id(&run)).join("maps/S/gear/test");
    let file = std::fs::read_dir(map.join("good")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let (code, out, _) = super::harness(dir.path(), &["runs", "merge", "small", "--results", "mine"]);
    assert!(code == 3 && out.contains("not what its manifest says") && out.contains("1 brought"), "{out}");
    // A bit in the middle of the file, and a file that was cut.
    let whole = std::fs::read(dir.path().join("small.tar")).unwrap();
    let at = whole.windows(6).rposition(|window| window == b"NUMPY\x01").unwrap() + 200;
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    std::fs::write(dir.path().join("flipped.tar"), flipped).unwrap();
    let (code, out, _) = super::harness(dir.path(), &["verify", "flipped.tar"]);
    assert!(code == 3 && out.contains(".npy: another content"), "{out}");
    std::fs::write(dir.path().join("cut.tar"), &whole[..whole.len() / 2]).unwrap();
    badly(dir.path(), &["verify", "cut.tar"], 3);
    badly(dir.path(), &["verify", "flipped.tar", "--unpack", "out"], 3);
    assert!(!dir.path().join("out/small").exists());
}

#[test]
fn only_finished_runs_are_packed_and_the_others_are_named() {
    let dir = tempfile::tempdir().unwrap();
    sweep(dir.path(), &[0, 1]);
    std::fs::remove_file(whole(dir.path(), 1).summary_json()).unwrap();
    let (code, out, error) = super::harness(dir.path(), &["archive", "small", "--out", "a.tar"]);
    assert!(code == 0 && out.contains("1 run, ") && error.contains("gear · seed 1"), "{out}{error}");
    let said = json(&well(dir.path(), &["verify", "a.tar", "--json"]));
    assert_eq!((said["planned"].as_u64(), said["runs"].as_array().unwrap().len()), (Some(2), 1));
    let error = badly(dir.path(), &["archive", "other", "--out", "b.tar"], 2);
    assert!(error.contains("there is no sweep other") && !dir.path().join("b.tar").exists(), "{error}");
    badly(dir.path(), &["archive", "../results/small", "--out", "b.tar"], 2);
}

/// Kind, name as it stands in the header, content, size that the header tells.
type Forged<'a> = (tar::EntryType, &'a str, &'a [u8], u64);

/// A tar file of these entries.
fn forged(path: &Path, entries: &[Forged]) {
    let mut file = std::fs::File::create(path).unwrap();
    for (kind, name, content, size) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_size(*size);
        header.set_mode(0o644);
        if *kind == tar::EntryType::Symlink {
            header.set_link_name("/etc/passwd").unwrap();
        }
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        file.write_all(header.as_bytes()).unwrap();
        file.write_all(content).unwrap();
        file.write_all(&vec![0; (512 - content.len() % 512) % 512]).unwrap();
    }
    file.write_all(&[0; 1024]).unwrap();
}

#[test]
fn a_hostile_archive_writes_nothing_outside_and_reads_nothing_without_bounds() {
    use tar::EntryType::{Block, Directory, Fifo, GNULongName, Link, Regular, Symlink, XHeader};
    let dir = tempfile::tempdir().unwrap();
    let manifest = |files: &str| format!(r#"{{"format":1,"sweep":"s","harness":"0","runs":[],"planned":0,"files":{{{files}}}}}"#);
    let x = |name: &str, bytes: u64| format!(r#""{name}":{{"bytes":{bytes},"blake3":"{}"}}"#, blake3::hash(b"x").to_hex());
    let good = manifest(&x("a", 1));
    let first = (Regular, "s/archive.json", good.as_bytes(), good.len() as u64);
    let up = manifest(&x("../../a", 1));
    let vast = manifest(&x("a", 1 << 60));
    let long = "n/".repeat(3000);
    let tar = dir.path().join("evil.tar");
    let cases: Vec<(&str, Vec<Forged>)> = vec![
        ("no manifest first", vec![(Regular, "s/a", b"x", 1), first]),
        ("nothing", vec![]),
        ("up in a name", vec![first, (Regular, "s/../../a", b"x", 1)]),
        ("from the root", vec![first, (Regular, "/s/a", b"x", 1)]),
        ("up in the manifest", vec![(Regular, "s/archive.json", up.as_bytes(), up.len() as u64)]),
        ("a link", vec![first, (Symlink, "s/a", b"", 0)]),
        ("a hard link", vec![first, (Link, "s/a", b"", 0)]),
        ("a pipe", vec![first, (Fifo, "s/a", b"", 0)]),
        ("a device", vec![first, (Block, "s/a", b"", 0)]),
        ("an extended header", vec![first, (XHeader, "s/a", b"x", 1)]),
        ("a second folder", vec![first, (Regular, "t/a", b"x", 1)]),
        ("twice", vec![first, (Regular, "s/a", b"x", 1), (Regular, "s/a", b"x", 1)]),
        ("not in the manifest", vec![first, (Regular, "s/a", b"x", 1), (Regular, "s/b", b"x", 1)]),
        ("larger than it is said", vec![first, (Regular, "s/a", b"xx", 2)]),
        ("more than there is", vec![first, (Regular, "s/a", b"x", 1 << 40)]),
        ("a vast file", vec![(Regular, "s/archive.json", vast.as_bytes(), vast.len() as u64), (Regular, "s/a", b"x", 1 << 33)]),
        ("a vast manifest", vec![(Regular, "s/archive.json", b"{", 1 << 40)]),
        ("a long name", vec![first, (GNULongName, "././@LongLink", long.as_bytes(), long.len() as u64), (Regular, "s/a", b"x", 1)]),
        ("a vast name", vec![first, (GNULongName, "././@LongLink", b"x", 1 << 40)]),
        ("missing", vec![first]),
    ];
    for (what, entries) in &cases {
        forged(&tar, entries);
        for args in [&["verify", "evil.tar"][..], &["verify", "evil.tar", "--unpack", "out"]] {
            let (code, out, error) = super::harness(dir.path(), args);
            assert_eq!(code, 3, "{what}: {out}{error}");
        }
        let left: Vec<String> = std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        assert!(left.iter().all(|name| name == "evil.tar" || name == "out"), "{what}: {left:?}");
        assert!(!dir.path().join("out/s").exists(), "{what}");
    }
    // The same with folders in it, as other programs pack it, is sound.
    forged(&tar, &[(Directory, "s/", b"", 0), first, (Regular, "s/a", b"x", 1)]);
    well(dir.path(), &["verify", "evil.tar", "--unpack", "out"]);
    assert_eq!(std::fs::read(dir.path().join("out/s/a")).unwrap(), b"x");
    assert!(std::fs::write(dir.path().join("evil.tar"), "no tar").is_ok());
    badly(dir.path(), &["verify", "evil.tar"], 3);
    badly(dir.path(), &["verify", "missing.tar"], 3);
}
