//! A table for the terminal.

use super::Form;
use super::layout::{Layout, Text, layouts, notes};
use super::table::Table;
use crate::ui::text::{self, Align, Rule};

/// Title, aligned columns, the table of trainings where there is one, notes.
pub fn terminal(table: &Table, form: Form) -> String {
    let grids: String = layouts(table, form).iter().map(|layout| grid(layout) + "\n\n").collect();
    let notes: String = notes(table, form).iter().map(|note| format!("{note}\n")).collect();
    let lead = if table.lead.is_empty() { String::new() } else { format!("\n{}", table.lead) };
    format!("{}{lead}\n\n{grids}{notes}", table.title)
}

fn grid(layout: &Layout) -> String {
    let align = |at: usize| if at == 0 { Align::Left } else { Align::Right };
    let columns: Vec<(&str, Align)> = layout.headings.iter().enumerate().map(|(at, name)| (name.as_str(), align(at))).collect();
    let plain = |text: &Text| format!("{}{}", text.value, text.tail);
    let rows: Vec<Vec<String>> = layout.lines.iter().map(|line| line.iter().map(plain).collect()).collect();
    text::table(&columns, &rows, Rule::Unicode)
}

#[cfg(test)]
mod tests {
    use super::super::{Comparison, Incomplete, example};
    use super::*;
    use crate::sweep::Outcome;

    #[test]
    fn a_terminal_table_shows_ours_the_difference_and_the_papers_side_by_side() {
        let mut study = example::ladder();
        study.metrics.truncate(2);
        let shown = terminal(&Table::of(&study, &Comparison::of(&study), Incomplete::Refuse), Form::Full);
        let expected = "\
What each part adds
Each row is compared with the row above.

                    n  image AUROC         Δ (p)     paper (Δ)  pixel AUROC         Δ (p)     paper (Δ)
───────────────────────────────────────────────────────────────────────────────────────────────────────
baseline            6   86.0 ± 0.9             —  97.8 (−11.8)   84.0 ± 0.9             —  97.4 (−13.4)
+ self-calibration  6   91.0 ± 0.9  +5.0 (0.062)   98.3 (−7.3)   85.0 ± 0.8  +1.0 (0.062)  97.7 (−12.7)
+ STLNet            6   91.0 ± 0.6   0.0 (1.000)   98.5 (−7.5)   85.0 ± 0.5   0.0 (1.000)  97.8 (−12.8)

";
        assert!(shown.starts_with(expected), "{shown}");
    }

    #[test]
    fn missing_runs_are_named_below_and_no_average_hides_them() {
        let mut study = example::ladder();
        study.metrics.truncate(1);
        example::outcome(&mut study, 2, "terrazzo", 1, Outcome::Failed { error: "diverged".into() });
        let comparison = Comparison::of(&study);
        let refused = terminal(&Table::of(&study, &comparison, Incomplete::Refuse), Form::Full);
        assert!(refused.contains("+ STLNet            5 of 6            —"), "{refused}");
        assert!(refused.contains("Missing: 1 of 18 runs: + STLNet: terrazzo seed 1."), "{refused}");
        let marked = terminal(&Table::of(&study, &comparison, Incomplete::Mark), Form::Full);
        assert!(marked.contains("* (5 of 6)") && marked.contains("* of an incomplete grid"), "{marked}");
        assert!(marked.contains("; 5 of 6)") && marked.contains("*)"), "differences over fewer pairs and runs have a star: {marked}");
    }
}
