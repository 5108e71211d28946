//! `harness report`: tables, figures and page of a sweep from what is in the run store, without running anything.

use std::path::{Path, PathBuf};

use super::complete;
use crate::data::{Contents, Dataset};
use crate::place::in_project;
use crate::report::plot::{Print, PrintFormat, room};
use crate::report::study::figure;
use crate::report::study::watch::{self, Look};
use crate::report::study::{Extent, Form, Format, Incomplete, Pivot, Report, View};
use crate::run::{Stop, check_name};
use crate::store::{Store, config_found};
use crate::sweep::Plan;
use crate::sweep::folder::SweepFolder;
use crate::{Error, Result, console, sayln};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A sweep's name, such as ablation
    #[arg(value_name = "SWEEP", add = complete::sweeps())]
    pub sweep: String,
    /// The run store
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("results"))]
    pub results: PathBuf,
    /// Where figures go, below the sweep's name
    #[arg(long, value_name = "DIR", default_value_os_t = in_project("plots"))]
    pub plots: PathBuf,
    /// Where the data lie now, if they were moved: panels are drawn from there; their content is compared
    #[arg(long, value_name = "ROOT")]
    pub data: Option<PathBuf>,
    /// Print averages over incomplete grids, marked, and leave the files as they are
    #[arg(long)]
    pub partial: bool,
    /// Write the files although the table that is there has finished runs which are gone
    #[arg(long, conflicts_with = "partial")]
    pub replace: bool,
    /// Write everything again as runs finish, until all are or Ctrl-C ends it
    #[arg(long, conflicts_with_all = ["partial", "seeds", "rows", "metric", "condition", "only", "against"])]
    pub watch: bool,
    /// Print the table of these seeds alone, and leave the files as they are
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// Print a table of averages instead, one line for each value of this: a varied key, row, category or seed
    #[arg(long, value_name = "KEY")]
    pub rows: Option<String>,
    /// With one column for each value of this; without it, one for each metric
    #[arg(long, value_name = "KEY", requires = "rows")]
    pub columns: Option<String>,
    /// Print these metrics of the runs instead of the sweep's, such as image_ap,pixel_ap, and leave the files as they are
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub metric: Vec<String>,
    /// Print what comes of these runs alone, such as "loss.score.gamma=2 and category!=gear", and leave the files as they are
    #[arg(long = "where", value_name = "CONDITION")]
    pub condition: Option<String>,
    /// Print only these rows and the quoted ones, and leave the files as they are: a number from 1, a name, its beginning, or a pattern such
    /// as '*lr=0.1*'; may be given several times
    #[arg(long, value_name = "ROW", conflicts_with = "rows", add = complete::rows())]
    pub only: Vec<String>,
    /// Compare all rows with this one, whatever else differs between them, and leave the files as they are
    #[arg(long, value_name = "ROW", conflicts_with = "rows", add = complete::rows())]
    pub against: Option<String>,
    /// What a key, row, metric or category is called in the tables, such as loss.score.gamma=γ; the labels of the sweep file last
    #[arg(long, value_name = "NAME=TEXT", value_parser = label)]
    pub label: Vec<(String, String)>,
    /// How much of the table is printed
    #[arg(long, value_enum, default_value = "full")]
    pub form: Form,
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
    Store::existing(&args.results)?;
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
    args.data.iter().try_for_each(|root| check_data(&plan, &store, root))?;
    if args.watch {
        return follow(args, &folder, &store);
    }
    let report = Report {
        plan: &plan,
        store: &store,
        seeds: &seeds,
        folder: &folder.folder,
        plots: &args.plots.join(&args.sweep),
        data: args.data.as_deref(),
        view: &view(args),
        incomplete: if args.partial { Incomplete::Mark } else { Incomplete::Refuse },
    };
    if let Some(folder) = &args.paper.figures {
        return draw(&report, &args.paper, folder);
    }
    if let Some(rows) = &args.rows {
        let pivot = Pivot { rows: rows.clone(), columns: args.columns.clone(), condition: args.condition.clone() };
        print(&report.pivot(&pivot, args.form, args.format)?, args.format);
        return Ok(());
    }
    // The files are the sweep's own: all its runs and metrics, and no average over an incomplete grid.
    let some_runs = !args.seeds.is_empty() || !args.only.is_empty() || args.condition.is_some();
    let looks = args.partial || some_runs || !args.metric.is_empty() || args.against.is_some();
    let written = match (looks, args.replace) {
        (true, _) => report.look()?,
        (false, true) => report.write(Extent::All)?,
        (false, false) => report.write_unless_lost(Extent::All)?,
    };
    print(&written.print(args.form, args.format), args.format);
    Ok(())
}

/// Refuses a folder that does not hold what the sweep was made with.
fn check_data(plan: &Plan, store: &Store, root: &Path) -> Result<()> {
    for (category, hash) in &plan.facts.data {
        let runs = plan.runs.iter().filter(|run| run.category == *category).map(|run| store.folder(&store.locate(&run.id)));
        let Some(run) = runs.into_iter().find(|folder| folder.summary_json().exists()) else { continue };
        let found = Dataset::at(root, &config_found(&run)?.data)?.category(category)?;
        if Contents::of(&found)?.hash != *hash {
            return Err(Error::environment(
                format!("{} is not what the sweep was made with", found.folder().display()),
                "name the folder that holds the sweep's categories as they were: --data ROOT",
            ));
        }
    }
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
            view: &view(args),
            data: args.data.as_deref(),
            incomplete: Incomplete::Refuse,
        };
        last = Some(if args.replace { report.write(Extent::All)? } else { report.write_unless_lost(Extent::All)? });
        sayln!("{}: {}", look.text(), folder.folder.join("report.html").display());
        Ok(())
    };
    watch::watch(folder, store, &Stop::install()?, &mut write)?;
    if let Some(written) = last {
        print(&written.print(args.form, args.format), args.format);
    }
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

/// How the study is looked at. A table of two keys shows one metric: the first of image AUROC unless another is named.
fn view(args: &Args) -> View {
    let usual = || if args.columns.is_some() { vec!["image_auroc".to_owned()] } else { vec![] };
    let metrics = if args.metric.is_empty() { usual() } else { args.metric.clone() };
    let labels = args.label.iter().cloned().collect();
    View { metrics, labels, condition: args.condition.clone(), only: args.only.clone(), against: args.against.clone() }
}

/// `NAME=TEXT`: a name holds no `=`, except that of a row over keys, whose last one parts it.
fn label(text: &str) -> std::result::Result<(String, String), String> {
    match text.rsplit_once('=') {
        Some((name, label)) if !name.is_empty() && !label.trim().is_empty() && !label.chars().any(char::is_control) => {
            Ok((name.to_owned(), label.to_owned()))
        }
        _ => Err("give NAME=TEXT, such as loss.score.gamma=γ".to_owned()),
    }
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
