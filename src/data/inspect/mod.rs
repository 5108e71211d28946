//! Looking at data before trusting it: [`check`] finds what would spoil a result, [`report`] words it, [`show`] draws a
//! contact sheet.

pub mod check;
pub mod report;
pub mod show;
