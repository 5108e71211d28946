//! `data.categories`: which of the categories that are there a run is about. Pure.

use super::form;
use crate::config::Categories;
use crate::{Error, Result};

/// The wanted names among `available`: all of them for `"all"`, else those named, in the order given.
pub fn select(available: &[String], wanted: &Categories) -> Result<Vec<String>> {
    let names: Vec<&str> = match wanted {
        Categories::One(name) => vec![name],
        Categories::Many(names) => names.iter().map(String::as_str).collect(),
    };
    if names == ["all"] {
        return Ok(available.to_vec());
    }
    if names.is_empty() {
        return Err(Error::config("data.categories is an empty list", "list at least one category, or use \"all\""));
    }
    if let Some(twice) = names.iter().enumerate().find(|(i, name)| names[..*i].contains(name)).map(|(_, name)| name) {
        return Err(Error::config(format!("data.categories: {twice} is listed twice"), "list each category once"));
    }
    names.iter().map(|name| one(available, name)).collect()
}

fn one(available: &[String], name: &str) -> Result<String> {
    let exact = available.iter().find(|a| *a == name);
    if let Some(found) = exact.or_else(|| available.iter().find(|a| form::alike(a, name))) {
        return Ok(found.clone());
    }
    let remedy = if name == "all" {
        "\"all\" cannot be listed with other names".to_owned()
    } else {
        match nearest(available, name) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("the categories are {}", available.join(", ")),
        }
    };
    Err(Error::config(format!("data.categories: there is no category {name} under data.root"), remedy))
}

/// The name most like the mistyped one, if any is like it at all.
fn nearest<'a>(available: &'a [String], name: &str) -> Option<&'a String> {
    let likeness = |a: &String| strsim::jaro_winkler(&a.to_lowercase(), &name.to_lowercase());
    available.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|a| likeness(a) > 0.75)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn available() -> Vec<String> {
        ["bottle", "leather", "transistor"].map(String::from).to_vec()
    }

    #[test]
    fn all_one_and_some_categories_can_be_named() {
        let one = |s: &str| select(&available(), &Categories::One(s.into())).unwrap();
        assert_eq!(one("all"), available());
        assert_eq!(one("leather"), ["leather"]);
        let many = Categories::Many(vec!["transistor".into(), "bottle".into()]);
        assert_eq!(select(&available(), &many).unwrap(), ["transistor", "bottle"]);
        assert_eq!(select(&available(), &Categories::Many(vec!["all".into()])).unwrap(), available());
    }

    #[test]
    fn a_misspelt_category_is_refused_with_a_suggestion() {
        let fault = |names: &[&str]| {
            let error = select(&available(), &Categories::Many(names.iter().map(|s| s.to_string()).collect())).unwrap_err();
            assert_eq!(error.kind, Kind::Config);
            error.to_string()
        };
        assert!(fault(&["tranzistor"]).contains("did you mean transistor?"));
        assert!(fault(&["Leather"]).contains("did you mean leather?"));
        assert!(fault(&["xyz"]).contains("the categories are bottle, leather, transistor"));
        assert!(fault(&[]).contains("empty"));
        assert!(fault(&["bottle", "bottle"]).contains("bottle is listed twice"));
        assert!(fault(&["all", "bottle"]).contains("cannot be listed"));
    }
}
