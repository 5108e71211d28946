//! A table in LaTeX for `booktabs`: best bold, second underlined.

use super::layout::{Layout, Text, layout, training};
use super::table::{Rank, Table};

/// A `table` environment with caption and notes, with a newline at the end. Needs `\usepackage{booktabs}` and nothing else.
pub fn latex(table: &Table) -> String {
    let mut lines = vec![
        r"% \usepackage{booktabs}".to_owned(),
        r"\begin{table}".to_owned(),
        r"  \centering".to_owned(),
        format!(r"  \caption{{{}}}", escape(&table.title)),
    ];
    for layout in [Some(layout(table)), training(table)].into_iter().flatten() {
        lines.extend(tabular(&layout));
        lines.extend([String::new(), r"  \smallskip".to_owned()]);
    }
    lines.push(r"  \begin{minipage}{\linewidth}\footnotesize\raggedright".to_owned());
    lines.extend(table.notes.iter().map(|note| format!(r"    {}\par", escape(note))));
    lines.extend([r"  \end{minipage}".to_owned(), r"\end{table}".to_owned()]);
    lines.join("\n") + "\n"
}

fn tabular(layout: &Layout) -> Vec<String> {
    let headings: Vec<String> = layout.headings.iter().map(|heading| escape(heading)).collect();
    let mut lines = vec![
        format!(r"  \begin{{tabular}}{{l{}}}", "r".repeat(headings.len() - 1)),
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
    value + &escape(tail)
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
    use super::super::{Comparison, Incomplete, example};
    use super::*;

    #[test]
    fn a_latex_table_is_this_text() {
        let mut study = example::ladder();
        study.metrics.truncate(1);
        study.rows[0].name = "[2, 4] & 50%".into();
        study.rows.iter_mut().for_each(|row| row.paper = None);
        let mut table = Table::of(&study, &Comparison::of(&study), Incomplete::Refuse);
        table.notes.truncate(1);
        let expected = r"% \usepackage{booktabs}
\begin{table}
  \centering
  \caption{What each part adds}
  \begin{tabular}{lrrr}
    \toprule
     & n & image AUROC & $\Delta$ (p) \\
    \midrule
    {[}2, 4] \& 50\% & 6 & \underline{86.0} $\pm$ 0.9 & --- \\
    + self-calibration & 6 & \textbf{91.0} $\pm$ 0.9 & +5.0 (0.062) \\
    + STLNet & 6 & \textbf{91.0} $\pm$ 0.6 & 0.0 (1.000) \\
    \bottomrule
  \end{tabular}

  \smallskip
  \begin{tabular}{lrrr}
    \toprule
    training & first loss & last loss & gradient norm \\
    \midrule
    {[}2, 4] \& 50\% & --- & 0.9000 & 30.00 \\
    + self-calibration & --- & 0.5000 & 8.000 \\
    + STLNet & --- & 0.2500 & 5.000 \\
    \bottomrule
  \end{tabular}

  \smallskip
  \begin{minipage}{\linewidth}\footnotesize\raggedright
    In percent, over 2 categories x 3 seeds: the mean over categories of the means over seeds; $\pm$ is the sample standard deviation over seeds.\par
  \end{minipage}
\end{table}
";
        assert_eq!(latex(&table), expected);
    }

    #[test]
    fn whatever_latex_would_take_for_markup_is_escaped() {
        assert_eq!(escape(r"a_b{c}\d$e#f^g~h"), r"a\_b\{c\}\textbackslash{}d\$e\#f\textasciicircum{}g\textasciitilde{}h");
        assert_eq!(escape("−0.3 <0.001 91.2*"), r"$-$0.3 \textless{}0.001 91.2{*}");
        assert_eq!(escape("a\u{1b}\u{7}\u{7f}\u{85}"), "a{[}U+001B]{[}U+0007]{[}U+007F]{[}U+0085]");
        assert_eq!(escape("γ → 2.5 · Müller\n中…"), r"$\gamma$ $\to$ 2.5 $\cdot$ Müller {[}U+4E2D]\dots{}");
    }
}
