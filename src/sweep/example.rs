//! A small sweep for tests.

use std::collections::BTreeMap;

use super::file::File;
use super::plan::{Facts, Plan, plan};
use super::resolve::{Resolved, resolve};
use crate::Result;

pub const ROWS: &str = r#"
    title = "t"
    base = "base.toml"
    seeds = [3, 4]
    against = "previous"
    [[ablate]]
    name = "baseline"
    set = { model.self_calibration = false, model.stlnet = false }
    [[ablate]]
    name = "+ sc"
    from = "previous"
    set = { model.self_calibration = true }
    [builtin]
    set = { data.repeat = 3 }
    [paper]
    seeds = [9]
"#;

/// A sweep file `try.toml` beside a base file that sets `optim.lr` to 0.5.
pub fn resolved(text: &str, overrides: &[&str]) -> Result<Resolved> {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("base.toml"), "optim.lr = 0.5\n").unwrap();
    let file = File::parse(text, "try.toml").unwrap();
    let overrides: Vec<String> = overrides.iter().map(|s| s.to_string()).collect();
    resolve(&file, &dir.path().join("try.toml"), None, &overrides)
}

pub fn facts() -> Facts {
    Facts {
        data: vec![("gear".into(), "d1".into()), ("chip".into(), "d2".into())],
        weights: BTreeMap::from([("weights/resnet50.safetensors".into(), "w".into())]),
        textures: BTreeMap::new(),
        device: "cpu".into(),
    }
}

pub fn planned(text: &str, overrides: &[&str]) -> Plan {
    plan(&resolved(text, overrides).unwrap(), facts(), "try", "harness sweep try.toml").unwrap()
}
