//! A table of the page, as text.

use std::collections::BTreeMap;

use super::mark::Mark;
use crate::report::study::layout::{Layout, layouts, notes};
use crate::report::study::{Form, Rank, Table};
use crate::sweep::Study;

/// A table as text: a cell that starts with a number sorts as one, `—` and nothing come last. The first column names the lines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Its caption; may be empty.
    pub title: String,
    pub header: Vec<String>,
    pub rows: Vec<Vec<String>>,
    /// Cells that stand out, by row and column.
    pub ranks: BTreeMap<(usize, usize), Rank>,
    /// Addresses that cells lead to, by row and column.
    pub links: BTreeMap<(usize, usize), String>,
    /// What the whole table, each line and each column is about; lines and columns without an entry concern everything.
    pub about: Mark,
    pub lines: Vec<Mark>,
    pub columns: Vec<Mark>,
    /// Lines of text below it.
    pub notes: Vec<String>,
}

impl Listing {
    /// A table as all other formats spell it, with its notes, and what belongs below it. Columns of a table of a study are marked as
    /// what they are about.
    pub fn of(table: &Table, form: Form, study: Option<&Study>) -> Vec<Self> {
        let mut all: Vec<Self> = layouts(table, form).into_iter().map(Self::from).collect();
        let main = all.first_mut().expect("the main table is there");
        main.title = if table.lead.is_empty() { table.title.clone() } else { format!("{}. {}", table.title, table.lead) };
        main.notes = notes(table, form);
        main.columns = marks(table, study, &main.header);
        if let [first, rest @ ..] = &table.columns[..]
            && !rest.is_empty()
            && rest.iter().all(|column| column.metric == first.metric)
        {
            main.about = Mark::metric(&first.metric);
            main.columns.iter_mut().for_each(|column| column.metric = None);
        }
        for listing in &mut all {
            listing.lines = listing.rows.iter().map(|line| Mark::row(&line[0])).collect();
        }
        all
    }
}

/// What each column of a spelled table is about: a column of means and those of differences and figures that stand behind it.
fn marks(table: &Table, study: Option<&Study>, header: &[String]) -> Vec<Mark> {
    let categories = || study.iter().flat_map(|study| study.categories.iter().map(|name| (name, study.label(name))));
    let (mut of_table, mut mark) = (table.columns.iter().peekable(), Mark::default());
    let one = |heading: &String| {
        if let Some(column) = of_table.next_if(|column| column.heading == *heading) {
            let category = categories().find(|(_, shown)| *shown == column.heading).map(|(name, _)| name.clone());
            mark = Mark { metric: Some(column.metric.clone()), category, ..Mark::default() };
        }
        mark.clone()
    };
    header.iter().map(one).collect()
}

impl From<Layout> for Listing {
    fn from(Layout { headings, lines }: Layout) -> Self {
        let places =
            lines.iter().enumerate().flat_map(|(row, line)| line.iter().enumerate().map(move |(column, text)| (row, column, text)));
        Self {
            ranks: places.filter_map(|(row, column, text)| Some(((row, column), text.rank?))).collect(),
            rows: lines.iter().map(|line| line.iter().map(|text| format!("{}{}", text.value, text.tail)).collect()).collect(),
            header: headings,
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::study::{Comparison, Incomplete, example};

    #[test]
    fn the_columns_behind_a_mean_are_about_its_metric() {
        let study = example::ladder();
        let all = Listing::of(&Table::of(&study, &Comparison::of(&study), Incomplete::Refuse), Form::Full, Some(&study));
        let [main, training] = &all[..] else { panic!("a main table and one of trainings") };
        let metrics: Vec<Option<&str>> = main.columns.iter().map(|mark| mark.metric.as_deref()).collect();
        assert_eq!(metrics[..5], [None, None, Some("image_auroc"), Some("image_auroc"), Some("image_auroc")], "name, n, mean, Δ, paper");
        assert_eq!(metrics[5], Some("pixel_auroc"));
        assert_eq!(main.lines[1], Mark::row("+ self-calibration"));
        assert_eq!((main.about.clone(), &training.lines), (Mark::default(), &main.lines));
    }

    #[test]
    fn a_table_by_category_is_about_one_metric_and_its_columns_about_categories() {
        let study = example::ladder();
        let table = Table::by_category(&study, &Comparison::of(&study), "pixel_auroc", Incomplete::Refuse).unwrap();
        let all = Listing::of(&table, Form::Full, Some(&study));
        assert_eq!(all[0].about, Mark::metric("pixel_auroc"));
        let place = all[0].header.iter().position(|heading| *heading == study.categories[1]).unwrap();
        assert_eq!(all[0].columns[place], Mark::category(&study.categories[1]));
        let mean = all[0].header.iter().position(|heading| heading == "mean").unwrap();
        assert_eq!(all[0].columns[mean], Mark::default(), "the mean is nobody's");
    }
}
