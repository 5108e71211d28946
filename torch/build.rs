//! Emits the run path of libtorch, so that whatever links it runs with nothing exported, the compiler's version, and the revision
//! that is built.

#[path = "../build/revision.rs"]
mod revision;

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=../build/revision.rs");
    revision::record(&["src", "../src", "../experiments", "../Cargo.toml", "../Cargo.lock"]);
    match std::env::var("DEP_TCH_LIBTORCH_LIB") {
        Ok(lib) => {
            println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
            println!("cargo:rustc-env=HARNESS_LIBTORCH_LIB={lib}");
        }
        Err(_) => println!("cargo:warning=torch-sys does not say where libtorch lies: harness-torch needs LD_LIBRARY_PATH to run"),
    }
    let version = std::env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    if let Some(version) = version.and_then(|output| String::from_utf8(output.stdout).ok()) {
        println!("cargo:rustc-env=HARNESS_RUSTC={}", version.trim().trim_start_matches("rustc "));
    }
}
