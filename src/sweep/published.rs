//! The paper's own figures: its four tables, as printed, from `assets/paper`. All are on MVTec AD.

use serde::{Deserialize, Serialize};

const IMAGE: &str = include_str!("../../assets/paper/table1_image_auroc.csv");
const PIXEL: &str = include_str!("../../assets/paper/table2_pixel_auroc_pro.csv");
const RATIO: &str = include_str!("../../assets/paper/table3_pseudo_anomaly_ratio.csv");
const STEPS: &str = include_str!("../../assets/paper/table4_ablation.csv");

/// The line of tables 1 and 2 that holds the averages.
const AVERAGE: &str = "Average";

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
/// its folder's name (`metal_nut`; tables 1 and 2 only) or the average. `None` where the paper has none.
pub fn figure(published: &Published, metric: &str, category: Option<&str>) -> Option<f64> {
    match published.table {
        // Tables 1 and 2 list the same systems: one has the image level, the other the pixel level.
        1 | 2 if metric == "image_auroc" => by_category(IMAGE, &published.line, category),
        1 | 2 => by_category(PIXEL, &format!("{}_{}", published.line, column(metric)?), category),
        3 if category.is_none() => by_line(RATIO, &published.line, column(metric)?),
        4 if category.is_none() => by_line(STEPS, &published.line, column(metric)?),
        _ => None,
    }
}

/// The lines of one of its tables, as they are named; none of a table that it does not have.
pub fn lines(table: u8) -> Vec<String> {
    let first = |table: &str| records(table)[1..].iter().map(|record| record[0].to_owned()).collect();
    match table {
        1 | 2 => {
            let image = records(IMAGE)[0].iter().skip(1).map(str::to_owned).collect::<Vec<_>>();
            let pixel = records(PIXEL)[0].iter().filter_map(|name| Some(name.strip_suffix("_pro")?.to_owned())).collect::<Vec<_>>();
            let more = pixel.into_iter().filter(|name| !image.contains(name)).collect::<Vec<_>>();
            [image, more].concat()
        }
        3 => first(RATIO),
        4 => first(STEPS),
        _ => vec![],
    }
}

/// Whether the paper has this line.
pub fn has(published: &Published) -> bool {
    let number: Option<f64> = published.line.parse().ok().filter(|_| published.table > 2);
    lines(published.table).iter().any(|line| *line == published.line || number.is_some_and(|number| line.parse() == Ok(number)))
}

/// Where the paper's average of this line is not that of its categories to the digit printed.
pub fn discrepancy(published: &Published, metric: &str) -> Option<Discrepancy> {
    let printed = figure(published, metric, None)?;
    let of_categories: Vec<f64> = categories().iter().filter_map(|c| figure(published, metric, Some(c))).collect();
    let computed = crate::num::mean(&of_categories)?;
    // Half a digit, and room for the rounding of binary fractions.
    ((printed - computed).abs() > 0.0005 + 1e-9).then_some(Discrepancy { printed, computed })
}

/// The categories of tables 1 and 2 by their folders' names, in the paper's order.
pub fn categories() -> Vec<String> {
    records(IMAGE).iter().skip(1).map(|r| folder(&r[0])).filter(|c| *c != folder(AVERAGE)).collect()
}

/// The column of a metric in tables 2 to 4.
fn column(metric: &str) -> Option<&'static str> {
    match metric {
        "image_auroc" => Some("image_auroc"),
        "pixel_auroc" => Some("pixel_auroc"),
        "aupro@0.3" => Some("pro"),
        _ => None,
    }
}

fn by_category(table: &str, column: &str, category: Option<&str>) -> Option<f64> {
    let wanted = category.map_or_else(|| folder(AVERAGE), str::to_owned);
    cell(table, column, |name| folder(name) == wanted)
}

/// Lines are numbers: 0.5 and 0.50 are one.
fn by_line(table: &str, line: &str, column: &str) -> Option<f64> {
    let wanted: f64 = line.parse().ok()?;
    cell(table, column, |name| name.parse() == Ok(wanted))
}

/// The ratio in `column` of the line whose first field fits; the columns of tables 1 and 2 are named by system.
fn cell(table: &str, column: &str, fits: impl Fn(&str) -> bool) -> Option<f64> {
    let records = records(table);
    let at = records[0].iter().position(|name| name == column)?;
    let percent = &records[1..].iter().find(|r| fits(&r[0]))?[at];
    format!("{percent}e-2").parse().ok() // 89.6 -> 0.896, which 89.6 / 100.0 is not
}

fn records(table: &str) -> Vec<::csv::StringRecord> {
    let mut reader = ::csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
    reader.records().collect::<Result<_, _>>().expect("the paper's tables are well-formed")
}

fn folder(name: &str) -> String {
    name.to_lowercase().replace(' ', "_")
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
        assert_eq!((categories().len(), categories()[7].as_str()), (15, "metal_nut"));
    }

    #[test]
    fn all_averages_but_three_are_those_of_their_categories() {
        let mut wrong = vec![];
        let columns = records(IMAGE)[0].iter().skip(1).map(|s| (1, s.to_owned(), "image_auroc")).collect::<Vec<_>>();
        let systems = ["US", "MF", "FCDD", "PaDiM", "CutPaste", "RD", "Ours"];
        let second = systems.iter().flat_map(|s| [(2, s.to_string(), "pixel_auroc"), (2, s.to_string(), "aupro@0.3")]);
        let mut checked = 0;
        for (table, line, metric) in columns.into_iter().chain(second) {
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
