//! Keys that older versions had and what has taken their place. Pure.
//!
//! They are translated, silently and without a change of meaning ([`table`]): in stored configurations, and in files and overrides that
//! somebody writes today, so that the same run has the same id. Where that cannot be done, errors give the new name ([`successor`]).
//! Whoever renames a key adds an entry to `OLD`.

use toml::{Table, Value};

use super::reference;

/// Keys with their values.
type Keys = Vec<(&'static str, Value)>;

/// One key that is gone.
struct Old {
    key: &'static str,
    /// Completes "it is now …".
    now: &'static str,
    /// The new keys that mean the same; `None` where the value was never allowed.
    translate: fn(&Value) -> Option<Keys>,
}

/// Later entries overrule earlier ones where both were stored.
const OLD: &[Old] = &[
    Old {
        key: "pseudo.confetti_prob",
        now: "pseudo.weight.confetti and pseudo.weight.cutpaste: for a probability p write p and 1 - p",
        translate: |value| {
            let share = value.as_float().or_else(|| value.as_integer().map(|n| n as f64))?;
            // p + (1 - p) is 1 exactly in floating point, so that the same draws are confetti.
            Some(vec![("pseudo.weight.confetti", share.into()), ("pseudo.weight.cutpaste", (1.0 - share).into())])
        },
    },
    Old {
        key: "pseudo.both",
        now: "pseudo.combine: \"all\" for true, \"one\" for false",
        translate: |value| {
            Some(match value.as_bool()? {
                false => vec![("pseudo.combine", "one".into())],
                // `both` did not ask for the probability, which may have been 0 or 1.
                true => {
                    vec![("pseudo.combine", "all".into()), ("pseudo.weight.confetti", 0.5.into()), ("pseudo.weight.cutpaste", 0.5.into())]
                }
            })
        },
    },
];

/// Keys whose default today is not what was done before there was the key, with what was done. Their `#=` line is `content`: a run's id has
/// what becomes of the data, so that it is another only where the result is.
const ABSENT: &[(&str, &str)] = &[("data.orientation", "ignore")];

/// Sets what a stored configuration without the key means.
pub fn absent(stored: &mut Table) {
    for (path, then) in ABSENT {
        if reference::lookup(stored, path).is_none() {
            put(stored, path, (*then).into());
        }
    }
}

/// The keys, with values, that mean today what `old = value` meant; `None` for a key that is not an old one, or a value that it
/// never allowed.
pub fn upgrade(old: &str, value: &Value) -> Option<Vec<(String, Value)>> {
    let entry = OLD.iter().find(|entry| entry.key == old)?;
    Some((entry.translate)(value)?.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// What an old key is called now, to complete "it is now …"; `None` for a key that is not an old one.
pub fn successor(old: &str) -> Option<&'static str> {
    OLD.iter().find(|entry| entry.key == old).map(|entry| entry.now)
}

/// Replaces the old keys of a stored configuration by those of today. What cannot be translated stays, to be refused by name.
pub fn table(stored: &mut Table) {
    for old in OLD {
        let translated = take(stored, old.key, |value| upgrade(old.key, value));
        for (path, value) in translated.into_iter().flatten() {
            put(stored, &path, value);
        }
    }
}

/// Removes the value at a dotted path where `of` makes something of it, and returns that.
fn take<T>(table: &mut Table, path: &str, of: impl FnOnce(&Value) -> Option<T>) -> Option<T> {
    match path.split_once('.') {
        Some((outer, inner)) => take(table.get_mut(outer)?.as_table_mut()?, inner, of),
        None => {
            let made = of(table.get(path)?)?;
            table.remove(path);
            Some(made)
        }
    }
}

/// Sets the value at a dotted path, making the tables on the way.
fn put(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        Some((outer, inner)) => {
            if let Some(below) = table.entry(outer).or_insert_with(|| Value::Table(Table::new())).as_table_mut() {
                put(below, inner, value);
            }
        }
        None => {
            table.insert(path.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Combine, Config, Pseudo};
    use serde::Deserialize;

    /// A stored configuration of a version before the weights, with these two values.
    fn stored(share: f64, both: bool) -> Pseudo {
        let mut table = Table::try_from(Config::default()).unwrap();
        let pseudo = table["pseudo"].as_table_mut().unwrap();
        pseudo.remove("weight");
        pseudo.remove("combine");
        pseudo.insert("confetti_prob".into(), share.into());
        pseudo.insert("both".into(), both.into());
        super::table(&mut table);
        // What did not exist then is today's default; that is not this module's business.
        for name in ["scar", "perlin", "simplex", "nsa"] {
            put(&mut table, &format!("pseudo.weight.{name}"), 0.0.into());
        }
        Config::deserialize(Value::Table(table)).unwrap().pseudo
    }

    #[test]
    fn an_old_probability_becomes_two_weights_whose_sum_is_one() {
        for share in [0.0, 1e-3, 0.1, 0.3, 1.0 / 3.0, 0.5, 0.7, 0.999, 1.0] {
            let Pseudo { combine, weight, .. } = stored(share, false);
            assert_eq!((combine, weight.confetti, weight.confetti + weight.cutpaste), (Combine::One, share, 1.0));
        }
        assert_eq!(stored(0.5, false), Config::default().pseudo);
    }

    #[test]
    fn both_meant_both_whatever_the_probability_was() {
        for share in [0.0, 0.5, 1.0] {
            let Pseudo { combine, weight, .. } = stored(share, true);
            assert_eq!((combine, weight.confetti > 0.0, weight.cutpaste > 0.0), (Combine::All, true, true));
        }
    }

    #[test]
    fn whole_numbers_count_as_numbers_and_other_values_are_left_for_the_reader_to_refuse() {
        let one = upgrade("pseudo.confetti_prob", &Value::Integer(1)).unwrap();
        assert_eq!(one, [("pseudo.weight.confetti".into(), 1.0.into()), ("pseudo.weight.cutpaste".into(), 0.0.into())]);
        assert_eq!(upgrade("pseudo.both", &Value::Integer(1)), None);
        assert_eq!(upgrade("pseudo.ratio", &0.5.into()), None);
        let odd: Table = toml::from_str("pseudo.both = 3").unwrap();
        let mut same = odd.clone();
        table(&mut same);
        assert_eq!(same, odd);
    }

    #[test]
    fn a_configuration_of_today_is_left_as_it_is() {
        let today = Table::try_from(Config::default()).unwrap();
        let mut same = today.clone();
        table(&mut same);
        assert_eq!(same, today);
    }

    #[test]
    fn what_was_done_before_there_was_a_key_is_another_value_of_it_and_never_part_of_an_id_by_value() {
        for (path, then) in ABSENT {
            let key = reference::key(path).unwrap_or_else(|| panic!("{path} is not a key"));
            key.spec.check(&(*then).into()).unwrap();
            assert!(key.default != (*then).into() && key.identity == reference::Identity::Content, "{path}");
        }
    }

    #[test]
    fn every_old_key_is_gone_and_each_new_one_is_a_key_with_an_allowed_value() {
        for old in OLD {
            assert!(reference::key(old.key).is_none(), "{} is a key of today", old.key);
            for value in [Value::Boolean(true), Value::Boolean(false), Value::Float(0.25)] {
                for (path, value) in (old.translate)(&value).into_iter().flatten() {
                    reference::key(path).unwrap_or_else(|| panic!("{path} is not a key")).spec.check(&value).unwrap();
                }
            }
        }
    }
}
