//! Tells the program which revision it is.

#[path = "build/revision.rs"]
mod revision;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build/revision.rs");
    revision::record(&["src", "experiments", "assets", "Cargo.toml", "Cargo.lock"]);
}
