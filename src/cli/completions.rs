//! `harness completions SHELL`.

use crate::Result;

#[derive(Debug, clap::Args)]
pub struct Args {
    shell: clap_complete::Shell,
}

/// Prints the completions of `command`.
pub fn run(args: &Args, command: &mut clap::Command) -> Result<()> {
    clap_complete::generate(args.shell, command, "harness", &mut std::io::stdout());
    Ok(())
}
