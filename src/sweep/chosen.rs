//! Which rows a command is about: `--only`, `--against`.

use std::collections::BTreeSet;

use super::plan::Plan;
use crate::{Error, Result};

/// The places of the rows to run: all that are not quoted, or those that any of `only` means.
///
/// # Errors
/// A word that means no row.
pub fn rows(plan: &Plan, only: &[String]) -> Result<Vec<usize>> {
    let all: Vec<(usize, &str)> =
        plan.rows.iter().enumerate().filter(|(_, row)| !row.is_quoted()).map(|(place, row)| (place, row.name.as_str())).collect();
    if only.is_empty() { Ok(all.into_iter().map(|(place, _)| place).collect()) } else { among("--only", &all, only) }
}

/// The places that any of `words` means, among rows with their places and names. A word means the row of that name, else the row of that
/// number from 1, else each row that it is the beginning of; with `*` (anything) or `?` (one letter) in it, each row whose whole name it
/// fits. `option` is where the words were typed.
///
/// # Errors
/// A word that means no row.
pub fn among(option: &str, all: &[(usize, &str)], words: &[String]) -> Result<Vec<usize>> {
    let mut found = BTreeSet::new();
    for word in words {
        let meant = meant(word, all);
        if meant.is_empty() {
            let names: Vec<String> = all.iter().map(|(place, name)| format!("{} {name}", place + 1)).collect();
            let remedy = format!("rows are {}; a number, a name, its beginning or a pattern such as '*lr=0.1*' chooses", names.join(", "));
            return Err(Error::config(format!("{option}: there is no row {word:?}"), remedy));
        }
        found.extend(meant);
    }
    Ok(found.into_iter().collect())
}

fn meant(word: &str, all: &[(usize, &str)]) -> Vec<usize> {
    let those = |fits: &dyn Fn(usize, &str) -> bool| -> Vec<usize> {
        all.iter().filter(|(place, name)| fits(*place, name)).map(|(place, _)| *place).collect()
    };
    let is_pattern = word.contains(['*', '?']);
    let ways = [
        those(&|_, name| name == word),
        those(&|place, _| word.parse() == Ok(place + 1)),
        those(&|_, name| if is_pattern { fits(word, name) } else { !word.is_empty() && name.starts_with(word) }),
    ];
    ways.into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// Whether a whole name fits a pattern: `*` stands for any letters, `?` for one.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Where the last `*` stands, and how much of the name it takes so far: only that one is ever widened.
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    (p, n) = (at + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use proptest::prelude::*;

    fn of(plan: &Plan, only: &[&str]) -> Result<Vec<usize>> {
        rows(plan, &only.iter().map(|word| word.to_string()).collect::<Vec<_>>())
    }

    #[test]
    fn rows_are_chosen_by_name_or_number_and_never_quoted_ones() {
        let quoted = format!("{}\n[[quote]]\nname = \"RD\"\npaper = {{ table = 1, line = \"RD\" }}", example::ROWS);
        let plan = example::planned(&quoted, &[]);
        assert_eq!(of(&plan, &[]).unwrap(), [0, 1]);
        assert_eq!(of(&plan, &["+ sc", "2"]).unwrap(), [1]);
        let error = of(&plan, &["RD"]).unwrap_err();
        assert!(error.what.contains("no row \"RD\"") && error.remedy.starts_with("rows are 1 baseline, 2 + sc;"), "{error}");
        assert!(of(&plan, &["3"]).is_err());
    }

    #[test]
    fn rows_are_chosen_by_the_beginning_of_their_names_or_a_pattern() {
        let grid = "title = \"t\"\nbase = \"base.toml\"\n[grid]\nloss.beta = [0.5, 1]\nloss.score.gamma = [1, 2]\n";
        let plan = example::planned(grid, &[]);
        let names: Vec<&str> = plan.rows.iter().map(|row| row.name.as_str()).collect();
        let gamma_2 = of(&plan, &["*gamma=2*"]).unwrap();
        assert_eq!(gamma_2.len(), 2, "{names:?}");
        assert!(gamma_2.iter().all(|&row| names[row].contains("gamma=2")));
        assert_eq!(of(&plan, &["loss.beta=0.5"]).unwrap(), [0, 1], "{names:?}");
        assert_eq!(of(&plan, &["*"]).unwrap(), [0, 1, 2, 3]);
        for nothing in ["", "gamma=2", "?", "0", "5"] {
            assert!(of(&plan, &[nothing]).is_err(), "{nothing:?}");
        }
    }

    #[test]
    fn a_whole_name_comes_before_a_number_and_a_number_before_a_beginning() {
        let text = "title = \"t\"\n[[ablate]]\nname = \"2\"\n[[ablate]]\nname = \"10 epochs\"\nset = { optim.lr = 0.1 }\n\
                    [[ablate]]\nname = \"1 epoch\"\nset = { optim.lr = 0.2 }\n";
        let plan = example::planned(text, &[]);
        assert_eq!(of(&plan, &["2"]).unwrap(), [0], "the row of that name, not the second");
        assert_eq!(of(&plan, &["1"]).unwrap(), [0], "the first, not those that begin with it");
        assert_eq!(of(&plan, &["1 "]).unwrap(), [2]);
    }

    /// Slow twin: every way in which a star can be long.
    fn slow(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|taken| slow(rest, &name[taken..])),
            Some((c, rest)) => name.split_first().is_some_and(|(first, others)| (*c == '?' || c == first) && slow(rest, others)),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]
        #[test]
        fn a_pattern_fits_what_it_fits_letter_by_letter(pattern in "[ab*?]{0,7}", name in "[abä]{0,8}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(fits(&pattern, &name), slow(&chars(&pattern), &chars(&name)));
        }
    }
}
