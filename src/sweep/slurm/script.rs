//! The batch scripts: a worker of an array, and the job that makes the tables.

use std::path::PathBuf;

use crate::sweep::request::shell;
use crate::{Error, Result};

/// How long before its end a job is told, seconds. Slurm may send the signal up to a minute earlier.
const NOTICE_S: u32 = 120;

/// How often a worker goes back into the queue.
const MOST_RESTARTS: u32 = 100;

/// Options that the script sets itself, or that make no sense for it.
const OWN: [&str; 7] = ["--array", "-a", "--wrap", "--parsable", "--wait", "-W", "--dependency"];

/// Options that the job of the tables has too: where it may run, not on how much.
const SHARED: [&str; 10] = ["--account", "-A", "--partition", "-p", "--qos", "-q", "--reservation", "--clusters", "-M", "--nodelist"];

/// What is given to Slurm.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The sweep's name.
    pub name: String,
    /// The program, absolute.
    pub program: String,
    /// What a worker is started with: `sweep`, the file, overrides.
    pub worker: Vec<String>,
    /// What makes the tables: `report`, the name.
    pub report: Vec<String>,
    /// Workers at once, at most.
    pub workers: usize,
    /// Options for `sbatch`, as they were typed.
    pub options: Vec<String>,
    /// Where the command was typed.
    pub folder: PathBuf,
    /// Where the output of jobs goes. It has to be there when a job starts, or the job dies without a word.
    pub output: PathBuf,
}

impl Batch {
    /// Refuses options that the scripts set themselves.
    ///
    /// # Errors
    /// `Kind::Config` naming the option.
    pub fn check(&self) -> Result<()> {
        let name = |word: &String| word.split('=').next().unwrap_or_default().to_owned();
        match self.options.iter().map(name).find(|name| OWN.contains(&name.as_str())) {
            Some(option) => Err(Error::config(
                format!("{option} among sbatch's options: the script sets it, or it does not fit an array of workers"),
                "leave it out; --workers N, before --slurm, says how many workers there are",
            )),
            None => Ok(()),
        }
    }

    /// The script of a worker. Its array's number says with which run it begins; a worker that was told to stop goes back into the queue.
    pub fn worker_script(&self) -> String {
        let mut lines = self.head("", &lines(&self.options));
        lines.insert(2, format!("#SBATCH --array=1-{}", self.workers));
        lines.extend([
            "#SBATCH --requeue".to_owned(),
            format!("#SBATCH --signal=B:USR1@{NOTICE_S}"),
            String::new(),
            "# What the site needs (module load, a container) goes here.".to_owned(),
            String::new(),
            "# Slurm tells this shell alone: it hands the signal on, and waits for the checkpoint. On scancel and preemption Slurm kills"
                .to_owned(),
            "# what is left after its KillWait (30 s, as a rule): a step has to be shorter than that, or it is lost.".to_owned(),
            format!("{} --worker \"${{SLURM_ARRAY_TASK_ID:-1}}/{}\" --no-wait & child=$!", self.command(&self.worker), self.workers),
            "# USR1 is the notice before the time limit; TERM is scancel, or preemption and requeue, after which Slurm queues by itself.".to_owned(),
            "trap 'kill -TERM $child 2>/dev/null' USR1".to_owned(),
            "trap 'ended=1; kill -TERM $child 2>/dev/null' TERM".to_owned(),
            "until wait $child; rc=$?; ! kill -0 $child 2>/dev/null; do :; done".to_owned(),
            "# 75: stopped, resumable.".to_owned(),
            format!(
                "if [ $rc = 75 ] && [ -z \"$ended\" ] && [ \"${{SLURM_RESTART_COUNT:-0}}\" -lt {MOST_RESTARTS} ]; then scontrol requeue \"$SLURM_JOB_ID\"; fi"
            ),
            "exit $rc".to_owned(),
        ]);
        lines.join("\n") + "\n"
    }

    /// The script that makes tables, figures and page of what is there.
    pub fn report_script(&self) -> String {
        let shared = lines(&self.options).into_iter().filter(|line| SHARED.contains(&line.split([' ', '=']).next().unwrap_or_default()));
        let mut lines = self.head("-report", &shared.collect::<Vec<_>>());
        lines.extend([String::new(), format!("exec {}", self.command(&self.report))]);
        lines.join("\n") + "\n"
    }

    fn head(&self, ending: &str, options: &[String]) -> Vec<String> {
        // Slurm reads % in names of files as its own.
        let path = |path: &PathBuf| path.display().to_string().replace('%', "%%");
        let output = format!("{}/{}.txt", path(&self.output), if ending.is_empty() { "%A_%a" } else { "report_%j" });
        let mut lines = vec![
            "#!/bin/bash".to_owned(),
            format!("#SBATCH {}", shell([format!("--job-name={}{ending}", self.name)])),
            format!("#SBATCH {}", shell([format!("--chdir={}", self.folder.display())])),
            format!("#SBATCH {}", shell([format!("--output={output}")])),
            "#SBATCH --open-mode=append".to_owned(),
        ];
        lines.extend(options.iter().map(|option| format!("#SBATCH {option}")));
        lines
    }

    fn command(&self, words: &[String]) -> String {
        shell(std::iter::once(self.program.clone()).chain(words.iter().cloned()))
    }
}

/// Options a line each: a word that does not begin with a dash belongs to the one before.
fn lines(options: &[String]) -> Vec<String> {
    let begins = |word: &String| word.starts_with('-');
    options.chunk_by(|_, next| !begins(next)).map(|option| shell(option.iter().cloned())).collect()
}

#[cfg(test)]
impl Batch {
    /// Three workers of a sweep `ratio`.
    pub(super) fn example(options: &[&str]) -> Self {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        Self {
            name: "ratio".into(),
            program: "/opt/harness".into(),
            worker: words("sweep ratio.toml run.seeds=[0,1]"),
            report: words("report ratio --partial"),
            workers: 3,
            options: options.iter().map(|o| o.to_string()).collect(),
            folder: "/home/me/my project".into(),
            output: "/home/me/100%/slurm".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_says_what_slurm_needs_and_what_the_user_asked_for() {
        let batch = Batch::example(&["--partition", "gpu", "--time=4:00:00", "--comment", "a b"]);
        let script = batch.worker_script();
        for line in [
            "#SBATCH --array=1-3",
            "#SBATCH '--chdir=/home/me/my project'",
            "#SBATCH --output=/home/me/100%%/slurm/%A_%a.txt",
            "#SBATCH --partition gpu",
            "#SBATCH --time=4:00:00",
            "#SBATCH --comment 'a b'",
            "/opt/harness sweep ratio.toml 'run.seeds=[0,1]' --worker \"${SLURM_ARRAY_TASK_ID:-1}/3\" --no-wait & child=$!",
        ] {
            assert!(script.lines().any(|found| found == line), "{line} in\n{script}");
        }
        let first_command = script.lines().position(|line| !line.starts_with('#')).unwrap();
        assert!(script.lines().skip(first_command).all(|line| !line.starts_with("#SBATCH")), "Slurm reads options up to the first command");
    }

    #[test]
    fn the_job_of_the_tables_runs_where_the_workers_do_and_asks_for_less() {
        let script = Batch::example(&["-p", "gpu", "--gres=gpu:1", "--account=me"]).report_script();
        assert!(script.contains("#SBATCH -p gpu\n") && script.contains("#SBATCH --account=me\n") && !script.contains("gres"), "{script}");
        assert!(script.ends_with("exec /opt/harness report ratio --partial\n") && !script.contains("--array"), "{script}");
    }

    #[test]
    fn options_that_the_script_sets_are_refused() {
        Batch::example(&["--time", "1"]).check().unwrap();
        let error = Batch::example(&["--array=1-9"]).check().unwrap_err();
        assert!(error.exit_code() == 2 && error.what.contains("--array") && error.remedy.contains("--workers"), "{error}");
    }

    /// The script with a worker and a `scontrol` that are shell scripts: what was asked of Slurm, and how the script ended.
    #[cfg(unix)]
    fn ran(worker: &str, restarts: &str, signal: Option<&str>) -> (String, Option<i32>) {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, format!("#!/bin/bash\n{text}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path.display().to_string()
        };
        let batch = Batch { program: put("worker", worker), ..Batch::example(&[]) };
        put("scontrol", &format!("echo \"$@\" >> '{}/asked'", dir.path().display()));
        std::fs::write(dir.path().join("script"), batch.worker_script()).unwrap();
        let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
        let mut shell = std::process::Command::new("bash");
        shell.arg("script").current_dir(dir.path()).env("PATH", path).env("SLURM_JOB_ID", "17").env("SLURM_RESTART_COUNT", restarts);
        let mut child = shell.stderr(std::process::Stdio::null()).spawn().unwrap();
        if let Some(signal) = signal {
            while !dir.path().join("begun").exists() {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            let pid = child.id().to_string();
            assert!(std::process::Command::new("kill").args([&format!("-{signal}"), &pid]).status().unwrap().success());
        }
        let code = child.wait().unwrap().code();
        (std::fs::read_to_string(dir.path().join("asked")).unwrap_or_default(), code)
    }

    #[cfg(unix)]
    #[test]
    fn a_worker_that_was_stopped_goes_back_into_the_queue_so_often() {
        assert_eq!(ran("exit 75", "0", None), ("requeue 17\n".into(), Some(75)));
        assert_eq!(ran("exit 75", "100", None), (String::new(), Some(75)));
        assert_eq!(ran("exit 0", "0", None), (String::new(), Some(0)));
        assert_eq!(ran("exit 1", "0", None), (String::new(), Some(1)));
        // The shell alone gets the signal; the worker needs a moment for its checkpoint.
        let worker = "trap 'sleep 0.2; exit 75' TERM; touch begun; while :; do sleep 0.05; done";
        assert_eq!(ran(worker, "0", Some("USR1")), ("requeue 17\n".into(), Some(75)));
        // Whoever cancels a job wants it gone.
        assert_eq!(ran(worker, "0", Some("TERM")), (String::new(), Some(75)));
    }
}
