//! Whether a summary is that of the run in whose folder it lies, by its id. What the run's other files say is [`super::beside`]'s.

use std::path::Path;

use super::{Id, Summary};
use crate::{Error, Result};

/// Refuses a summary whose id or seed is not that of the run's folder.
///
/// # Errors
/// `Kind::Environment` naming the file and what does not fit.
pub fn check(folder: &Path, summary: &Summary) -> Result<()> {
    let refuse = |why: String| Err(refused(folder, &why));
    let Some(own) = Id::parse(&summary.id) else { return refuse(format!("its id {:?} is not a run id", summary.id)) };
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    // A folder of runs may be renamed: hash and seed say which run it is.
    if Id::parse(&format!("x/{name}")).is_some() && own.name() != name {
        return refuse(format!("it is that of run {own}"));
    }
    if summary.seed != own.seed {
        return refuse(format!("its seed is {}, but its id is {own}", summary.seed));
    }
    Ok(())
}

/// The error about a summary in a run's folder.
pub fn refused(folder: &Path, why: &str) -> Error {
    let what = format!("{} does not belong to its folder: {why}", folder.join("summary.json").display());
    Error::environment(what, format!("put back the file that belongs there, or {}", crate::error::AGAIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_runs_summary_is_refused_by_name() {
        let summary = crate::testing::summary(&Id::new("x", "0123456789", 0).unwrap(), "gear");
        let folder = Path::new("runs/x/0123456789-s0");
        check(folder, &summary).unwrap();
        let refusal = |summary: &Summary| check(folder, summary).unwrap_err().what;
        let other = refusal(&Summary { id: "x/0123456789-s1".into(), ..summary.clone() });
        assert!(other.contains("0123456789-s0/summary.json") && other.contains("that of run x/0123456789-s1"), "{other}");
        assert!(refusal(&Summary { id: "x/abcdef6789-s0".into(), ..summary.clone() }).contains("abcdef6789"));
        assert!(refusal(&Summary { seed: 3, ..summary.clone() }).contains("its seed is 3"));
        assert!(check(Path::new("runs/y/0123456789-s0"), &summary).is_ok(), "a renamed experiment holds the same run");
    }
}
