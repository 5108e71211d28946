//! Names that the server takes. Of metrics and of tags it takes letters, digits and `_ - . space : /`, at most 250 of them, and none that
//! is a path with empty or dotted parts (MLflow's `validation.py`); what is called otherwise keeps its own name in a tag.

use std::collections::{BTreeMap, BTreeSet};

/// A part of a name has at most so many characters.
const LONGEST: usize = 100;

/// Tags that say what a part of a name is really called begin so.
const CALLED: &str = "harness.name.";

/// A name of parts between slashes as the server takes it.
pub fn path(name: &str) -> String {
    name.split('/').map(part).collect::<Vec<_>>().join("/")
}

/// One part of a name; a slash in it becomes `_` as well.
pub fn part(name: &str) -> String {
    // Latin and Greek letters: those that every version of Python counts as letters.
    let is_letter = |c: char| c.is_ascii_alphanumeric() || c.is_alphanumeric() && (c < '\u{300}' || ('\u{370}'..'\u{400}').contains(&c));
    let one = |c: char| if is_letter(c) || "_-. :".contains(c) { c } else { '_' };
    let text: String = name.trim().chars().map(one).take(LONGEST).collect();
    let text = text.trim_end();
    if text.is_empty() || text == "." || text == ".." { "_".into() } else { text.to_owned() }
}

/// One part for each name, all of them different: where two would be the same, the later one has its number behind.
pub fn distinct(names: &[&str]) -> Vec<String> {
    let mut taken = BTreeSet::new();
    let mut one = |(place, name): (usize, &&str)| {
        let plain = part(name);
        let own = if taken.contains(&plain) { format!("{plain} {}", place + 1) } else { plain };
        taken.insert(own.clone());
        own
    };
    names.iter().enumerate().map(&mut one).collect()
}

/// Tags that tell what the changed ones among pairs of part and name are really called.
pub fn tags<'a>(pairs: impl Iterator<Item = (String, &'a str)>) -> BTreeMap<String, String> {
    pairs.filter(|(part, name)| part != name).map(|(part, name)| (format!("{CALLED}{part}"), name.to_owned())).collect()
}

/// The same of the parts of paths.
pub fn tags_of_paths<'a>(names: impl Iterator<Item = &'a str>) -> BTreeMap<String, String> {
    let parts: BTreeSet<&str> = names.flat_map(|name| name.split('/')).collect();
    tags(parts.into_iter().map(|name| (part(name), name)))
}

/// The beginning of a text, at most so many characters of it.
pub fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest - 1) {
        Some((end, _)) if text.chars().count() > longest => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_refuses_becomes_an_underline_and_keeps_its_name_in_a_tag() {
        assert_eq!(path("test/aupro@0.3"), "test/aupro_0.3");
        assert_eq!(path("test/S/image_auroc"), "test/S/image_auroc");
        assert_eq!(path("loss//a/../b"), "loss/_/a/_/b");
        assert_eq!((part("+ STLNet, γ=2"), part(" "), part("größer/äh")), ("_ STLNet_ γ_2".into(), "_".into(), "größer_äh".into()));
        let told = tags_of_paths(["test/aupro@0.3", "test/image_auroc", "test/S/aupro@0.3"].into_iter());
        assert_eq!(told, BTreeMap::from([("harness.name.aupro_0.3".to_owned(), "aupro@0.3".to_owned())]));
    }

    #[test]
    fn rows_that_would_be_called_alike_have_their_number_behind() {
        assert_eq!(distinct(&["a+b", "a=b", "c", "a_b"]), ["a_b", "a_b 2", "c", "a_b 4"]);
        assert_eq!(part(&"é".repeat(300)).chars().count(), 100);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!((cut("äöü", 3), cut("äöüß", 3)), ("äöü".into(), "äö…".into()));
        assert_eq!(cut("", 3), "");
    }
}
