//! `harness sweep`: many runs from one file, carried out, compared and drawn.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::config::{Profile, check_device};
use crate::file;
use crate::report::study::{Extent, Format, Incomplete, Report};
use crate::run::{Id, Status, Stop, check_name};
use crate::store::Store;
use crate::sweep::board::Board;
use crate::sweep::decide::{Action, Failed};
use crate::sweep::execute::{self, Options, Tally};
use crate::sweep::ledger::Ledger;
use crate::sweep::place::Place;
use crate::sweep::plan::{self, Facts, PlannedRun, Resolved};
use crate::sweep::{Plan, file::File};
use crate::ui::text::{self, Align, Rule};
use crate::ui::{Mode, Output, Verbosity};
use crate::{Error, Result, data, launcher, num, weights};

#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// A sweep file (TOML)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Overrides for every run
    #[arg(value_name = "KEY=VALUE")]
    pub words: Vec<String>,
    /// Defaults below the files: cpu (small) or paper; else what the file names, else cpu
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// Folder of the sweep below the results; else the file's name, with profile and data where they are not the usual ones
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// The run store
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Where figures go, below the sweep's name
    #[arg(long, value_name = "DIR", default_value = "plots")]
    pub plots: PathBuf,
    /// Say what would start, resume, be reused or given up, and how long it may take, and stop
    #[arg(long)]
    pub dry_run: bool,
    /// Runs at once; else the machine's cores divided by run.threads, or one for each device
    #[arg(long, value_name = "N")]
    pub jobs: Option<usize>,
    /// Devices to share among the runs, such as cuda:0,cuda:1
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub devices: Vec<String>,
    /// Only this row, by its name or its number from 1; may be given several times
    #[arg(long, value_name = "ROW")]
    pub only: Vec<String>,
    /// Try runs again that failed in an earlier command
    #[arg(long)]
    pub retry: bool,
    /// Try a run that fails now again at once, so often
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub retries: u32,
    /// Stop everything at the first failure
    #[arg(long, conflicts_with = "max_failures")]
    pub fail_fast: bool,
    /// Stop everything after this many failures
    #[arg(long, value_name = "N")]
    pub max_failures: Option<usize>,
    /// Progress as JSON lines on stderr, the tables' numbers as JSON on stdout
    #[arg(long)]
    pub json: bool,
}

/// Carries out `harness sweep`.
///
/// # Errors
/// Sweep file, data and environment before anything starts; exit code 1 where runs failed, 75 where it was stopped.
pub fn run(args: &Args, verbosity: Verbosity) -> Result<()> {
    let sweep = File::read(&args.file)?;
    let resolved = plan::resolve(&sweep, &args.file, args.profile, &args.words)?;
    let facts = facts(&resolved, device_kind(&args.devices, &resolved)?)?;
    let name = match &args.name {
        Some(name) => name.clone(),
        None => usual_name(&args.file, &sweep, &resolved)?,
    };
    check_sweep_name(&name)?;
    let place = Place::new(&args.results, &name);
    let plan = plan::plan(&sweep, &resolved, facts, &name, &repeating(args))?;
    let rows = rows(&plan, &args.only)?;
    let store = Store::new(&args.results);
    let slots = slots(args, &resolved, &plan.facts.device)?;
    if !args.dry_run {
        store.ensure_writable()?;
    }
    let before = place.read()?;
    let mode = Mode::detect(verbosity, if args.json { Output::Json } else { Output::People });
    let mut board = Board::new(mode, left(&plan, &rows), slots.len());
    announce(&mut board, &plan, &rows, &slots, threads(&resolved), before.as_ref());
    if args.dry_run {
        board.close();
        return dry_run(&plan, &rows, &store, &place, args, slots.len());
    }

    let plots = args.plots.join(&name);
    file::probe(&plots).map_err(|error| {
        let what = format!("cannot write figures to {}: {error}", plots.display());
        Error::environment(what, "choose another folder with `--plots`")
    })?;
    for device in slots.iter().filter(|device| *device != "cpu").collect::<BTreeSet<_>>() {
        launcher::probe(device)?;
    }
    let configs: Vec<(usize, String)> =
        resolved.rows.iter().enumerate().filter_map(|(i, row)| Some((i, row.config.as_ref()?.to_toml()))).collect();
    let _held = place.hold(&plan, &configs)?;
    let options = Options {
        command: typed(),
        slots,
        failed: if args.retry { Failed::Retry } else { Failed::Leave },
        retries: args.retries,
        max_failures: if args.fail_fast { 1 } else { args.max_failures.unwrap_or(usize::MAX) },
    };
    let stop = Stop::install()?;
    let whole = rows.len() == plan.rows.iter().filter(|row| !row.is_quoted()).count();
    let report = |seeds: usize| Report {
        plan: &plan,
        store: &store,
        seeds: &plan.seeds[..seeds],
        folder: &place.folder,
        plots: &plots,
        incomplete: Incomplete::Refuse,
    };
    // The last round is written below, with figures and words.
    let mut round = |complete: usize| match whole && complete < plan.seeds.len() {
        true => report(complete).write(Extent::Tables).map(|_| place.folder.join("table.md")).map(Some),
        false => Ok(None),
    };
    let tally = execute::execute(&plan, &rows, &place, &options, &mut board, &stop, &mut round);
    board.close();
    let tally = tally?;
    let written = report(plan.seeds.len()).write(Extent::All)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&written.comparison).expect("numbers are plain data"));
    } else {
        print!("{}", written.print(Format::Terminal));
    }
    conclude(&tally)
}

fn conclude(tally: &Tally) -> Result<()> {
    if !tally.failed.is_empty() {
        let names: Vec<String> = tally.failed.iter().map(|(id, _)| id.to_string()).collect();
        return Err(Error::run(
            format!("{} runs failed: {}", names.len(), names.join(", ")),
            "mend the cause and repeat the command with --retry: finished runs are kept",
        ));
    }
    if !tally.stopped.is_empty() {
        return Err(Error::stopped(format!("{} runs were stopped before their end", tally.stopped.len())));
    }
    Ok(())
}

/// `cpu` or `cuda`: the one kind of device that all runs are computed on.
fn device_kind(devices: &[String], resolved: &Resolved) -> Result<String> {
    devices.iter().try_for_each(|device| check_device("--devices", device))?;
    let kind = |device: &str| device.split(':').next().unwrap_or(device).to_owned();
    if let Some((first, other)) = devices.first().and_then(|first| Some((first, devices.iter().find(|d| kind(d) != kind(first))?))) {
        return Err(Error::config(
            format!("--devices: {first} and {other} are of two kinds"),
            "name CPU or GPUs: results of both do not belong into one table",
        ));
    }
    let configured = || resolved.rows.iter().find_map(|row| Some(row.config.as_ref()?.run.device.as_str()));
    launcher::device_kind(devices.first().map(String::as_str).or_else(configured).unwrap_or("auto"))
}

/// What data and weights are; `device` is [`device_kind`].
fn facts(resolved: &Resolved, device: String) -> Result<Facts> {
    let configs: Vec<_> = resolved.rows.iter().filter_map(|row| row.config.as_ref()).collect();
    let Some(first) = configs.first() else {
        return Err(Error::config("every row is quoted: nothing is to be run", "add an [[ablate]] row or an axis"));
    };
    let root = data::root::resolve(&first.data)?;
    let mut facts = Facts { device, ..Facts::default() };
    for name in data::select(&data::open(&root)?, &resolved.categories)? {
        let hash = data::category_hash(&data::category(&root, &name)?)?;
        facts.data.push((name, hash));
    }
    for config in configs {
        let path = &config.model.backbone.weights;
        if path != "none" && !facts.weights.contains_key(path) {
            facts.weights.insert(path.clone(), weights::File::open(Path::new(path))?.content_hash().to_owned());
        }
    }
    Ok(facts)
}

/// The file's stem; with the profile and the data's folder where they are not what the file has by itself.
fn usual_name(path: &Path, sweep: &File, resolved: &Resolved) -> Result<String> {
    let mut name = plan::stem(path)?;
    if resolved.profile != sweep.profile.unwrap_or(Profile::Cpu) {
        name = format!("{name}-{}", resolved.profile);
    }
    let root = resolved.rows.iter().find_map(|row| Some(row.config.as_ref()?.data.root.clone())).unwrap_or_default();
    if root != data::root::BUILTIN
        && let Some(folder) = Path::new(&root).file_name().and_then(|f| f.to_str())
    {
        let plain: String =
            folder.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }).collect();
        name = format!("{name}-{plain}");
    }
    Ok(name)
}

/// Names of folders below the results that are no sweep's.
const TAKEN: [&str; 2] = ["runs", "bench"];

fn check_sweep_name(name: &str) -> Result<()> {
    if TAKEN.contains(&name) {
        return Err(Error::config(format!("a sweep cannot be named {name:?}: other results lie there"), "choose another name with --name"));
    }
    check_name("a sweep", name).map_err(|e| Error::config(e.what, format!("{} (--name)", e.remedy)))
}

/// The command that repeats the whole sweep, whichever rows and failures this one was about.
fn repeating(args: &Args) -> String {
    let mut words = vec!["harness".to_owned(), "sweep".to_owned(), args.file.display().to_string()];
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([name.to_owned(), value]);
        }
    };
    option("--profile", args.profile.map(|profile| profile.to_string()));
    option("--name", args.name.clone());
    option("--devices", (!args.devices.is_empty()).then(|| args.devices.join(",")));
    for (name, folder) in [("results", &args.results), ("plots", &args.plots)] {
        option(&format!("--{name}"), (folder != Path::new(name)).then(|| folder.display().to_string()));
    }
    words.extend(args.words.iter().cloned());
    shell(words)
}

/// The command line, as it can be typed again.
fn typed() -> String {
    shell(std::iter::once("harness".to_owned()).chain(std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned())))
}

/// Words as a POSIX shell reads them back.
fn shell(words: impl IntoIterator<Item = String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%".contains(c);
    let quoted = |word: String| match !word.is_empty() && word.chars().all(plain) {
        true => word,
        false => format!("'{}'", word.replace('\'', r"'\''")),
    };
    words.into_iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// The places of the rows to run: all, or those of `--only`.
fn rows(plan: &Plan, only: &[String]) -> Result<Vec<usize>> {
    let all = || plan.rows.iter().enumerate().filter(|(_, row)| !row.is_quoted()).map(|(i, _)| i);
    if only.is_empty() {
        return Ok(all().collect());
    }
    let find = |wish: &String| {
        let found = all().find(|&i| plan.rows[i].name == *wish).or_else(|| all().find(|&i| wish.parse() == Ok(i + 1)));
        let names = || all().map(|i| format!("{} {}", i + 1, plan.rows[i].name)).collect::<Vec<_>>().join(", ");
        found.ok_or_else(|| Error::config(format!("--only: there is no row {wish:?}"), format!("rows are {}", names())))
    };
    let found: BTreeSet<usize> = only.iter().map(find).collect::<Result<_>>()?;
    Ok(found.into_iter().collect())
}

/// The most threads that a run takes.
fn threads(resolved: &Resolved) -> usize {
    resolved.rows.iter().filter_map(|row| Some(row.config.as_ref()?.run.threads)).max().unwrap_or(1).max(1)
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The device of each slot.
fn slots(args: &Args, resolved: &Resolved, kind: &str) -> Result<Vec<String>> {
    let devices = match (args.devices.is_empty(), kind) {
        (false, _) => args.devices.clone(),
        (true, "cpu") => vec!["cpu".to_owned()],
        // One GPU that the configuration names, else the first.
        (true, _) => {
            let named =
                resolved.rows.iter().filter_map(|row| Some(row.config.as_ref()?.run.device.as_str())).find(|d| d.starts_with("cuda:"));
            vec![named.unwrap_or("cuda:0").to_owned()]
        }
    };
    let jobs = args.jobs.unwrap_or(if kind == "cpu" { (cores() / threads(resolved)).max(1) } else { devices.len() });
    if jobs == 0 {
        return Err(Error::config("--jobs 0 runs nothing", "use at least 1"));
    }
    Ok((0..jobs).map(|i| devices[i % devices.len()].clone()).collect())
}

/// Runs by row, each once.
fn left(plan: &Plan, rows: &[usize]) -> BTreeMap<usize, usize> {
    let mut left = BTreeMap::new();
    plan.distinct(rows).iter().for_each(|run| *left.entry(run.row).or_insert(0) += 1);
    left
}

/// Says what this is about, profile and data first; each run takes `threads` threads at most.
fn announce(board: &mut Board, plan: &Plan, rows: &[usize], slots: &[String], threads: usize, before: Option<&Plan>) {
    let categories: Vec<&str> = plan.facts.data.iter().map(|(name, _)| name.as_str()).collect();
    let builtin = plan.root == data::root::BUILTIN;
    let data = if builtin { "built-in data" } else { plan.root.as_str() };
    board.message(&format!("profile {} · {data}: {} · {}", plan.profile, categories.join(", "), plan.title));
    let seeds: Vec<String> = plan.seeds.iter().map(u64::to_string).collect();
    board.message(&format!(
        "{} rows × {} categories × seeds {} = {} runs, {} at once on {}",
        rows.len(),
        categories.len(),
        seeds.join(", "),
        plan.distinct(rows).len(),
        slots.len(),
        slots.join(", ")
    ));
    let pairs = categories.len() * plan.seeds.len();
    let comparisons = rows.len().saturating_sub(1);
    if comparisons > 0 {
        let p = num::smallest_p(pairs, comparisons);
        let enough = if p <= 0.05 { "" } else { ": too few for 0.05, whatever is found" };
        let what = format!("the smallest Holm-adjusted p that {pairs} pairs and {comparisons} comparisons can reach is ");
        board.message(&(what + &text::number(p) + enough));
    }
    if builtin && plan.profile == Profile::Paper {
        board.message(
            "note: this is the paper's profile on the built-in data: full-size runs of 200 epochs, and nothing to compare with the \
             paper; data.root=/path/to/mvtec names its data, --profile cpu is the small one",
        );
    }
    let (jobs, cores) = (slots.len(), cores());
    if plan.facts.device == "cpu" && jobs * threads > cores {
        board.message(&format!("note: {jobs} jobs of {threads} threads share {cores} cores: each will be slower than alone"));
    }
    let changes = before.map_or_else(Vec::new, |before| plan.changes(before));
    if !changes.is_empty() {
        board.message("changed since this sweep was last started (runs whose settings or data it touches are made anew):");
        changes.iter().take(20).for_each(|line| board.message(&format!("  {line}")));
        if changes.len() > 20 {
            board.message(&format!("  and {} more", changes.len() - 20));
        }
    }
}

/// Exactly what the command would do, with the time that finished runs of the same row took.
fn dry_run(plan: &Plan, rows: &[usize], store: &Store, place: &Place, args: &Args, slots: usize) -> Result<()> {
    let failed = Ledger::of(&place.folder).failed(store)?;
    let wish = if args.retry { Failed::Retry } else { Failed::Leave };
    let mut spent: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut would: Vec<(&PlannedRun, Id, Action)> = vec![];
    for run in plan.distinct(rows) {
        let id = store.locate(&run.id);
        let folder = store.folder(&id);
        let status = folder.status();
        let action = Action::of(status, failed.contains(&id), wish);
        if status == Status::Finished
            && let Some(summary) = folder.summary()?
        {
            spent.entry(run.row).or_default().push(summary.timing.wall_s);
        }
        would.push((run, id, action));
    }
    let all: Vec<f64> = spent.values().flatten().copied().collect();
    let expected = |row: usize| spent.get(&row).and_then(|s| num::mean(s)).or_else(|| num::mean(&all));
    let todo: Vec<usize> =
        would.iter().filter(|(_, _, action)| matches!(action, Action::Start | Action::Resume)).map(|(run, ..)| run.row).collect();
    let seconds = todo.iter().map(|&row| expected(row)).sum::<Option<f64>>().filter(|_| !todo.is_empty()).map(|s| s / slots as f64);
    let row = |run: &PlannedRun| plan.rows[run.row].name.clone();
    if args.json {
        let runs: Vec<_> = would
            .iter()
            .map(|(run, id, action)| json!({ "row": row(run), "category": run.category, "seed": run.seed, "id": id, "would": action.name() }))
            .collect();
        let shown = json!({ "runs": runs, "todo": todo.len(), "expected_s": seconds });
        println!("{}", serde_json::to_string_pretty(&shown).expect("a plan is plain data"));
        return Ok(());
    }
    let columns = [("row", Align::Left), ("category", Align::Left), ("seed", Align::Right), ("run", Align::Left), ("would", Align::Left)];
    let line = |(run, id, action): &(&PlannedRun, Id, Action)| {
        vec![row(run), run.category.clone(), run.seed.to_string(), id.to_string(), action.name().into()]
    };
    println!("{}", text::table(&columns, &would.iter().map(line).collect::<Vec<_>>(), Rule::Unicode));
    let time = seconds.map_or(String::new(), |s| format!(", about {} by the time that finished ones took", text::duration(s)));
    println!("{} of {} runs to do{time}", todo.len(), would.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_sweep_is_repeated_whole_by_words_that_a_shell_reads_back() {
        let words = ["sweep", "my file.toml", "--only", "1", "--retry", "--name", "x", "data.root=it's/~", "run.seeds=[0]"];
        let cli = crate::cli::Cli::try_parse_from(std::iter::once("harness").chain(words)).unwrap();
        let crate::cli::Verb::Sweep(args) = cli.verb else { panic!() };
        assert_eq!(repeating(&args), r"harness sweep 'my file.toml' --name x 'data.root=it'\''s/~' 'run.seeds=[0]'");
        assert_eq!(shell(["".to_owned()]), "''");
    }

    #[test]
    fn a_name_that_is_no_folder_of_its_own_is_refused() {
        for name in ["", ".", "..", "../../zz", "a/b", ".hidden", "runs", "bench", "a b"] {
            let error = check_sweep_name(name).unwrap_err();
            assert!(error.exit_code() == 2 && error.remedy.contains("--name"), "{error}");
        }
        check_sweep_name("ablation-paper_2.x").unwrap();
    }
}
