//! What to do with a planned run: a pure function of how it stands and of what was asked.

use crate::run::Status;

/// What is to be done with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is finished.
    Reuse,
    /// Another process is at it: look again later.
    Wait,
    /// It goes on from its last checkpoint.
    Resume,
    Start,
    /// It failed, and nobody asked to try again.
    GiveUp,
}

/// Whether runs that failed before are tried again (`--retry`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    Leave,
    Retry,
}

impl Action {
    /// The action that follows. `failed` is whether the last attempt that the ledger knows of failed, which may have been
    /// too early for the run's folder to tell.
    pub fn of(status: Status, failed: bool, wish: Failed) -> Self {
        match (status, wish) {
            (Status::Finished, _) => Self::Reuse,
            (Status::Running, _) => Self::Wait,
            (Status::Failed, Failed::Leave) => Self::GiveUp,
            (Status::Fresh, Failed::Leave) if failed => Self::GiveUp,
            (Status::Failed | Status::Interrupted, _) => Self::Resume,
            (Status::Fresh, _) => Self::Start,
        }
    }

    /// For tables: what would be done.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reuse => "reuse",
            Self::Wait => "wait: another process runs it",
            Self::Resume => "resume",
            Self::Start => "start",
            Self::GiveUp => "leave: it failed (--retry)",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finished_runs_are_reused_killed_ones_resume_failed_ones_wait() {
        use {Action::*, Status::*};
        let table = [
            (Fresh, false, Start, Start),
            (Fresh, true, GiveUp, Start),
            (Interrupted, false, Resume, Resume),
            (Interrupted, true, Resume, Resume),
            (Status::Failed, true, GiveUp, Resume),
            (Status::Failed, false, GiveUp, Resume),
            (Running, false, Wait, Wait),
            (Finished, true, Reuse, Reuse),
        ];
        for (status, failed, leave, retry) in table {
            assert_eq!(Action::of(status, failed, super::Failed::Leave), leave, "{status:?}");
            assert_eq!(Action::of(status, failed, super::Failed::Retry), retry, "{status:?}");
        }
    }
}
