//! Reproducible research on image anomaly detection: see ARCHITECTURE.md for the tour.

pub mod allowance;
pub mod archive;
pub mod calibration;
pub mod cli;
pub mod config;
pub mod console;
pub mod data;
pub mod error;
pub mod eval;
pub mod export;
pub mod file;
pub mod image;
pub mod launcher;
pub mod metric;
pub mod mlflow;
pub mod names;
pub mod num;
pub mod place;
pub mod pseudo;
pub mod report;
pub mod run;
pub mod seed;
pub mod store;
pub mod sweep;
#[doc(hidden)]
pub mod testing;
pub mod ui;
pub mod weights;

pub use error::{Error, Result};
