//! `harness runs draw`: the figures of finished runs, again.

use std::path::{Path, PathBuf};

use crate::cli::complete;
use crate::cli::finished::Finished;
use crate::data::Source;
use crate::eval::{self, OutputStore};
use crate::run::{Lock, Outcome};
use crate::{Error, Result, export, report, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Ids, unique prefixes of hashes, or `latest`
    #[arg(value_name = "ID", required = true, add = complete::runs())]
    ids: Vec<String>,
    /// Where their data lie now, if they were moved; their content is compared
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// Draws the figures, and writes TensorBoard's file from the events, with the pictures in it.
///
/// # Errors
/// Runs that are not finished, or whose maps are gone; data that are not there, or not what they were.
pub fn run(results: &Path, args: &Args) -> Result<()> {
    args.ids.iter().try_for_each(|id| {
        let run = Finished::find(results, id)?;
        draw(&run, args.data.as_deref())?;
        showln!("{}", run.folder.figures().display());
        Ok(())
    })
}

fn draw(run: &Finished, data: Option<&Path>) -> Result<()> {
    let (dataset, contents) = run.data(data, None)?;
    let Finished { id, folder, summary, cfg } = run;
    let outputs = OutputStore::of(&folder.maps(), &summary.category, &cfg.detector.outputs(cfg));
    if outputs.stored().is_empty() {
        return Err(Error::environment(
            format!("the maps of run {id} are gone: nothing can be drawn of it"),
            format!("copy its folder maps/ back, or {}", crate::error::AGAIN),
        ));
    }
    folder.check_own()?;
    let _lock = Lock::acquire(&folder.lock(), crate::run::now())?;
    let test = Source::of(dataset.category(&summary.category)?.test, cfg, 0).checked(&contents);
    let key = |index: usize| &test.items()[index].key;
    let protocol = eval::protocol(cfg, None)?;
    let evaluated = |name| Ok((name, eval::evaluate(&test, &cfg.eval, &protocol, &|index| outputs.read(name, key(index)))?));
    let evaluations = if test.is_empty() { vec![] } else { outputs.stored().into_iter().map(evaluated).collect::<Result<Vec<_>>>()? };
    report::run::write(folder, &test, &cfg.eval, &evaluations, &|name, index| outputs.map(name, key(index)))?;
    for follower in export::followers(folder, id, &summary.category, &folder.config()?, crate::run::now) {
        follower?.end(Outcome::Finished)?;
    }
    Ok(())
}
