//! The figures of a study, as SVG and PNG of the same drawing, and panels of the same images under every row as PNG.
//!
//! | file | shows | needs |
//! |---|---|---|
//! | `means` | every row in every metric, with deviation, seeds and published figures | a finished run |
//! | `differences` | each row minus its counterpart with 95 % intervals | pairs |
//! | `course` | metrics along one varied number, a line for each setting of all else | one varied key |
//! | `matrix` | metrics over two varied keys, a map for each setting of all else | two varied keys |
//! | `learning` | the loss of every run | events |
//! | `categories-METRIC` | every row and seed in every category | two categories |
//! | `panels-CATEGORY` | images, ground truth and maps of every row | maps and data |
//!
//! What a study has nothing for is not written, and removed where an earlier report left it, unless no run is there: a
//! figure that cannot be drawn again stays. Bytes depend on the study, its
//! events and maps alone.

mod categories;
mod compare;
mod course;
mod differences;
mod dots;
mod group;
mod learning;
mod look;
mod matrix;
mod means;

pub use categories::categories;
pub use course::Course;
pub use differences::differences;
pub use dots::Dots;
pub use learning::Learning;
pub use matrix::Matrix;
pub use means::means;

use std::path::{Path, PathBuf};

use crate::file;
use crate::image::codec;
use crate::report::plot::{self, Figure};
use crate::report::spell::heading;
use crate::store::Store;
use crate::sweep::Study;
use crate::{Error, Result};

use super::Comparison;
use compare::Panels;

/// A figure that was written, with its words for a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawn {
    /// The file's stem: `means`, `panels-gear`.
    pub name: String,
    /// A heading.
    pub title: String,
    /// What it shows and how to read it.
    pub caption: String,
    /// What stands in its place for who cannot see it.
    pub alt: String,
    /// The SVG, or the PNG where there is no SVG; none where it could not be drawn, and the caption says why.
    pub file: Option<PathBuf>,
}

/// What the figures are drawn from, and where they go.
struct Input<'a> {
    study: &'a Study,
    comparison: &'a Comparison,
    store: &'a Store,
    folder: &'a Path,
    /// The rows' names, for descriptions.
    rows: String,
}

/// Title, caption and description of a plot.
struct Words {
    title: String,
    caption: String,
    alt: String,
}

/// Writes a plot under its name, or removes it where the study has nothing for it.
type Drawer = fn(&str, &Input) -> Result<Option<Words>>;

/// Every plot in the order of a page, by name.
const PLOTS: [(&str, Drawer); 5] = [
    ("means", |name, input| {
        put(name, input, means(input.study, input.comparison), |figure| Words {
            title: "Every row".into(),
            caption: format!("Means of every row, one panel a metric. {}", figure.remark),
            alt: format!("Dot plot of the means of the rows {}; the table has the same figures.", input.rows),
        })
    }),
    ("differences", |name, input| {
        put(name, input, differences(input.study, input.comparison), |figure| Words {
            title: "What each row changes".into(),
            caption: figure.remark,
            alt: "Dot plot of each row's paired difference from its counterpart with 95 % intervals; the table has the same figures."
                .into(),
        })
    }),
    ("course", |name, input| {
        put(name, input, Course::of(input.study, input.comparison), |figure| Words {
            title: format!("Along {}", figure.key),
            caption: format!("Metrics along {}. {}", figure.key, figure.remark),
            alt: format!("Line plots of the metrics over {}; the table has the same figures.", figure.key),
        })
    }),
    ("matrix", |name, input| {
        put(name, input, Matrix::of(input.study, input.comparison), |Matrix { keys: [down, across], remark, .. }| Words {
            title: format!("{down} and {across}"),
            alt: format!("Heat maps of the metrics over {down} and {across}; the table has the same figures."),
            caption: remark,
        })
    }),
    ("learning", |name, input| {
        if input.folder.join(format!("{name}.svg")).exists() && lacks_events(input) {
            return Ok(Some(Words {
                title: "Training loss".into(),
                caption: "As an earlier report drew it. It could not be drawn again: events of finished runs are gone.".into(),
                alt: "Training loss over the epochs.".into(),
            }));
        }
        put(name, input, Learning::of(input.study, input.store)?, |figure| Words {
            title: "Training loss".into(),
            caption: figure.remark,
            alt: format!("Training loss of every run over the epochs, one small plot for each of the rows {}.", input.rows),
        })
    }),
];

fn put<F: Figure>(name: &str, input: &Input, figure: Option<F>, words: impl FnOnce(F) -> Words) -> Result<Option<Words>> {
    if figure.is_some() || is_begun(input.study) {
        plot::write(input.folder, name, figure.as_ref())?;
    }
    Ok(figure.map(words))
}

/// Writes every figure that the study has something for into `folder` (usually `plots/<sweep>`), which is created.
///
/// Panels need the data and the runs' maps: where those are gone, they are left out, and a [`Drawn`] without a file says so.
///
/// # Errors
/// Events that cannot be read and files that cannot be written, by their path.
pub fn write_all(study: &Study, comparison: &Comparison, store: &Store, folder: &Path) -> Result<Vec<Drawn>> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io("create the folder", folder, &e))?;
    let rows = study.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>().join(", ");
    let input = Input { study, comparison, store, folder, rows };
    let mut drawn = vec![];
    for (name, drawer) in PLOTS {
        if let Some(Words { title, caption, alt }) = drawer(name, &input)? {
            drawn.push(Drawn { name: name.into(), title, caption, alt, file: Some(folder.join(format!("{name}.svg"))) });
        }
    }
    for metric in &comparison.metrics {
        drawn.extend(by_category(&input, metric)?);
    }
    for category in &study.categories {
        drawn.extend(panels(study, store, category, folder)?);
    }
    let fresh = |path: &Path| drawn.iter().any(|d| d.file.as_ref().is_some_and(|file| file.with_extension("") == path.with_extension("")));
    let kind = |name: &str| ["panels-", "categories"].iter().any(|kind| name.starts_with(kind));
    if !is_begun(study) {
        return Ok(drawn);
    }
    file::remove_stale(folder, &|path, name| kind(name) && (name.ends_with(".png") || name.ends_with(".svg")) && !fresh(path))?;
    Ok(drawn)
}

/// Whether any planned run is finished. Where none is, as in an archived report without its runs, what was drawn earlier stays.
fn is_begun(study: &Study) -> bool {
    study.cells.iter().any(|cell| cell.summary().is_some())
}

/// Whether a finished run has lost what its curve is drawn from.
fn lacks_events(input: &Input) -> bool {
    let finished = input.study.cells.iter().filter(|cell| cell.summary().is_some());
    finished.into_iter().any(|cell| !input.store.folder(&cell.id).events_jsonl().exists())
}

/// Writes the plots of one metric by category.
fn by_category(input: &Input, metric: &str) -> Result<Option<Drawn>> {
    let (name, categories) = (format!("categories-{}", metric.replace('@', "-")), input.study.categories.join(", "));
    let words = put(&name, input, self::categories(input.study, metric), |figure| Words {
        title: format!("{} by category", heading(metric)),
        caption: figure.remark,
        alt: format!("Dot plots of the rows {} in the categories {categories}; the table by category has the same figures.", input.rows),
    })?;
    let file = Some(input.folder.join(format!("{name}.svg")));
    Ok(words.map(|Words { title, caption, alt }| Drawn { name, title, caption, alt, file }))
}

/// Writes the panels of one category.
fn panels(study: &Study, store: &Store, category: &str, folder: &Path) -> Result<Option<Drawn>> {
    let name = format!("panels-{category}");
    let path = folder.join(format!("{name}.png"));
    let title = format!("Test images of {category}");
    let alt = format!("Test images of {category} with their ground truth and, below each, the score map of every row.");
    let kept = |why: &str| (Some(path.clone()), format!("As an earlier report drew it. It could not be drawn again: {why}."));
    let (file, caption) = match compare::sheet(study, store, category) {
        Ok(Panels::Lacking(_)) if path.exists() => kept("maps of finished runs are gone"),
        Ok(Panels::Drawn(picture) | Panels::Lacking(picture)) => {
            file::replace(&path, &codec::encode_png(&picture))?;
            let seed = study.seeds.first().map_or_else(String::new, |seed| format!(" of seed {seed}"));
            (Some(path.clone()), format!("The same images under every row{seed}; how they were chosen stands below them."))
        }
        Ok(Panels::Absent) if path.exists() => kept("its runs or their maps are not there"),
        Ok(Panels::Absent) => return Ok(None),
        Ok(Panels::Nothing) => {
            file::remove(&path)?;
            return Ok(None);
        }
        Err(error) if path.exists() => kept(&error.what),
        Err(error) => (None, compare::refusal(category, &error)),
    };
    Ok(Some(Drawn { name, title, caption, alt, file }))
}
