//! The clock, as a parameter: tests have one of their own.

/// Reads the clock, for wall times.
pub type Clock = fn() -> jiff::Timestamp;
