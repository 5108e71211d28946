//! How a plan differs from the one before it, told key by key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::axes::{Against, Axis, Counterpart};
use super::plan::{Facts, Plan, PlannedRow};
use crate::config::Config;

impl Plan {
    /// What changed since `before`, a line each, for people; empty where both plan the same.
    pub fn changes(&self, before: &Plan) -> Vec<String> {
        let mut lines = vec![];
        self.changes_of_all(before, &mut lines);
        for row in &self.rows {
            match before.rows.iter().find(|old| old.name == row.name) {
                None => lines.push(format!("new row: {}", row.name)),
                Some(old) => lines.extend(row.changes(old).into_iter().map(|line| format!("{}: {line}", row.name))),
            }
        }
        for old in before.rows.iter().filter(|old| self.rows.iter().all(|row| row.name != old.name)) {
            lines.push(format!("no longer a row: {}", old.name));
        }
        lines
    }

    /// What changed for all rows.
    fn changes_of_all(&self, before: &Plan, lines: &mut Vec<String>) {
        let mut note = |what: &str, old: &str, new: &str| {
            if old != new {
                lines.push(format!("{what}: {old} -> {new}"));
            }
        };
        note("METHOD_VERSION", &before.method_version.to_string(), &self.method_version.to_string());
        note("title", &before.title, &self.title);
        note("profile", &before.profile.to_string(), &self.profile.to_string());
        for ((what, old), new) in ["seeds", "categories", "metrics", "axes"].into_iter().zip(before.lists()).zip(self.lists()) {
            note(what, &old, &new);
        }
        note("compared with", &before.compared(), &self.compared());
        note("data.root", &before.root, &self.root);
        note("device", &before.facts.device, &self.facts.device);
        let (old, short) = (hashes(&before.facts), |hash: &str| hash.chars().take(10).collect::<String>());
        for (name, hash) in &hashes(&self.facts) {
            if let Some(old) = old.get(name) {
                note(&format!("content of {name}"), &short(old), &short(hash));
            }
        }
    }

    /// Seeds, categories, metrics and axes.
    fn lists(&self) -> [String; 4] {
        let axis = |axis: &Axis| format!("{} = {}", axis.key, Value::from(axis.values.clone()));
        [
            self.seeds.iter().map(u64::to_string).collect::<Vec<_>>(),
            self.facts.data.iter().map(|(category, _)| category.clone()).collect(),
            self.metrics.clone(),
            self.axes.iter().map(axis).collect(),
        ]
        .map(|entries| if entries.is_empty() { "none".to_owned() } else { entries.join(", ") })
    }

    /// With what rows are compared, for people.
    fn compared(&self) -> String {
        match self.against {
            Against::Previous => "the previous row".into(),
            Against::Row(place) => self.rows.get(place).map_or_else(|| place.to_string(), |row| row.name.clone()),
        }
    }
}

impl PlannedRow {
    /// What changed since `before`, a line each.
    fn changes(&self, before: &PlannedRow) -> Vec<String> {
        let none = || "none".to_owned();
        let paper = |row: &PlannedRow| row.paper.as_ref().map_or_else(none, |p| format!("table {} line {}", p.table, p.line));
        let published = |row: &PlannedRow| row.published.as_ref().map_or_else(none, ToString::to_string);
        let note = |row: &PlannedRow| row.note.clone().unwrap_or_else(none);
        let own = |row: &PlannedRow| match row.against {
            None => "the row of all".to_owned(),
            Some(Counterpart::None) => none(),
            Some(Counterpart::Row(other)) => format!("row {}", other + 1),
        };
        let quoted = [
            ("compared with", own(before), own(self)),
            ("paper", paper(before), paper(self)),
            ("published", published(before), published(self)),
            ("note", note(before), note(self)),
        ];
        let mut lines: Vec<String> =
            quoted.into_iter().filter(|(_, old, new)| old != new).map(|(what, old, new)| format!("{what}: {old} -> {new}")).collect();
        // What the row's runs do not read changes nothing about it.
        let config = Config::of_keys(&self.config);
        let read = |key: &str| config.as_ref().is_none_or(|config| config.reads(key));
        for (key, value) in self.config.iter().filter(|(key, _)| key.as_str() != "data.root" && read(key)) {
            let known = before.config.get(key);
            if known != Some(value) {
                let old = known.map_or("(not there)".to_owned(), Value::to_string);
                lines.push(format!("{key}: {old} -> {value}"));
            }
        }
        lines
    }
}

/// Content hashes by category, weights file and folder of photographs.
fn hashes(facts: &Facts) -> BTreeMap<String, String> {
    facts.data.iter().cloned().chain(facts.weights.clone()).chain(facts.textures.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::example::{ROWS, planned};
    use super::*;

    #[test]
    fn what_changed_since_the_last_plan_is_told_key_by_key() {
        let before = planned(ROWS, &[]);
        assert_eq!(before.changes(&before), Vec::<String>::new());
        let mut after = planned(&ROWS.replace("\"+ sc\"", "\"+ self-calibration\""), &["optim.momentum=0.5"]);
        after.facts.data[0].1 = "d9".into();
        assert!(!after.is_same(&before) && Plan { command: "other".into(), ..before.clone() }.is_same(&before));
        let lines = after.changes(&before);
        assert!(lines.contains(&"content of gear: d1 -> d9".to_owned()), "{lines:?}");
        assert!(lines.contains(&"baseline: optim.momentum: 0.9 -> 0.5".to_owned()), "{lines:?}");
        assert!(lines.contains(&"new row: + self-calibration".to_owned()) && lines.contains(&"no longer a row: + sc".to_owned()));
        // A row has changed where a key that its runs read has.
        let two = "title = \"t\"\n[[ablate]]\nname = \"paper\"\n[[ablate]]\nname = \"padim\"\nset = { detector = \"padim\" }";
        let changed = planned(two, &["optim.momentum=0.5"]).changes(&planned(two, &[]));
        assert_eq!(changed, ["paper: optim.momentum: 0.9 -> 0.5"]);
        let frozen = |lr| planned(ROWS, &["model.backbone.freeze=all", lr]);
        assert!(frozen("model.backbone_lr=0.5").changes(&frozen("model.backbone_lr=0.1")).is_empty());
        // Each thing that a table is made of.
        let edit = |from: &str, to: &str| planned(&ROWS.replace(from, to), &[]).changes(&before);
        assert_eq!(edit("[3, 4]", "[3, 4, 5]"), ["seeds: 3, 4 -> 3, 4, 5"]);
        assert_eq!(edit("title = \"t\"", "title = \"u\"\nmetrics = [\"pixel_ap\"]").len(), 2);
        assert_eq!(edit("against = \"previous\"", "against = \"baseline\""), ["compared with: the previous row -> baseline"]);
        let paper = "name = \"baseline\"\npaper = { table = 4, line = \"1\" }";
        assert_eq!(edit("name = \"baseline\"", paper), ["baseline: paper: none -> table 4 line 1"]);
        let cited = "name = \"baseline\"\npublished = { system = \"RD\", source = \"own paper\" }\nnote = \"n\"";
        assert_eq!(edit("name = \"baseline\"", cited), ["baseline: published: none -> RD, own paper", "baseline: note: none -> n"]);
        let axes = planned("title = \"t\"\n[grid]\npseudo.ratio = [0, 0.5]", &[]);
        let longer = planned("title = \"t\"\n[grid]\npseudo.ratio = [0, 0.5, 1]", &[]);
        assert_eq!(longer.changes(&axes), ["axes: pseudo.ratio = [0.0,0.5] -> pseudo.ratio = [0.0,0.5,1.0]", "new row: pseudo.ratio=1"]);
        let mut other = before.clone();
        other.facts.data.pop();
        assert_eq!(other.changes(&before), ["categories: gear, chip -> gear"]);
    }
}
