//! `harness --version`: the version, the commit that it was built from, and the libtorch beside it.

use crate::launcher;
use crate::run::Git;

/// The checkout that this program was built from; none where it was built from something else.
pub fn revision() -> Option<Git> {
    option_env!("HARNESS_REVISION").map(Git::described)
}

/// Three lines. The first is `NAME VERSION` alone, which scripts read.
pub fn text() -> String {
    let commit = match revision() {
        Some(Git { revision, dirty: false }) => revision,
        Some(Git { revision, dirty: true }) => format!("{revision}, with changes"),
        None => "not known: it was not built from a checkout".into(),
    };
    let libtorch = launcher::libtorch()
        .map_or_else(|why| format!("libtorch not there: {why}"), |found| found.split(',').next().unwrap_or_default().to_owned());
    format!("harness {}\ncommit {commit}\n{libtorch}\n", env!("CARGO_PKG_VERSION"))
}
