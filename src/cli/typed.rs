//! An option that is none: perhaps a setting, which is typed `key=value`.

use crate::config::reference;
use crate::{Error, Result};

/// Verbs that take `key=value`.
const SETTABLE: [&str; 4] = ["run", "sweep", "fit", "bench"];

/// What to type instead of `flag`, an option that the verb of `words` (without the program) does not know; `Ok` where no key is near.
///
/// # Errors
/// `Kind::Config` naming the settings that may be meant.
pub fn check_flag(flag: &str, words: &[String]) -> Result<()> {
    let Some(verb) = words.iter().find(|word| !word.starts_with('-')).filter(|verb| SETTABLE.contains(&verb.as_str())) else {
        return Ok(());
    };
    let name = flag.trim_start_matches('-').split('=').next().unwrap_or_default();
    let keys = meant(&name.replace('-', "_"));
    if keys.is_empty() {
        return Ok(());
    }
    let value = value(flag, words).unwrap_or_else(|| "…".into());
    let settings: Vec<String> = keys.iter().map(|key| format!("{key}={value}")).collect();
    let remedy = format!("a setting is typed without dashes, as key=value: {}", settings.join(" or "));
    Err(Error::config(format!("`--{name}` is not an option of `harness {verb}`"), remedy))
}

/// The keys whose last part, or last parts, a word is; else the key nearest to it.
fn meant(name: &str) -> Vec<&'static str> {
    let ends = |path: &str| path == name || path.strip_suffix(name).is_some_and(|head| head.ends_with('.'));
    let mut found: Vec<&str> =
        reference::keys().iter().map(|key| key.path.as_str()).filter(|path| !name.is_empty() && ends(path)).collect();
    if found.is_empty() {
        found.extend(reference::suggestion(name));
    }
    found.sort_by_key(|path| (path.matches('.').count(), *path));
    found.truncate(MOST);
    found
}

/// So many keys are named at most.
const MOST: usize = 4;

/// The value that was typed with a flag: behind its `=`, or the next word.
fn value(flag: &str, words: &[String]) -> Option<String> {
    let name = flag.split('=').next()?;
    let place = words.iter().position(|word| word.split('=').next() == Some(name))?;
    match words[place].split_once('=') {
        Some((_, value)) => Some(value.to_owned()),
        None => words.get(place + 1).filter(|next| !next.starts_with("--")).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(words: &str, flag: &str) -> Option<String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        check_flag(flag, &words).err().map(|error| error.remedy)
    }

    #[test]
    fn an_unknown_option_is_told_as_the_setting_of_its_name() {
        let gamma = told("run full.toml --gamma 3", "--gamma").unwrap();
        assert!(gamma.ends_with("key=value: loss.score.gamma=3"), "{gamma}");
        assert_eq!(told("sweep x.toml --score.gamma=3", "--score.gamma").unwrap(), gamma);
        assert_eq!(told("-q run --gamma", "--gamma").unwrap(), gamma.replace("=3", "=…"));
        assert!(told("run --epoch 3", "--epoch").unwrap().contains("train.epochs=3"), "a word that is nearly one");
        assert!(told("run --batch-size 3", "--batch-size").is_none_or(|remedy| !remedy.contains("batch-size")));
    }

    #[test]
    fn a_word_that_ends_several_keys_names_a_few_the_shortest_first() {
        let several = told("run --enabled true", "--enabled").unwrap();
        assert!(several.contains(" or ") && several.matches("=true").count() <= MOST, "{several}");
        let beta = meant("beta");
        assert!(beta.iter().all(|key| key.ends_with(".beta")), "{beta:?}");
    }

    #[test]
    fn verbs_without_settings_and_words_that_are_near_to_none_are_left_to_the_parser() {
        assert_eq!(told("report ablation --gamma 3", "--gamma"), None);
        assert_eq!(told("run --zzzzqq 3", "--zzzzqq"), None);
        assert_eq!(told("--gamma", "--gamma"), None);
    }
}
