//! The paper's own figures: the lines of its four tables among all that was published (`citation`).

use serde::{Deserialize, Serialize};

use super::citation::{CATEGORIES, Citation};

/// The source that stands for the paper's tables 1 and 2 in the file; lines of tables 3 and 4 follow it by name.
const SOURCE: &str = "seed paper";

/// The paper's method: in the file, and in its tables 1 and 2.
const METHOD: (&str, &str) = ("MLFF", "Ours");

/// A line of one of the paper's tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// 1 to 4.
    pub table: u8,
    /// Table 4: its row's number, `"1"` to `"5"`; table 3: the ratio, `"0.05"`; tables 1 and 2: the system, `"PaDiM"`.
    pub line: String,
}

/// A printed average that the printed figures of the categories do not give.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Discrepancy {
    /// As ratios: the paper's, and the mean over its categories.
    pub printed: f64,
    pub computed: f64,
}

/// The paper's figure, a ratio 0..=1: `metric` without its split (`image_auroc`, `pixel_auroc`, `aupro@0.3`), of a category by
/// its folder's name (`metal_nut`; tables 1 and 2 only) or the average. `None` where the paper has none. Tables 1 and 2 list the
/// same systems: one has the image level, the other the pixel level.
pub fn figure(published: &Published, metric: &str, category: Option<&str>) -> Option<f64> {
    citation(published)?.figure(metric, category)
}

/// What stands beside a mean over these categories: see [`Citation::over`].
pub fn over(published: &Published, metric: &str, categories: &[String]) -> Option<f64> {
    citation(published)?.over(metric, categories)
}

/// Whether [`over`] is the mean over these categories alone.
pub fn is_of_each(published: &Published, metric: &str, categories: &[String]) -> bool {
    citation(published).is_some_and(|citation| citation.of_each(metric, categories).is_some())
}

/// The lines of one of its tables, as they are named; none of a table that it does not have.
pub fn lines(table: u8) -> Vec<String> {
    match table {
        1 | 2 => Citation::systems_of(SOURCE).map(|system| if system == METHOD.0 { METHOD.1 } else { system }.to_owned()).collect(),
        _ => Citation::sources_of(METHOD.0, &of_table(table)).map(str::to_owned).collect(),
    }
}

/// Whether the paper has this line.
pub fn has(published: &Published) -> bool {
    citation(published).is_some()
}

/// Where the paper's average of this line is not that of its categories to the digit printed.
pub fn discrepancy(published: &Published, metric: &str) -> Option<Discrepancy> {
    let printed = figure(published, metric, None)?;
    let of_categories: Vec<f64> = CATEGORIES.iter().filter_map(|c| figure(published, metric, Some(c))).collect();
    let computed = crate::num::mean(&of_categories)?;
    // Half a digit, and room for the rounding of binary fractions.
    ((printed - computed).abs() > 0.0005 + 1e-9).then_some(Discrepancy { printed, computed })
}

/// Where the line stands in the file; `None` where the paper has no such line.
fn citation(published: &Published) -> Option<Citation> {
    let Published { table, line } = published;
    // Lines of tables 3 and 4 are numbers: 0.5 and 0.50 are one.
    let number: Option<f64> = line.parse().ok().filter(|_| *table > 2);
    let printed = lines(*table).into_iter().find(|printed| printed == line || number.is_some_and(|n| printed.parse() == Ok(n)))?;
    let (system, source) = match table {
        1 | 2 if printed == METHOD.1 => (METHOD.0.to_owned(), SOURCE.to_owned()),
        1 | 2 => (printed, SOURCE.to_owned()),
        _ => (METHOD.0.to_owned(), of_table(*table) + &printed),
    };
    Some(Citation { system, source })
}

fn of_table(table: u8) -> String {
    format!("{SOURCE}, table {table}, ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(table: u8, line: &str, metric: &str, category: Option<&str>) -> Option<f64> {
        figure(&Published { table, line: line.into() }, metric, category)
    }

    #[test]
    fn figures_are_those_printed() {
        assert_eq!(of(1, "Ours", "image_auroc", None), Some(0.987));
        assert_eq!(of(1, "PaDiM", "image_auroc", Some("metal_nut")), Some(0.987));
        assert_eq!(of(2, "Ours", "aupro@0.3", Some("screw")), Some(0.896));
        assert_eq!(of(2, "RD", "pixel_auroc", None), Some(0.978));
        assert_eq!(of(3, "0.05", "aupro@0.3", None), Some(0.903));
        assert_eq!(of(3, "1", "image_auroc", None), Some(0.98));
        assert_eq!(of(4, "1", "pixel_auroc", None), Some(0.9737));
        assert_eq!(of(4, "5", "aupro@0.3", None), Some(0.942));
    }

    #[test]
    fn what_the_paper_does_not_print_is_none() {
        for (table, line, metric, category) in [
            (1, "FCDD", "image_auroc", None),
            (2, "US", "pixel_auroc", None),
            (1, "PatchCore", "image_auroc", None),
            (0, "Ours", "image_auroc", None),
            (1, "Ours", "image_auroc", Some("gear")),
            (3, "0.4", "image_auroc", None),
            (3, "many", "image_auroc", None),
            (4, "1", "image_auroc", Some("bottle")),
            (4, "1", "aupro@0.05", None),
            (4, "6", "image_auroc", None),
            (5, "1", "image_auroc", None),
        ] {
            assert_eq!(of(table, line, metric, category), None, "table {table}, {line}, {metric}");
        }
    }

    #[test]
    fn all_averages_but_three_are_those_of_their_categories() {
        let mut wrong = vec![];
        let columns = lines(1).into_iter().map(|s| (1, s, "image_auroc"));
        let second = lines(2).into_iter().flat_map(|s| [(2, s.clone(), "pixel_auroc"), (2, s, "aupro@0.3")]);
        let mut checked = 0;
        for (table, line, metric) in columns.chain(second) {
            let published = Published { table, line: line.clone() };
            checked += usize::from(figure(&published, metric, None).is_some());
            if let Some(d) = discrepancy(&published, metric) {
                wrong.push(format!("{table} {line} {metric}: {:.1} instead of {:.2}", 100.0 * d.printed, 100.0 * d.computed));
            }
        }
        assert_eq!(checked, 17);
        assert_eq!(
            wrong,
            [
                "1 PaDiM image_auroc: 95.5 instead of 95.42",
                "1 CutPaste image_auroc: 96.1 instead of 96.16",
                "2 PaDiM aupro@0.3: 92.1 instead of 92.16"
            ]
        );
    }

    #[test]
    fn every_line_has_a_figure_and_is_found() {
        for table in 1..=4 {
            for line in lines(table) {
                let published = Published { table, line };
                let any = ["image_auroc", "pixel_auroc", "aupro@0.3"].iter().any(|metric| figure(&published, metric, None).is_some());
                assert!(any && has(&published), "{published:?}");
            }
        }
        assert_eq!((lines(0), lines(5)), (vec![], vec![]));
        assert!(!has(&Published { table: 4, line: "6".into() }));
        assert!(!has(&Published { table: 1, line: "MLFF".into() }), "the paper prints Ours");
    }

    #[test]
    fn the_tables_agree_where_they_show_the_same() {
        for metric in ["image_auroc", "pixel_auroc", "aupro@0.3"] {
            assert_eq!(of(3, "0.5", metric, None), of(4, "5", metric, None));
            let main = of(1, "Ours", metric, None).or(of(2, "Ours", metric, None));
            assert_eq!(main, of(4, "5", metric, None));
        }
    }
}
