//! The figures of a study, as SVG and PNG of the same drawing, and panels of the same images under every row as PNG.
//!
//! | file | shows | needs |
//! |---|---|---|
//! | `means` | every row in every metric, with deviation, seeds and published figures | a finished run |
//! | `differences` | each row minus its counterpart with 95 % intervals | pairs |
//! | `course` | metrics along one varied number, a line for each setting of all else | one varied key |
//! | `matrix` | metrics over two varied keys, a map for each setting of all else | two varied keys |
//! | `interaction` | metrics over one factor, a line for each value of another | two varied keys, or one of words beside named rows |
//! | `learning` | the loss of every run | events |
//! | `training` | the gradient's norm and what else training recorded, a line a row | events |
//! | `scores` | quantiles of normal and anomalous cells' scores over the epochs, a plot a row | events with them |
//! | `categories-METRIC` | every row and seed in every category | two categories |
//! | `ranks-METRIC` | average ranks with the critical difference, differences from the reference | three systems, two categories |
//! | `panels-CATEGORY` | images, ground truth and maps of every row | maps and data |
//! | `panels-errors-CATEGORY` | of each row the worst false alarm and the worst miss of each kind of defect | maps and data |
//!
//! What a study has nothing for is not written, and removed where an earlier report left it, unless no run is there: a
//! figure that cannot be drawn again stays. Bytes depend on the study, its
//! events and maps alone.

mod categories;
mod compare;
mod course;
mod differences;
mod dots;
mod errors;
mod group;
mod interaction;
mod learning;
mod look;
mod matrix;
mod means;
mod multiples;
mod print;
mod ranks;
mod scores;
mod training;

pub use categories::categories;
pub use course::Course;
pub use differences::differences;
pub use dots::Dots;
pub use interaction::interaction;
pub use learning::Learning;
pub use matrix::Matrix;
pub use means::means;
pub use print::write_print;
pub use ranks::ranks;
pub use scores::Scores;
pub use training::Training;

use std::path::{Path, PathBuf};

use crate::file;
use crate::image::codec;
use crate::report::panel;
use crate::report::plot::{self, Figure, Print, PrintFormat};
use crate::report::spell::metric_name;
use crate::store::Store;
use crate::sweep::Study;
use crate::{Error, Result};

use super::Comparison;
use super::ranks::Ranks;
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

/// What a plot is written as.
#[derive(Debug, Clone, Copy)]
enum Output<'a> {
    /// For a page: SVG and PNG, under a title, what is not there any more removed.
    Page,
    /// For a paper: of its width, without a title.
    Paper(Print, &'a [PrintFormat]),
}

/// What the figures are drawn from, and where they go.
struct Input<'a> {
    study: &'a Study,
    comparison: &'a Comparison,
    store: &'a Store,
    folder: &'a Path,
    output: Output<'a>,
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
const PLOTS: [(&str, Drawer); 8] = [
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
    ("interaction", |name, input| {
        put(name, input, interaction(input.study, input.comparison), |figure| Words {
            title: format!("Interaction with {}", figure.key),
            caption: format!("Metrics over {}. {}", figure.key, figure.remark),
            alt: format!("Line plots of the metrics over {}; the table has the same figures.", figure.key),
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
    ("training", |name, input| {
        put(name, input, Training::of(input.study, input.store)?, |figure| Words {
            title: "Course of training".into(),
            alt: format!(
                "Line plots over the epochs of what training recorded beside the loss, a line for each of the rows {}.",
                input.rows
            ),
            caption: figure.remark,
        })
    }),
    ("scores", |name, input| {
        put(name, input, Scores::of(input.study, input.store)?, |figure| Words {
            title: "Scores in training".into(),
            alt: format!(
                "Bands of the scores of normal and of anomalous cells over the epochs, one small plot for each of the rows {}.",
                input.rows
            ),
            caption: figure.remark,
        })
    }),
];

fn put<F: Figure>(name: &str, input: &Input, figure: Option<F>, words: impl FnOnce(F) -> Words) -> Result<Option<Words>> {
    match (input.output, &figure) {
        (Output::Paper(print, formats), Some(figure)) => plot::write_print(input.folder, name, figure, print, formats)?,
        (Output::Paper(..), None) => {}
        (Output::Page, _) if figure.is_some() || is_begun(input.study) => plot::write(input.folder, name, figure.as_ref())?,
        (Output::Page, _) => {}
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
    let input = Input { study, comparison, store, folder, output: Output::Page, rows: rows_of(study) };
    let mut drawn = plots(&input)?;
    drawn.extend(all_panels(&input)?);
    let fresh = |path: &Path| drawn.iter().any(|d| d.file.as_ref().is_some_and(|file| file.with_extension("") == path.with_extension("")));
    let kind = |name: &str| ["panels-", "categories", "ranks-"].iter().any(|kind| name.starts_with(kind));
    if !is_begun(study) {
        return Ok(drawn);
    }
    file::remove_stale(folder, &|path, name| kind(name) && (name.ends_with(".png") || name.ends_with(".svg")) && !fresh(path))?;
    Ok(drawn)
}

/// The names of all rows.
fn rows_of(study: &Study) -> String {
    study.rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Writes every plot, and says which.
fn plots(input: &Input) -> Result<Vec<Drawn>> {
    let named = |name: String, words: Option<Words>| {
        words.map(|Words { title, caption, alt }| {
            let file = Some(input.folder.join(format!("{name}.svg")));
            Drawn { name, title, caption, alt, file }
        })
    };
    let mut drawn = vec![];
    for (name, drawer) in PLOTS {
        drawn.extend(named(name.into(), drawer(name, input)?));
    }
    for metric in &input.comparison.metrics {
        let stem = metric.replace('@', "-");
        let [categories, ranks] = ["categories", "ranks"].map(|kind| format!("{kind}-{stem}"));
        let (by_category, ranked) = (by_category(&categories, input, metric)?, by_rank(&ranks, input, metric)?);
        drawn.extend([named(categories, by_category), named(ranks, ranked)].into_iter().flatten());
    }
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
fn by_category(name: &str, input: &Input, metric: &str) -> Result<Option<Words>> {
    let categories = input.study.categories.join(", ");
    put(name, input, self::categories(input.study, metric), |figure| Words {
        title: format!("{} by category", metric_name(input.study, metric)),
        caption: figure.remark,
        alt: format!("Dot plots of the rows {} in the categories {categories}; the table by category has the same figures.", input.rows),
    })
}

/// Writes the plot of ranks in one metric.
fn by_rank(name: &str, input: &Input, metric: &str) -> Result<Option<Words>> {
    let figure = Ranks::of(input.study, metric).and_then(|of_metric| ranks(input.study, &of_metric));
    put(name, input, figure, |figure| Words {
        title: format!("Ranks in {}", metric_name(input.study, metric)),
        caption: figure.remark,
        alt: format!("Dot plot of the average ranks of the rows {} in {}.", input.rows, metric_name(input.study, metric)),
    })
}

/// Writes the sheets of all categories: those chosen by area, then those chosen by score.
fn all_panels(input: &Input) -> Result<Vec<Drawn>> {
    let mut drawn = vec![];
    for kind in [&Kind::OF_AREA, &Kind::OF_SCORE] {
        for category in &input.study.categories {
            drawn.extend(panels(input, category, kind)?);
        }
    }
    Ok(drawn)
}

/// A kind of sheet of test images.
struct Kind {
    /// What stands before the category in its name.
    stem: &'static str,
    title: &'static str,
    shows: &'static str,
    caption: &'static str,
    draw: fn(&Input, &str) -> Result<Panels>,
}

impl Kind {
    const OF_AREA: Self = Self {
        stem: "panels-",
        title: "Test images of",
        shows: "the score map of every row",
        caption: "The same images under every row",
        draw: |input, category| compare::sheet(input.study, input.store, category),
    };
    const OF_SCORE: Self = Self {
        stem: "panels-errors-",
        title: "Worst false alarms and misses in",
        shows: "the score map of the row whose worst errors they are",
        caption: "Chosen by score: of each row the good image with the highest score, and of each kind of defect the image with the lowest",
        draw: |input, category| {
            // A paper's page holds one row's errors.
            let most = if matches!(input.output, Output::Page) { 6 } else { 1 };
            errors::sheet(input.study, input.store, category, most)
        },
    };
}

/// Writes a sheet of one category.
fn panels(input: &Input, category: &str, kind: &Kind) -> Result<Option<Drawn>> {
    let Input { study, folder, .. } = *input;
    let name = format!("{}{category}", kind.stem);
    let path = folder.join(format!("{name}.png"));
    let title = format!("{} {category}", kind.title);
    let alt = format!("Test images of {category} with their ground truth and, below each, {}.", kind.shows);
    let kept = |why: &str| (Some(path.clone()), format!("As an earlier report drew it. It could not be drawn again: {why}."));
    let seed = study.seeds.first().map_or_else(String::new, |seed| format!(" of seed {seed}"));
    let (file, caption) = match ((kind.draw)(input, category), input.output) {
        (Ok(Panels::Drawn(sheet) | Panels::Lacking(sheet)), Output::Paper(print, _)) => {
            let (width, size) = print.pixels();
            file::replace(&path, &plot::bitmap(&panel::print(&sheet, width, size), print))?;
            (Some(path.clone()), format!("{}{seed}. Dark is low and bright is high. {}", kind.caption, sheet.caption))
        }
        // What an earlier report drew stays in a page; a paper gets what can be drawn.
        (Ok(Panels::Absent | Panels::Nothing), Output::Paper(..)) => return Ok(None),
        (Ok(Panels::Lacking(_)), Output::Page) if path.exists() => kept("maps of finished runs are gone"),
        (Ok(Panels::Drawn(sheet) | Panels::Lacking(sheet)), Output::Page) => {
            file::replace(&path, &codec::encode_png(&sheet.draw()))?;
            (Some(path.clone()), format!("{}{seed}; how they were chosen stands below them.", kind.caption))
        }
        (Ok(Panels::Absent), Output::Page) if path.exists() => kept("its runs or their maps are not there"),
        (Ok(Panels::Absent), Output::Page) => return Ok(None),
        (Ok(Panels::Nothing), Output::Page) => {
            file::remove(&path)?;
            return Ok(None);
        }
        (Err(error), Output::Page) if path.exists() => kept(&error.what),
        (Err(error), _) => (None, compare::refusal(category, &error)),
    };
    Ok(Some(Drawn { name, title, caption, alt, file }))
}
