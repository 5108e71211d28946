//! `harness runs` as people type it, over a store that is made by the library itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use harness::run::{self, Folder, Lock, Status};
use support::harness;
use support::runs::{id, store};

mod support;

/// As if nothing had been written for so many days.
fn age(path: &Path, days: u64) {
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| age(&entry.unwrap().path(), days));
    }
    let then = SystemTime::now() - Duration::from_secs(86400 * days + 60);
    std::fs::File::open(path).unwrap().set_modified(then).unwrap();
}

#[test]
fn runs_are_listed_by_condition_and_order_and_as_json() {
    let (dir, [a, b, c, d]) = store();
    let list = |args: &[&str]| -> Vec<String> {
        let (code, out, error) = harness(dir.path(), &[&["runs", "list", "--json"], args].concat());
        assert_eq!(code, 0, "{error}");
        let runs: Vec<serde_json::Value> = serde_json::from_str(&out).unwrap();
        runs.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect()
    };
    let [a, b, c, d] = [a, b, c, d].map(|folder| id(&folder));
    assert_eq!(list(&[]), [&d, &c, &b, &a].map(Clone::clone));
    assert_eq!(list(&["--where", "loss.score.gamma<3 and test/image_auroc>0.85"]), std::slice::from_ref(&a));
    assert_eq!(list(&["--where", "state=failed or tag=night", "--sort", "seed"]), [c.clone(), d.clone()]);
    assert_eq!(list(&["--where", "experiment=full", "--sort", "-seed"]), [b.clone(), a.clone()]);
    assert_eq!(list(&["--sort", "-test/image_auroc"]), [&c, &a, &b, &d].map(Clone::clone));

    let (_, out, _) = harness(dir.path(), &["runs", "list", "--json", "--where", "tag=night"]);
    let run = &serde_json::from_str::<serde_json::Value>(&out).unwrap()[0];
    let expected = serde_json::json!({
        "id": c, "state": "finished", "category": "gear", "seed": 0, "started": "2025-03-01T12:00:00.000Z", "sweep": null, "tags": ["night"],
        "note": null, "metrics": { "test/aupro@0.3": null, "test/image_auroc": 0.95 },
    });
    assert_eq!(*run, expected);

    let (code, _, error) = harness(dir.path(), &["runs", "list", "--where", "seed=0 and loss.score.gama>2"]);
    assert!(code == 2 && error.contains("column 12") && error.contains("did you mean `loss.score.gamma`?"), "{error}");
    assert_eq!(harness(dir.path(), &["runs", "list", "--sort", "speed"]).0, 2);
    let (code, out, _) = harness(dir.path(), &["runs", "list", "--where", "seed=9"]);
    assert!(code == 0 && out.contains("none of 4 runs"), "{out}");
    std::fs::create_dir(dir.path().join("empty")).unwrap();
    let (code, out, _) = harness(dir.path(), &["runs", "list", "--results", "empty", "--where", "test/x>1"]);
    assert!(code == 0 && out.contains("no runs in empty"), "{out}");
}

#[test]
fn a_run_is_shown_for_people_and_for_programs() {
    let (dir, [_, _, wide, _]) = store();
    let (code, out, _) = harness(dir.path(), &["runs", "show", "wide/", "--json"]);
    assert_eq!(code, 2, "two runs begin so: {out}");
    let (code, out, error) = harness(dir.path(), &["runs", "show", &id(&wide), "--json"]);
    assert_eq!(code, 0, "{error}");
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(shown["state"], "finished");
    assert_eq!(shown["config"]["loss"]["score"]["gamma"], 4.0);
    assert_eq!(shown["summary"]["metrics"]["test/image_auroc"], 0.95);
    assert_eq!(shown["environment"]["device"], "cpu");
    assert!(Path::new(shown["folder"].as_str().unwrap()).join("summary.json").exists());
    let (_, out, _) = harness(dir.path(), &["runs", "show", "latest"]);
    assert!(out.contains("failed") && out.contains("the loss is NaN"), "{out}");
}

#[test]
fn two_runs_are_compared_by_what_differs() {
    let (dir, [a, b, c, d]) = store();
    let diff = |a: &Folder, b: &Folder| {
        let (code, out, error) = harness(dir.path(), &["runs", "diff", &id(a), &id(b)]);
        assert_eq!(code, 0, "{error}");
        out
    };
    assert!(diff(&a, &a).contains("identical"));
    let out = diff(&a, &c);
    assert!(out.contains("loss.score.gamma") && out.contains("-0.050000") && !out.contains("environment"), "{out}");
    assert!(!out.contains("train.batch"), "{out}");
    assert!(out.contains("no paired comparison"), "these runs have no maps: {out}");
    let out = diff(&a, &b);
    assert!(out.contains("seed") && !out.contains("configuration") && out.contains("+0.100000"), "{out}");
    let out = diff(&c, &d);
    assert!(out.contains("finished") && out.contains("failed") && !out.contains("paired"), "{out}");
    // Another machine.
    let text = std::fs::read_to_string(b.env_json()).unwrap();
    std::fs::write(b.env_json(), text.replace("\"threads\": 2", "\"threads\": 3")).unwrap();
    assert!(diff(&a, &b).contains("environment"));
}

#[test]
fn runs_are_removed_only_when_confirmed_and_not_while_they_run() {
    let (dir, [a, b, c, d]) = store();
    let (code, out, error) = harness(dir.path(), &["runs", "rm", &id(&a)]);
    assert!(code == 2 && error.contains("--yes") && out.contains(&id(&a)), "{error}");
    assert!(a.path().exists());
    // Failed before, running again.
    let lock = Lock::acquire(&d.lock(), run::now()).unwrap();
    let (code, _, error) = harness(dir.path(), &["runs", "rm", &id(&b), &id(&d), "--yes"]);
    assert!(code == 3 && error.contains("is running"), "{error}");
    assert!(b.path().exists() && d.path().exists());
    drop(lock);
    let (code, out, error) = harness(dir.path(), &["runs", "rm", &id(&a), &id(&a), &id(&b), "--yes"]);
    assert!(code == 0 && out.contains("removed 2 runs"), "{out}{error}");
    assert!(!a.path().exists() && !dir.path().join("results/runs/full").exists(), "nothing is left of the experiment either");
    assert!(c.path().exists() && d.path().exists());
    let (code, _, error) = harness(dir.path(), &["runs", "rm", "nothing", "--yes"]);
    assert!(code == 2 && error.contains("holds 2 runs"), "{error}");
    // A finished run whose lock somebody holds is left alone as well.
    let lock = Lock::acquire(&c.lock(), run::now()).unwrap();
    assert_eq!(harness(dir.path(), &["runs", "rm", &id(&c), "--yes"]).0, 3);
    assert!(c.summary_json().exists());
    drop(lock);
}

#[test]
fn gc_carries_out_exactly_what_it_shows_and_never_what_a_sweep_cites() {
    let (dir, [a, b, c, d]) = store();
    let gc = |args: &[&str]| {
        let (code, out, error) = harness(dir.path(), &[&["runs", "gc"], args].concat());
        assert_eq!(code, 0, "{error}");
        out
    };
    assert!(gc(&[]).contains("nothing can go"), "all is of today and of this version");
    // An old failed run, leftovers of killed writers, a removal that was cut off, an old run of another version.
    age(d.path(), 9);
    let half = a.checkpoints().join(".weights.safetensors.1-0.tmp");
    std::fs::write(&half, [0; 2048]).unwrap();
    std::fs::write(a.last_checkpoint(), [0; 1024]).unwrap();
    let maps = a.maps().join("S/gear/test/good");
    std::fs::create_dir_all(&maps).unwrap();
    let of_maps = [maps.join("zz.npy.999.tmp"), maps.join(".yy.npy.999-0.tmp")];
    of_maps.iter().for_each(|path| std::fs::write(path, "half").unwrap());
    let probe = dir.path().join("results/runs/.writable-999");
    std::fs::write(&probe, "").unwrap();
    let remains = dir.path().join("results/runs/full/.removed-0123456789-s5-77");
    std::fs::create_dir_all(&remains).unwrap();
    let text = std::fs::read_to_string(b.config_toml()).unwrap();
    std::fs::write(b.config_toml(), text.replace("gamma = 2.5", "gamma = 2.75")).unwrap();
    age(b.path(), 9);
    let text = std::fs::read_to_string(c.config_toml()).unwrap();
    std::fs::write(c.config_toml(), text.replace("gamma", "gamme")).unwrap();
    age(c.path(), 9);

    let shown = gc(&[]);
    assert!(shown.contains(&id(&d)) && shown.contains("failed, untouched for 9 days"), "{shown}");
    assert!(shown.contains(&id(&b)) && shown.contains("made by an earlier version of its method"), "{shown}");
    assert!(!shown.contains(&id(&c)) && shown.contains("1 finished run of another version"), "{shown}");
    assert!(shown.contains(".weights.safetensors.1-0.tmp") && shown.contains("2.0 KiB") && shown.contains("last.ckpt"), "{shown}");
    assert!(shown.contains("zz.npy.999.tmp") && shown.contains(".yy.npy.999-0.tmp") && shown.contains(".writable-999"), "{shown}");
    assert!(shown.contains(".removed-") && shown.contains("--apply"), "{shown}");
    assert!(half.exists() && d.path().exists(), "a look changes nothing");

    // A sweep cites two of them; one of them under another experiment.
    let sweep = dir.path().join("results/ablation");
    std::fs::create_dir_all(&sweep).unwrap();
    let other = format!("other/{}", id(&d).split_once('/').unwrap().1);
    std::fs::write(sweep.join("plan.json"), format!(r#"{{"format":1,"runs":[{{"id":"{}"}},{{"id":"{other}"}}]}}"#, id(&b))).unwrap();
    let shown = gc(&["--apply"]);
    assert!(shown.contains("2 more could go, but stay: a sweep's plan names them"), "{shown}");
    assert!([&a, &b, &c, &d].iter().all(|run| run.path().exists()));
    assert!(of_maps.iter().all(|path| !path.exists()) && !probe.exists() && maps.is_dir());
    assert!(!half.exists() && !a.last_checkpoint().exists() && !remains.exists());
    assert_eq!(a.status(), Status::Finished);
    let (_, out, _) = harness(dir.path(), &["runs", "rm", &id(&b)]);
    assert!(out.contains("cited by ablation"), "{out}");

    // A plan that cannot be read keeps everything.
    std::fs::write(sweep.join("plan.json"), "{").unwrap();
    let (code, _, error) = harness(dir.path(), &["runs", "gc", "--apply"]);
    assert!(code == 3 && error.contains("plan.json"), "{error}");
    std::fs::remove_dir_all(sweep).unwrap();
    let out = gc(&["--apply"]);
    assert!(out.contains("freed"), "{out}");
    assert!(!d.path().exists() && !b.path().exists() && a.path().exists() && c.path().exists());
    assert!(gc(&[]).contains("nothing can go"));
}

#[cfg(unix)]
#[test]
fn what_links_point_to_is_neither_removed_nor_written_to() {
    let (dir, [a, _, _, d]) = store();
    let link = |from: &Path, to: &Path| std::os::unix::fs::symlink(from, to).unwrap();
    // Somebody else's folder with what would be removed here: an old run, leftovers, a damaged checkpoint.
    let outside = dir.path().join("outside");
    let foreign = outside.join("exp").join(id(&d).split_once('/').unwrap().1.replace("-s", "-s7"));
    std::fs::create_dir_all(outside.join("exp")).unwrap();
    std::fs::rename(d.path(), &foreign).unwrap();
    let inside = |name: &str| foreign.join(name);
    std::fs::create_dir_all(inside("figures")).unwrap();
    for name in [".x.1-0.tmp", "figures/.y.1-0.tmp", "checkpoints/last.ckpt.damaged", "victim"] {
        std::fs::write(inside(name), "precious").unwrap();
    }
    std::fs::create_dir_all(outside.join("exp/.removed-0123456789-s5-77")).unwrap();
    age(&foreign, 30);
    let content = || -> BTreeMap<std::path::PathBuf, Option<Vec<u8>>> {
        let mut found = BTreeMap::new();
        let mut folders = vec![outside.clone()];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                found.insert(path.clone(), std::fs::read(&path).ok());
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        found
    };
    let before = content();
    let runs = dir.path().join("results/runs");
    link(&outside.join("exp"), &runs.join("linked"));
    link(&foreign, &runs.join("full").join(foreign.file_name().unwrap()));
    // A finished run whose figures lie elsewhere.
    std::fs::create_dir_all(a.path()).unwrap();
    link(&inside("figures"), &a.figures());
    let (code, out, error) = harness(dir.path(), &["runs", "gc", "--apply", "--older-than", "0"]);
    assert!(code == 0 && out.contains("3 not looked at: they are links"), "{out}{error}");
    for run in [format!("linked/{}", foreign.file_name().unwrap().to_string_lossy()), id(&a)] {
        let (code, _, error) = harness(dir.path(), &["runs", "rm", &run, "--yes"]);
        assert!(code == 3 && error.contains("is a link"), "{error}");
    }
    assert_eq!(content(), before);

    // A lock that is a link would be emptied.
    std::fs::remove_file(a.figures()).unwrap();
    std::fs::remove_file(a.lock()).unwrap();
    link(&inside("victim"), &a.lock());
    let (code, _, error) = harness(dir.path(), &["runs", "rm", &id(&a), "--yes"]);
    assert!(code == 3 && error.contains("it is a link"), "{error}");
    assert!(a.summary_json().exists());
    assert_eq!(content(), before);
}

#[test]
fn no_run_is_removed_whose_sweep_is_carried_out_or_cannot_be_seen() {
    let (dir, [a, _, _, d]) = store();
    age(d.path(), 30);
    let record = run::Record { sweep: Some("night".into()), ..d.record().unwrap().unwrap() };
    harness::file::write_json(&d.run_json(), &record).unwrap();
    age(d.path(), 30);
    let gc = || harness(dir.path(), &["runs", "gc", "--apply"]);
    let (_, out, _) = gc();
    assert!(out.contains("1 more could go, but stay: the sweep that made them has no plan here") && d.path().exists(), "{out}");
    // Its plan is here and does not name the run.
    let sweep = dir.path().join("results/night");
    std::fs::create_dir_all(&sweep).unwrap();
    std::fs::write(sweep.join("plan.json"), format!(r#"{{"format":1,"runs":[{{"id":"{}"}}]}}"#, id(&a))).unwrap();
    let held = std::fs::File::create(sweep.join(".lock")).unwrap();
    held.lock_shared().unwrap();
    let (code, _, error) = harness(dir.path(), &["runs", "rm", &id(&a), "--yes"]);
    assert!(code == 3 && error.contains("belongs to the sweep night, which is running") && a.path().exists(), "{error}");
    held.unlock().unwrap();
    assert!(gc().1.contains("freed") && !d.path().exists());
    assert_eq!(harness(dir.path(), &["runs", "rm", &id(&a), "--yes"]).0, 0);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_ends_with_a_message_and_a_closed_one_quietly() {
    let (dir, [a, ..]) = store();
    let verbs: [&[&str]; 8] = [
        &["runs", "list"],
        &["runs", "list", "--json"],
        &["runs", "show", "latest"],
        &["config", "show"],
        &["config", "explain"],
        &["completions", "bash"],
        &["doctor"],
        &["--help"],
    ];
    for verb in verbs {
        let run = |out: std::process::Stdio| {
            let command = std::process::Command::new(env!("CARGO_BIN_EXE_harness")).current_dir(dir.path()).args(verb).stdout(out).output();
            let output = command.unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (code, error) = run(std::fs::File::options().write(true).open("/dev/full").unwrap().into());
        assert!(code == Some(3) && error.contains("cannot write to standard output"), "{verb:?}: {code:?} {error}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(run(writer.into()), (Some(141), String::new()), "{verb:?}");
    }
    // Nobody who could hear it: no reason to end.
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_harness"));
    let status = command.current_dir(dir.path()).args(["runs", "rm", &id(&a), "nothing", "--yes"]).stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn names_do_not_reach_a_terminal_as_they_are() {
    let (dir, [.., d]) = store();
    let text = std::fs::read_to_string(d.run_json()).unwrap();
    let evil = "ge\\u001b]0;x\\u0007\\nar\\u202e";
    std::fs::write(d.run_json(), text.replacen("\"gear\"", &format!("\"{evil}\""), 1)).unwrap();
    for verb in [&["runs", "list"][..], &["runs", "show", &id(&d)]] {
        let (_, out, error) = harness(dir.path(), verb);
        assert!(
            !(out.clone() + &error).contains(['\u{1b}', '\u{7}', '\u{202e}']) && out.contains(r"ge\u{1b}]0;x\u{7}"),
            "{out:?}{error:?}"
        );
    }
}
