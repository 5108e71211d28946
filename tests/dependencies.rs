//! What the packages depend on: under licences that deny.toml allows, from crates.io alone, each pinned by its checksum.

use std::collections::BTreeSet;
use std::process::Command;

use harness::testing;
use serde_json::Value;

const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// The licences that deny.toml allows.
fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(testing::root().join("deny.toml")).unwrap();
    let deny: toml::Table = toml::from_str(&text).unwrap();
    deny["licenses"]["allow"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

/// Whether a licence expression can be met: `OR` (in old manifests `/`) leaves a choice, `AND` does not.
fn is_met(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let plain = expression.replace(['(', ')'], " ");
    let parts = |text: &str, word: &str| text.split(word).map(str::to_owned).collect::<Vec<_>>();
    // An `AND` of choices: the only form with both that occurs has its choice in parentheses.
    parts(&plain, " AND ").iter().all(|all| {
        let choices = parts(&all.replace('/', " OR "), " OR ");
        choices.iter().any(|licence| allowed.contains(licence.trim()))
    })
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed_and_comes_from_the_registry() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    // Of other platforms' packages cargo has downloaded nothing, unless something asked for them.
    let rustc = Command::new("rustc").arg("-vV").output().unwrap();
    let told = String::from_utf8(rustc.stdout).unwrap();
    let host = told.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host");
    let words = ["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host];
    let output = Command::new(cargo).args(words).current_dir(testing::root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let allowed = allowed();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "{} packages", packages.len());
    for package in packages {
        let (name, licence) = (&package["name"], package["license"].as_str().unwrap_or("none"));
        assert!(is_met(licence, &allowed), "{name}: {licence}");
        assert!(package["source"].is_null() || package["source"] == REGISTRY, "{name}: {}", package["source"]);
    }
}

#[test]
fn every_version_is_pinned_by_a_checksum() {
    let text = std::fs::read_to_string(testing::root().join("Cargo.lock")).unwrap();
    let lock: toml::Table = toml::from_str(&text).unwrap();
    for package in lock["package"].as_array().unwrap() {
        let ours = package.get("source").is_none();
        assert!(ours || package.get("checksum").is_some_and(|sum| sum.as_str().is_some_and(|sum| sum.len() == 64)), "{}", package["name"]);
    }
}

#[test]
fn an_expression_is_met_where_a_choice_is_left() {
    let allowed: BTreeSet<String> = ["MIT", "Unicode-3.0"].map(String::from).into();
    for (expression, met) in [
        ("MIT OR GPL-3.0", true),
        ("GPL-3.0/MIT", true),
        ("GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("none", false),
    ] {
        assert_eq!(is_met(expression, &allowed), met, "{expression}");
    }
}
