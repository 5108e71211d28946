//! From a request to the end of the last run: reads the file, plans, announces, and has the plan carried out. What is made of
//! the results is up to the caller.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::announce::Announcement;
use super::backend::Local;
use super::dry::DryRun;
use super::execute::{self, Assignment, Options, Tally};
use super::file::File;
use super::folder::SweepFolder;
use super::plan::{self, Facts, Plan, PlannedRun};
use super::progress::SweepProgress;
use super::request::{Request, typed};
use super::resolve::{Resolved, resolve};
use super::{chosen, measure, name, slots};
use crate::file;
use crate::names::in_line;
use crate::run::{Lock, Stop};
use crate::store::Store;
use crate::ui::Mode;
use crate::{Error, Result, launcher};

/// A sweep that is planned and not yet begun.
pub struct Planned {
    pub plan: Plan,
    pub folder: SweepFolder,
    /// Where its figures go.
    pub plots: PathBuf,
    /// The sweep file, word for word.
    text: String,
    resolved: Resolved,
    /// The rows to run.
    rows: Vec<usize>,
    /// The device of each slot.
    slots: Vec<String>,
}

impl Planned {
    /// Reads sweep file, data and weights, and plans. Nothing is written.
    ///
    /// # Errors
    /// A sweep file, name, row or device that is not valid; data or weights that cannot be read.
    pub fn new(request: &Request) -> Result<Self> {
        let text = File::text(&request.file)?;
        let file = File::parse(&text, &request.file.display().to_string())?;
        let resolved = resolve(&file, &request.file, request.profile, &request.overrides)?;
        let facts = Facts::read(&resolved, slots::device_kind(&request.devices, &resolved)?)?;
        let name = match &request.name {
            Some(name) => name.clone(),
            None => name::usual(&request.file, &file, &resolved)?,
        };
        name::check(&name)?;
        let folder = SweepFolder::new(&request.results, &name);
        let plan = plan::plan(&resolved, facts, &name, &request.repeating())?;
        Ok(Self {
            rows: chosen::rows(&plan, &request.only)?,
            slots: slots::slots(&request.devices, request.jobs, &resolved, &plan.facts.device)?,
            plots: request.plots.join(&name),
            plan,
            folder,
            text,
            resolved,
        })
    }

    /// Refuses a store that cannot be written, before anything is said.
    ///
    /// # Errors
    /// `Kind::Environment` naming the folder.
    pub fn check_store(&self) -> Result<()> {
        self.store().ensure_writable()
    }

    pub fn store(&self) -> Store {
        Store::new(&self.folder.results)
    }

    /// Whether all rows are to be run, and not those of `--only` alone.
    pub fn is_whole(&self) -> bool {
        self.rows.len() == self.plan.rows.iter().filter(|row| !row.is_quoted()).count()
    }

    /// Whether the runs of a row are to be carried out.
    pub fn runs_row(&self, row: usize) -> bool {
        self.rows.contains(&row)
    }

    /// Says what the sweep is about; the progress of its runs follows.
    ///
    /// # Errors
    /// The plan of an earlier command cannot be read.
    pub fn announce(&self, mode: Mode) -> Result<SweepProgress> {
        let before = self.folder.read()?;
        let mut left = BTreeMap::new();
        self.plan.distinct(&self.rows).iter().for_each(|run| *left.entry(run.row).or_insert(0) += 1);
        let mut progress = SweepProgress::new(mode, left, self.slots.len());
        let announcement = Announcement {
            plan: &self.plan,
            rows: &self.rows,
            slots: &self.slots,
            threads: slots::threads(&self.resolved),
            merged: &self.resolved.merged,
            before: before.as_ref(),
        };
        announcement.show(&mut progress);
        Ok(progress)
    }

    /// Exactly what the request would do; where nothing is finished yet, what runs take is measured, and `progress` told of it.
    ///
    /// # Errors
    /// What is there of the sweep cannot be read.
    pub fn dry_run(&self, request: &Request, progress: &mut SweepProgress) -> Result<DryRun<'_>> {
        let would = DryRun::of(&self.plan, &self.rows, &self.folder, request.failed, self.slots.len())?;
        let mut measure = |run: &PlannedRun| {
            progress.message(&format!("measuring a few steps of {}", in_line(&self.plan.rows[run.row].name)));
            measure::measure(&self.plan, run, &self.slots[0])
        };
        Ok(would.measured(&mut measure))
    }

    /// How many runs would start or resume.
    ///
    /// # Errors
    /// What is there of the sweep cannot be read.
    pub fn to_do(&self, request: &Request) -> Result<usize> {
        Ok(DryRun::of(&self.plan, &self.rows, &self.folder, request.failed, self.slots.len())?.to_do())
    }

    /// Writes the plan and the rows' configurations into the sweep's folder, for those who carry it out.
    ///
    /// # Errors
    /// A folder that cannot be written or is in use with another plan.
    pub fn write_plan(&self) -> Result<()> {
        self.hold().map(drop)
    }

    fn hold(&self) -> Result<Lock> {
        let config = |(i, row): (usize, &super::resolve::ResolvedRow)| Some((i, row.config.as_ref()?.to_toml()));
        let configs: Vec<(usize, String)> = self.resolved.rows.iter().enumerate().filter_map(config).collect();
        let lock = self.folder.hold(&self.plan, &configs)?;
        file::replace(&self.folder.file(), self.text.as_bytes())?;
        Ok(lock)
    }

    /// Takes the sweep's folder and carries the plan out; `round` is that of [`execute::execute`]. The folder stays this plan's as long as
    /// the lock lives: until its tables are written.
    ///
    /// # Errors
    /// A folder that cannot be written or is in use with another plan, a device that is not there, a stop.
    pub fn carry_out(
        &self,
        request: &Request,
        mut progress: SweepProgress,
        round: &mut dyn FnMut(usize) -> Result<Option<PathBuf>>,
    ) -> Result<(Tally, Lock)> {
        file::probe(&self.plots).map_err(|error| {
            let what = format!("cannot write figures to {}: {error}", self.plots.display());
            Error::environment(what, "choose another folder with `--plots`")
        })?;
        for device in self.slots.iter().filter(|device| *device != "cpu").collect::<BTreeSet<_>>() {
            launcher::probe(device)?;
        }
        let lock = self.hold()?;
        let options = Options {
            command: typed(),
            failed: request.failed,
            retries: request.retries,
            max_failures: request.max_failures,
            share: request.share,
            others: request.others,
        };
        let stop = Stop::install()?;
        let assignment = Assignment { plan: &self.plan, rows: &self.rows, folder: &self.folder, options: &options };
        let mut backend = Local::new(self.slots.clone());
        let tally = execute::execute(assignment, &mut backend, &mut progress, &stop, round);
        progress.close();
        Ok((tally?, lock))
    }
}
