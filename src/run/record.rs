//! run.json: how often a run was started, by which command, and how its last attempt ended.

use super::Git;
use serde::{Deserialize, Serialize};

/// The format of run.json.
pub const FORMAT: u32 = 1;

/// How the last attempt stands. Whether it still lives is the lock's to say, and whether the run is finished is
/// summary.json's; see [`super::Status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Not ended yet, or killed.
    Running,
    /// Ended on request with a checkpoint.
    Stopped,
    Failed,
    Finished,
}

/// run.json.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub format: u32,
    /// `<experiment>/<hash10>-s<seed>`.
    pub id: String,
    pub category: String,
    /// [`super::SCHEMA_VERSION`] when the run was first started: how its id was made.
    #[serde(default = "first_schema")]
    pub schema: u32,
    pub status: Outcome,
    /// How often it was started, the present attempt included.
    pub attempts: u32,
    /// Start of the last attempt: UTC, RFC 3339 with milliseconds, so that text sorts as time.
    pub started: String,
    /// The checkout that the program of the last attempt was built from, if it was one.
    pub git: Option<Git>,
    /// The command of the last attempt.
    pub argv: Vec<String>,
    /// The folder that the last attempt was started in: relative paths of config.toml are meant from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// What was odd about attempts: a damaged checkpoint, a changed environment.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Labels that the user gave (`--tag`), for lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The sweep that started the last attempt, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweep: Option<String>,
    /// The user's remark (`--note`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Records of schema 1 do not name it.
fn first_schema() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_does_not_name_its_schema_is_of_the_first() {
        let text =
            r#"{"format":1,"id":"x/0123456789-s0","category":"gear","status":"finished","attempts":1,"started":"","git":null,"argv":[]}"#;
        let record: Record = serde_json::from_str(text).unwrap();
        assert_eq!(record.schema, 1);
        let named = serde_json::to_string(&Record { schema: 2, ..record }).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&named).unwrap().schema, 2);
    }
}
