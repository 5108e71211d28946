//! A table in Markdown (GitHub's): best bold, second italic.

use super::Form;
use super::layout::{Layout, Text, layouts, notes};
use super::table::{Rank, Table};
use crate::names::in_line;

/// Title, table, the table of trainings where there is one, and notes, with a newline at the end.
pub fn markdown(table: &Table, form: Form) -> String {
    let mut lines = vec![format!("**{}**", escape(&table.title)), String::new()];
    if !table.lead.is_empty() {
        lines.extend([escape(&table.lead), String::new()]);
    }
    for layout in layouts(table, form) {
        lines.extend(grid(&layout));
        lines.push(String::new());
    }
    lines.extend(notes(table, form).iter().map(|note| format!("- {}", escape(note))));
    lines.join("\n") + "\n"
}

fn grid(layout: &Layout) -> Vec<String> {
    let headings: Vec<String> = layout.headings.iter().map(|heading| escape(heading)).collect();
    let rule: Vec<&str> = (0..headings.len()).map(|at| if at == 0 { ":--" } else { "--:" }).collect();
    let lines = layout.lines.iter().map(|line| row(&line.iter().map(cell).collect::<Vec<_>>()));
    [row(&headings), row(&rule)].into_iter().chain(lines).collect()
}

fn row<T: AsRef<str>>(cells: &[T]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |", cells.join(" | "))
}

fn cell(Text { value, rank, tail }: &Text) -> String {
    let mark = match rank {
        Some(Rank::Best) => "**",
        Some(Rank::Second) => "*",
        None => "",
    };
    format!("{mark}{}{mark}{}", escape(value), escape(tail))
}

/// So that names are not read as markup.
pub fn escape(text: &str) -> String {
    let text = text.replace(['\n', '\r'], " ");
    let special = |c: char| matches!(c, '\\' | '|' | '*' | '_' | '`' | '<' | '>' | '[' | ']' | '#' | '~');
    in_line(&text).chars().flat_map(|c| special(c).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Comparison, Incomplete, example};
    use super::*;

    #[test]
    fn a_markdown_table_is_this_text() {
        let mut study = example::ladder();
        study.metrics.truncate(1);
        study.rows[2].name = "+ a|b_c".into();
        let shown = markdown(&Table::of(&study, &Comparison::of(&study), Incomplete::Refuse), Form::Full);
        let expected = r"**What each part adds**

Each row is compared with the row above.

|  | n | image AUROC | Δ (p) | paper (Δ) |
| :-- | --: | --: | --: | --: |
| baseline | 6 | *86.0* ± 0.9 | — | 97.8 (−11.8) |
| + self-calibration | 6 | **91.0** ± 0.9 | +5.0 (0.062) | 98.3 (−7.3) |
| + a\|b\_c | 6 | **91.0** ± 0.6 | 0.0 (1.000) | 98.5 (−7.5) |

| training | first loss | last loss | gradient norm |
| :-- | --: | --: | --: |
| baseline | — | 0.9000 | 30.00 |
| + self-calibration | — | 0.5000 | 8.000 |
| + a\|b\_c | — | 0.2500 | 5.000 |

- In percent, over 2 categories x 3 seeds: the mean over categories of the means over seeds; ± is the sample standard deviation over seeds.
- Δ: mean paired difference to the row above in points over 6 pairs of category and seed; p: two-sided sign-flip test, adjusted by Holm over 2 comparisons, each metric by itself. The smallest p that can be reached is 0.062.
- The test holds for these categories only: seeds within a category are not independent samples of categories.
- paper: the paper's own figures (Table 4), on MVTec AD; Δ: ours less the paper's. These runs are on built-in data with the cpu profile.
- training: means over the finished runs of the total loss in the first and the last epoch, and of the gradient's norm in the last; rows with other loss terms have other scales.
- Protocol: exact, FPR limit 0.3, 8-connected, original resolution, no smoothing.
- Backbone: resnet50 (caffe, stride in conv1).
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn one_seed_shows_no_spread() {
        let study = example::study(&["a", "b"], 1, |row, place, _, _| 0.8 + 0.05 * row as f64 + 0.01 * place as f64);
        let shown = markdown(&Table::of(&study, &Comparison::of(&study), Incomplete::Refuse), Form::Full);
        assert!(shown.contains("one seed shows no spread") && !shown.contains('±'), "{shown}");
        assert!(shown.contains("| a | 2 | 80.5 | — |"), "{shown}");
    }
}
