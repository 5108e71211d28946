//! How a study is looked at: other metrics, names for people, some of its runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::query::{Facts, Query};
use crate::sweep::{Against, Cell, Counterpart, Plan, Study, chosen};
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
    /// Rows by words of [`chosen::among`]; all where empty.
    pub only: Vec<String>,
    /// The row that all others are compared with, whatever else differs, instead of those of the plan; it is shown, too.
    pub against: Option<String>,
}

impl View {
    /// The study as it is asked for.
    ///
    /// # Errors
    /// A metric that no finished run has, a label for nothing, a condition that is not understood or that no run meets, a word that
    /// means no row, or several.
    pub fn of(&self, study: Study, plan: &Plan) -> Result<Study> {
        let reference = self.reference(&study, plan)?;
        let name = reference.map(|row| study.rows[row].name.clone());
        let mut study = self.restricted(study, plan, reference)?;
        if let Some(name) = name {
            compare_with(&mut study, &name)?;
        }
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

    /// The row that all others are compared with, if one is asked for.
    fn reference(&self, study: &Study, plan: &Plan) -> Result<Option<usize>> {
        let Some(word) = &self.against else { return Ok(None) };
        match chosen::among("--against", &names(study, plan), std::slice::from_ref(word))?.as_slice() {
            [row] => Ok(Some(*row)),
            _ => Err(Error::config(format!("--against: {word:?} means several rows"), "name one by its whole name or its number")),
        }
    }

    /// The runs that are asked for, those of the reference among them.
    fn restricted(&self, study: Study, plan: &Plan, reference: Option<usize>) -> Result<Study> {
        if self.only.is_empty() && self.condition.is_none() {
            return Ok(study);
        }
        let only = if self.only.is_empty() { None } else { Some(chosen::among("--only", &names(&study, plan), &self.only)?) };
        let shown = |row: usize| only.as_ref().is_none_or(|only| only.contains(&row) || reference == Some(row));
        let located = |e: Error| Error::config(format!("--where: {}", e.what), e.remedy);
        let query = self.condition.as_ref().map(|condition| Query::parse(condition, &BTreeSet::new()).map_err(located)).transpose()?;
        let facts = |row: usize, category: &str, id: &crate::run::Id| {
            let planned = &plan.rows[row];
            Facts::planned(id.clone(), planned.entry.as_ref().unwrap_or(&planned.name), category, &planned.config)
        };
        let holds = |cell: &Cell| query.as_ref().is_none_or(|query| query.holds(&facts(cell.row, &cell.category, &cell.id)));
        let restricted = study.restricted(|cell| shown(cell.row) && holds(cell));
        if restricted.cells.is_empty() {
            let what = format!("--where: no run of this sweep meets {:?}", self.condition.as_deref().unwrap_or_default());
            return Err(Error::config(what, "compare varied keys, row, category or seed with values that the sweep has"));
        }
        Ok(restricted)
    }
}

/// Makes the row of this name the counterpart of all others.
fn compare_with(study: &mut Study, name: &str) -> Result<()> {
    let Some(reference) = study.rows.iter().position(|row| row.name == name) else {
        let what = format!("--where leaves no run of {name:?}, the row to compare with");
        return Err(Error::config(what, "let the condition hold for that row, too; --only chooses rows"));
    };
    study.against = Against::Row(reference);
    for (place, row) in study.rows.iter_mut().enumerate() {
        row.against = (place != reference).then_some(Counterpart::Row(reference));
    }
    Ok(())
}

/// Rows with runs: their places, and the names that the plan and the tables give them.
fn names<'a>(study: &'a Study, plan: &'a Plan) -> Vec<(usize, &'a str)> {
    let rows = (0..study.rows.len()).filter(|&row| !study.is_quoted(row));
    let mut names: Vec<_> = rows.flat_map(|row| [&plan.rows[row].name, &study.rows[row].name].map(|name| (row, name.as_str()))).collect();
    names.dedup();
    names
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
    use super::super::{Comparison, Incomplete, Table, example};
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
    fn any_row_may_be_the_one_that_all_are_compared_with_even_where_more_than_one_thing_differs() {
        let study = example::crossed();
        let view = |only: &[&str], against: &str| {
            let only = only.iter().map(|word| word.to_string()).collect();
            View { only, against: Some(against.into()), ..View::default() }.of(study.clone(), &plan(&study))
        };
        let last = study.rows.len() - 1;
        let shown = view(&[], &study.rows[last].name).unwrap();
        let wanted: Vec<_> = (0..=last).map(|row| (row != last).then_some(last)).collect();
        assert_eq!(shown.counterparts(), wanted);
        let notes = Table::of(&shown, &Comparison::of(&shown), Incomplete::Refuse).notes.join("\n");
        assert!(notes.contains(&format!("paired difference to \"{}\" in points", study.rows[last].name)), "{notes}");
        assert!(!notes.contains("is compared with"), "{notes}");
        // With one other row alone it is one comparison.
        let pair = view(&["1"], &format!("{}", last + 1)).unwrap();
        let names: Vec<_> = pair.rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!((names, pair.counterparts()), (vec![study.rows[0].name.as_str(), &study.rows[last].name], vec![Some(1), None]));
        assert!(view(&[], "texture").unwrap_err().what.contains("\"texture\" means several rows"));
        assert!(view(&[], "RD").unwrap_err().what.contains("--against: there is no row \"RD\""));
        assert!(view(&["RD"], "1").unwrap_err().what.contains("--only: there is no row \"RD\""));
        let gone =
            View { condition: Some("row=texture".into()), against: Some("1".into()), ..View::default() }.of(study.clone(), &plan(&study));
        assert!(gone.unwrap_err().what.contains(&format!("--where leaves no run of {:?}", study.rows[0].name)));
    }

    #[test]
    fn other_metrics_and_labels_are_shown_if_there_are_such() {
        let study = example::ladder();
        let plan = plan(&study);
        let view = |metrics: &[&str], label: &str| View {
            metrics: metrics.iter().map(|m| m.to_string()).collect(),
            labels: [(label.to_owned(), "x".to_owned())].into(),
            ..View::default()
        };
        let shown = view(&["pixel_auroc"], "baseline").of(study.clone(), &plan).unwrap();
        assert_eq!((shown.metrics.clone(), shown.rows[0].name.as_str()), (vec!["pixel_auroc".to_owned()], "x"));
        let metric = view(&["image_ap"], "baseline").of(study.clone(), &plan).unwrap_err();
        assert!(metric.remedy.contains("image_auroc"), "{metric}");
        assert!(view(&[], "basline").of(study, &plan).unwrap_err().what.contains("basline"));
    }
}
