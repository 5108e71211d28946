//! placeholder until the figures are merged
use crate::{Result, config, data, eval, image::Map, run};
#[allow(clippy::type_complexity)]
pub fn write(_f: &run::Folder, _t: &data::Source, _c: &config::Eval, _e: &[(eval::MapKind, eval::Evaluation)], _h: eval::MapKind, _m: &dyn Fn(eval::MapKind, usize) -> Result<Map>) -> Result<()> { Ok(()) }
