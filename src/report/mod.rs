//! What is drawn and printed of finished runs: tables, curves, panels.

pub mod panel;
pub mod plot;
pub mod run;
pub mod runs;
pub mod study;
