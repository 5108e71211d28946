//! `harness completions SHELL`.

use clap::CommandFactory;

use crate::Result;

#[derive(Debug, clap::Args)]
pub struct Args {
    shell: clap_complete::Shell,
}

pub fn run(args: &Args) -> Result<()> {
    clap_complete::generate(args.shell, &mut super::Cli::command(), "harness", &mut std::io::stdout());
    Ok(())
}
