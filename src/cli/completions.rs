//! `harness completions SHELL`.

use crate::Result;

#[derive(Debug, clap::Args)]
pub struct Args {
    shell: clap_complete::Shell,
}

/// Prints the completions of `command`.
pub fn run(args: &Args, command: &mut clap::Command) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "harness", &mut script);
    crate::console::raw(&String::from_utf8_lossy(&script));
    Ok(())
}
