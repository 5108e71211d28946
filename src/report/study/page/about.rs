//! What was run, with which settings, where, and how to do it again.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::content::Page;
use super::html::{address, escape, link, table, terms};
use super::listing::Listing;
use super::machines::Machines;
use super::mark::Mark;
use crate::names::{counted, place, without_places};
use crate::report::lineage;
use crate::report::spell::{NOTHING, spelled};
use crate::run::{Environment, Git, Summary};
use crate::sweep::{Against, Cell, Row, Study};
use crate::ui::text;

/// Sweep, data, rows, runs, protocol.
pub fn what(page: &Page) -> String {
    let Study { name, profile, data, root, rows, categories, seeds, axes, .. } = page.study;
    let against = match page.study.against {
        Against::Previous => "the row before".to_owned(),
        Against::Row(row) => page.row(row).to_owned(),
    };
    let listed = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(", ");
    let mut pairs = vec![("sweep", name.clone()), ("profile", profile.clone()), ("data", data.clone())];
    if root != crate::data::root::BUILTIN {
        pairs.push(("folder", place(root).into_owned()));
    }
    if !axes.is_empty() {
        pairs.push(("varied", listed(&mut axes.iter().map(|axis| axis.key.clone()))));
    }
    pairs.extend([
        ("rows", format!("{}: {}", rows.len(), listed(&mut rows.iter().map(|row| row.name.clone())))),
        ("categories", format!("{}: {}", categories.len(), categories.join(", "))),
        ("seeds", listed(&mut seeds.iter().map(u64::to_string))),
        (
            "n",
            format!(
                "{} a row: {} × {}",
                counted(page.comparison.pairs, "run", "runs"),
                counted(categories.len(), "category", "categories"),
                counted(seeds.len(), "seed", "seeds")
            ),
        ),
        ("compared with", against),
    ]);
    pairs.extend(lineages(page.study));
    terms(&pairs.into_iter().map(|(term, words)| (term, escape(&words))).collect::<Vec<_>>())
}

/// What the runs say of their lineage, each once: every protocol, then every backbone.
fn lineages(study: &Study) -> Vec<(&'static str, String)> {
    let of = |run: &Summary| {
        let protocol = Some(("protocol", lineage::protocol(run).to_owned()));
        let selection = lineage::selection(run).map(|text| ("selection", text.to_owned()));
        [protocol, lineage::backbone(run).map(|text| ("backbone", text)), selection]
    };
    let (runs, mut found) = (study.cells.iter().filter_map(Cell::summary), vec![]);
    for pair in runs.flat_map(of).flatten() {
        if !found.contains(&pair) {
            found.push(pair);
        }
    }
    let order = |term: &str| ["protocol", "backbone", "selection"].iter().position(|known| *known == term);
    found.sort_by_key(|(term, _)| order(term));
    found
}

/// So many keys have a column each; where there are more, a row's settings stand in one cell.
const COLUMNS: usize = 8;

/// The keys in which rows differ; a row's name leads to its whole configuration.
pub fn settings(page: &Page) -> String {
    let rows = &page.study.rows;
    let keys: BTreeSet<&String> = rows.iter().flat_map(|row| row.settings.keys()).collect();
    let Some(first) = rows.first().filter(|_| !keys.is_empty()) else { return String::new() };
    let config = |row: usize| {
        let name = format!("{}.toml", row + 1);
        page.has(&format!("rows/{name}")).then(|| ((row, 0), address(&["rows", &name])))
    };
    let listing = if keys.len() <= COLUMNS { by_key(rows, &keys) } else { in_one_cell(rows, first) };
    table(&Listing {
        lines: rows.iter().map(|row| Mark::row(&row.name)).collect(),
        links: (0..rows.len()).filter_map(config).collect(),
        ..listing
    })
}

fn by_key(rows: &[Row], keys: &BTreeSet<&String>) -> Listing {
    let line = |row: &Row| {
        let value = |key: &&String| row.settings.get(*key).map_or_else(|| NOTHING.into(), told);
        std::iter::once(row.name.clone()).chain(keys.iter().map(value)).collect()
    };
    Listing {
        header: std::iter::once("row".to_owned()).chain(keys.iter().map(|key| key.to_string())).collect(),
        rows: rows.iter().map(line).collect(),
        notes: vec!["All other settings are the same in every row.".into()],
        ..Listing::default()
    }
}

/// A value as the page shows it: without absolute paths.
fn told(value: &serde_json::Value) -> String {
    let spelled = spelled(value);
    if value.is_string() { place(&spelled) } else { without_places(&spelled) }.into_owned()
}

/// Every setting of the first row in which another differs, and those of each other row that the first has otherwise.
fn in_one_cell(rows: &[Row], first: &Row) -> Listing {
    let line = |(place, row): (usize, &Row)| {
        let told = row.settings.iter().filter(|(key, value)| place == 0 || first.settings.get(*key) != Some(*value));
        let told: Vec<String> = told.map(|(key, value)| format!("{key} = {}", self::told(value))).collect();
        vec![row.name.clone(), if told.is_empty() { NOTHING.into() } else { told.join(", ") }]
    };
    Listing {
        header: ["row", "settings"].map(String::from).to_vec(),
        rows: rows.iter().enumerate().map(line).collect(),
        notes: vec![format!("Of each row, what {} has otherwise; all other settings are the same in every row.", first.name)],
        ..Listing::default()
    }
}

/// The command, without absolute paths, as the page is passed on; and the file that it was given.
pub fn repeat(page: &Page) -> String {
    let command = without_places(page.command);
    let mut out = format!("<pre tabindex=\"0\"><code>{}</code></pre>\n", escape(&command));
    if command != page.command {
        out += "<p class=\"note\">…/ stands for an absolute path; plan.json has the command in full.</p>\n";
    }
    let file = crate::sweep::folder::FILE;
    if page.has(file) {
        let _ = writeln!(out, "<p class=\"note\">The sweep file as it was read then: {}.</p>", link(&address(&[file]), file));
    }
    out
}

/// The machines and programs that the runs were made with, and the content of their data.
pub fn environment(machines: &Machines) -> String {
    let Machines { environments, revisions, data, unknown } = machines;
    let mut out = String::new();
    for (environment, runs) in environments {
        out += &terms(&described(environment, *runs));
    }
    if let Some(warning) = machines.warning() {
        let _ = writeln!(out, "<p class=\"bad\">{warning}</p>");
    }
    let revision = |(git, runs): &(Option<Git>, usize)| match git {
        Some(git) => vec![git.revision.clone(), if git.dirty { "yes" } else { "no" }.into(), runs.to_string()],
        None => vec![NOTHING.into(), NOTHING.into(), runs.to_string()],
    };
    if !revisions.is_empty() {
        let header = ["git revision", "with changes", "runs"].map(String::from).to_vec();
        out += &table(&Listing { header, rows: revisions.iter().map(revision).collect(), ..Listing::default() });
    }
    if !data.is_empty() {
        let header = ["category", "hash of the data"].map(String::from).to_vec();
        let rows = data.iter().map(|(category, hashes)| vec![category.clone(), hashes.join(", ")]).collect();
        let lines = data.keys().map(|category| Mark::category(category)).collect();
        let listing = Listing { header, rows, lines, ..Listing::default() };
        out += &format!("<details><summary>Data</summary>\n{}</details>\n", table(&listing));
    }
    if *unknown > 0 {
        let _ = writeln!(out, "<p class=\"note\">{} left no description of their environment.</p>", counted(*unknown, "run", "runs"));
    }
    out
}

fn described(environment: &Environment, runs: usize) -> Vec<(&'static str, String)> {
    let Environment { harness, os, cpu, ram_bytes, given, .. } = environment;
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| NOTHING.into());
    let pairs = vec![
        ("runs", runs.to_string()),
        ("harness", harness.clone()),
        ("libtorch", or_dash(&given.libtorch)),
        ("rustc", or_dash(&given.rustc)),
        ("device", format!("{}, {} threads an operator", given.device, given.threads)),
        ("processor", format!("{}, {} cores, {}", cpu.model, cpu.cores, cpu.flags.join(" "))),
        ("memory", ram_bytes.map_or_else(|| NOTHING.into(), text::bytes)),
        ("system", os.clone()),
        ("weights", or_dash(&given.weights_hash)),
        ("photographs", or_dash(&given.textures_hash)),
    ];
    pairs.into_iter().map(|(term, words)| (term, escape(&words))).collect()
}
