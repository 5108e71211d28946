//! What to do with a planned run: a pure function of how it stands and of what was asked.

use super::ledger::Last;
use crate::run::Status;

/// What is to be done with a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is finished.
    Reuse,
    /// Another process is at it: look again later.
    Wait,
    /// It waits in a queue, where an earlier command put it: look again later.
    WaitInQueue,
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
    /// The action that follows. `last` is what the ledger knows of the last attempt: it may have failed too early for the run's
    /// folder to tell, and only the ledger knows of a queue.
    pub fn of(status: Status, last: Option<&Last>, requested: Failed) -> Self {
        match (status, last, requested) {
            (Status::Finished, ..) => Self::Reuse,
            (Status::Running, ..) => Self::Wait,
            (Status::Fresh | Status::Stopped, Some(Last::Queued { .. }), _) => Self::WaitInQueue,
            (Status::Failed, _, Failed::Leave) => Self::GiveUp,
            (Status::Fresh, Some(Last::Failed), Failed::Leave) => Self::GiveUp,
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
            Self::WaitInQueue => "wait: it is queued",
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
        let failed = Some(&Last::Failed);
        let table = [
            (Fresh, None, Start, Start),
            (Fresh, failed, GiveUp, Start),
            (Stopped, None, Resume, Resume),
            (Stopped, failed, Resume, Resume),
            (Status::Failed, failed, GiveUp, Resume),
            (Status::Failed, None, GiveUp, Resume),
            (Running, None, Wait, Wait),
            (Finished, failed, Reuse, Reuse),
        ];
        for (status, last, leave, retry) in table {
            assert_eq!(Action::of(status, last, super::Failed::Leave), leave, "{status:?}");
            assert_eq!(Action::of(status, last, super::Failed::Retry), retry, "{status:?}");
        }
    }

    #[test]
    fn a_queued_run_is_never_started_a_second_time() {
        use {Action::*, Status::*};
        let queued = Last::Queued { job: "17".into() };
        for requested in [super::Failed::Leave, super::Failed::Retry] {
            let of = |status| Action::of(status, Some(&queued), requested);
            assert_eq!([Fresh, Stopped, Running, Finished].map(of), [WaitInQueue, WaitInQueue, Wait, Reuse], "{requested:?}");
        }
        // It left the queue, ran and failed.
        assert_eq!(Action::of(Status::Failed, Some(&queued), super::Failed::Leave), GiveUp);
        assert!(!WaitInQueue.starts() && Start.starts() && Resume.starts());
    }
}
