//! The configuration that a run stored, read by a version that may have more keys than the one that wrote it.

use serde::Deserialize;
use toml::{Table, Value};

use super::reference::{self, BASE};
use super::text::{check_depth, flatten, lay, nest};
use super::{Config, Detector, upgrade};

/// A stored configuration over today's defaults: a key that did not exist then has the default that does what was done before
/// it, or else the value that [`upgrade::absent`] names. A key that was renamed is translated; one that no longer exists is passed over where the detector does not read its section.
///
/// # Errors
/// In words that follow the file's name: not TOML, an unknown detector, a key that this version would have to read and does
/// not know, a value of another type.
pub fn stored(text: &str) -> Result<Config, String> {
    check_depth(text, "line").map_err(|e| e.what)?;
    let mut stored: Table = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    upgrade::table(&mut stored);
    upgrade::absent(&mut stored);
    let name = stored.get("detector").cloned().ok_or("it does not name a detector")?;
    let detector = Detector::deserialize(name).map_err(|e| e.message().to_owned())?;
    let mut table: Table = toml::from_str(BASE).expect("base.toml is TOML");
    for (path, value) in flatten(&stored) {
        if reference::key(&path).is_some() {
            lay(&mut table, nest(&path, value));
        } else if detector.reads(&path) {
            return Err(format!("this version does not know the key `{path}`"));
        }
    }
    Config::deserialize(Value::Table(table)).map_err(|e| e.message().to_owned())
}

/// The same as a table, for looking at and comparing; the file as it stands where its keys are not those of this version.
///
/// # Errors
/// What is not TOML.
pub fn stored_table(text: &str) -> Result<Table, String> {
    check_depth(text, "line").map_err(|e| e.what)?;
    let plain: Table = toml::from_str(text).map_err(|e| e.message().to_owned())?;
    Ok(stored(text).map_or(plain, |config| Table::try_from(&config).expect("a configuration is TOML")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Orientation;

    #[test]
    fn a_configuration_reads_back_as_itself() {
        let mut cfg = Config::default();
        (cfg.optim.lr, cfg.data.size) = (0.25, 64);
        assert_eq!(stored(&cfg.to_toml()).unwrap(), cfg);
    }

    #[test]
    fn a_key_that_did_not_exist_then_has_its_default() {
        let mut cfg = Config::default();
        cfg.optim.lr = 0.25;
        let text = cfg.to_toml();
        for line in ["augment = \"none\"\n", "lr = 0.25\n"] {
            assert!(text.contains(line));
        }
        assert_eq!(stored(&text.replace("augment = \"none\"\n", "")).unwrap(), cfg);
        assert_eq!(stored(&text.replace("lr = 0.25\n", "")).unwrap().optim.lr, Config::default().optim.lr);
        assert_eq!(stored("detector = \"padim\"").unwrap().padim, Config::default().padim);
    }

    #[test]
    fn images_were_not_turned_before_there_was_a_key_for_it() {
        assert_eq!(stored("detector = \"padim\"").unwrap().data.orientation, Orientation::Ignore);
        let cfg = Config::default();
        assert_eq!(stored(&cfg.to_toml()).unwrap().data.orientation, Orientation::Apply);
    }

    #[test]
    fn a_key_that_is_gone_matters_only_to_who_reads_its_section() {
        let text = |detector: &str| format!("detector = \"{detector}\"\n[optim]\nspeed = 3\n");
        assert!(stored(&text("mlff")).unwrap_err().contains("`optim.speed`"));
        assert_eq!(stored(&text("padim")).unwrap().optim, Config::default().optim);
    }

    #[test]
    fn a_key_that_was_renamed_is_translated() {
        let old = "detector = \"mlff\"\n[pseudo]\nconfetti_prob = 0.25\nboth = false\n";
        let pseudo = stored(old).unwrap().pseudo;
        assert_eq!((pseudo.weight.confetti, pseudo.weight.cutpaste), (0.25, 0.75));
    }

    #[test]
    fn what_is_not_a_configuration_is_refused() {
        for (text, want) in [
            ("detector = 3", "invalid type"),
            ("detector = \"of tomorrow\"", "of tomorrow"),
            ("", "name a detector"),
            ("detector = ", ""),
            ("detector = \"mlff\"\n[optim]\nlr = \"fast\"", "invalid type"),
        ] {
            assert!(stored(text).unwrap_err().contains(want), "{text}");
        }
    }
}
