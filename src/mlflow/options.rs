//! What is asked for: where runs go on the server, and how much of them.

use std::path::PathBuf;

/// What is sent of runs, and where to.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of all sweeps' figures.
    pub plots: PathBuf,
    /// The experiment's name; without it a sweep's own, or that of a run's experiment.
    pub experiment: Option<String>,
    pub attach: Attach,
    pub params: Params,
}

/// Which files are attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Attach {
    /// None
    None,
    /// Summary, configuration, environment, log, pictures; of a sweep its tables, findings, page and figures
    Small,
    /// Of a run also weights, score maps and scores
    All,
}

/// Which configuration keys are parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Params {
    /// Those that are not as in base.toml, and those in which the runs differ.
    Differing,
    All,
}
