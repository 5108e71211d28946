//! `experiments/base.toml` read as a reference: what each key means, what it may be, and what it is by default.

use std::sync::OnceLock;

use super::spec::Spec;

/// The text that is compiled in.
pub const BASE: &str = include_str!("../../experiments/base.toml");

/// One key of the reference.
#[derive(Debug, Clone)]
pub struct Key {
    /// Dotted path, such as `loss.score.gamma`.
    pub path: String,
    /// The comment above it, one paragraph.
    pub doc: String,
    pub spec: Spec,
    pub default: toml::Value,
    pub identity: Identity,
}

/// What a key means for the identity of a run: its `#=` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Its value belongs to it. Without a line.
    Value,
    /// `content`: what it points to belongs to it, in its place.
    Content,
    /// `a run each`: each of its entries makes a run of its own.
    Each,
    /// `nothing`: it never changes a result.
    Nothing,
}

impl Key {
    /// Whether runs of one configuration share its value: not the seeds and categories, which make several runs of one.
    pub fn is_shared(&self) -> bool {
        self.identity != Identity::Each
    }
}

/// Every key in the order of the file.
pub fn keys() -> &'static [Key] {
    static KEYS: OnceLock<Vec<Key>> = OnceLock::new();
    KEYS.get_or_init(|| parse(BASE))
}

/// The key of that path.
pub fn key(path: &str) -> Option<&'static Key> {
    keys().iter().find(|k| k.path == path)
}

/// The known path that a misspelt one most likely means: few typing errors in the whole path, or, second, in its last part.
pub fn suggestion(path: &str) -> Option<&'static str> {
    fn tail(path: &str) -> &str {
        path.rsplit('.').next().unwrap_or(path)
    }
    // What is much longer than any key is near to none.
    if path.len() > 200 {
        return None;
    }
    let typos = |a: &str, b: &str| {
        let distance = strsim::osa_distance(a, b);
        (distance <= (a.len() / 3).max(1)).then_some(2 * distance)
    };
    let cost = |key: &str| [typos(path, key), typos(tail(path), tail(key)).map(|d| d + 3)].into_iter().flatten().min();
    let best = keys().iter().filter_map(|k| Some((cost(&k.path)?, k.path.as_str()))).min_by_key(|(cost, _)| *cost)?;
    Some(best.1)
}

fn parse(text: &str) -> Vec<Key> {
    let defaults: toml::Table = toml::from_str(text).expect("base.toml is TOML");
    let mut keys = Vec::new();
    let (mut table, mut doc, mut spec, mut identity) = (String::new(), Vec::new(), None, Identity::Value);
    for line in text.lines() {
        if let Some(rule) = line.strip_prefix("#:") {
            spec = Some(Spec::parse(rule.trim()).unwrap_or_else(|e| panic!("base.toml: {rule}: {e}")));
        } else if let Some(meaning) = line.strip_prefix("#=") {
            identity = match meaning.trim() {
                "content" => Identity::Content,
                "a run each" => Identity::Each,
                "nothing" => Identity::Nothing,
                other => panic!("base.toml: `#= {other}` means nothing"),
            };
        } else if let Some(comment) = line.strip_prefix('#') {
            doc.push(comment.trim());
        } else if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').to_owned();
        } else if let Some((name, _)) = line.split_once(" = ") {
            let path = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
            let default = lookup(&defaults, &path).expect("the key was just read").clone();
            let spec = spec.take().unwrap_or_else(|| panic!("base.toml: {path} lacks its `#:` line"));
            let identity = std::mem::replace(&mut identity, Identity::Value);
            keys.push(Key { path, doc: std::mem::take(&mut doc).join(" "), spec, default, identity });
            continue;
        }
        if line.is_empty() {
            doc.clear();
        }
    }
    keys
}

/// The value at a dotted path.
pub fn lookup<'a>(table: &'a toml::Table, path: &str) -> Option<&'a toml::Value> {
    let (head, rest) = path.split_once('.').map_or((path, None), |(h, r)| (h, Some(r)));
    let value = table.get(head)?;
    match rest {
        None => Some(value),
        Some(rest) => lookup(value.as_table()?, rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn the_reference_names_each_field_of_the_configuration_and_no_other() {
        fn leaves(prefix: &str, value: &toml::Value, out: &mut Vec<String>) {
            match value.as_table() {
                Some(table) => {
                    table.iter().for_each(|(k, v)| leaves(&if prefix.is_empty() { k.clone() } else { format!("{prefix}.{k}") }, v, out))
                }
                None => out.push(prefix.to_owned()),
            }
        }
        let mut fields = Vec::new();
        leaves("", &toml::Value::try_from(Config::default()).unwrap(), &mut fields);
        let mut named: Vec<_> = keys().iter().map(|k| k.path.clone()).collect();
        fields.sort();
        named.sort();
        assert_eq!(fields, named);
    }

    #[test]
    fn each_key_is_explained_and_its_default_is_allowed() {
        for key in keys() {
            assert!(key.doc.len() > 10, "{} has no explanation", key.path);
            key.spec.check(&key.default).unwrap_or_else(|e| panic!("default of {}: {e}", key.path));
        }
    }

    /// Runs are told apart by what they set otherwise than base.toml, so a changed default would give old ids a new meaning.
    #[test]
    fn a_default_of_this_schema_never_changes() {
        let path = crate::testing::root().join("tests/golden/defaults-schema-2.toml");
        let pinned: toml::Table = toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let pinned = crate::config::flatten(&pinned);
        assert!(pinned.len() > 100);
        for (path, value) in pinned {
            let key = key(&path).unwrap_or_else(|| panic!("{path} is gone: put it into config/upgrade.rs, and out of the pinned file"));
            assert_eq!(key.default, value, "{path}: a new default needs a new SCHEMA_VERSION");
        }
    }

    #[test]
    fn a_misspelt_key_finds_its_neighbour() {
        assert_eq!(suggestion("loss.score.gama"), Some("loss.score.gamma"));
        assert_eq!(suggestion("train.epoch"), Some("train.epochs"));
        assert_eq!(suggestion("gamma"), Some("loss.score.gamma"));
        assert_eq!(suggestion("zzzzqq"), None);
    }
}
