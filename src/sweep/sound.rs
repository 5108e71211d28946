//! Whether a plan that was read from a file can be one that this program wrote, and whether a run is the one that it plans: a
//! results folder may come from somebody else, or have been changed by hand.

use std::collections::HashSet;
use std::path::Path;

use super::axes::{Against, Counterpart};
use super::plan::{Plan, PlannedRow, PlannedRun};
use crate::config::reference::{self, Identity};
use crate::run::{Folder, Summary, check_name};
use crate::{Error, Result};

impl Plan {
    /// Refuses rows that are not there, runs that stand twice or belong to nothing, and names that could lead out of a folder.
    /// `path` is the file's.
    ///
    /// # Errors
    /// `Kind::Environment` naming the file.
    pub fn check(&self, path: &Path) -> Result<()> {
        match self.fault() {
            None => Ok(()),
            Some(why) => Err(Error::environment(
                format!("{} is not a valid plan: {why}", path.display()),
                "put the file back as the sweep wrote it, or move it away and repeat the sweep's command",
            )),
        }
    }

    fn fault(&self) -> Option<String> {
        if check_name("a sweep", &self.name).is_err() {
            return Some(format!("{:?} is not the name of a sweep", self.name));
        }
        if let Some(metric) = self.metrics.iter().find(|metric| !is_metric(metric)) {
            return Some(format!("{metric:?} is not the name of a metric"));
        }
        if let Some((category, _)) = self.facts.data.iter().find(|(name, _)| !is_category(name)) {
            return Some(format!("{category:?} is not the name of a category"));
        }
        let rows = self.rows.len();
        if let Against::Row(row) = self.against
            && row >= rows
        {
            return Some(format!("rows are compared with row {row}, and there are {rows} (from 0)"));
        }
        let own = |row: &PlannedRow| matches!(row.against, Some(Counterpart::Row(other)) if other >= rows);
        if let Some(row) = self.rows.iter().find(|row| own(row)) {
            return Some(format!("row {:?} is compared with a row that is not there", row.name));
        }
        let categories: HashSet<&str> = self.facts.data.iter().map(|(name, _)| name.as_str()).collect();
        let mut seen = HashSet::new();
        self.runs.iter().find_map(|run| {
            let PlannedRun { row, category, seed, id } = run;
            if *row >= rows {
                return Some(format!("run {id} belongs to row {row}, and there are {rows} (from 0)"));
            }
            if !categories.contains(category.as_str()) || !self.seeds.contains(seed) || *seed != id.seed {
                return Some(format!("run {id} is of category {category:?} and seed {seed}, which are not the plan's"));
            }
            (!seen.insert((row, category, seed))).then(|| format!("row {row}, category {category:?} and seed {seed} have two runs"))
        })
    }

    /// Refuses a run that is not the planned one by what its folder says: category, data, weights and the settings of its row.
    ///
    /// # Errors
    /// `Kind::Environment` naming the file.
    pub fn check_run(&self, run: &PlannedRun, folder: &Folder, summary: &Summary) -> Result<()> {
        let refuse = |why: String| {
            let what = format!("{} is not of the run that the plan names: {why}", folder.summary_json().display());
            Err(Error::environment(what, "put back what belongs there, or repeat the sweep's command with the run removed"))
        };
        if (summary.category.as_str(), summary.seed) != (run.category.as_str(), run.seed) {
            return refuse(format!("it is of {} seed {}, planned is {} seed {}", summary.category, summary.seed, run.category, run.seed));
        }
        let planned = self.facts.data.iter().find(|(name, _)| *name == run.category).map(|(_, hash)| hash.as_str());
        if planned.is_some_and(|hash| hash != summary.data_hash) {
            return refuse(format!("its data_hash is {:?}, planned is {:?}", summary.data_hash, planned.unwrap_or_default()));
        }
        let row = &self.rows[run.row].config;
        let value = |key: &str| row.get(key).and_then(serde_json::Value::as_str);
        if value("detector").is_some_and(|detector| detector != summary.detector) {
            return refuse(format!("its detector is {}, planned is {}", summary.detector, value("detector").unwrap_or_default()));
        }
        // A configuration that this version cannot read tells nothing.
        let Ok(cfg) = folder.config() else { return Ok(()) };
        let counts = |key: &str| reference::key(key).is_some_and(|k| k.identity == Identity::Value) && cfg.reads(key);
        for (key, value) in cfg.keys().into_iter().filter(|(key, _)| counts(key)) {
            let own = serde_json::to_value(value).expect("TOML without dates is JSON");
            if let Some(planned) = row.get(key).filter(|planned| !same(planned, &own)) {
                return refuse(format!("config.toml has {key} = {own}, its row {planned}"));
            }
        }
        Ok(())
    }
}

/// Whether two values are the same; 1 is 1.0.
fn same(one: &serde_json::Value, other: &serde_json::Value) -> bool {
    one == other || one.as_f64().is_some() && one.as_f64() == other.as_f64()
}

/// Names of metrics become parts of files' names.
fn is_metric(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '.' | '-');
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(plain) && !name.contains("..")
}

/// Names of categories are those of folders.
fn is_category(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('.') && !name.contains(|c| std::path::is_separator(c) || c == '\0')
}

#[cfg(test)]
mod tests {
    use super::super::example::{ROWS, planned};
    use super::*;

    fn fault(change: impl FnOnce(&mut Plan)) -> String {
        let mut plan = planned(ROWS, &[]);
        change(&mut plan);
        let error = plan.check(Path::new("results/try/plan.json")).unwrap_err();
        assert!(error.what.starts_with("results/try/plan.json is not a valid plan"), "{error}");
        error.what
    }

    #[test]
    fn rows_that_are_not_there_and_runs_that_stand_twice_are_refused() {
        assert!(planned(ROWS, &[]).check(Path::new("plan.json")).is_ok());
        assert!(fault(|p| p.runs[0].row = 99).contains("belongs to row 99"));
        assert!(fault(|p| p.against = Against::Row(77)).contains("row 77"));
        assert!(fault(|p| p.rows[0].against = Some(Counterpart::Row(77))).contains("a row that is not there"));
        assert!(fault(|p| p.runs.push(p.runs[0].clone())).contains("have two runs"));
        assert!(fault(|p| p.runs[0].category = "bottle".into()).contains("not the plan's"));
        assert!(fault(|p| p.runs[0].seed = 4).contains("not the plan's"));
        assert!(fault(|p| p.seeds.clear()).contains("not the plan's"));
    }

    #[test]
    fn names_that_lead_out_of_a_folder_are_refused() {
        for name in ["../x", "", ".hidden", "a/b", "/etc"] {
            assert!(fault(|p| p.name = name.into()).contains("name of a sweep"), "{name}");
            assert!(fault(|p| p.facts.data[0].0 = name.into()).contains("name of a category"), "{name}");
        }
        let mut plan = planned(ROWS, &[]);
        let odd = r"<b>\ =1";
        plan.facts.data[0].0 = odd.into();
        plan.runs.iter_mut().filter(|run| run.category == "gear").for_each(|run| run.category = odd.into());
        assert!(plan.check(Path::new("plan.json")).is_ok(), "a folder may be called so");
        for name in ["/../../etc", "image_auroc/../x", "..", "a\\b", "aupro@..", ""] {
            assert!(fault(|p| p.metrics[1] = name.into()).contains("name of a metric"), "{name}");
        }
    }

    #[test]
    fn a_run_of_another_row_is_not_the_planned_one() {
        let dir = tempfile::tempdir().unwrap();
        let plan = planned(ROWS, &[]);
        let run = &plan.runs[0];
        let folder = Folder::of(dir.path(), &run.id);
        std::fs::create_dir_all(folder.path()).unwrap();
        let summary = Summary { data_hash: "d1".into(), ..crate::testing::summary(&run.id, "gear") };
        plan.check_run(run, &folder, &summary).unwrap();
        let refusal = |summary: &Summary| plan.check_run(run, &folder, summary).unwrap_err().what;
        assert!(refusal(&Summary { category: "chip".into(), ..summary.clone() }).contains("planned is gear seed 3"));
        assert!(refusal(&Summary { data_hash: "d2".into(), ..summary.clone() }).contains("planned is \"d1\""));
        assert!(refusal(&Summary { detector: "padim".into(), ..summary.clone() }).contains("planned is mlff"));
        let row = |row: usize| super::super::example::resolved(ROWS, &[]).unwrap().rows[row].config.clone().unwrap().to_toml();
        std::fs::write(folder.config_toml(), row(0)).unwrap();
        plan.check_run(run, &folder, &summary).unwrap();
        std::fs::write(folder.config_toml(), row(1)).unwrap();
        assert!(refusal(&summary).contains("model.self_calibration = true, its row false"), "{}", refusal(&summary));
    }

    #[test]
    fn a_run_that_differs_in_what_it_does_not_read_is_the_planned_one() {
        let dir = tempfile::tempdir().unwrap();
        let frozen = |rate| ["model.backbone.freeze=all", rate];
        let plan = planned(ROWS, &frozen("model.backbone_lr=0.1"));
        let (run, other) = (&plan.runs[0], &super::super::example::resolved(ROWS, &frozen("model.backbone_lr=1.0")).unwrap().rows[0]);
        let folder = Folder::of(dir.path(), &run.id);
        std::fs::create_dir_all(folder.path()).unwrap();
        let summary = Summary { data_hash: "d1".into(), ..crate::testing::summary(&run.id, "gear") };
        std::fs::write(folder.config_toml(), other.config.clone().unwrap().to_toml()).unwrap();
        plan.check_run(run, &folder, &summary).unwrap();
    }
}
