//! One page of a study: `report.html`, a single file that needs no network, no server and no script to be read.
//!
//! The answer first, then the table, the picture that shows it best, what was found, and below that all that it rests on: further
//! tables and figures, the settings that differ, failures, environments, how to repeat it, every run. It leads to what lies beside it
//! by relative addresses, which hold when the results folder is moved as a whole. Times stand in their own section alone:
//! everything else depends on the study and its runs only.

mod about;
mod answer;
mod content;
mod filter;
mod html;
mod listing;
mod machines;
mod mark;
mod picture;
mod runs;

pub use content::Page;
pub use listing::Listing;
pub use machines::Machines;
pub use mark::Mark;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use crate::Result;
use crate::file;

use super::figure::Drawn;
use super::{Form, Table};
use html::{address, attributes, escape, link, table};

const STYLE: &str = include_str!("../../../../assets/report.css");
const SCRIPT: &str = include_str!("../../../../assets/report.js");

/// What a browser may do for this page: show what it holds, and make no request.
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; form-action 'none'; base-uri 'none'";

/// Figures that show what a sweep over keys was made for; where there is none of them, the first figure does.
const PICTURES: [&str; 3] = ["interaction", "matrix", "course"];

/// From so many columns on, paper is turned for the whole page.
const BROAD: usize = 15;

/// A table alone as HTML, to stand in a page of somebody else's.
pub fn fragment(table: &Table, form: Form) -> String {
    Listing::of(table, form, None).iter().map(html::table).collect()
}

/// Writes the page, replacing the file whole.
///
/// # Errors
/// A figure that cannot be read and a page that cannot be written, by path.
pub fn write(path: &Path, page: &Page) -> Result<()> {
    file::replace(path, page.html()?.as_bytes())
}

impl Page<'_> {
    /// The page as HTML.
    ///
    /// # Errors
    /// A figure that cannot be read.
    pub fn html(&self) -> Result<String> {
        let tables = self.spare();
        let mut others = tables.iter().flatten();
        let first = others.next();
        let is_panel = |drawn: &Drawn| drawn.name.starts_with("panels-");
        let chosen = self.picture();
        let figures = |wanted: &dyn Fn(usize, &Drawn) -> bool| self.pictures(wanted);
        let sections = [
            ("table", "Table", first.map(table).unwrap_or_default() + &self.files()),
            ("picture", "Picture", figures(&|place, _| Some(place) == chosen)?),
            ("findings", "Findings", answer::findings(self.findings, self.study)),
            ("tables", "More tables", others.map(table).collect()),
            ("figures", "More figures", figures(&|place, drawn| Some(place) != chosen && !is_panel(drawn))?),
            ("images", "Test images", figures(&|place, drawn| Some(place) != chosen && is_panel(drawn))?),
            ("settings", "Settings that differ", about::settings(self)),
            ("failures", "Failures", runs::failures(self)),
            ("what", "What was run", about::what(self)),
            ("environment", "Environment", about::environment(self.machines)),
            ("repeat", "How to repeat it", about::repeat(self)),
            ("runs", "Runs and times", runs::times(self)),
        ];
        let shown: Vec<_> = sections.into_iter().filter(|(_, _, body)| !body.is_empty()).collect();
        let title = escape(if self.study.title.is_empty() { &self.study.name } else { &self.study.title });
        let columns = tables.iter().flatten().map(|listing| listing.header.len()).max().unwrap_or(0);
        let body = if columns >= BROAD { "<body class=\"broad\">" } else { "<body>" };
        let mut out = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n{body}\n<header>\n<h1>{title}</h1>\n{}</header>\n\
             <nav aria-label=\"Contents\"><ul>\n",
            answer::head(self)
        );
        for (id, heading, _) in &shown {
            let _ = writeln!(out, "<li><a href=\"#{id}\">{heading}</a></li>");
        }
        let _ = write!(out, "</ul></nav>\n<main>\n{}", filter::form(self.study));
        for (id, heading, body) in &shown {
            let _ = writeln!(
                out,
                "<section id=\"{id}\" aria-labelledby=\"{id}-heading\">\n<h2 id=\"{id}-heading\">{heading}</h2>\n{body}</section>"
            );
        }
        let _ = write!(out, "</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n");
        Ok(out)
    }

    /// The tables without notes that stand below an earlier one, word for word.
    fn spare(&self) -> Vec<Vec<Listing>> {
        let (mut tables, mut said) = (self.tables.to_vec(), BTreeSet::new());
        tables.iter_mut().flatten().for_each(|listing| listing.notes.retain(|note| said.insert(note.clone())));
        tables
    }

    /// The place of the figure that shows best what was asked.
    fn picture(&self) -> Option<usize> {
        let place = |name: &str| self.figures.iter().position(|drawn| drawn.name == name && drawn.file.is_some());
        PICTURES.into_iter().find_map(place).or_else(|| self.figures.iter().position(|drawn| drawn.file.is_some()))
    }

    /// Figures with their words, those that are wanted by place and content.
    fn pictures(&self, wanted: &dyn Fn(usize, &Drawn) -> bool) -> Result<String> {
        let bitmaps = self.figures.iter().filter(|d| d.file.as_ref().is_some_and(|f| f.extension().is_some_and(|e| e == "png"))).count();
        let mut out = String::new();
        for (_, drawn) in self.figures.iter().enumerate().filter(|(place, drawn)| wanted(*place, drawn)) {
            let _ = writeln!(out, "<div class=\"block\"{}>\n<h3>{}</h3>", attributes(&self.about(drawn)), escape(&drawn.title));
            let (alt, caption) = (escape(&drawn.alt), escape(&drawn.caption));
            let _ = match &drawn.file {
                None => writeln!(out, "<p class=\"note\">{caption}</p>\n</div>"),
                Some(path) => writeln!(
                    out,
                    "<figure id=\"{}\"><img src=\"{}\" alt=\"{alt}\">\n<figcaption>{caption}</figcaption></figure>\n</div>",
                    escape(&drawn.name),
                    picture::address(path, bitmaps)?
                ),
            };
        }
        Ok(out)
    }

    /// The one metric or category that a figure is about, by its name.
    fn about(&self, drawn: &Drawn) -> Mark {
        let ends = |word: &String| drawn.name.strip_suffix(&word.replace('@', "-")).is_some_and(|start| start.ends_with('-'));
        match drawn.name.strip_prefix("panels-") {
            Some(_) => self.study.categories.iter().find(|category| ends(category)).map_or_else(Mark::default, |name| Mark::category(name)),
            None => self.study.metrics.iter().find(|metric| ends(metric)).map_or_else(Mark::default, |name| Mark::metric(name)),
        }
    }

    /// The table in its other formats, as far as they are there.
    fn files(&self) -> String {
        let endings = super::Format::FILES.map(|(_, ending)| format!("table.{ending}"));
        let links: Vec<String> = endings.iter().filter(|name| self.has(name)).map(|name| link(&address(&[name]), name)).collect();
        if links.is_empty() {
            String::new()
        } else {
            format!("<p class=\"note files\">The same in other formats: {}.</p>\n", links.join(", "))
        }
    }
}
