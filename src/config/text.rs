//! From text to keys: a file or a `key=value` override as a table of known keys with allowed values.

use serde::Deserialize;
use toml::de::{DeTable, DeValue};
use toml::{Table, Value};

use super::profile::Profile;
use super::{reference, spec, upgrade};
use crate::{Error, Result, names};

/// The greatest length of a key with its tables, bytes; the longest that is known has some forty.
const MOST_KEY: usize = 512;

/// Refuses TOML whose keys are nested so deep that to read it would take a stack without end: dotted, quoted with dots, or a table's
/// header. `origin` names the text.
///
/// # Errors
/// `Kind::Config` naming the line.
pub fn check_depth(text: &str, origin: &str) -> Result<()> {
    let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'' | ' ' | '\t' | '[' | ']' | '{' | ',');
    let long = |line: &str| {
        let key = line.split('=').next().unwrap_or_default();
        (key.len() > MOST_KEY && key.chars().all(is_key) && key.matches('.').count() > MOST_KEY / 8)
            || line.matches('{').count().max(line.matches('[').count()) > MOST_KEY
    };
    match text.lines().position(long) {
        None => Ok(()),
        Some(line) => Err(Error::config(
            format!("{origin}:{}: a key is nested too deeply", line + 1),
            "no key has more than four parts; `harness config explain` lists all",
        )),
    }
}

/// Parses one file: each key known, each value allowed; `profile = "…"` at the top is set aside.
pub(super) fn read_layer(text: &str, origin: &str) -> Result<(Option<Profile>, Table)> {
    check_depth(text, origin)?;
    let located = |offset: usize| format!("{origin}:{}", 1 + text[..offset].matches('\n').count());
    let document = DeTable::parse(text).map_err(|e| {
        let at = e.span().map_or(origin.to_owned(), |s| located(s.start));
        Error::config(format!("{at}: {}", e.message()), "fix the TOML syntax there")
    })?;
    if let Some((path, offset, number)) = beyond("", document.get_ref()) {
        return Err(too_large(&path, &number, &located(offset)));
    }
    let mut table =
        unquoted(toml::from_str(text).map_err(|e| Error::config(format!("{origin}: {}", e.message()), "fix that value in the file"))?);
    let profile = match table.remove("profile") {
        None => None,
        Some(value) => Some(Profile::deserialize(value.clone()).map_err(|_| {
            Error::config(format!("{origin}: profile = {value} is not a profile"), "use profile = \"cpu\" or profile = \"paper\"")
        })?),
    };
    let keys = leaves("", document.get_ref()).into_iter().filter(|(path, _)| path != "profile").map(|(path, offset)| {
        let at = located(offset);
        let value = reference::lookup(&table, &path).ok_or_else(|| unknown(&path, &at))?.clone();
        Ok((path, value, at))
    });
    Ok((profile, meant(&keys.collect::<Result<Vec<_>>>()?)?))
}

/// The table that a layer's keys make, each given with its value and its place: keys of today as they are, old ones translated.
pub(super) fn meant(keys: &[(String, Value, String)]) -> Result<Table> {
    let mut table = Table::new();
    for (path, value, at) in keys {
        match upgrade::upgrade(path, value) {
            None => check_key(path, value, at)?,
            Some(today) => today.iter().try_for_each(|(key, value)| {
                if keys.iter().any(|(other, ..)| other == key) {
                    return Err(Error::config(
                        format!("{at}: {path} and {key} are set together"),
                        format!("omit {path}, the older of the two"),
                    ));
                }
                check_key(key, value, &format!("{at}: {path}"))
            })?,
        }
        lay(&mut table, nest(path, value.clone()));
    }
    upgrade::table(&mut table);
    Ok(table)
}

/// A known key with an allowed value; `at` names the place in errors.
pub(super) fn check_key(path: &str, value: &Value, at: &str) -> Result<()> {
    let known = reference::key(path).ok_or_else(|| unknown(path, at))?;
    known.spec.check(value).map_err(|e| Error::config(format!("{at}: {path}: {e}"), format!("see `harness config explain {path}`")))
}

/// Dotted path and value of each key of a table, in its order; `{ a.b = 1 }`, `{ "a.b" = 1 }` and `[a] b = 1` are one.
pub fn flatten(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                found.extend(flatten(inner).into_iter().map(|(path, value)| (format!("{key}.{path}"), value)));
            }
            value => found.push((key.clone(), value.clone())),
        }
    }
    found
}

/// One key as a table of tables.
pub(super) fn nest(path: &str, value: Value) -> Table {
    let (outer, inner) = path.split_once('.').map_or((path, None), |(outer, inner)| (outer, Some(inner)));
    let value = inner.map_or_else(|| value.clone(), |inner| Value::Table(nest(inner, value.clone())));
    Table::from_iter([(outer.to_owned(), value)])
}

/// The same with quoted keys such as `"a.b"` as the tables that they mean.
fn unquoted(table: Table) -> Table {
    let mut found = Table::new();
    for (key, value) in table {
        let value = match value {
            Value::Table(inner) => Value::Table(unquoted(inner)),
            value => value,
        };
        lay(&mut found, nest(&key, value));
    }
    found
}

/// Dotted path and byte offset of each value that is not a section of the reference.
fn leaves(prefix: &str, table: &DeTable) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (key, value) in table {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) if reference::key(&path).is_none() => {
                if inner.is_empty() {
                    continue;
                }
                found.extend(leaves(&path, inner));
            }
            _ => found.push((path, key.span().start)),
        }
    }
    found
}

/// The first number that is larger than any that TOML's readers hold: its key, where that begins, and its digits.
fn beyond(prefix: &str, table: &DeTable) -> Option<(String, usize, String)> {
    fn number(value: &DeValue) -> Option<String> {
        match value {
            DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).is_err().then(|| n.as_str().to_owned()),
            DeValue::Float(n) => {
                let read = n.as_str().parse::<f64>().ok()?;
                (read.is_infinite() && !n.as_str().contains("inf")).then(|| n.as_str().to_owned())
            }
            DeValue::Array(items) => items.iter().find_map(|item| number(item.get_ref())),
            _ => None,
        }
    }
    table.iter().find_map(|(key, value)| {
        let path = if prefix.is_empty() { key.get_ref().to_string() } else { format!("{prefix}.{}", key.get_ref()) };
        match value.get_ref() {
            DeValue::Table(inner) => beyond(&path, inner),
            value => number(value).map(|number| (path, key.span().start, number)),
        }
    })
}

/// A number that no key allows; `at` names the place in errors.
fn too_large(path: &str, number: &str, at: &str) -> Error {
    match reference::key(path) {
        Some(known) => Error::config(
            format!("{at}: {path}: expected {}, got {}", known.spec, names::quoted(number)),
            format!("see `harness config explain {path}`"),
        ),
        None => unknown(path, at),
    }
}

fn unknown(path: &str, at: &str) -> Error {
    let remedy = match (upgrade::successor(path), reference::suggestion(path)) {
        (Some(now), _) => format!("it is now {now}"),
        (None, Some(near)) => format!("did you mean `{near}`? `harness config explain` lists all keys"),
        (None, None) => "`harness config explain` lists all keys".to_owned(),
    };
    Error::config(format!("{at}: unknown key `{}`", names::quoted(path)), remedy)
}

/// One `key=value` override as a layer; the value is TOML, or a bare word where text is expected.
///
/// # Errors
/// `Kind::Config`: not of that form, a key that is not known, a value that is not allowed.
pub fn parse_override(typed: &str) -> Result<Table> {
    let Some((path, text)) = typed.split_once('=') else {
        let near = reference::suggestion(typed).map_or(String::new(), |k| format!(", such as {k}=…"));
        return Err(Error::config(
            format!("`{}` is neither a file nor an override", names::quoted(typed)),
            format!("overrides read key=value{near}"),
        ));
    };
    let (path, text) = (path.trim(), text.trim());
    let Some(known) = reference::key(path) else {
        let value = spec::parse_value(text).filter(|value| upgrade::upgrade(path, value).is_some());
        return meant(&[(path.to_owned(), value.ok_or_else(|| unknown(path, "on the command line"))?, "on the command line".into())]);
    };
    // Bare words with commas are a list where the key takes one: `data.categories=screw,pill`.
    let bare = || match known.spec.takes_texts() && text.contains(',') {
        true => Value::Array(text.split(',').map(|part| Value::String(part.trim().to_owned())).collect()),
        false => Value::String(text.to_owned()),
    };
    let line = format!("v = {text}");
    if let Some((_, _, number)) = DeTable::parse(&line).ok().and_then(|document| beyond("", document.get_ref())) {
        return Err(too_large(path, &number, &format!("{path}={}", names::quoted(text))));
    }
    let mut value = spec::parse_value(text).unwrap_or_else(bare);
    if known.spec.check(&value).is_err() && known.spec.takes_text() && !value.is_array() {
        value = bare();
    }
    // Brackets may be left out: `run.seeds=0,1,2`, and `run.seeds=7` for a list of one. Several numbers are a list in errors too.
    let means_list = |list: &Value| text.contains(',') || known.spec.check(list).is_ok();
    if known.spec.check(&value).is_err()
        && !value.is_array()
        && let Some(list) = spec::parse_value(&format!("[{text}]")).filter(means_list)
    {
        value = list;
    }
    known.spec.check(&value).map_err(|e| Error::config(format!("{path}={text}: {e}"), format!("see `harness config explain {path}`")))?;
    Ok(nest(path, value))
}

/// Lays `over` on `under`: tables merge, everything else is replaced.
pub(super) fn lay(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(below)), Value::Table(above)) => lay(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}
