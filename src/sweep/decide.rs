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
    /// It failed, and a retry was not asked for.
    GiveUp,
}

/// Whether runs that failed before are tried again (`--retry`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    Leave,
    Retry,
}

impl Action {
    /// The action that follows. `failed`: whether the ledger knows that the last attempt did, which may have been too early for the
    /// run's folder to tell.
    pub fn of(status: Status, failed: bool, requested: Failed) -> Self {
        match (status, failed, requested) {
            (Status::Finished, ..) => Self::Reuse,
            (Status::Running, ..) => Self::Wait,
            (Status::Failed, _, Failed::Leave) => Self::GiveUp,
            (Status::Fresh, true, Failed::Leave) => Self::GiveUp,
            (Status::Failed | Status::Stopped, ..) => Self::Resume,
            (Status::Fresh, ..) => Self::Start,
        }
    }

    /// Whether the run's process is to be started.
    pub fn starts(self) -> bool {
        matches!(self, Self::Start | Self::Resume)
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
            (Stopped, false, Resume, Resume),
            (Stopped, true, Resume, Resume),
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
