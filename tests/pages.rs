//! The pages of the project: what they link to is there.

use std::path::{Path, PathBuf};

/// Every page that is written by hand.
fn pages() -> Vec<PathBuf> {
    let root = harness::testing::root().to_path_buf();
    let mut found = vec![];
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            let name = entry.file_name().unwrap().to_string_lossy().into_owned();
            let made = ["target", "results", "plots", "weights", "data"].contains(&name.as_str()) && folder == root;
            if entry.is_dir() && !made && !name.starts_with('.') {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "md") {
                found.push(entry);
            }
        }
    }
    found.sort();
    found
}

/// The targets of `[text](target)` and `![text](target)`, with the headings that they name.
fn links(text: &str) -> Vec<(String, Option<String>)> {
    let ends = text.match_indices("](").map(|(at, _)| &text[at + 2..]);
    let targets = ends.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target).filter(|target| !target.contains([' ', '\n']));
    let parts = targets.filter(|target| !target.contains("://")).map(|target| match target.split_once('#') {
        Some((file, heading)) => (file.to_owned(), Some(heading.to_owned())),
        None => (target.to_owned(), None),
    });
    parts.collect()
}

/// A heading as links name it: lower case, spaces as hyphens, nothing but letters, digits, hyphens and underscores.
fn anchors(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).unwrap();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_');
    headings.map(|heading| heading.replace(' ', "-").chars().filter(kept).collect()).collect()
}

#[test]
fn every_link_leads_to_a_file_and_a_heading_of_it() {
    let pages = pages();
    assert!(pages.len() > 15, "{pages:?}");
    let mut lost = vec![];
    let mut seen = 0;
    for page in &pages {
        for (file, heading) in links(&std::fs::read_to_string(page).unwrap()) {
            seen += 1;
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(&file) };
            let there = target.exists() && heading.as_ref().is_none_or(|heading| anchors(&target).contains(heading));
            if !there {
                lost.push(format!("{}: {file}#{}", page.display(), heading.unwrap_or_default()));
            }
        }
    }
    assert!(seen > 50 && lost.is_empty(), "of {seen} links these lead nowhere:\n{}", lost.join("\n"));
}
