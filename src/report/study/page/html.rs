//! Small pieces of HTML. Whatever comes from outside passes through [`escape`].

use std::fmt::Write;

use super::listing::Listing;
use super::mark::Mark;
use crate::names::spelled;
use crate::report::study::Rank;

/// Stands over a first column that has no heading, so that the control that sorts by it has a name.
const NAMES: &str = "row";

/// From so many columns on, cells may break between a number and what follows it, and stand closer.
const MANY: usize = 9;

/// From so many on, in smaller type too.
const VERY_MANY: usize = 15;

/// So many notes are folded.
const FOLDED: usize = 4;

/// Text that stands for itself within an element and within quotes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in spelled(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// The parts of a relative path as an address: each part percent-encoded as RFC 3986 asks.
pub fn address(parts: &[&str]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let encoded = |part: &&str| -> String {
        part.bytes().map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
    };
    parts.iter().map(encoded).collect::<Vec<_>>().join("/")
}

/// The attributes of an element that is about something, with a space in front.
pub fn attributes(mark: &Mark) -> String {
    let mut out = String::new();
    for (name, value) in [("row", &mark.row), ("category", &mark.category), ("metric", &mark.metric)] {
        if let Some(value) = value {
            let _ = write!(out, " data-{name}=\"{}\"", escape(value));
        }
    }
    out
}

/// A link to something beside the page.
pub fn link(address: &str, text: &str) -> String {
    format!("<a href=\"{}\">{}</a>", escape(address), escape(text))
}

/// A table whose columns of numbers stand to the right; a title becomes its caption.
pub fn table(listing: &Listing) -> String {
    let numeric: Vec<bool> = (0..listing.header.len()).map(|column| is_numeric(listing, column)).collect();
    let size = match listing.header.len() {
        VERY_MANY.. => " class=\"many very\"",
        MANY.. => " class=\"many\"",
        _ => "",
    };
    let mut out = format!("<div class=\"block\"{}>\n<div class=\"scroll\" role=\"group\" tabindex=\"0\"", attributes(&listing.about));
    if !listing.title.is_empty() {
        let _ = write!(out, " aria-label=\"{}\"", escape(&listing.title));
    }
    let _ = writeln!(out, "><table{size}>");
    if !listing.title.is_empty() {
        let _ = writeln!(out, "<caption>{}</caption>", escape(&listing.title));
    }
    out += "<thead><tr>";
    for (column, cell) in listing.header.iter().enumerate() {
        let class = if numeric[column] { " class=\"n\"" } else { "" };
        let mark = listing.columns.get(column).map(attributes).unwrap_or_default();
        let name = if column == 0 && cell.is_empty() { NAMES } else { cell };
        let _ = write!(out, "<th scope=\"col\"{class}{mark}>{}</th>", escape(name));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (index, row) in listing.rows.iter().enumerate() {
        let mark = listing.lines.get(index).map(attributes).unwrap_or_default();
        let _ = write!(out, "<tr{mark}>");
        for (column, text) in row.iter().enumerate() {
            out += &cell(listing, (index, column), text, numeric.get(column) == Some(&true));
        }
        out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
    out + &notes(&listing.notes) + "</div>\n"
}

/// Lines below a table; many are folded, so that what follows the table is not far away.
fn notes(notes: &[String]) -> String {
    let all: String = notes.iter().map(|note| format!("<p class=\"note\">{}</p>\n", escape(note))).collect();
    match notes.len() {
        FOLDED.. => format!("<details><summary>How to read it: {} notes</summary>\n{all}</details>\n", notes.len()),
        _ => all,
    }
}

/// One cell: the first of a line names it.
fn cell(listing: &Listing, place: (usize, usize), text: &str, numeric: bool) -> String {
    // What follows a number stays in one piece: a narrow column breaks before it.
    let (value, tail) = match text.split_once(' ') {
        Some((value, tail)) if numeric => (value, format!(" <span>{}</span>", escape(tail))),
        _ => (text, String::new()),
    };
    let value = listing.links.get(&place).map_or_else(|| escape(value), |address| link(address, value));
    let value = match listing.ranks.get(&place) {
        Some(Rank::Best) => format!("<strong>{value}</strong>"),
        Some(Rank::Second) => format!("<u>{value}</u>"),
        None => value,
    };
    let class = match numeric {
        true => " class=\"n\"",
        // Long words may break; names and settings may not.
        false if text.chars().count() > 60 => " class=\"words\"",
        false => "",
    };
    match place.1 {
        0 => format!("<th scope=\"row\"{class}>{value}{tail}</th>"),
        _ => format!("<td{class}>{value}{tail}</td>"),
    }
}

/// Whether every cell of a column that is not empty begins with a number.
fn is_numeric(listing: &Listing, column: usize) -> bool {
    let mut cells = listing.rows.iter().filter_map(|row| row.get(column)).filter(|c| !c.is_empty() && *c != "—").peekable();
    let begins = |cell: &String| cell.trim_start_matches(['+', '-', '−']).starts_with(|c: char| c.is_ascii_digit());
    cells.peek().is_some() && cells.all(begins)
}

/// A list of terms and what they are, which is HTML already.
pub fn terms<T: AsRef<str>>(pairs: &[(T, String)]) -> String {
    let one = |(term, words): &(T, String)| format!("<dt>{}</dt><dd>{words}</dd>\n", escape(term.as_ref()));
    format!("<dl>\n{}</dl>\n", pairs.iter().map(one).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listing(rows: &[[&str; 3]]) -> Listing {
        let rows = rows.iter().map(|row| row.map(String::from).to_vec()).collect();
        Listing {
            title: "a <b>".into(),
            header: ["", "AUROC", "p"].map(String::from).to_vec(),
            rows,
            notes: vec!["1 < 2".into()],
            ..Listing::default()
        }
    }

    #[test]
    fn columns_of_numbers_stand_to_the_right_and_all_text_is_escaped() {
        let text = table(&listing(&[["<i>+</i>", "98.4 ± 0.2", "—"], ["5 & 6 rows", "−0.3", "0.02"]]));
        assert!(text.contains("<caption>a &lt;b&gt;</caption>") && text.contains("<p class=\"note\">1 &lt; 2</p>"));
        let first = "<th scope=\"row\">&lt;i&gt;+&lt;/i&gt;</th><td class=\"n\">98.4 <span>± 0.2</span></td><td class=\"n\">—</td>";
        assert!(text.contains(first), "{text}");
        assert!(text.contains("<th scope=\"row\">5 &amp; 6 rows</th>"), "not all of this column are numbers");
    }

    #[test]
    fn a_first_column_without_a_heading_is_called_row() {
        assert!(table(&listing(&[["a", "1", "2"]])).contains("<th scope=\"col\">row</th>"));
    }

    #[test]
    fn many_notes_are_folded_and_few_are_not() {
        let text = |count: usize| table(&Listing { notes: vec!["a".into(); count], ..listing(&[["a", "1", "2"]]) });
        assert!(!text(3).contains("<details>") && text(4).contains("<summary>How to read it: 4 notes</summary>"));
        assert_eq!(text(4).matches("<p class=\"note\">").count(), 4);
    }

    #[test]
    fn what_a_cell_leads_to_is_an_address() {
        let mut listing = listing(&[["a", "1", "x y"]]);
        listing.links.insert((0, 2), address(&["..", "runs", "a b", "ü?#"]));
        assert!(table(&listing).contains("<td><a href=\"../runs/a%20b/%C3%BC%3F%23\">x y</a></td>"), "{}", table(&listing));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_can_leave_its_place(text in "[<>&\"'a;# *\n-]{0,40}") {
            let safe = escape(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            let back = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(back, text.clone());
            prop_assert!(!address(&[&text]).contains(['<', '"', ' ', '#', '&']));
        }
    }
}
