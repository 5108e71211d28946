//! `harness report`: tables, figures and page of a sweep from what is in the run store, without running anything.

use std::path::PathBuf;

use crate::place::in_project;
use crate::report::plot::{Print, PrintFormat, room};
use crate::report::study::figure;
use crate::report::study::{Extent, Format, Incomplete, Pivot, Report};
use crate::run::check_name;
use crate::store::Store;
use crate::sweep::folder::SweepFolder;
use crate::{Error, Result, console};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A sweep's name, such as ablation
    #[arg(value_name = "SWEEP")]
    pub sweep: String,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    pub results: PathBuf,
    /// Where figures go, below the sweep's name
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("plots"))]
    pub plots: PathBuf,
    /// Print averages over incomplete grids, marked, and leave the files as they are
    #[arg(long)]
    pub partial: bool,
    /// Write the files although the table that is there has finished runs which are gone
    #[arg(long, conflicts_with = "partial")]
    pub replace: bool,
    /// Print the table of these seeds alone, and leave the files as they are
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// Print one metric as a table of two varied keys instead: the key of its rows …
    #[arg(long, value_name = "KEY", requires = "columns")]
    pub rows: Option<String>,
    /// … the key of its columns …
    #[arg(long, value_name = "KEY", requires = "rows")]
    pub columns: Option<String>,
    /// … and the metric
    #[arg(long, value_name = "METRIC", default_value = "image_auroc")]
    pub metric: String,
    /// How the table is printed; the files of a whole report have all formats
    #[arg(long, value_enum, default_value = "terminal")]
    pub format: Format,
    #[command(flatten)]
    pub paper: Paper,
}

/// Figures for a paper.
#[derive(Debug, Clone, clap::Args)]
pub struct Paper {
    /// Write figures for a paper to this folder, without titles and with their captions beside them, and leave all other files as they are
    #[arg(long, value_name = "DIR", conflicts_with_all = ["replace", "rows"])]
    pub figures: Option<PathBuf>,
    /// What these figures are written as
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',', default_value = "pdf,svg", requires = "figures")]
    pub figure_format: Vec<PrintFormat>,
    /// Their width: a column has some 85mm, a page 175mm
    #[arg(long, value_name = "LENGTH", default_value = "85mm", value_parser = room::millimetres, requires = "figures")]
    pub width: f64,
    /// The size of their text at this width
    #[arg(long, value_name = "SIZE", default_value = "8pt", value_parser = room::points, requires = "figures")]
    pub font_size: f64,
}

pub fn run(args: &Args) -> Result<()> {
    check_name("a sweep", &args.sweep)?;
    let folder = SweepFolder::new(&args.results, &args.sweep);
    let plan = folder.read()?.ok_or_else(|| {
        Error::config(
            format!("there is no sweep {} in {}", args.sweep, args.results.display()),
            format!("there are: {}; `harness sweep FILE` makes one", sweeps(&args.results)),
        )
    })?;
    let seeds = if args.seeds.is_empty() { plan.seeds.clone() } else { args.seeds.clone() };
    if let Some(seed) = seeds.iter().find(|seed| !plan.seeds.contains(seed)) {
        return Err(Error::config(format!("--seeds: {seed} is not a seed of this sweep"), format!("it has {:?}", plan.seeds)));
    }
    let store = Store::new(&args.results);
    let report = Report {
        plan: &plan,
        store: &store,
        seeds: &seeds,
        folder: &folder.folder,
        plots: &args.plots.join(&args.sweep),
        incomplete: if args.partial { Incomplete::Mark } else { Incomplete::Refuse },
    };
    if let Some(folder) = &args.paper.figures {
        return draw(&report, &args.paper, folder);
    }
    if let (Some(rows), Some(columns)) = (&args.rows, &args.columns) {
        let pivot = Pivot { rows: rows.clone(), columns: columns.clone(), metric: args.metric.clone() };
        print(&report.pivot(&pivot, args.format)?, args.format);
        return Ok(());
    }
    // The files are the sweep's own: all its seeds, and no average over an incomplete grid.
    let written = match (args.partial || !args.seeds.is_empty(), args.replace) {
        (true, _) => report.look()?,
        (false, true) => report.write(Extent::All)?,
        (false, false) => report.write_unless_lost(Extent::All)?,
    };
    print(&written.print(args.format), args.format);
    Ok(())
}

/// Figures for a paper, of what is there.
fn draw(report: &Report, paper: &Paper, folder: &std::path::Path) -> Result<()> {
    let print = Print::new(paper.width, paper.font_size)?;
    let found = report.look()?;
    let drawn = figure::write_print(&found.study, &found.comparison, report.store, folder, (print, &paper.figure_format))?;
    drawn.iter().filter_map(|figure| figure.file.as_ref()).for_each(|file| console::out(&format!("{}\n", file.display())));
    console::out(&format!("{}\n", folder.join("captions.md").display()));
    Ok(())
}

/// For people with names spelled out, for programs as it is.
fn print(text: &str, format: Format) {
    match format {
        Format::Terminal | Format::Markdown | Format::Latex => console::out(text),
        _ => console::raw(text),
    }
}

/// The sweeps of a results folder.
fn sweeps(results: &std::path::Path) -> String {
    let entries = std::fs::read_dir(results).into_iter().flatten().flatten();
    let mut names: Vec<String> =
        entries.filter(|e| e.path().join("plan.json").exists()).map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
