//! `harness report`: tables, figures and page of a sweep from what is in the run store, without running anything.

use std::path::PathBuf;

use crate::place::in_project;
use crate::report::study::watch::{self, Look};
use crate::report::study::{Extent, Format, Incomplete, Pivot, Report};
use crate::run::{Stop, check_name};
use crate::store::Store;
use crate::sweep::Plan;
use crate::sweep::folder::SweepFolder;
use crate::{Error, Result, console, sayln};

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
    /// Write everything again as runs finish, until all are or Ctrl-C ends it
    #[arg(long, conflicts_with_all = ["partial", "seeds", "rows"])]
    pub watch: bool,
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
    if args.watch {
        return follow(args, &folder, &store);
    }
    let report = Report {
        plan: &plan,
        store: &store,
        seeds: &seeds,
        folder: &folder.folder,
        plots: &args.plots.join(&args.sweep),
        incomplete: if args.partial { Incomplete::Mark } else { Incomplete::Refuse },
    };
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

/// Writes the report as runs finish; the table is printed once at the end.
fn follow(args: &Args, folder: &SweepFolder, store: &Store) -> Result<()> {
    sayln!("watching {}; Ctrl-C ends it", folder.folder.display());
    let mut last = None;
    let mut write = |plan: &Plan, look: &Look| {
        let report = Report {
            plan,
            store,
            seeds: &plan.seeds,
            folder: &folder.folder,
            plots: &args.plots.join(&args.sweep),
            incomplete: Incomplete::Refuse,
        };
        last = Some(if args.replace { report.write(Extent::All)? } else { report.write_unless_lost(Extent::All)? });
        sayln!("{}: {}", look.text(), folder.folder.join("report.html").display());
        Ok(())
    };
    watch::watch(folder, store, &Stop::install()?, &mut write)?;
    if let Some(written) = last {
        print(&written.print(args.format), args.format);
    }
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
