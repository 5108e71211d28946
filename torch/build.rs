//! Emits the run path of libtorch, so that whatever links it runs with nothing exported.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{lib}");
        println!("cargo:rustc-env=HARNESS_LIBTORCH_LIB={lib}");
    }
}
