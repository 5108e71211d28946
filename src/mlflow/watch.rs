//! Rounds until all runs have ended, through times in which the server is not there.

use std::time::{Duration, Instant};

use super::exporter::Exporter;
use super::fault::Fault;
use crate::Result;
use crate::names::counted;
use crate::run::Stop;

/// Between two rounds.
pub const PAUSE: Duration = Duration::from_secs(30);

/// How soon a stop is heard.
const PATIENCE: Duration = Duration::from_millis(100);

/// Sends what is new now and after each `pause`, until all runs are finished or failed, no sweep is at them and a round had nothing left to
/// send (a sweep writes its tables after its last run), or `stop` asks for it; how many runs have not begun. What happens is said to `say`: what a round sent, once that the server went away, once that it is there again.
///
/// # Errors
/// What another try does not mend.
pub fn watch(exporter: &mut Exporter, pause: Duration, stop: &Stop, say: &mut dyn FnMut(&str)) -> Result<usize> {
    let (mut waiting, mut was_down) = (0, false);
    while !stop.requested() {
        let before = (exporter.counts.points, exporter.counts.files);
        match exporter.round(&mut |_, _| {}) {
            Ok(round) => {
                if std::mem::take(&mut was_down) {
                    say(&format!("{} answers again", exporter.url()));
                }
                let counts = &exporter.counts;
                let has_sent = before != (counts.points, counts.files);
                if has_sent {
                    let (points, files) = (counts.points - before.0, counts.files - before.1);
                    say(&format!("sent {}, {}", counted(points, "number", "numbers"), counted(files, "file", "files")));
                }
                waiting = round.waiting;
                if round.is_over && !has_sent {
                    break;
                }
            }
            Err(Fault::Away(why) | Fault::Unable(why)) => {
                if !std::mem::replace(&mut was_down, true) {
                    say(&format!("{} does not answer: {why}; asking again every {} s", exporter.url(), pause.as_secs()));
                }
            }
            Err(Fault::Refused(error)) => return Err(error),
        }
        rest(pause, stop);
    }
    Ok(waiting)
}

fn rest(time: Duration, stop: &Stop) {
    let began = Instant::now();
    while began.elapsed() < time && !stop.requested() {
        std::thread::sleep(PATIENCE.min(time));
    }
}
