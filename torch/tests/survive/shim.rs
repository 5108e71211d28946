//! `shim.c` as a library, compiled once by the C compiler that libtorch's bindings need as well.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::fixture::Fixture;

/// The library; none where there is no C compiler.
pub fn library() -> Option<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let build = || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/survive/shim.c");
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-{}.so", std::process::id()));
        let words = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"];
        let output = Command::new("cc").args(words).arg(&library).arg(source).arg("-ldl").output().ok()?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Some(library)
    };
    BUILT.get_or_init(build).clone()
}

/// A sweep of the fixture with the shim under it and its children.
pub fn under(library: &std::path::Path, fixture: &Fixture, results: &str, settings: &[(&str, String)]) -> Command {
    let mut command = fixture.command("small.toml", results, &[]);
    command.env("LD_PRELOAD", library).env("SHIM_UNDER", fixture.path(results));
    command.envs(settings.iter().map(|(name, value)| (name, value)));
    command
}
