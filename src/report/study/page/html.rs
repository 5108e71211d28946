//! Small pieces of HTML. Whatever comes from outside passes through [`escape`].

use std::fmt::Write;

use super::listing::Listing;
use crate::names::spelled;
use crate::report::study::Rank;

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

/// A table whose columns of numbers stand to the right; a title becomes its caption.
pub fn table(listing: &Listing) -> String {
    let numeric: Vec<bool> = (0..listing.header.len()).map(|column| is_numeric(listing, column)).collect();
    let class = |column: usize, cell: &str| match numeric.get(column) {
        Some(true) => " class=\"n\"",
        // Long words may break; names and settings may not.
        _ if cell.chars().count() > 60 => " class=\"words\"",
        _ => "",
    };
    let mut out = String::from("<div class=\"scroll\"><table>\n");
    if !listing.title.is_empty() {
        let _ = writeln!(out, "<caption>{}</caption>", escape(&listing.title));
    }
    out += "<thead><tr>";
    for (column, cell) in listing.header.iter().enumerate() {
        let _ = write!(out, "<th scope=\"col\"{}>{}</th>", class(column, ""), escape(cell));
    }
    out += "</tr></thead>\n<tbody>\n";
    for (index, row) in listing.rows.iter().enumerate() {
        out += "<tr>";
        for (column, cell) in row.iter().enumerate() {
            let (open, close) = match listing.ranks.get(&(index, column)) {
                Some(Rank::Best) => ("<strong>", "</strong>"),
                Some(Rank::Second) => ("<u>", "</u>"),
                None => ("", ""),
            };
            let _ = write!(out, "<td{}>{open}{}{close}</td>", class(column, cell), escape(cell));
        }
        out += "</tr>\n";
    }
    out += "</tbody></table></div>\n";
    for note in &listing.notes {
        let _ = writeln!(out, "<p class=\"note\">{}</p>", escape(note));
    }
    out
}

/// Whether every cell of a column that is not empty begins with a number.
fn is_numeric(listing: &Listing, column: usize) -> bool {
    let mut cells = listing.rows.iter().filter_map(|row| row.get(column)).filter(|c| !c.is_empty() && *c != "—").peekable();
    let begins = |cell: &String| cell.trim_start_matches(['+', '-', '−']).starts_with(|c: char| c.is_ascii_digit());
    cells.peek().is_some() && cells.all(begins)
}

/// Plain text as paragraphs: an empty line parts them, lines that begin with `- ` or `* ` are a list, with `#` a heading.
pub fn prose(text: &str) -> String {
    let mut out = String::new();
    let (mut open, mut in_list) = (String::new(), false);
    for line in text.lines().map(str::trim).chain([""]) {
        let item = line.strip_prefix("- ").or_else(|| line.strip_prefix("* "));
        let heading = line.starts_with('#').then(|| line.trim_start_matches('#').trim());
        if !line.is_empty() && item.is_none() && heading.is_none() {
            if !open.is_empty() {
                open.push(' ');
            }
            open += &escape(line);
            continue;
        }
        // What was open ends here, and a list with anything but another item.
        if !open.is_empty() {
            let tag = if in_list { "li" } else { "p" };
            let _ = writeln!(out, "<{tag}>{open}</{tag}>");
            open.clear();
        }
        match (item, in_list) {
            (Some(_), false) => out += "<ul>\n",
            (None, true) => out += "</ul>\n",
            _ => {}
        }
        in_list = item.is_some();
        open = item.map(escape).unwrap_or_default();
        if let Some(words) = heading {
            let _ = writeln!(out, "<h3>{}</h3>", escape(words));
        }
    }
    out
}

/// A list of terms and what they are.
pub fn terms(pairs: &[(&str, String)]) -> String {
    let one = |(term, words): &(&str, String)| format!("<dt>{}</dt><dd>{}</dd>\n", escape(term), escape(words));
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
            header: ["row", "AUROC", "p"].map(String::from).to_vec(),
            rows,
            notes: vec!["1 < 2".into()],
            ..Listing::default()
        }
    }

    #[test]
    fn columns_of_numbers_stand_to_the_right_and_all_text_is_escaped() {
        let text = table(&listing(&[["<i>+</i>", "98.4 ± 0.2", "—"], ["5 & 6 rows", "−0.3", "0.02"]]));
        assert!(text.contains("<caption>a &lt;b&gt;</caption>") && text.contains("<p class=\"note\">1 &lt; 2</p>"));
        assert!(text.contains("<td>&lt;i&gt;+&lt;/i&gt;</td><td class=\"n\">98.4 ± 0.2</td><td class=\"n\">—</td>"), "{text}");
        assert!(text.contains("<td>5 &amp; 6 rows</td>"), "not all of this column are numbers");
    }

    #[test]
    fn prose_has_paragraphs_lists_and_headings() {
        let text = prose("# Found\nOne <line>\nand more.\n\n- first\n  goes on\n- second\n\nLast.");
        let expected =
            "<h3>Found</h3>\n<p>One &lt;line&gt; and more.</p>\n<ul>\n<li>first goes on</li>\n<li>second</li>\n</ul>\n<p>Last.</p>\n";
        assert_eq!(text, expected);
        assert_eq!(prose(""), "");
        assert_eq!(prose("- a"), "<ul>\n<li>a</li>\n</ul>\n");
        assert_eq!(prose("words\n- a\n# h\nend"), "<p>words</p>\n<ul>\n<li>a</li>\n</ul>\n<h3>h</h3>\n<p>end</p>\n");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_can_leave_its_place(text in "[<>&\"'a;# *\n-]{0,40}") {
            let safe = escape(&text);
            prop_assert!(!safe.contains(['<', '>', '"', '\'']));
            let back = safe.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&");
            prop_assert_eq!(back, text.clone());
            let prose = prose(&text);
            for tag in ["ul", "li", "p", "h3"] {
                prop_assert_eq!(prose.matches(&format!("<{tag}>")).count(), prose.matches(&format!("</{tag}>")).count());
            }
            prop_assert_eq!(prose.matches('<').count() % 2, 0);
        }
    }
}
