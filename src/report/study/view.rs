//! How a study is looked at: other metrics, names for people, some of its runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::query::{Facts, Query};
use crate::sweep::{Plan, Study};
use crate::{Error, Result};

/// What is asked for beside the plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct View {
    /// Metrics of the summaries, without their split; those of the plan where empty.
    pub metrics: Vec<String>,
    /// Beside the plan's own labels.
    pub labels: BTreeMap<String, String>,
    /// Which runs, as it was typed.
    pub condition: Option<String>,
}

impl View {
    /// The study as it is asked for.
    ///
    /// # Errors
    /// A metric that no finished run has, a label for nothing, a condition that is not understood or that no run meets.
    pub fn of(&self, study: Study, plan: &Plan) -> Result<Study> {
        let mut study = self.restricted(study, plan)?;
        if !self.metrics.is_empty() {
            check(&study, &self.metrics)?;
            study.metrics.clone_from(&self.metrics);
        }
        for name in self.labels.keys() {
            let rows = || study.rows.iter().any(|row| row.name == *name || row.entry.as_ref() == Some(name));
            let keys = || study.rows.iter().any(|row| row.settings.contains_key(name));
            if !rows() && !keys() && !study.metrics.contains(name) && !study.categories.contains(name) {
                let what = format!("--label: {name:?} is not a key, row, metric or category of this sweep");
                return Err(Error::config(what, "name a varied key, such as loss.score.gamma, or a row by its whole name"));
            }
        }
        Ok(study.labelled(&self.labels))
    }

    fn restricted(&self, study: Study, plan: &Plan) -> Result<Study> {
        let Some(condition) = &self.condition else { return Ok(study) };
        let located = |e: Error| Error::config(format!("--where: {}", e.what), e.remedy);
        let query = Query::parse(condition, &BTreeSet::new()).map_err(located)?;
        let facts = |row: usize, category: &str, id: &crate::run::Id| {
            let planned = &plan.rows[row];
            Facts::planned(id.clone(), planned.entry.as_ref().unwrap_or(&planned.name), category, &planned.config)
        };
        let restricted = study.restricted(|cell| query.holds(&facts(cell.row, &cell.category, &cell.id)));
        if restricted.cells.is_empty() {
            let what = format!("--where: no run of this sweep meets {condition:?}");
            return Err(Error::config(what, "compare varied keys, row, category or seed with values that the sweep has"));
        }
        Ok(restricted)
    }
}

/// Refuses metrics that no finished run has.
fn check(study: &Study, metrics: &[String]) -> Result<()> {
    let known: BTreeSet<&str> = study
        .cells
        .iter()
        .filter_map(|cell| cell.summary())
        .flat_map(|run| run.metrics.keys())
        .filter_map(|m| m.strip_prefix("test/"))
        .collect();
    match metrics.iter().find(|metric| !known.contains(metric.as_str())) {
        None => Ok(()),
        Some(metric) => {
            let plain: Vec<&str> = known.into_iter().filter(|name| !name.contains('/')).collect();
            Err(Error::config(format!("--metric: no finished run has {metric:?}"), format!("there are {}", plain.join(", "))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;
    use crate::sweep::plan::PlannedRow;

    /// A plan with what a condition asks of it.
    fn plan(study: &Study) -> Plan {
        let mut plan = crate::sweep::example::planned(crate::sweep::example::ROWS, &[]);
        let planned = |row: &crate::sweep::Row| PlannedRow {
            name: row.name.clone(),
            entry: row.entry.clone(),
            paper: None,
            published: None,
            note: None,
            against: None,
            config: row.settings.clone(),
        };
        plan.rows = study.rows.iter().map(planned).collect();
        plan
    }

    #[test]
    fn conditions_fix_keys_rows_categories_and_seeds() {
        let study = example::crossed();
        let plan = plan(&study);
        let where_ = |condition: &str| View { condition: Some(condition.into()), ..View::default() }.of(study.clone(), &plan);
        let fixed = where_("loss.score.gamma=2 and row=texture").unwrap();
        let names: Vec<&str> = fixed.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["texture · loss.score.gamma=2, loss.score.lambda=0.5", "texture · loss.score.gamma=2, loss.score.lambda=1"]);
        assert_eq!((fixed.counterparts(), fixed.cells.len(), fixed.axes.len()), (vec![None, Some(0)], 8, 1));
        let gear = where_("category=gear and seed=1").unwrap();
        assert_eq!((gear.categories.clone(), gear.seeds.clone(), gear.cells.len()), (vec!["gear".to_owned()], vec![1], 8));
        assert!(where_("seed=7").unwrap_err().what.contains("no run of this sweep"));
        assert!(where_("loss.score.gama=2").unwrap_err().to_string().contains("--where: column 1"));
    }

    #[test]
    fn other_metrics_and_labels_are_shown_if_there_are_such() {
        let study = example::ladder();
        let plan = plan(&study);
        let view = |metrics: &[&str], label: &str| View {
            metrics: metrics.iter().map(|m| m.to_string()).collect(),
            labels: [(label.to_owned(), "x".to_owned())].into(),
            condition: None,
        };
        let shown = view(&["pixel_auroc"], "baseline").of(study.clone(), &plan).unwrap();
        assert_eq!((shown.metrics.clone(), shown.rows[0].name.as_str()), (vec!["pixel_auroc".to_owned()], "x"));
        let metric = view(&["image_ap"], "baseline").of(study.clone(), &plan).unwrap_err();
        assert!(metric.remedy.contains("image_auroc"), "{metric}");
        assert!(view(&[], "basline").of(study, &plan).unwrap_err().what.contains("basline"));
    }
}
