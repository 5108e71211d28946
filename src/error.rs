//! The one error type of the library: what happened, where, and the way out.
//!
//! Three kinds, because a user can do three different things about an error; each has its exit code.

/// The exit code of a run that was stopped and can be resumed: `EX_TEMPFAIL` of sysexits.h.
pub const EXIT_STOPPED: u8 = 75;

/// Who can mend it; decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Command line or configuration: exit code 2.
    Config,
    /// Data, weights, files, devices: exit code 3.
    Environment,
    /// The run itself went wrong (diverged, out of memory): exit code 1.
    Run,
    /// Stopped on request, resumable: exit code 75.
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

impl Error {
    /// A fault of the command line or the configuration (exit code 2).
    pub fn config(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::Config, what: what.into(), remedy: remedy.into() }
    }

    /// A fault of data, files, weights or devices (exit code 3).
    pub fn environment(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::Environment, what: what.into(), remedy: remedy.into() }
    }

    /// A run that failed (exit code 1).
    pub fn run(what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind: Kind::Run, what: what.into(), remedy: remedy.into() }
    }

    /// A run that was stopped and can be resumed (exit code 75).
    pub fn stopped(what: impl Into<String>) -> Self {
        Self { kind: Kind::Stopped, what: what.into(), remedy: "repeat the same command to go on".into() }
    }

    /// An I/O error on `path`; `doing` completes "cannot …".
    pub fn io(doing: &str, path: &std::path::Path, source: &std::io::Error) -> Self {
        use std::io::ErrorKind as K;
        let remedy = match source.kind() {
            K::NotFound => "check the path",
            K::PermissionDenied | K::ReadOnlyFilesystem => "check the permissions, or choose another folder",
            K::StorageFull | K::QuotaExceeded => "free some disk space and repeat the command: what was finished is kept",
            _ => "",
        };
        Self::environment(format!("cannot {doing} {}: {source}", path.display()), remedy)
    }

    /// The process exit code of this error.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Run => 1,
            Kind::Config => 2,
            Kind::Environment => 3,
            Kind::Stopped => EXIT_STOPPED,
        }
    }
}
