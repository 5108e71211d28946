//! One thing that this machine has or lacks.

use serde_json::json;

/// What was looked for, what was found, and what to do.
pub struct Finding {
    pub what: &'static str,
    /// What was found, or why not.
    pub state: Result<String, String>,
    /// What to do where it is missing.
    pub remedy: String,
    /// Whether training is impossible without it.
    pub needed: bool,
}

impl Finding {
    /// One that training can do without.
    pub fn useful(what: &'static str, state: Result<String, String>, remedy: &str) -> Self {
        Self { what, state, remedy: remedy.into(), needed: false }
    }

    /// One that training needs.
    pub fn needed(what: &'static str, state: Result<String, String>, remedy: &str) -> Self {
        Self { needed: true, ..Self::useful(what, state, remedy) }
    }

    /// Whether it keeps this machine from training.
    pub fn blocks(&self) -> bool {
        self.needed && self.state.is_err()
    }

    /// `ok`, `missing` (training needs it) or `none`.
    fn grade(&self) -> &'static str {
        match &self.state {
            Ok(_) => "ok",
            Err(_) if self.needed => "missing",
            Err(_) => "none",
        }
    }

    /// A line, and where something is missing a second one that says what to do.
    pub fn text(&self) -> String {
        let grade = if self.blocks() { "MISSING" } else { self.grade() };
        match &self.state {
            Ok(found) => format!("  {grade:<8} {:<22} {found}", self.what),
            Err(why) => format!("  {grade:<8} {:<22} {why}\n{:34}{}", self.what, "", self.remedy),
        }
    }

    pub fn json(&self) -> serde_json::Value {
        let remedy = self.state.as_ref().err().map(|_| &self.remedy);
        json!({ "what": self.what, "state": self.grade(), "found": self.state.as_ref().ok(), "why": self.state.as_ref().err(), "remedy": remedy })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_training_needs_and_lacks_is_marked_and_all_else_is_not() {
        let lacks = || Err("not there".to_owned());
        let (needed, useful) = (Finding::needed("a", lacks(), "get it"), Finding::useful("b", lacks(), "get it"));
        assert!(needed.blocks() && needed.text().contains("MISSING") && needed.text().ends_with("get it"), "{}", needed.text());
        assert!(!useful.blocks() && useful.text().contains("none "), "{}", useful.text());
        assert_eq!([needed.json()["state"].clone(), useful.json()["state"].clone()], ["missing", "none"]);
        let there = Finding::needed("a", Ok("v1".into()), "get it");
        assert!(!there.blocks() && there.json()["remedy"].is_null() && there.json()["found"] == "v1");
    }
}
