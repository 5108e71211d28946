//! Names of rows and settings made short for tables and figures, without becoming alike. Pure.
//!
//! What all names share tells none of them apart: the path of their keys (`loss.score.` of `loss.score.gamma=1` and
//! `loss.score.lambda=1`) and whole words at their beginnings and ends. It is left out, and [`Shortened::shared`] says what it was.

use std::collections::BTreeSet;

/// Names without what they share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortened {
    /// In the order of the names; none is empty that was not, and distinct names stay distinct.
    pub names: Vec<String>,
    /// What is left out, in the order of a name: `loss.score.`, `profile=cpu`.
    pub shared: Vec<String>,
}

impl Shortened {
    /// A sentence about what is left out; nothing where all is there.
    pub fn said(&self) -> String {
        let shared: Vec<String> = self.shared.iter().map(|part| format!("“{part}”")).collect();
        if shared.is_empty() { String::new() } else { format!("All names share {}, which is left out.", shared.join(" and ")) }
    }
}

/// What joins words and stands at neither end of a name.
const JOINTS: [char; 4] = [' ', '·', ',', ';'];

/// The names without what all of them share. One name alone stays as it is.
pub fn shortened(names: &[String]) -> Shortened {
    let whole = Shortened { names: names.to_vec(), shared: vec![] };
    let words: Vec<Vec<&str>> = names.iter().map(|name| name.split_whitespace().collect()).collect();
    let fewest = words.iter().map(Vec::len).min().unwrap_or(0);
    if names.len() < 2 || fewest == 0 {
        return whole;
    }
    let path = shared_path(&words.concat());
    let first = &words[0];
    let alike = |at: fn(&[&str], usize) -> String| (0..fewest).take_while(|&i| words.iter().all(|w| at(w, i) == at(first, i))).count();
    let (begin, end) = (alike(|w, i| w[i].to_owned()), alike(|w, i| w[w.len() - 1 - i].to_owned()));
    // Of each name one word stays at least.
    let begin = worth(&first[..begin.min(fewest - 1)]);
    let end = worth(&first[first.len() - end.min(fewest - 1 - begin)..]);
    let cut = |words: &Vec<&str>| {
        let kept: Vec<String> = words[begin..words.len() - end].iter().map(|word| without(word, path)).collect();
        kept.join(" ").trim_matches(JOINTS).to_owned()
    };
    let short: Vec<String> = words.iter().map(cut).collect();
    let distinct = |names: &[String]| names.iter().collect::<BTreeSet<_>>().len();
    if distinct(&short) < distinct(names) || short.iter().any(String::is_empty) {
        return whole;
    }
    let ends = [&first[..begin], &first[first.len() - end..]].map(|part| part.join(" ").trim_matches(JOINTS).to_owned());
    let [begin, end] = ends;
    Shortened { names: short, shared: [begin, path.to_owned(), end].into_iter().filter(|part| !part.is_empty()).collect() }
}

/// How many of the words are left out: all, or none where they are signs alone, such as a `+`.
fn worth(words: &[&str]) -> usize {
    if words.iter().any(|word| word.contains(char::is_alphanumeric)) { words.len() } else { 0 }
}

/// The path of all keys in the words, with its last dot; empty where they share none.
fn shared_path<'a>(words: &[&'a str]) -> &'a str {
    let mut keys = words.iter().filter_map(|word| Some(word.split_once('=')?.0)).map(|key| &key[..key.rfind('.').map_or(0, |dot| dot + 1)]);
    let Some(first) = keys.next() else { return "" };
    let parts = |path: &'a str| path.split_inclusive('.');
    let common = |path: &'a str, other: &'a str| -> &'a str {
        let length = parts(path).zip(parts(other)).take_while(|(a, b)| a == b).map(|(a, _)| a.len()).sum();
        &path[..length]
    };
    keys.fold(first, common)
}

/// A setting without the path of its key; any other word as it is.
fn without(word: &str, path: &str) -> String {
    match word.split_once('=') {
        Some((key, _)) if key.starts_with(path) => word[path.len()..].to_owned(),
        _ => word.to_owned(),
    }
}

/// Signs after which a word that is too long may be broken.
const BREAKS: [char; 8] = ['.', '_', '-', '/', '=', ',', ':', '·'];

/// The words in lines that `fits` accepts. Breaks stand between words; in a word that is too long after a sign, else where it must be.
/// Nothing is left out: a sign that does not fit stands alone.
pub fn lines(words: &str, fits: impl Fn(&str) -> bool) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for word in words.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}")).filter(|line| fits(line));
        match (longer, lines.last_mut()) {
            (Some(longer), Some(line)) => *line = longer,
            (None, Some(line)) if !fits(word) => {
                // What must be broken may begin on the line that is there.
                let ends = word.char_indices().filter(|(_, sign)| BREAKS.contains(sign)).map(|(at, sign)| at + sign.len_utf8());
                let begun = ends.rev().map(|end| (format!("{line} {}", &word[..end]), end)).find(|(longer, _)| fits(longer));
                let rest = begun.map_or(word, |(longer, end)| {
                    *line = longer;
                    &word[end..]
                });
                lines.extend(pieces(rest, &fits));
            }
            _ => lines.extend(pieces(word, &fits)),
        }
    }
    lines
}

/// A word in pieces that fit.
fn pieces(word: &str, fits: &impl Fn(&str) -> bool) -> Vec<String> {
    let (mut rest, mut pieces) = (word, vec![]);
    while !rest.is_empty() {
        let ends = || rest.char_indices().map(|(at, sign)| (at + sign.len_utf8(), sign));
        let fitting: Vec<(usize, char)> = ends().take_while(|(end, _)| fits(&rest[..*end])).collect();
        let one = ends().next().map_or(rest.len(), |(end, _)| end);
        let end = match fitting.last() {
            Some((end, _)) if *end == rest.len() => *end,
            Some((longest, _)) => fitting.iter().rev().find(|(_, sign)| BREAKS.contains(sign)).map_or(*longest, |(end, _)| *end),
            None => one,
        };
        pieces.push(rest[..end].to_owned());
        rest = &rest[end..];
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn short(names: &[&str]) -> (Vec<String>, String) {
        let found = shortened(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>());
        (found.names.clone(), found.said())
    }

    #[test]
    fn the_path_of_the_keys_and_equal_words_are_left_out_and_said() {
        let (names, said) = short(&["loss.score.gamma=0.5, loss.score.lambda=1", "loss.score.gamma=0.25, loss.score.lambda=1"]);
        assert_eq!(names, ["gamma=0.5", "gamma=0.25"]);
        assert_eq!(said, "All names share “loss.score.” and “loss.score.lambda=1”, which is left out.");
        assert_eq!(short(&["RD (ResNet-50)", "RD (ResNet-50), 0 steps"]).0, ["(ResNet-50)", "(ResNet-50), 0 steps"]);
        let (names, said) = short(&["baseline · pseudo.ratio=0.5", "S · pseudo.ratio=0.5"]);
        assert_eq!(
            (names, said),
            (vec!["baseline".into(), "S".into()], "All names share “pseudo.” and “pseudo.ratio=0.5”, which is left out.".into())
        );
    }

    #[test]
    fn a_sign_alone_stays_and_so_does_what_would_leave_nothing() {
        for names in [&["+ STLNet", "+ consistency"][..], &["baseline", "baseline + STLNet"], &["MLFF", "PaDiM"], &["alone"], &["", "a"]] {
            assert_eq!(short(names), (names.iter().map(|n| n.to_string()).collect(), String::new()));
        }
        assert_eq!(short(&["model.a.size=1", "model.b.size=1"]).0, ["a.size=1", "b.size=1"], "a key is cut between its parts");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]

        #[test]
        fn distinct_names_stay_distinct_and_none_becomes_empty(names in prop::collection::vec("((a|b|loss\\.(a|b)|loss\\.score\\.(a|b))(=[01]|=0\\.5|=0\\.25)?,?|·|\\+)( (a|b|loss\\.(a|b)=1|loss\\.b=2|,|·)){0,3}", 1..6)) {
            let found = shortened(&names);
            prop_assert_eq!(found.names.len(), names.len());
            for (i, name) in names.iter().enumerate() {
                prop_assert!(!found.names[i].is_empty());
                for (j, other) in names.iter().enumerate() {
                    prop_assert_eq!(name == other, found.names[i] == found.names[j], "{:?} {:?}", &names, &found);
                }
            }
        }

        #[test]
        fn lines_hold_every_sign_in_order_and_fit(words in "[a-c.=_ ]{0,40}", width in 1..12_usize) {
            let found = lines(&words, |line| line.chars().count() <= width);
            let solid = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(solid(&found.concat()), solid(&words));
            prop_assert!(found.iter().all(|line| (1..=width).contains(&line.chars().count())), "{:?}", found);
        }
    }

    #[test]
    fn a_word_that_is_too_long_is_broken_after_a_sign() {
        assert_eq!(lines("loss.score.gamma=0.25 b", |line| line.len() <= 12), ["loss.score.", "gamma=0.25 b"]);
        assert_eq!(lines("+ self-calibration", |line| line.len() <= 11), ["+ self-", "calibration"]);
        assert_eq!(lines("Donaudampf", |line| line.len() <= 4), ["Dona", "udam", "pf"]);
    }
}
