//! The one error type of the library: what happened, where, and the way out; and the exit codes of the program.

/// The exit codes of `harness` and `harness-torch`. Scripts rely on them: none is ever given another meaning.
///
/// | code | meaning |
/// |---|---|
/// | 0 | all right |
/// | 1 | a run failed, of one or of many |
/// | 2 | usage or configuration: nothing was started |
/// | 3 | data, weights, files or devices |
/// | 75 | stopped on request; the same command resumes |
/// | 130 | a second Ctrl-C, or one where there is nothing to save |
/// | 141 | the reader of the output closed it (`harness … \| head`) |
pub mod exit {
    /// A run failed.
    pub const FAILED: u8 = 1;
    /// Command line or configuration; clap exits with it too.
    pub const USAGE: u8 = 2;
    /// Data, weights, files or devices.
    pub const ENVIRONMENT: u8 = 3;
    /// Stopped and resumable; sysexits.h's EX_TEMPFAIL, "the user is invited to retry".
    pub const STOPPED: u8 = 75;
    /// 128 + SIGINT, as shells say it.
    pub const INTERRUPTED: u8 = 130;
    /// 128 + SIGPIPE.
    pub const CLOSED_PIPE: u8 = 141;

    /// The table for people, at the end of `harness --help`.
    pub const HELP: &str = "\
Exit codes:
  0    all right
  1    a run failed; of a sweep: at least one
  2    usage or configuration: nothing was started
  3    data, weights, files or devices: see the message
  75   stopped on request (Ctrl-C, SIGTERM); the same command resumes
  130  a second Ctrl-C, or one where there is nothing to save
  141  whoever read the output closed it";
}

/// The remedy for a run whose files are not in order: only `run` has --force, a sweep starts what is not there.
pub const AGAIN: &str = "make the run again: `harness run … --force`, or of a sweep `harness runs rm ID` and the same command";

/// Who can fix it; decides the exit code, see [`exit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Command line or configuration.
    Config,
    /// Data, weights, files, devices.
    Environment,
    /// The run itself went wrong (diverged, out of memory).
    Run,
    /// Stopped on request, resumable.
    Stopped,
}

/// An error for people: `what` names file or key, `remedy` says what to do (empty where nothing can be advised).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}{remedy}", if remedy.is_empty() { "" } else { "\n  help: " })]
pub struct Error {
    pub kind: Kind,
    pub what: String,
    pub remedy: String,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The most that is said of one fault, bytes: what it quotes may be of any length.
const MOST: usize = 8000;

/// A text that says what it leaves out where it is too long.
fn bounded(text: String) -> String {
    if text.len() <= MOST {
        return text;
    }
    let end = text.floor_char_boundary(MOST);
    format!("{}… ({} bytes more)", &text[..end], text.len() - end)
}

impl Error {
    /// A fault of the command line or the configuration ([`exit::USAGE`]).
    pub fn config(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::Config, what: bounded(what.into()), remedy: bounded(remedy.into()) }
    }

    /// A fault of data, files, weights or devices ([`exit::ENVIRONMENT`]).
    pub fn environment(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::Environment, what: bounded(what.into()), remedy: bounded(remedy.into()) }
    }

    /// A run that failed ([`exit::FAILED`]).
    pub fn run(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::Run, what: bounded(what.into()), remedy: bounded(remedy.into()) }
    }

    /// A run that was stopped and can be resumed ([`exit::STOPPED`]).
    pub fn stopped(what: impl Into<String>) -> Self {
        Self { kind: Kind::Stopped, what: what.into(), remedy: "repeat the same command to resume".into() }
    }

    /// An I/O error on `path`; `doing` completes "cannot …".
    pub fn io(doing: &str, path: &std::path::Path, source: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let remedy = match source.kind() {
            K::NotFound => "check the path",
            K::PermissionDenied | K::ReadOnlyFilesystem => "check the permissions, or choose another folder",
            K::StorageFull | K::QuotaExceeded => {
                "free some disk space and repeat the command, a sweep with --retry: what was finished is kept"
            }
            K::InvalidData => "it is damaged or of another kind: restore it, or remove it",
            K::UnexpectedEof => "it is cut short: restore it, or fetch it again",
            _ => "see whether the disk and its connection are in order, then repeat the command",
        };
        let path = path.display().to_string();
        Self::environment(format!("cannot {doing} {}: {source}", crate::names::in_line(&path)), remedy)
    }

    /// All results, or all errors as one, so that everything can be mended before a command is repeated: with the kind and the
    /// remedy of the first.
    ///
    /// # Errors
    /// Where one of them is an error.
    pub fn all<T>(results: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
        let (mut sound, mut errors) = (vec![], vec![]);
        for result in results {
            match result {
                Ok(value) => sound.push(value),
                Err(error) => errors.push(error),
            }
        }
        let what: Vec<String> = errors.iter().map(|error: &Self| error.what.clone()).collect();
        match errors.into_iter().next() {
            None => Ok(sound),
            Some(first) => Err(Self { what: what.join("; "), ..first }),
        }
    }

    /// The process exit code of this error.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Run => exit::FAILED,
            Kind::Config => exit::USAGE,
            Kind::Environment => exit::ENVIRONMENT,
            Kind::Stopped => exit::STOPPED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_quotes_without_end_is_cut_and_says_so() {
        let error = Error::config("ä".repeat(9000), "x");
        assert!(error.what.len() < MOST + 40 && error.what.ends_with("… (10000 bytes more)"), "{}", error.what.len());
        let whole = "x".repeat(MOST);
        assert_eq!(Error::run(whole.clone(), "").what, whole);
    }
}
