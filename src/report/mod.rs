//! What is drawn and printed of finished runs: tables, curves, panels.

pub mod run;
pub mod runs;
