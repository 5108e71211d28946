//! Progress for people and machines: a bar on a terminal, plain lines without one, JSON lines on request.

mod pace;
mod progress;
mod standing;
pub mod text;

pub use pace::Pace;
pub use progress::{Colour, Mode, Output, Progress, StepInfo, Verbosity};
pub use standing::Standing;
