//! What is drawn and printed of finished runs: tables, curves, panels.

pub mod label;
mod lineage;
pub mod overlay;
pub mod panel;
pub mod plot;
pub mod run;
pub mod runs;
pub mod spell;
pub mod study;
