//! When a run began and ended, from its own files: the same whenever they are looked at.

use jiff::Timestamp;

use crate::Result;
use crate::file::lines;
use crate::run::{Folder, Record, Status, Timing};

/// In milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// The start of its first attempt.
    pub began: i64,
    /// The end of its last one; none of a run that is being computed.
    pub ended: Option<i64>,
}

/// Those of the run in `folder`.
///
/// # Errors
/// A file that is there and cannot be read.
pub fn of(folder: &Folder, record: &Record, status: Status) -> Result<Times> {
    let (timings, _) = lines::read_sound::<Timing>(&folder.timing_jsonl())?;
    let first = timings.iter().find_map(|timing| if let Timing::Attempt { at, .. } = timing { milliseconds(at) } else { None });
    let began = first.or_else(|| milliseconds(&record.started)).unwrap_or_default();
    let ended = (status != Status::Running).then(|| last(&timings).unwrap_or(began).max(began));
    Ok(Times { began, ended })
}

/// The end of the last attempt; of one that was killed, the end of the last that it told of.
fn last(timings: &[Timing]) -> Option<i64> {
    let mut at_ms = None;
    for timing in timings {
        match timing {
            Timing::Attempt { at, .. } | Timing::End { at, .. } => at_ms = milliseconds(at).or(at_ms),
            Timing::Epoch { wall_s, .. } | Timing::Checkpoint { wall_s, .. } => at_ms = at_ms.map(|at| at + (1e3 * wall_s) as i64),
        }
    }
    at_ms
}

/// A time in RFC 3339.
pub fn milliseconds(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Outcome;

    #[test]
    fn a_run_ends_with_its_last_attempt_and_a_killed_one_with_what_it_last_told_of() {
        let attempt = |at: &str| Timing::Attempt { attempt: 1, at: at.into(), step: 0 };
        let epoch = Timing::Epoch { attempt: 1, epoch: 0, images: 1, wall_s: 1.5, images_per_s: 1.0 };
        let end = Timing::End { attempt: 1, at: "1970-01-01T00:00:09Z".into(), status: Outcome::Stopped, wall_s: 9.0 };
        assert_eq!(last(&[attempt("1970-01-01T00:00:02Z"), epoch.clone(), end.clone()]), Some(9000));
        assert_eq!(last(&[end, attempt("1970-01-01T00:00:20Z"), epoch.clone(), epoch]), Some(23000));
        assert_eq!((last(&[]), milliseconds("yesterday")), (None, None));
    }
}
