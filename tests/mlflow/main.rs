//! `harness export mlflow` as people type it, against a recorder on loopback. `just mlflow-check` asks a real server.

mod recorder;
// Not every store that can be made is needed here.
#[allow(dead_code)]
#[path = "../support/runs.rs"]
mod runs;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use harness::mlflow::{Access, Attach, Exporter, Options, Params, Subject, watch};
use harness::run::{Event, Stop, Timing};
use harness::store::Store;
use recorder::Recorder;
use runs::{Made, begin, finish};

/// MLflow's variables, none of which reaches a command unless a test sets it.
const VARIABLES: [&str; 4] = ["MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"];

/// Exit code, standard output and standard error of `harness export mlflow …` in `dir`.
fn export(dir: &Path, args: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_harness"));
    for name in VARIABLES {
        command.env_remove(name);
    }
    command.args(["export", "mlflow"]).args(args).envs(variables.iter().copied()).env("NO_PROXY", "*").current_dir(dir);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let error = text(&output.stderr);
    assert!(!error.contains("panicked"), "{error}");
    (output.status.code().unwrap(), text(&output.stdout), error)
}

/// Standard output of one that ends well.
fn sent(dir: &Path, to: &Recorder, args: &[&str]) -> String {
    let (code, out, error) = export(dir, &[args, &["--to", &to.url]].concat(), &[]);
    assert_eq!(code, 0, "{out}{error}");
    out
}

/// Standard error of one that ends with `code`.
fn failed(dir: &Path, args: &[&str], code: i32) -> String {
    let (found, out, error) = export(dir, args, &[]);
    assert_eq!(found, code, "{out}{error}");
    error
}

/// Two steps and an epoch of a run, with a loss that is not finite.
fn train(attempt: &mut harness::run::Attempt) {
    let losses = |value: f64| [("total".to_owned(), value)].into();
    for (step, loss) in [(1, 0.5), (2, f64::NAN)] {
        let stats = [("entropy".to_owned(), 0.25)].into();
        attempt.event(&Event::Step { epoch: 0, step, losses: losses(loss), lr: 1e-3, grad_norm: Some(2.0), stats }).unwrap();
    }
    attempt.event(&Event::Epoch { epoch: 0, step: 2, losses: losses(0.75), grad_norm: None, stats: [].into() }).unwrap();
    attempt.timing(&Timing::Epoch { attempt: 1, epoch: 0, images: 12, wall_s: 2.0, images_per_s: 6.0 }).unwrap();
}

fn made(seed: u64) -> Made<'static> {
    Made { experiment: "full", seed, gamma: 3.5, tags: &[], started: "2025-03-01T10:00:00.250Z" }
}

/// A finished run with steps.
fn trained(dir: &Path) -> String {
    let mut attempt = begin(dir, &made(0));
    train(&mut attempt);
    attempt.event(&Event::Eval { epoch: 1, step: 2, metrics: [("pseudo_val/pixel_ap".to_owned(), Some(0.5))].into() }).unwrap();
    let folder = attempt.folder().clone();
    std::fs::create_dir_all(folder.figures()).unwrap();
    ["roc.png", "roc.svg", ".roc.png.7-1.tmp"].iter().for_each(|name| std::fs::write(folder.figures().join(name), name).unwrap());
    runs::id(&finish(attempt, 0.9))
}

#[test]
fn a_run_arrives_with_what_tells_it_apart_and_its_numbers_at_their_steps() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    let id = trained(dir.path());
    let out = sent(dir.path(), &server, &["latest"]);
    assert!(out.contains("1 run: sent 12 numbers, 1 parameter, 5 files ("), "{out}");
    assert!(out.ends_with(&format!("full: {}/#/experiments/1/runs?workflowType=machine_learning\n", server.url)), "{out}");
    let run = server.run("harness.run", &id);
    assert_eq!((run.name.as_str(), run.status.as_str(), run.start), (id.as_str(), "FINISHED", 1_740_823_200_250));
    assert!(run.end.is_some_and(|end| end >= run.start));
    assert_eq!(run.params, [("loss.score.gamma".to_owned(), "3.5".to_owned())].into(), "what is as in base.toml is no parameter");
    for (tag, value) in [
        ("harness.category", "gear"),
        ("harness.seed", "0"),
        ("harness.status", "finished"),
        ("harness.data_hash", "d"),
        ("harness.device", "cpu"),
        ("mlflow.source.name", "harness run"),
    ] {
        assert_eq!(run.tags.get(tag).map(String::as_str), Some(value), "{tag}");
    }
    assert_eq!(run.data, [("gear".to_owned(), "d".to_owned())].into());
    assert_eq!(run.artifacts.keys().collect::<Vec<_>>(), ["config.toml", "env.json", "figures/roc.png", "log.txt", "summary.json"]);
    let at = |name: &str| -> Vec<(i64, i64, &str)> {
        run.points.iter().filter(|point| point.0 == name).map(|(_, step, time, value)| (*step, time - run.start, value.as_str())).collect()
    };
    assert_eq!(at("loss/total"), [(1, 1, "0.5"), (2, 2, "\"NaN\"")], "times follow from steps");
    assert_eq!((at("epoch/total"), at("epoch/images_per_s")), (vec![(2, 2, "0.75")], vec![(2, 2, "6.0")]));
    assert_eq!((at("optim/lr").len(), at("optim/grad_norm").len(), at("stats/entropy").len()), (2, 2, 2));
    assert_eq!((at("test/image_auroc"), at("pseudo_val/pixel_ap")), (vec![(2, 2, "0.9")], vec![(2, 2, "0.5")]));
    assert!(at("test/aupro_0.3").is_empty(), "a metric without a value has no point");
}

#[test]
fn the_same_command_twice_changes_nothing_and_asks_for_next_to_nothing() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    runs::sweep(dir.path(), &[0, 1]);
    sent(dir.path(), &server, &["small"]);
    let (before, asked) = (server.counts(), server.state().requests.len());
    assert!(before.iter().all(|count| *count > 0), "{before:?}");
    let out = sent(dir.path(), &server, &["small"]);
    assert_eq!(server.counts(), before);
    assert!(out.contains("sent 0 numbers, 0 parameters, 0 files (0 B); all was there already"), "{out}");
    assert_eq!(server.state().requests.len() - asked, 4, "the experiment, the sweep and two runs are looked for");
    // Without the tag that says so, everything is sent again and is there already.
    server.state().runs.values_mut().for_each(|run| drop(run.tags.remove("harness.sent")));
    let out = sent(dir.path(), &server, &["small"]);
    assert_eq!(server.counts(), before, "{out}");
    assert!(!out.contains("sent 0 numbers"), "{out}");
}

#[test]
fn parameters_are_sent_only_where_they_are_absent() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    let id = trained(dir.path());
    sent(dir.path(), &server, &["latest"]);
    // As another version would have spelled it: the server refuses another value.
    server.state().runs.values_mut().for_each(|run| drop(run.params.insert("loss.score.gamma".into(), "3.50".into())));
    sent(dir.path(), &server, &["latest", "--all-params"]);
    let run = server.run("harness.run", &id);
    assert_eq!(run.params["loss.score.gamma"], "3.50");
    assert!(run.params.len() > 100 && run.params["run.seeds"].starts_with('['), "{:?}", run.params.keys());
}

#[test]
fn a_sweep_is_the_parent_of_its_runs_with_its_table_as_a_note() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    runs::sweep(dir.path(), &[0, 1]);
    let table = "| | image AUROC |\n|---|---|\n| it's \"odd\" | 100.0 |\n";
    std::fs::write(dir.path().join("results/small/table.md"), table).unwrap();
    let value: serde_json::Value = serde_json::from_str(&sent(dir.path(), &server, &["small", "--json"])).unwrap();
    assert_eq!((&value["sweeps"], &value["runs"], &value["not_begun"]), (&1.into(), &2.into(), &0.into()));
    let parent = server.named("small");
    assert_eq!((parent.name.as_str(), parent.status.as_str()), ("small", "FINISHED"));
    assert_eq!(parent.tags["mlflow.note.content"], table);
    let points: Vec<_> = parent.points.iter().map(|(name, step, _, value)| (name.as_str(), *step, value.as_str())).collect();
    assert_eq!(points, [("it_s _odd__ _1/image_auroc", 2, "1.0")], "a mean over two runs");
    assert_eq!(parent.tags["harness.name.it_s _odd__ _1"], runs::ROW);
    for name in ["table.md", "effects.tex", "plan.json", "sweep.toml", "figures/means.png"] {
        assert!(parent.artifacts.contains_key(name), "{name} of {:?}", parent.artifacts.keys());
    }
    assert!(!parent.artifacts.contains_key("ledger.jsonl") && !parent.artifacts.contains_key("figures/means.svg"));
    let state = server.state();
    let parent_id = state.runs.iter().find(|(_, run)| run.name == "small").unwrap().0;
    let children: Vec<_> = state.runs.values().filter(|run| run.tags.get("mlflow.parentRunId") == Some(parent_id)).collect();
    assert_eq!(children.len(), 2);
    assert!(children.iter().all(|run| run.tags["harness.row"] == runs::ROW && run.experiment == "1"));
    assert!(children[0].name.starts_with(runs::ROW) && children[0].name.ends_with("gear · seed 0"), "{}", children[0].name);
}

#[test]
fn a_run_by_itself_and_within_a_sweep_are_two_and_one_that_was_deleted_is_made_anew() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    runs::sweep(dir.path(), &[0]);
    sent(dir.path(), &server, &["small"]);
    sent(dir.path(), &server, &["small/", "--experiment", "small"]);
    let [experiments, runs, ..] = server.counts();
    assert_eq!((experiments, runs), (1, 3), "the sweep, its run, the run");
    server.state().runs.values_mut().find(|run| run.name.ends_with("seed 0")).unwrap().deleted = true;
    sent(dir.path(), &server, &["small"]);
    assert_eq!(server.counts()[1], 4);
    sent(dir.path(), &server, &["small"]);
    assert_eq!(server.counts()[1], 4);
}

#[test]
fn an_experiment_that_was_deleted_is_not_brought_back_unasked() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    trained(dir.path());
    server.state().experiments.push(("full".into(), true));
    let error = failed(dir.path(), &["latest", "--to", &server.url], 2);
    assert!(error.contains("\"full\" was deleted") && error.contains("mlflow experiments restore --experiment-id 1"), "{error}");
    assert!(error.contains("--experiment") && server.counts()[1] == 0, "{error}");
    sent(dir.path(), &server, &["latest", "--experiment", "again"]);
    assert_eq!(server.counts()[1], 1);
}

#[test]
fn running_failed_and_stopped_runs_say_so_and_go_on_where_they_were() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    let mut running = begin(dir.path(), &made(0));
    train(&mut running);
    // As after a few seconds: what was written has reached the file.
    running.checkpoint(Default::default(), b"tensors").unwrap();
    let failing = begin(dir.path(), &made(1));
    failing.fail(&harness::Error::run("the loss is NaN", "lower optim.lr")).unwrap();
    begin(dir.path(), &made(2)).stop();
    let names: Vec<String> = Store::new(&dir.path().join("results")).list().unwrap().iter().map(|entry| entry.id.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    sent(dir.path(), &server, &names);
    let of = |seed: &str| server.run("harness.seed", seed);
    assert_eq!(["0", "1", "2"].map(|seed| of(seed).status), ["RUNNING", "FAILED", "KILLED"]);
    assert_eq!((of("0").end, of("0").points.len()), (None, 10));
    assert!(of("1").tags["harness.error"].contains("the loss is NaN") && of("1").end.is_some());
    finish(running, 0.9);
    let out = sent(dir.path(), &server, &names);
    assert!(out.contains("sent 1 number, 0 parameters") && out.contains("2 of them were there already"), "only what is new: {out}");
    assert_eq!((of("0").status.as_str(), of("0").points.len()), ("FINISHED", 11));
    assert_eq!(server.counts()[1], 3);
    // A run that is resumed loses the tag of its failure.
    drop(begin(dir.path(), &made(1)));
    sent(dir.path(), &server, &names);
    assert!(!of("1").tags.contains_key("harness.error") && of("1").status == "KILLED");
}

#[test]
fn a_note_that_somebody_wrote_there_stays() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    runs::sweep(dir.path(), &[0]);
    let table = dir.path().join("results/small/table.md");
    sent(dir.path(), &server, &["small"]);
    std::fs::write(&table, "second").unwrap();
    sent(dir.path(), &server, &["small"]);
    assert_eq!(server.named("small").tags["mlflow.note.content"], "second");
    server.state().runs.get_mut("run0").unwrap().tags.insert("mlflow.note.content".into(), "mine".into());
    std::fs::write(&table, "third").unwrap();
    sent(dir.path(), &server, &["small"]);
    assert_eq!(server.named("small").tags["mlflow.note.content"], "mine");
}

#[test]
fn more_numbers_than_a_batch_takes_arrive_whole() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    let mut attempt = begin(dir.path(), &made(0));
    for step in 1..=700 {
        let losses = [("total".to_owned(), 1.0 / step as f64)].into();
        attempt.event(&Event::Step { epoch: 0, step, losses, lr: 1e-3, grad_norm: Some(2.0), stats: [].into() }).unwrap();
    }
    finish(attempt, 0.9);
    sent(dir.path(), &server, &["latest"]);
    assert_eq!(server.counts()[2], 2101);
    assert!(server.asked("runs/log-batch") >= 3);
}

#[test]
fn all_artifacts_are_weights_and_maps_too_and_none_are_none() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    runs::whole(dir.path(), 0);
    sent(dir.path(), &server, &["latest", "--artifacts", "none"]);
    assert_eq!(server.counts()[5], 0);
    sent(dir.path(), &server, &["latest", "--artifacts", "all"]);
    let state = server.state();
    let names: Vec<&String> = state.runs["run0"].artifacts.keys().collect();
    assert!(names.iter().any(|name| *name == "weights.safetensors"), "{names:?}");
    assert!(names.iter().any(|name| name.starts_with("maps/S/gear/test/") && name.ends_with(".npy")), "{names:?}");
}

#[test]
fn a_server_that_keeps_its_artifacts_elsewhere_gets_the_rest_and_a_warning() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    trained(dir.path());
    server.state().bucket = Some("s3://bucket".into());
    let (code, out, error) = export(dir.path(), &["latest", "--to", &server.url], &[]);
    assert_eq!(code, 0, "{error}");
    assert!(out.contains("0 files") && error.contains("keeps artifacts at s3://bucket") && error.contains("--serve-artifacts"), "{error}");
    assert_eq!((server.counts()[2], server.counts()[5]), (12, 0));
}

#[test]
fn credentials_are_sent_with_every_request_and_never_printed_whatever_the_server_says() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    trained(dir.path());
    let basic =
        [("MLFLOW_TRACKING_USERNAME", "ann"), ("MLFLOW_TRACKING_PASSWORD", "pa55word"), ("MLFLOW_TRACKING_URI", server.url.as_str())];
    let (code, out, error) = export(dir.path(), &["latest"], &basic);
    assert_eq!(code, 0, "{error}");
    assert!(server.state().requests.iter().all(|(_, header)| header.as_deref() == Some("Basic YW5uOnBhNTV3b3Jk")));
    assert!(!format!("{out}{error}").contains("pa55word"));
    server.state().instead = Some((401, "who is ann with pa55word, alias YW5uOnBhNTV3b3Jk?".into()));
    let (code, out, error) = export(dir.path(), &["latest"], &basic);
    assert_eq!(code, 3);
    assert!(error.contains("who is ann with …, alias …?") && error.contains("see whether they are right"), "{error}");
    assert!(!format!("{out}{error}").contains("pa55word"), "{error}");
    let tokens = [("MLFLOW_TRACKING_TOKEN", "t0ken"), ("MLFLOW_TRACKING_URI", server.url.as_str())];
    let (_, out, error) = export(dir.path(), &["latest"], &tokens);
    assert!(!format!("{out}{error}").contains("t0ken"), "{error}");
    assert_eq!(server.state().requests.last().unwrap().1.as_deref(), Some("Bearer t0ken"));
    let (code, _, error) = export(dir.path(), &["latest", "--to", &server.url], &[]);
    assert!(code == 3 && error.contains("set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"), "{error}");
    let files = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files, 1, "nothing is written beside the results");
}

#[test]
fn what_a_server_says_is_told_in_a_line_with_the_way_out() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    trained(dir.path());
    for (status, text, told) in [
        (403, "Invalid Host header - possible DNS rebinding attack detected", "--allowed-hosts"),
        (404, "<html><body>Apache</body></html>", "is not an MLflow server"),
        (200, "welcome", "is not an MLflow server"),
        (301, "", "sends on to https://elsewhere.example/mlflow\n"),
        (413, "too large", "--artifacts small or none"),
        (400, "plain \u{1b}[31mwords", r"status 400 : plain \u{1b}[31mwords"),
        (500, "out of order", "is not able to: status 500 to experiments/get-by-name: out of order"),
    ] {
        server.state().instead = Some((status, text.to_owned()));
        let error = failed(dir.path(), &["latest", "--to", &server.url], 3);
        assert!(error.contains(told) && error.contains("help: ") && !error.contains("s3cret"), "{status}: {error}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_with_the_line_that_starts_one() {
    let dir = tempfile::tempdir().unwrap();
    trained(dir.path());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{free}");
    let error = failed(dir.path(), &["latest", "--to", &url], 3);
    assert!(error.contains(&format!("no MLflow server answers at {url}")), "{error}");
    assert!(error.contains(&format!("mlflow server --backend-store-uri sqlite:///mlflow.db --port {free}")), "{error}");
    let error = failed(dir.path(), &["latest"], 2);
    assert!(error.contains("neither --to nor MLFLOW_TRACKING_URI"), "{error}");
    let error = failed(dir.path(), &["nothing", "--to", &url], 2);
    assert!(error.contains("no run is named \"nothing\", and no sweep is"), "{error}");
}

#[test]
fn a_connection_that_breaks_off_leaves_what_was_sent_and_the_next_command_sends_the_rest() {
    let (dir, whole) = (tempfile::tempdir().unwrap(), Recorder::start());
    runs::sweep(dir.path(), &[0, 1]);
    sent(dir.path(), &whole, &["small"]);
    let all = whole.state().requests.len();
    assert!(all > 20);
    for requests in (0..all).step_by(5) {
        let server = Recorder::start();
        server.state().dies_after = Some(requests);
        let error = failed(dir.path(), &["small", "--to", &server.url], 3);
        assert!(error.contains("no MLflow server answers"), "{error}");
        server.state().dies_after = None;
        sent(dir.path(), &server, &["small"]);
        assert_eq!(server.counts(), whole.counts(), "after {requests} requests");
    }
}

#[test]
fn watching_works_through_a_server_that_is_down_for_a_while_and_ends_with_the_runs() {
    let (dir, server) = (tempfile::tempdir().unwrap(), Recorder::start());
    let running = begin(dir.path(), &made(0));
    let (id, figures) = (running.folder().record().unwrap().unwrap().id, running.folder().figures());
    let store = Store::new(&dir.path().join("results"));
    let subjects = [Subject::find(&store, &id).unwrap()];
    let options = Options { plots: dir.path().join("plots"), experiment: None, attach: Attach::Small, params: Params::Differing };
    let access = Access::of(Some(&server.url), &|_| None).unwrap();
    let mut exporter = Exporter::new(access, &store, &subjects, options).unwrap();
    server.state().instead = Some((503, "coming up".into()));
    let (mut said, mut running) = (vec![], Some(running));
    let mut say = |text: &str| {
        assert!(said.len() < 9, "{said:?}");
        match said.len() {
            // It is down, and comes up.
            0 => server.state().instead = None,
            // It is up; what there is was sent; the run finishes.
            2 => drop(finish(running.take().unwrap(), 0.9)),
            // It was sent; a sweep's tables and figures come last.
            3 => {
                std::fs::create_dir_all(&figures).unwrap();
                std::fs::write(figures.join("late.png"), "late").unwrap();
            }
            _ => {}
        }
        said.push(text.to_owned());
    };
    let waiting = watch(&mut exporter, Duration::from_millis(20), &Stop::default(), &mut say).unwrap();
    assert!(said[0].contains("does not answer: status 503") && said[1].contains("answers again"), "{said:?}");
    let rounds = ["sent 0 numbers, 3 files", "sent 1 number, 4 files", "sent 0 numbers, 5 files"].map(String::from);
    assert_eq!((waiting, &said[2..]), (0, rounds.as_slice()));
    assert_eq!(server.run("harness.run", &id).status, "FINISHED");
    // Who asks for a stop ends it.
    let (stop, before) = (Stop::default(), server.state().requests.len());
    stop.request();
    watch(&mut exporter, Duration::from_secs(60), &stop, &mut |_| {}).unwrap();
    assert_eq!(server.state().requests.len(), before);
}
