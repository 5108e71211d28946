//! `--slurm` with an `sbatch` and a `scontrol` that are shell scripts; a real cluster is that of `just test-slurm`.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use harness::sweep::ledger::What;

use crate::fixture::{Fixture, SWEEP, said};

/// A folder of programs: `sbatch` keeps what it is given and says 41, 42, …; it refuses a partition `nowhere`.
fn programs(fixture: &Fixture) -> String {
    let bin = fixture.path("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let put = |name: &str, text: &str| {
        let path = bin.join(name);
        std::fs::write(&path, format!("#!/bin/bash\ncd '{}'\n{text}\n", bin.display())).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    put("scontrol", "echo 'MaxArraySize = 4'");
    put(
        "sbatch",
        "n=$(ls given-* 2>/dev/null | wc -l); n=$((41 + n)); cat > given-$n; echo \"$@\" > words-$n\n\
         if grep -q nowhere given-$n; then rm given-$n; echo 'sbatch: error: invalid partition specified: nowhere' >&2; exit 1; fi\n\
         echo $n",
    );
    format!("{}:{}", bin.display(), std::env::var("PATH").unwrap())
}

fn slurm(fixture: &Fixture, words: &[&str]) -> Output {
    let mut command: Command = fixture.command("small.toml", "results", &["--name", "small", "--jobs", "1"]);
    command.args(words).env("PATH", programs(fixture)).output().unwrap()
}

#[test]
fn a_sweep_is_given_to_slurm_with_a_job_for_its_tables_and_leaves_at_once() {
    let fixture = Fixture::new(SWEEP);
    let output = slurm(&fixture, &["--slurm", "--partition", "gpu", "--gres=gpu:1"]);
    assert!(output.status.success(), "{}", said(&output));
    let text = said(&output);
    for words in ["3 workers are job 41; job 42 makes the tables", "squeue --jobs 41,42", "scancel 41 42"] {
        assert!(text.contains(words), "{words} in\n{text}");
    }
    let given = |n: u32, what: &str| std::fs::read_to_string(fixture.path("bin").join(format!("{what}-{n}"))).unwrap();
    let (worker, report) = (given(41, "given"), given(42, "given"));
    // An array's numbers stay below MaxArraySize, which is 4.
    assert!(worker.contains("#SBATCH --array=1-3\n") && worker.contains("#SBATCH --gres=gpu:1\n"), "{worker}");
    assert!(worker.contains("--name small") && worker.contains("--jobs 1") && worker.contains("--no-wait"), "{worker}");
    assert!(
        report.contains("exec ") && report.contains(" report small --results ") && given(42, "words").contains("--dependency=afterany:41"),
        "{report}"
    );
    let slurm = fixture.path("results/small/slurm");
    assert_eq!(std::fs::read_to_string(slurm.join("worker.sh")).unwrap(), worker);
    assert!(fixture.path("results/small/plan.json").exists(), "the plan is there for the workers");
    let ledger = fixture.ledger("results");
    let submitted = ledger
        .iter()
        .find_map(|e| if let What::Submit { job, report, workers, .. } = &e.what { Some((job, report, workers)) } else { None });
    assert_eq!(submitted, Some((&"41".to_owned(), &Some("42".to_owned()), &3)));
    // Nothing runs here.
    assert!(!ledger.iter().any(|e| matches!(e.what, What::Start { .. })));
}

#[test]
fn what_slurm_refuses_is_said_in_its_words() {
    let fixture = Fixture::new(SWEEP);
    let output = slurm(&fixture, &["--slurm", "-p", "nowhere"]);
    assert!(output.status.code() == Some(3) && said(&output).contains("invalid partition specified"), "{}", said(&output));
    assert!(fixture.ledger("results").is_empty(), "nothing was submitted");
    let output = slurm(&fixture, &["--slurm", "--array=1-9"]);
    assert!(output.status.code() == Some(2) && said(&output).contains("--array"), "{}", said(&output));
    let output = slurm(&fixture, &["--devices", "cpu", "--slurm"]);
    assert!(output.status.code() == Some(2) && said(&output).contains("--devices"), "{}", said(&output));
}

#[test]
fn the_script_is_printed_for_sites_that_change_it_and_nothing_is_written() {
    let fixture = Fixture::new(SWEEP);
    let output = slurm(&fixture, &["--workers", "2", "--slurm-script", "--time", "60"]);
    let script = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(output.status.success() && script.starts_with("#!/bin/bash\n") && script.contains("#SBATCH --time 60\n"), "{}", said(&output));
    assert!(script.contains("--array=1-2\n") && !fixture.path("results").exists());
    fixture.finished("results");
    let output = slurm(&fixture, &["--slurm"]);
    assert!(output.status.code() == Some(2) && said(&output).contains("nothing is to be done"), "{}", said(&output));
}
