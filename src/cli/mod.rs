//! The command line: one file a verb.

pub mod data_check;
pub mod data_pseudo;
pub mod data_show;
