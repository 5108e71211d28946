//! `harness config show | explain | check`.

use serde_json::json;

use super::complete;
use crate::config::Profile;
use crate::config::reference::{self, Identity};
use crate::{Error, Result, console, showln};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print a whole configuration as TOML: the defaults of a profile, or a file with overrides
    Show(Given),
    /// Say what keys mean, what they may be and their defaults: one key, a section, or all
    Explain {
        /// A key such as loss.score.gamma, or a section such as loss
        #[arg(add = complete::keys())]
        key: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Check a file and overrides; silent when they are right, a warning for each key that nothing reads
    Check(Given),
}

#[derive(Debug, clap::Args)]
struct Given {
    /// An experiment file (TOML) and any number of key=value overrides
    #[arg(value_name = "FILE | KEY=VALUE", add = complete::words())]
    arguments: Vec<String>,
    /// Defaults below the file: cpu (small) or paper
    #[arg(long, value_enum)]
    profile: Option<Profile>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> Result<()> {
    match &args.verb {
        Verb::Show(given) => {
            let resolved = super::run::resolve(&given.arguments, given.profile, None)?;
            if given.json {
                console::json(&json!({ "profile": resolved.profile.to_string(), "config": resolved.config }));
                return Ok(());
            }
            showln!("# profile {}", resolved.profile);
            console::raw(&resolved.config.to_toml());
            Ok(())
        }
        Verb::Explain { key, json } => explain(key.as_deref().unwrap_or(""), *json),
        Verb::Check(given) => {
            let resolved = super::run::resolve(&given.arguments, given.profile, None)?;
            if given.json {
                console::json(&json!({ "detector": resolved.config.detector.name(), "unread": resolved.unread }));
                return Ok(());
            }
            for key in &resolved.unread {
                showln!("warning: {} does not read `{key}` with these settings: it changes nothing", resolved.config.detector);
            }
            Ok(())
        }
    }
}

/// Says what the keys below `path` are, or lists them for programs.
fn explain(path: &str, as_json: bool) -> Result<()> {
    let below = |k: &&reference::Key| path.is_empty() || k.path == path || k.path.starts_with(&format!("{path}."));
    let keys: Vec<_> = reference::keys().iter().filter(below).collect();
    if keys.is_empty() {
        let near = reference::suggestion(path).map_or("`harness config explain` lists all".to_owned(), |k| format!("did you mean `{k}`?"));
        return Err(Error::config(format!("no key or section is called `{path}`"), near));
    }
    let cpu = super::run::split(&[], Some(Profile::Cpu)).resolve()?.config;
    let cpu = toml::Table::try_from(cpu).expect("a configuration is TOML");
    if as_json {
        let object = |key: &&reference::Key| {
            let small = reference::lookup(&cpu, &key.path).filter(|value| **value != key.default);
            json!({
                "key": key.path, "meaning": key.doc, "allowed": key.spec.to_string(), "default": key.default, "cpu_default": small,
                "in_id": meaning(key.identity).unwrap_or("its value"),
            })
        };
        console::json(&keys.iter().map(object).collect::<Vec<_>>());
        return Ok(());
    }
    for key in keys {
        let small = reference::lookup(&cpu, &key.path).filter(|v| **v != key.default);
        showln!("{}\n    {}", key.path, key.doc);
        showln!("    allowed: {}", key.spec);
        if let Some(meaning) = meaning(key.identity) {
            showln!("    in a run's id: {meaning}");
        }
        showln!("    default: {}{}\n", key.default, small.map_or(String::new(), |v| format!("  (cpu profile: {v})")));
    }
    Ok(())
}

/// What a key means for the identity of a run, where that is not its value.
fn meaning(identity: Identity) -> Option<&'static str> {
    match identity {
        Identity::Value => None,
        Identity::Content => Some("what it points to, not its name"),
        Identity::Each => Some("each entry makes a run of its own"),
        Identity::Nothing => Some("no, it never changes a result"),
    }
}
