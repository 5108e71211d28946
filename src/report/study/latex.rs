//! A table in LaTeX for `booktabs`: best bold, second underlined.

use super::Form;
use super::layout::{Layout, Text, layouts, notes};
use super::table::{Rank, Table};
use crate::names::in_line;
use crate::report::spell::wrapped;

/// Width of a column and of the text of a page of LaTeX's `article` in two columns at 10 pt, in pt. Those of IEEE, Elsevier,
/// Springer and CVF are wider or as wide.
const COLUMN_PT: f64 = 229.0;
const TEXT_PT: f64 = 469.0;

/// A `table` environment with caption, label and notes, with a newline at the end; needs the packages `booktabs` and `array`. It is as wide as
/// a column of two, or as both (`table*`); a table that is wider still is parted into blocks of columns below one another.
pub fn latex(table: &Table, form: Form) -> String {
    let layouts = layouts(table, form);
    let width = |limit: f64| layouts.iter().map(|layout| Fit::of(layout, limit).total()).fold(0.0, f64::max);
    let (environment, limit) = if width(COLUMN_PT) <= COLUMN_PT { ("table", COLUMN_PT) } else { ("table*", TEXT_PT) };
    let place = if limit == COLUMN_PT { "a column of" } else { "text of" };
    let mut lines = vec![
        r"% \usepackage{booktabs,array}".to_owned(),
        format!("% {:.0} pt wide in \\footnotesize: fits {place} {limit} pt", width(limit).min(limit)),
        format!(r"\begin{{{environment}}}"),
        r"  \centering\footnotesize\setlength{\tabcolsep}{3pt}".to_owned(),
        format!(r"  \caption{{{}}}", escape(&caption(&table.title))),
        format!(r"  \label{{tab:{}}}", slug(&table.label)),
    ];
    for block in layouts.iter().flat_map(|layout| blocks(layout, limit)) {
        lines.extend(tabular(&block, &Fit::of(&block, limit)));
        lines.extend([String::new(), r"  \smallskip".to_owned()]);
    }
    lines.push(r"  \begin{minipage}{\linewidth}\scriptsize\raggedright".to_owned());
    lines.extend(notes(table, form).iter().map(|note| format!(r"    {}\par", escape(note))));
    lines.extend([r"  \end{minipage}".to_owned(), format!(r"\end{{{environment}}}")]);
    if form == Form::Paper {
        // What a paper has no room for, for whoever opens the file.
        lines.extend(table.notes.iter().map(|note| format!("% {}", in_line(note))));
    }
    lines.join("\n") + "\n"
}

/// The title without the number that LaTeX gives it again: `Table 4: what each module adds`.
fn caption(title: &str) -> String {
    let rest = title.split_once(": ").filter(|(begin, _)| {
        let numbers = begin.strip_prefix("Tables ").or_else(|| begin.strip_prefix("Table "));
        numbers.is_some_and(|numbers| numbers.split([' ', ',']).all(|word| matches!(word, "" | "and") || word.parse::<u32>().is_ok()))
    });
    let title = rest.map_or(title, |(_, rest)| rest);
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// What `\label` takes.
fn slug(label: &str) -> String {
    label.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Columns, as many as fit beside the first, in as many tables as it takes.
fn blocks(layout: &Layout, limit: f64) -> Vec<Layout> {
    let fit = Fit::of(layout, limit);
    let (mut blocks, mut columns, mut width) = (vec![], vec![0], fit.name);
    for (at, own) in fit.columns.iter().enumerate() {
        if width + own + Fit::GAP > limit && columns.len() > 1 {
            blocks.push(std::mem::replace(&mut columns, vec![0]));
            width = fit.name;
        }
        columns.push(at + 1);
        width += own + Fit::GAP;
    }
    blocks.push(columns);
    let part = |columns: &Vec<usize>| Layout {
        headings: columns.iter().map(|&at| layout.headings[at].clone()).collect(),
        lines: layout.lines.iter().map(|line| columns.iter().map(|&at| line[at].clone()).collect()).collect(),
    };
    blocks.iter().map(part).collect()
}

/// How wide a tabular is, in pt.
struct Fit {
    name: f64,
    columns: Vec<f64>,
}

impl Fit {
    /// Between two columns.
    const GAP: f64 = 6.0;

    /// The first column takes as much as its longest name, but no more than two fifths of the limit: longer names are wrapped.
    fn of(layout: &Layout, limit: f64) -> Self {
        let cells = |at: usize| layout.lines.iter().map(|line| cell_width(&line[at])).fold(0.0, f64::max);
        let widest = |at: usize| heading_lines(&layout.headings[at], cells(at)).iter().map(|line| width(line)).fold(cells(at), f64::max);
        let name = cells(0).max(width(&layout.headings[0]));
        Self { name: name.min(0.4 * limit), columns: (1..layout.headings.len()).map(widest).collect() }
    }

    fn total(&self) -> f64 {
        self.name + self.columns.iter().map(|own| own + Self::GAP).sum::<f64>()
    }
}

/// Bold values are wider, spreads are smaller.
fn cell_width(text: &Text) -> f64 {
    match text.tail.strip_prefix(SPREAD) {
        Some(spread) => width(&text.value) * 1.15 + (width(&format!("±{spread}")) + 3.0) * 7.0 / 8.0,
        None => width(&text.value) * 1.15 + width(&text.tail),
    }
}

/// How a mean's deviation begins.
const SPREAD: &str = " ± ";

/// A heading in as many lines as keep it within its column, as far as its words allow.
fn heading_lines(heading: &str, cells: f64) -> Vec<String> {
    wrapped(heading, |line| width(line) <= cells)
}

/// The width of a text in Computer Modern at 8 pt, in pt: widths of cmr10 (Knuth 1986) in thousandths of an em, and what cmr8
/// is wider. Signs that are not listed count as wide ones.
fn width(text: &str) -> f64 {
    const LETTERS: [u16; 26] =
        [500, 556, 444, 556, 444, 306, 500, 556, 278, 306, 528, 278, 833, 556, 500, 556, 528, 392, 394, 389, 556, 528, 722, 528, 528, 444];
    const CAPITALS: [u16; 26] =
        [750, 708, 722, 764, 681, 653, 785, 750, 361, 514, 778, 625, 917, 750, 778, 681, 778, 736, 556, 722, 750, 750, 1028, 750, 750, 611];
    let em = |c: char| match c {
        'a'..='z' => LETTERS[usize::from(c as u8 - b'a')],
        'A'..='Z' => CAPITALS[usize::from(c as u8 - b'A')],
        '0'..='9' | '/' | '*' => 500,
        '.' | ',' | ':' | ';' | '[' | ']' | '\'' => 278,
        ' ' | '-' => 333,
        '(' | ')' => 389,
        '—' => 1000,
        _ => 833,
    };
    text.chars().map(|c| f64::from(em(c))).sum::<f64>() * 8.0 * 1.062 / 1000.0
}

fn tabular(layout: &Layout, fit: &Fit) -> Vec<String> {
    let heading = |(at, heading): (usize, &String)| {
        let cells = layout.lines.iter().map(|line| cell_width(&line[at])).fold(0.0, f64::max);
        let lines: Vec<String> = heading_lines(heading, cells).iter().map(|line| escape(line)).collect();
        if at == 0 || lines.len() < 2 { escape(heading) } else { format!(r"\shortstack[r]{{{}}}", lines.join(r"\\")) }
    };
    let headings: Vec<String> = layout.headings.iter().enumerate().map(heading).collect();
    let natural = layout.lines.iter().map(|line| width(&line[0].value)).fold(width(&layout.headings[0]), f64::max);
    let first = match natural <= fit.name {
        true => "l".to_owned(),
        false => format!(r">{{\raggedright\arraybackslash}}p{{{:.0}pt}}", fit.name),
    };
    let mut lines = vec![
        format!(r"  \begin{{tabular}}{{@{{}}{first}{}@{{}}}}", "r".repeat(headings.len() - 1)),
        r"    \toprule".to_owned(),
        row(&headings),
        r"    \midrule".to_owned(),
    ];
    lines.extend(layout.lines.iter().map(|line| row(&line.iter().map(cell).collect::<Vec<_>>())));
    lines.extend([r"    \bottomrule".to_owned(), r"  \end{tabular}".to_owned()]);
    lines
}

fn row(cells: &[String]) -> String {
    format!(r"    {} \\", cells.join(" & "))
}

fn cell(Text { value, rank, tail }: &Text) -> String {
    let value = escape(value);
    let value = match rank {
        Some(Rank::Best) => format!(r"\textbf{{{value}}}"),
        Some(Rank::Second) => format!(r"\underline{{{value}}}"),
        None => value,
    };
    match tail.strip_prefix(SPREAD) {
        Some(spread) => format!(r"{value}{{\scriptsize\,$\pm$\,{}}}", escape(spread)),
        None => value + &escape(tail),
    }
}

/// Spells what LaTeX would take for markup, and the signs that its default fonts lack: common ones as mathematics. ASCII and
/// Latin letters with accents pass; any other sign becomes its code point, such as `[U+4E2D]`, so that the file compiles and
/// nothing is lost in silence.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        let spelled = match c {
            '\\' => r"\textbackslash{}",
            '~' => r"\textasciitilde{}",
            '^' => r"\textasciicircum{}",
            '<' => r"\textless{}",
            '>' => r"\textgreater{}",
            '|' => r"\textbar{}",
            // A quotation begins after a blank or a bracket.
            '"' if escaped.is_empty() || escaped.ends_with([' ', '(', '[']) => "``",
            '"' => "''",
            // Braced: behind the end of a row they would be read as its options.
            '[' => "{[}",
            '*' => "{*}",
            '−' => "$-$",
            '±' => r"$\pm$",
            '—' => "---",
            '–' => "--",
            '’' => "'",
            '“' => "``",
            '”' => "''",
            '…' => r"\dots{}",
            '†' => r"$\dagger$",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(c);
                continue;
            }
            '\n' | '\r' | '\t' => " ",
            c if c.is_ascii_control() => {
                escaped.push_str(&format!("{{[}}U+{:04X}]", u32::from(c)));
                continue;
            }
            _ => {
                match math(c) {
                    Some(name) => escaped.push_str(&format!(r"$\{name}$")),
                    None if c.is_ascii() || ('\u{c0}'..='\u{17f}').contains(&c) => escaped.push(c),
                    None => escaped.push_str(&format!("{{[}}U+{:04X}]", u32::from(c))),
                }
                continue;
            }
        };
        escaped.push_str(spelled);
    }
    escaped
}

/// The command of a sign that stands in formulas.
fn math(sign: char) -> Option<&'static str> {
    const SIGNS: [(char, &str); 38] = [
        ('α', "alpha"),
        ('β', "beta"),
        ('γ', "gamma"),
        ('δ', "delta"),
        ('ε', "varepsilon"),
        ('ζ', "zeta"),
        ('η', "eta"),
        ('θ', "theta"),
        ('κ', "kappa"),
        ('λ', "lambda"),
        ('μ', "mu"),
        ('µ', "mu"),
        ('ν', "nu"),
        ('ξ', "xi"),
        ('π', "pi"),
        ('ρ', "rho"),
        ('σ', "sigma"),
        ('τ', "tau"),
        ('φ', "varphi"),
        ('χ', "chi"),
        ('ψ', "psi"),
        ('ω', "omega"),
        ('Γ', "Gamma"),
        ('Δ', "Delta"),
        ('Θ', "Theta"),
        ('Λ', "Lambda"),
        ('Σ', "Sigma"),
        ('Φ', "Phi"),
        ('Ω', "Omega"),
        ('→', "to"),
        ('←', "gets"),
        ('×', "times"),
        ('·', "cdot"),
        ('≤', "le"),
        ('≥', "ge"),
        ('≠', "ne"),
        ('≈', "approx"),
        ('∞', "infty"),
    ];
    SIGNS.iter().find(|(known, _)| *known == sign).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::super::{Cell, Column, Comparison, Incomplete, TableLine, example};
    use super::*;

    fn ladder() -> Table {
        let mut study = example::ladder();
        study.metrics.truncate(1);
        study.rows[0].name = "[2, 4] & 50%".into();
        study.rows.iter_mut().for_each(|row| row.paper = None);
        let mut table = Table::of(&study, &Comparison::of(&study), Incomplete::Refuse);
        table.notes.truncate(1);
        table.label = "ablation".into();
        table
    }

    #[test]
    fn a_table_for_a_paper_is_this_text() {
        let expected = r"% \usepackage{booktabs,array}
% 116 pt wide in \footnotesize: fits a column of 229 pt
\begin{table}
  \centering\footnotesize\setlength{\tabcolsep}{3pt}
  \caption{What each part adds}
  \label{tab:ablation}
  \begin{tabular}{@{}lr@{}}
    \toprule
     & \shortstack[r]{image\\AUROC} \\
    \midrule
    {[}2, 4] \& 50\% & \underline{86.0}{\scriptsize\,$\pm$\,0.9} \\
    + self-calibration & \textbf{91.0}{\scriptsize\,$\pm$\,0.9} \\
    + STLNet & \textbf{91.0}{\scriptsize\,$\pm$\,0.6} \\
    \bottomrule
  \end{tabular}

  \smallskip
  \begin{minipage}{\linewidth}\scriptsize\raggedright
    Percent: mean over 2 categories x 3 seeds, $\pm$ standard deviation over seeds; best bold; {*} p \textless{} 0.05 against the row above (paired sign-flip test, Holm over 2 comparisons).\par
  \end{minipage}
\end{table}
% In percent, over 2 categories x 3 seeds: the mean over categories of the means over seeds; ± is the sample standard deviation over seeds.
";
        assert_eq!(latex(&ladder(), Form::Paper), expected);
    }

    #[test]
    fn the_full_form_has_differences_and_the_table_of_trainings() {
        let shown = latex(&ladder(), Form::Full);
        assert!(shown.contains(r"+ self-calibration & 6 & \textbf{91.0}{\scriptsize\,$\pm$\,0.9} & +5.0 (0.062) \\"), "{shown}");
        assert_eq!(shown.matches(r"\begin{tabular}").count(), 2);
    }

    #[test]
    fn a_table_that_is_too_wide_is_parted_and_long_names_are_wrapped() {
        let column = |at: usize| Column { heading: format!("category {at}"), metric: "image_auroc".into() };
        let cell = Cell { mean: Some(0.5), n: 1, planned: 1, ..Default::default() };
        let line = TableLine { name: "a long name of words ".repeat(6), n: 1, planned: 1, cells: vec![cell; 15], training: None };
        let table = Table { title: "t".into(), columns: (0..15).map(column).collect(), lines: vec![line], ..Table::default() };
        let shown = latex(&table, Form::Paper);
        assert!(shown.contains(r"\begin{table*}") && shown.contains(r"\raggedright\arraybackslash}p{188pt}"), "{shown}");
        let count = shown.matches(r"\begin{tabular}").count();
        assert!((2..=4).contains(&count), "{count}");
        (0..15).for_each(|at| assert!(shown.contains(&format!(r"\shortstack[r]{{category\\{at}}}")), "{at}: {shown}"));
        for layout in blocks_of(&table) {
            assert!(Fit::of(&layout, TEXT_PT).total() <= TEXT_PT);
        }
    }

    fn blocks_of(table: &Table) -> Vec<Layout> {
        layouts(table, Form::Paper).iter().flat_map(|layout| blocks(layout, TEXT_PT)).collect()
    }

    #[test]
    fn a_caption_has_no_number_of_its_own() {
        assert_eq!(caption("Table 4: what each module adds"), "What each module adds");
        assert_eq!(caption("Tables 1 and 2: comparison"), "Comparison");
        assert_eq!([caption("Tables turned: a story"), caption("a: b"), caption("")], ["Tables turned: a story", "A: b", ""]);
        assert_eq!(slug("tables-1-2 by_category@0.3"), "tables-1-2-by-category-0-3");
    }

    #[test]
    fn whatever_latex_would_take_for_markup_is_escaped() {
        assert_eq!(escape(r"a_b{c}\d$e#f^g~h"), r"a\_b\{c\}\textbackslash{}d\$e\#f\textasciicircum{}g\textasciitilde{}h");
        assert_eq!(escape(r#"to "a b" ("c")"#), "to ``a b'' (``c'')");
        assert_eq!(escape("−0.3 <0.001 91.2*"), r"$-$0.3 \textless{}0.001 91.2{*}");
        assert_eq!(escape("a\u{1b}\u{7}\u{7f}\u{85}"), "a{[}U+001B]{[}U+0007]{[}U+007F]{[}U+0085]");
        assert_eq!(escape("γ → 2.5 · Müller\n中…"), r"$\gamma$ $\to$ 2.5 $\cdot$ Müller {[}U+4E2D]\dots{}");
    }
}
