//! A table in LaTeX for `booktabs`: best bold, second underlined.

use super::layout::{Text, layout};
use super::table::{Rank, Table};

/// A `table` environment with caption and notes, with a newline at the end. Needs `\usepackage{booktabs}` and nothing else.
pub fn latex(table: &Table) -> String {
    let layout = layout(table);
    let headings: Vec<String> = layout.headings.iter().map(|heading| escape(heading)).collect();
    let mut lines = vec![
        r"% \usepackage{booktabs}".to_owned(),
        r"\begin{table}".to_owned(),
        r"  \centering".to_owned(),
        format!(r"  \caption{{{}}}", escape(&table.title)),
        format!(r"  \begin{{tabular}}{{l{}}}", "r".repeat(headings.len() - 1)),
        r"    \toprule".to_owned(),
        row(&headings),
        r"    \midrule".to_owned(),
    ];
    lines.extend(layout.lines.iter().map(|line| row(&line.iter().map(cell).collect::<Vec<_>>())));
    lines.extend([r"    \bottomrule".to_owned(), r"  \end{tabular}".to_owned(), String::new(), r"  \smallskip".to_owned()]);
    lines.push(r"  \begin{minipage}{\linewidth}\footnotesize\raggedright".to_owned());
    lines.extend(table.notes.iter().map(|note| format!(r"    {}\par", escape(note))));
    lines.extend([r"  \end{minipage}".to_owned(), r"\end{table}".to_owned()]);
    lines.join("\n") + "\n"
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

/// Spells what LaTeX would take for markup, and the signs that its default fonts lack.
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
            'Δ' => r"$\Delta$",
            '—' => "---",
            '&' | '%' | '$' | '#' | '_' | '{' | '}' => {
                escaped.push('\\');
                escaped.push(c);
                continue;
            }
            _ => {
                escaped.push(c);
                continue;
            }
        };
        escaped.push_str(spelled);
    }
    escaped
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
    }
}
