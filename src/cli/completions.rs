//! `harness completions SHELL` and `harness man`: what shells and `man` know of this program.

use std::path::PathBuf;

use clap_complete::env::Shells;

use crate::{Error, Result, console, showln};

/// The variable by which a shell asks this program what may follow.
const ASKED: &str = "HARNESS_COMPLETE";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// bash, elvish, fish, powershell or zsh
    #[arg(value_name = "SHELL", value_parser = clap::builder::PossibleValuesParser::new(Shells::builtins().names()))]
    shell: String,
}

/// Prints a script after which the shell asks this program: keys, ids and names are completed as they are then.
///
/// # Errors
/// A shell that is not known.
pub fn run(args: &Args) -> Result<()> {
    let unknown = || Error::config(format!("{} is not a shell that is known", args.shell), "see `harness completions --help`");
    let shells = Shells::builtins();
    let shell = shells.completer(&args.shell).ok_or_else(unknown)?;
    let mut script = Vec::new();
    let written = shell.write_registration(ASKED, "harness", "harness", "harness", &mut script);
    written.expect("a script in memory is written");
    console::raw(&String::from_utf8_lossy(&script));
    Ok(())
}

/// Answers a shell that asks, and ends the program; otherwise nothing happens.
pub fn answer(command: fn() -> clap::Command) {
    clap_complete::CompleteEnv::with_factory(command).var(ASKED).complete();
}

#[derive(Debug, clap::Args)]
pub struct Man {
    /// The folder, such as ~/.local/share/man/man1
    #[arg(value_name = "DIR")]
    out: PathBuf,
}

/// Writes a manual page for each verb.
///
/// # Errors
/// A folder that cannot be written.
pub fn man(args: &Man, command: clap::Command) -> Result<()> {
    let io = |e: &std::io::Error| Error::io("write manual pages to", &args.out, e);
    std::fs::create_dir_all(&args.out).map_err(|e| io(&e))?;
    clap_mangen::generate_to(command, &args.out).map_err(|e| io(&e))?;
    showln!("{}: harness.1 and a page for each verb", args.out.display());
    Ok(())
}
