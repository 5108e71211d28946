//! The figures of a study for a paper: of a column's width, without titles and small print, which stand in `captions.md` beside them.

use std::fmt::Write;
use std::path::Path;

use super::{Drawn, Input, Output, all_panels, plots, rows_of};
use crate::file;
use crate::report::plot::{Print, PrintFormat};
use crate::report::study::Comparison;
use crate::store::Store;
use crate::sweep::Study;
use crate::{Error, Result};

/// Writes every figure that the study has something for into `folder`, which is created: plots in the formats asked for, panels of test
/// images as PNG, and `captions.md`. Bytes depend on the study, its events and maps alone; what else lies there stays.
///
/// # Errors
/// Events that cannot be read and files that cannot be written, by their path; a study without a figure.
pub fn write_print(
    study: &Study,
    comparison: &Comparison,
    store: &Store,
    folder: &Path,
    (print, formats): (Print, &[PrintFormat]),
) -> Result<Vec<Drawn>> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
    let input = Input { study, comparison, store, folder, output: Output::Paper(print, formats), rows: rows_of(study) };
    let ending = formats.first().map_or("svg", |format| format.ending());
    let mut drawn = plots(&input)?;
    for figure in &mut drawn {
        figure.file = figure.file.take().map(|file| file.with_extension(ending));
    }
    drawn.extend(all_panels(&input)?);
    if drawn.is_empty() {
        let remedy = format!("make its runs: `harness sweep FILE`; `harness report {}` says which are missing", study.name);
        return Err(Error::environment(format!("{} has no finished run, and so no figure", study.name), remedy));
    }
    file::replace(&folder.join("captions.md"), captions(study, &drawn).as_bytes())?;
    Ok(drawn)
}

/// A paragraph for each figure, under its file's name.
fn captions(study: &Study, drawn: &[Drawn]) -> String {
    let mut text = format!("# Figures of {}\n\n{}; {}, profile {}.\n", study.name, study.title, study.data, study.profile);
    for figure in drawn {
        let _ = write!(text, "\n## {}\n\n{}. {}\n", figure.name, figure.title, figure.caption);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::study::example;

    #[test]
    fn figures_have_the_columns_width_no_title_and_the_same_bytes_again() {
        let dir = tempfile::tempdir().unwrap();
        let (study, store) = (example::grid(), Store::new(dir.path()));
        let comparison = Comparison::of(&study);
        let write = |name: &str| {
            let folder = dir.path().join(name);
            let print = Print::new(85.0, 8.0).unwrap();
            let formats = [PrintFormat::Pdf, PrintFormat::Svg, PrintFormat::Png];
            let drawn = write_print(&study, &comparison, &store, &folder, (print, &formats)).unwrap();
            assert!(drawn.iter().all(|figure| figure.name.starts_with("panels")
                || figure.file.as_ref().is_some_and(|file| file.extension().unwrap() == "pdf" && file.exists())));
            let entries = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap());
            entries
                .map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap()))
                .collect::<std::collections::BTreeMap<_, _>>()
        };
        let files = write("one");
        assert!(write("two") == files, "the same bytes");
        for name in ["means", "differences", "matrix", "interaction", "categories-image_auroc", "ranks-image_auroc"] {
            assert!(["pdf", "svg", "png"].iter().all(|ending| files.contains_key(&format!("{name}.{ending}"))), "{name}");
            let svg = String::from_utf8_lossy(&files[&format!("{name}.svg")]).into_owned();
            assert!(svg.starts_with("<svg width=\"85.00mm\"") && !svg.contains(&study.title), "{name}");
        }
        let captions = String::from_utf8_lossy(&files["captions.md"]).into_owned();
        assert!(
            captions.contains("## matrix\n") && captions.contains(&study.title) && captions.contains("All maps of a metric"),
            "{captions}"
        );
    }

    #[test]
    fn without_a_finished_run_there_is_no_figure_and_the_error_says_so() {
        let dir = tempfile::tempdir().unwrap();
        let mut study = example::ladder();
        study.cells.iter_mut().for_each(|cell| cell.outcome = crate::sweep::Outcome::Missing);
        let print = Print::new(85.0, 8.0).unwrap();
        let written = write_print(&study, &Comparison::of(&study), &Store::new(dir.path()), dir.path(), (print, &[PrintFormat::Svg]));
        assert!(written.unwrap_err().what.contains("no finished run"));
    }
}
