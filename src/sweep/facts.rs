//! What the data, the weights and the photographs of a sweep are, by their content.

use std::collections::btree_map::Entry;
use std::path::Path;
use std::sync::Arc;

use super::plan::Facts;
use super::resolve::Resolved;
use crate::{Error, Result, data, place, weights};

impl Facts {
    /// Hashes the data's categories, the weight files and the photographs; `device` is the kind that all runs are computed on.
    ///
    /// # Errors
    /// A sweep without a row to run; data, weights or photographs that cannot be read.
    pub fn read(resolved: &Resolved, device: String) -> Result<Self> {
        let configs: Vec<_> = resolved.rows.iter().filter_map(|row| row.config.as_ref()).collect();
        let Some(first) = configs.first() else {
            return Err(Error::config("every row is quoted: there is nothing to run", "add an [[ablate]] row or an axis"));
        };
        let dataset = data::Dataset::of(&first.data)?;
        let mut facts = Self { device, ..Self::default() };
        // A configuration of each rule for masks that a row has.
        let rules = configs.iter().enumerate();
        let rules = rules.filter(|(i, cfg)| configs[..*i].iter().all(|other| other.data.mask_rule != cfg.data.mask_rule));
        let rules: Vec<_> = rules.map(|(_, cfg)| cfg).collect();
        let look = |name: String| -> Result<_> {
            let category = dataset.category(&name)?;
            let contents = Arc::new(data::Contents::of(&category)?);
            rules.iter().try_for_each(|cfg| data::preflight(&category, &contents, cfg).map(drop))?;
            Ok((name, contents.hash.clone()))
        };
        facts.data = Error::all(dataset.select(&resolved.categories)?.into_iter().map(look))?;
        for config in &configs {
            for teacher in weights::Teacher::of(config)? {
                facts.weights.insert(teacher.path.display().to_string(), teacher.hash);
            }
            if let Some(folder) = config.textures()
                && !facts.textures.contains_key(folder)
            {
                facts.textures.insert(folder.to_owned(), data::photographs::Photographs::textures(folder)?.hash().to_owned());
            }
            for path in config.weight_files() {
                if let Entry::Vacant(vacant) = facts.weights.entry(path) {
                    let hash = weights::File::open(&place::find(Path::new(vacant.key()), &[]))?.content_hash().to_owned();
                    vacant.insert(hash);
                }
            }
        }
        Ok(facts)
    }
}
