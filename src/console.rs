//! Standard output and standard error, for people with names spelled out. Output that cannot be written ends the program with a message
//! and an exit code; a message that standard error does not take is dropped, and the work goes on.

use std::io::{ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::exit;
use crate::names::spelled;

/// Prints on standard output, [`spelled`]; see [`raw`].
pub fn out(text: &str) {
    raw(&spelled(text));
}

/// Prints on standard output what programs read, byte for byte.
///
/// Where it cannot be written the program ends: quietly with [`exit::CLOSED_PIPE`] where the reader is gone, else with a message and
/// [`exit::ENVIRONMENT`].
pub fn raw(text: &str) {
    let mut out = std::io::stdout().lock();
    end_unless(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
}

/// Prints a value as indented JSON on standard output; see [`raw`].
pub fn json(value: &impl serde::Serialize) {
    raw(&(serde_json::to_string_pretty(value).expect("what is printed is plain data") + "\n"));
}

/// Ends the program where standard output was not written, as [`raw`] does.
pub fn end_unless(written: std::io::Result<()>) {
    let Err(error) = written else { return };
    if error.kind() == ErrorKind::BrokenPipe {
        std::process::exit(exit::CLOSED_PIPE.into());
    }
    err(&format!("harness: cannot write to standard output: {error}\n  help: free some space there, or send it elsewhere\n"));
    std::process::exit(exit::ENVIRONMENT.into());
}

/// Whether programs read standard error (`--json`).
static PROGRAMS: AtomicBool = AtomicBool::new(false);

/// From now on messages on standard error are lines of JSON, as progress is.
pub fn tell_programs() {
    PROGRAMS.store(true, Ordering::Relaxed);
}

/// Says something on standard error, [`spelled`]; one that is closed or full is passed over.
pub fn err(text: &str) {
    if PROGRAMS.load(Ordering::Relaxed) {
        return raw_err(&format!("{}\n", serde_json::json!({ "type": "message", "text": text.trim_end() })));
    }
    raw_err(&spelled(text));
}

/// [`err`] for programs, byte for byte.
pub fn raw_err(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
}

/// As `print!`, by [`out`].
#[macro_export]
macro_rules! show {
    ($($given:tt)*) => { $crate::console::out(&format!($($given)*)) };
}

/// As `println!`, by [`out`].
#[macro_export]
macro_rules! showln {
    ($($given:tt)*) => { $crate::console::out(&(format!($($given)*) + "\n")) };
}

/// As `eprintln!`, by [`err`].
#[macro_export]
macro_rules! sayln {
    ($($given:tt)*) => { $crate::console::err(&(format!($($given)*) + "\n")) };
}
