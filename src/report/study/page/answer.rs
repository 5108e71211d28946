//! What stands first: what it is about in a line, the answer in a few sentences; and what was found.

use std::fmt::Write;

use super::content::Page;
use super::html::{address, attributes, escape, link};
use super::mark::Mark;
use crate::names::counted;
use crate::report::spell::metric_name;
use crate::report::study::{Finding, Kind};
use crate::sweep::{Outcome, Study};

/// What was run, in a line, and the answer.
pub fn head(page: &Page) -> String {
    let study = page.study;
    let sized = [
        counted(study.rows.len(), "row", "rows"),
        counted(study.categories.len(), "category", "categories"),
        counted(study.seeds.len(), "seed", "seeds"),
    ];
    let mut facts = vec![escape(&study.data), format!("profile {}", escape(&study.profile)), sized.join(" × "), runs(page)];
    facts.extend(sources(page));
    let sentences: String = page.answer.iter().map(|sentence| format!("<p>{}</p>\n", escape(sentence))).collect();
    let answer = match sentences.is_empty() {
        true => sentences,
        false => format!("<div id=\"answer\" role=\"group\" aria-label=\"The answer\">\n{sentences}</div>\n"),
    };
    format!("{answer}<p class=\"facts\">{}</p>\n", facts.join(" · "))
}

/// How many of the runs are finished; what is not leads to its reasons.
fn runs(page: &Page) -> String {
    let cells = &page.study.cells;
    let finished = cells.iter().filter(|cell| cell.summary().is_some()).count();
    let failed = cells.iter().filter(|cell| matches!(cell.outcome, Outcome::Failed { .. })).count();
    let (all, missing) = (cells.len(), cells.len() - finished - failed);
    match (failed, missing) {
        (0, 0) => format!("all {} finished", counted(all, "run", "runs")),
        _ => format!("<a class=\"bad\" href=\"#failures\">{finished} of {all} finished, {failed} failed, {missing} missing</a>"),
    }
}

/// Links to what the runs were made from.
fn sources(page: &Page) -> Option<String> {
    let name = [crate::sweep::folder::FILE, "plan.json"].into_iter().find(|name| page.has(name))?;
    let text = if name == "plan.json" { "the plan" } else { "the sweep file" };
    Some(link(&address(&[name]), text))
}

/// What was found: what holds for all in a paragraph, then an item each; those within the noise are folded.
pub fn findings(findings: &[Finding], study: &Study) -> String {
    let (general, items): (Vec<_>, Vec<_>) = findings.iter().partition(|f| matches!(f.kind, Kind::Missing | Kind::Reach));
    let (within, items): (Vec<_>, Vec<_>) = items.into_iter().partition(|f| matches!(f.kind, Kind::Within | Kind::Seeds));
    let general: Vec<String> = general.iter().map(|f| escape(&f.text)).collect();
    let mut out = String::new();
    if !general.is_empty() {
        let _ = writeln!(out, "<p>{}</p>", general.join(" "));
    }
    out += &list(&items, study);
    if !within.is_empty() {
        let counted = counted(within.len(), "finding", "findings");
        let _ = writeln!(out, "<details><summary>{counted} within the noise</summary>\n{}</details>", list(&within, study));
    }
    out
}

fn list(findings: &[&Finding], study: &Study) -> String {
    let about = |text: &str| {
        let named = study.metrics.iter().find(|metric| text.starts_with(&format!("{}:", metric_name(study, metric))));
        named.map_or_else(Mark::default, |metric| Mark::metric(metric))
    };
    let item = |f: &&Finding| format!("<li{}>{}</li>\n", attributes(&about(&f.text)), escape(&f.text));
    let items: String = findings.iter().map(item).collect();
    if items.is_empty() { items } else { format!("<ul>\n{items}</ul>\n") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::study::example;

    #[test]
    fn findings_within_the_noise_are_folded_and_named_by_their_metric() {
        let finding = |kind, text: &str| Finding { kind, text: text.into() };
        let all = [
            finding(Kind::Missing, "1 of 18 runs is missing."),
            finding(Kind::Larger, "image AUROC: <b> is larger."),
            finding(Kind::Within, "AUPRO@0.3: nothing."),
            finding(Kind::Underfit, "Warning: a"),
        ];
        let text = findings(&all, &example::ladder());
        let expected = "<p>1 of 18 runs is missing.</p>\n\
            <ul>\n<li data-metric=\"image_auroc\">image AUROC: &lt;b&gt; is larger.</li>\n<li>Warning: a</li>\n</ul>\n\
            <details><summary>1 finding within the noise</summary>\n\
            <ul>\n<li data-metric=\"aupro@0.3\">AUPRO@0.3: nothing.</li>\n</ul>\n</details>\n";
        assert_eq!(text, expected);
        assert_eq!(findings(&[], &example::ladder()), "");
    }
}
