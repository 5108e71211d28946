//! Looking at data before trusting it: [`check`] finds what would spoil a result, [`report`] words it, [`show`] draws a
//! contact sheet; [`mod@preflight`] asks the first before a run.

pub mod check;
pub mod preflight;
pub mod report;
pub mod show;
