//! Names as people see them. A name of a category, file or tag may hold characters that change a terminal's title, its colours or the
//! order of its letters, or that XML does not allow in a picture: they are spelled out. Paths are shortened on pages that others will
//! read. A number has its noun in singular or plural.

use std::borrow::Cow;
use std::path::Path;

/// A text with what a terminal would obey, or a reader misread, spelled out (`\u{1b}`); newlines and tabs stay.
pub fn spelled(text: &str) -> Cow<'_, str> {
    escaped(text, |c| c == '\n' || c == '\t')
}

/// [`spelled`] in one line: newlines and tabs are spelled out too, so that a name cannot forge a line.
pub fn in_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false)
}

/// As much of a text as a message quotes of it: its first 80 characters.
pub fn quoted(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(80) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// A number with its noun: `1 seed`, `3 seeds`.
pub fn counted(n: usize, one: &str, several: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { several })
}

/// A path as a page that is passed on shows it: of an absolute one the last part (`…/mvtec`).
pub fn place(path: &str) -> Cow<'_, str> {
    match Path::new(path).file_name() {
        Some(name) if path.starts_with('/') => Cow::Owned(format!("…/{}", name.to_string_lossy())),
        _ => Cow::Borrowed(path),
    }
}

/// A text, or a shell command, with each absolute path cut to its last part (`…/mvtec`).
pub fn without_places(text: &str) -> Cow<'_, str> {
    if !text.contains('/') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let (mut rest, mut before, mut quote) = (text, ' ', None);
    while let Some(c) = rest.chars().next() {
        let begins = c == '/' && (before.is_whitespace() || "'\"`=,:;([{<>".contains(before)) && !rest.starts_with("//");
        if begins {
            // Within quotes a path may hold spaces.
            let ends = |c: char| quote.map_or(c.is_whitespace() || "'\"`,;:)]}<>".contains(c), |quote| c == quote);
            let path = &rest[..rest.find(ends).unwrap_or(rest.len())];
            let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            out.push_str(if name.is_empty() { path } else { "…/" });
            out.push_str(name);
            (rest, before) = (&rest[path.len()..], '/');
            continue;
        }
        if "'\"`".contains(c) {
            quote = match quote {
                Some(open) if open == c => None,
                // An apostrophe opens nothing.
                None if !before.is_alphanumeric() => Some(c),
                open => open,
            };
        }
        out.push(c);
        (rest, before) = (&rest[c.len_utf8()..], c);
    }
    Cow::Owned(out)
}

fn escaped(text: &str, stays: fn(char) -> bool) -> Cow<'_, str> {
    let odd = |c: char| is_odd(c) && !stays(c);
    if !text.chars().any(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if odd(c) { out.extend(c.escape_default()) } else { out.push(c) }
    }
    Cow::Owned(out)
}

/// Control characters, those that turn the direction of text or end a line in secret, and what XML forbids.
fn is_odd(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_is_singular_and_none_plural() {
        assert_eq!([0, 1, 2].map(|n| counted(n, "seed", "seeds")), ["0 seeds", "1 seed", "2 seeds"]);
    }

    #[test]
    fn what_a_terminal_would_obey_is_spelled_out_and_letters_stay() {
        assert_eq!(spelled("Schraube 中 é — 5 %"), "Schraube 中 é — 5 %");
        assert_eq!(spelled("a\u{1b}]0;x\u{7}b"), r"a\u{1b}]0;x\u{7}b");
        assert_eq!(spelled("a\nb\tc\rd"), "a\nb\tc\\rd");
        assert_eq!(in_line("a\nb\tc"), r"a\nb\tc");
        assert_eq!(in_line("gnp\u{202e}.\u{2066}\u{9b}\u{7f}\u{fffe}"), r"gnp\u{202e}.\u{2066}\u{9b}\u{7f}\u{fffe}");
    }

    #[test]
    fn a_text_that_is_passed_on_names_no_place() {
        assert_eq!(["/home/ann lee/my data/", "data/x", "/"].map(place), ["…/my data", "data/x", "/"]);
        for (text, want) in [
            (
                "harness sweep a.toml data.root=/home/ann/mvtec --results=/scratch/x/",
                "harness sweep a.toml data.root=…/mvtec --results=…/x",
            ),
            ("harness sweep 'data.root=/home/ann lee/my data' x", "harness sweep 'data.root=…/my data' x"),
            ("cannot read /home/ann/a.png: gone", "cannot read …/a.png: gone"),
            ("it isn't in '/home/ann', \"/b/c d\" or [/e/f, /g]", "it isn't in '…/ann', \"…/c d\" or […/f, …/g]"),
            ("weights/resnet50.safetensors, 3/4, a / b, ~/x, ../y", "weights/resnet50.safetensors, 3/4, a / b, ~/x, ../y"),
            ("--to https://example.org/a/b", "--to https://example.org/a/b"),
            ("/", "/"),
            ("/home/é/中", "…/中"),
        ] {
            assert_eq!(without_places(text), want);
        }
    }

    #[test]
    fn a_message_quotes_the_beginning_of_a_long_text() {
        assert_eq!(quoted("Schraube 中"), "Schraube 中");
        assert_eq!(quoted(&"é".repeat(80)), "é".repeat(80));
        assert_eq!(quoted(&"é".repeat(5000)), "é".repeat(80) + "…");
    }

    proptest! {
        #[test]
        fn nothing_odd_is_left_and_what_is_spelled_stays_as_it_is(text: String) {
            let once = in_line(&text).into_owned();
            prop_assert!(!once.chars().any(is_odd));
            prop_assert_eq!(in_line(&once), once.as_str());
        }
    }
}
