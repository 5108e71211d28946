//! The modules of a crate as its files have them, and the paths that each file's code names. A reader of text, not a compiler:
//! it knows as much of Rust as this project's style uses.

use std::collections::BTreeMap;
use std::path::Path;

/// A module, by its path from the crate's root; the root is empty.
pub type Module = Vec<String>;

/// One file.
#[derive(Default)]
pub struct Source {
    /// Without comments and tests.
    code: String,
    /// Names that its `use` declarations bring in, with the paths as written.
    names: BTreeMap<String, Module>,
    /// Modules whose public items it has by `pub use x::*`, as written.
    globs: Vec<Module>,
    /// What it uses: declarations but re-exports of children, and paths in its code. As written.
    uses: Vec<Module>,
}

/// All files of a crate by module.
pub struct Crate(BTreeMap<Module, Source>);

impl Crate {
    /// Reads the files below `src`; those that are compiled for tests alone are left out.
    pub fn read(src: &Path) -> Self {
        let mut files = BTreeMap::new();
        collect(src, src, &mut files);
        let mut tests_only = vec![];
        let modules: Vec<Module> = files.keys().cloned().collect();
        let mut sources = BTreeMap::new();
        for (module, text) in files {
            let (code, tests) = without_tests(&without_comments(&text));
            tests_only.extend(tests.into_iter().map(|name| [module.clone(), vec![name]].concat()));
            let children: Vec<&str> = modules
                .iter()
                .filter(|m| m.len() == module.len() + 1 && m.starts_with(&module))
                .map(|m| m[module.len()].as_str())
                .collect();
            sources.insert(module, understood(code, &children));
        }
        sources.retain(|module, _| !tests_only.iter().any(|test| module.starts_with(test)));
        Self(sources)
    }

    /// Every pair (file, file that it uses), by module.
    pub fn edges(&self) -> Vec<(Module, Module)> {
        let mut edges = vec![];
        for (module, source) in &self.0 {
            let found = source.uses.iter().filter_map(|path| self.resolve(module, path, 0));
            edges.extend(found.filter(|target| target != module).map(|target| (module.clone(), target)));
        }
        edges.sort();
        edges.dedup();
        edges
    }

    /// Whether a module has files below its own.
    pub fn has_children(&self, module: &[String]) -> bool {
        self.0.keys().any(|other| other.len() > module.len() && other.starts_with(module))
    }

    /// The file where the item of a path as written in `module` stands; none of another crate. Re-exports are followed.
    fn resolve(&self, module: &[String], path: &[String], depth: usize) -> Option<Module> {
        let (mut here, mut rest) = match path.first().map(String::as_str) {
            Some("crate") => (vec![], &path[1..]),
            Some("self") => (module.to_vec(), &path[1..]),
            Some("super") => (module[..module.len().checked_sub(1)?].to_vec(), &path[1..]),
            // A child, or a name that the file brings in; anything else is another crate's, or not a path of modules.
            Some(first) => match self.child(module, first) {
                Some(child) => (child, &path[1..]),
                None => {
                    let target = self.0.get(module)?.names.get(first).filter(|target| depth < 8 && *target != path)?;
                    return self.resolve(module, &[target, &path[1..]].concat(), depth + 1);
                }
            },
            None => return None,
        };
        while let Some(name) = rest.first() {
            if name == "super" {
                here.pop()?;
                rest = &rest[1..];
                continue;
            }
            if let Some(child) = self.child(&here, name) {
                (here, rest) = (child, &rest[1..]);
                continue;
            }
            let source = self.0.get(&here)?;
            if let Some(target) = source.names.get(name).filter(|_| depth < 8) {
                return self.resolve(&here, &[target, &rest[1..]].concat(), depth + 1).or(Some(here));
            }
            let globbed = source.globs.iter().filter_map(|glob| self.resolve(&here, glob, depth + 1));
            return globbed.into_iter().find(|glob| self.0.get(glob).is_some_and(|s| s.declares(name))).or(Some(here));
        }
        // A module by itself: its own file, unless that is a folder's. What is used of that one, the paths in the code tell.
        (!self.has_children(&here)).then_some(here)
    }

    fn child(&self, module: &[String], name: &str) -> Option<Module> {
        let child = [module, &[name.to_owned()]].concat();
        self.0.contains_key(&child).then_some(child)
    }
}

impl Source {
    fn declares(&self, name: &str) -> bool {
        let kinds = ["struct", "enum", "fn", "const", "static", "trait", "type", "mod"];
        kinds.iter().any(|kind| {
            let words = format!("pub {kind} {name}");
            self.code.match_indices(&words).any(|(at, _)| !self.code[at + words.len()..].starts_with(is_word))
        })
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn collect(src: &Path, folder: &Path, files: &mut BTreeMap<Module, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(src, &path, files);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let below = path.strip_prefix(src).unwrap().with_extension("");
            let mut module: Module = below.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
            match module.last().map(String::as_str) {
                Some("main" | "build") if module.len() == 1 => continue,
                Some("mod" | "lib") => _ = module.pop(),
                _ => {}
            }
            files.insert(module, std::fs::read_to_string(&path).unwrap());
        }
    }
}

fn without_comments(text: &str) -> String {
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// The code without items that stand behind `#[cfg(test)]` at the left edge, and the modules in files that are declared so.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut kept, mut files, mut lines) = (vec![], vec![], text.lines());
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            kept.push(line);
            continue;
        }
        for line in lines.by_ref() {
            if let Some((_, name)) = line.split_once("mod ").filter(|(_, name)| name.ends_with(';')) {
                files.push(name.trim_end_matches(';').to_owned());
            }
            // An item ends with a brace at the edge, or is a declaration.
            if line == "}" || line.ends_with(';') && !line.starts_with(' ') {
                break;
            }
        }
    }
    (kept.join("\n"), files)
}

fn understood(code: String, children: &[&str]) -> Source {
    let mut source = Source::default();
    let mut rest = String::new();
    let mut statements = code.as_str();
    while let Some((at, public)) = next_use(statements) {
        rest.push_str(&statements[..at]);
        let end = statements[at..].find(';').map_or(statements.len(), |end| at + end);
        let tree = statements[at..end].split_once("use ").map_or("", |(_, tree)| tree);
        for (path, name) in leaves(tree) {
            let is_child = path.first().is_some_and(|first| children.contains(&first.as_str()) || first == "self");
            match name.as_str() {
                "*" if public => source.globs.push(path.clone()),
                "*" => source.uses.push(path.clone()),
                _ => _ = source.names.insert(name, path.clone()),
            }
            // What a parent hands on of its children it does not use itself.
            if !(public && is_child) {
                source.uses.push(path);
            }
        }
        statements = &statements[end..];
    }
    rest.push_str(statements);
    source.uses.extend(paths(&rest));
    source.code = code;
    source
}

/// Where the next `use` declaration begins, and whether it is a re-export.
fn next_use(code: &str) -> Option<(usize, bool)> {
    let mut offset = 0;
    for line in code.split_inclusive('\n') {
        let start = line.trim_start();
        let (public, declaration) = match start.strip_prefix("pub") {
            Some(after) if after.starts_with(' ') => (true, after.trim_start()),
            Some(after) if after.starts_with('(') => (true, after.split_once(')').map_or("", |(_, item)| item.trim_start())),
            _ => (false, start),
        };
        if declaration.starts_with("use ") {
            return Some((offset + line.len() - start.len(), public));
        }
        offset += line.len();
    }
    None
}

/// The leaves of a `use` tree: each path, and the name by which it is known.
fn leaves(tree: &str) -> Vec<(Module, String)> {
    let tree = tree.trim();
    if let Some(open) = tree.find('{') {
        let prefix: Module = segments(tree[..open].trim_end_matches("::"));
        let inner = tree[open + 1..].rsplit_once('}').map_or("", |(inner, _)| inner);
        let parts = split(inner).into_iter().flat_map(leaves);
        return parts
            .map(|(path, name)| match path.first().map(String::as_str) {
                Some("self") => (prefix.clone(), prefix.last().cloned().unwrap_or_default()),
                _ => ([prefix.clone(), path].concat(), name),
            })
            .collect();
    }
    let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias.trim())));
    let mut path = segments(path);
    let Some(last) = path.last().cloned() else { return vec![] };
    if last == "*" {
        path.pop();
    }
    vec![(path, alias.map_or(last, str::to_owned))]
}

fn segments(path: &str) -> Module {
    path.split("::").map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect()
}

/// Parts between the commas of the outermost level.
fn split(list: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (vec![], 0, 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.retain(|part| !part.trim().is_empty());
    parts
}

/// Every `a::b…` in code.
fn paths(code: &str) -> Vec<Module> {
    let is_path = |c: char| is_word(c) || c == ':';
    let mut found: Vec<Module> = code.split(|c| !is_path(c)).filter(|p| p.contains("::") && !p.starts_with(':')).map(segments).collect();
    found.sort();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(tree: &str) -> Vec<String> {
        leaves(tree).into_iter().map(|(path, name)| format!("{} = {name}", path.join("."))).collect()
    }

    #[test]
    fn trees_of_use_declarations_are_read_whole() {
        let tree = "crate::{\n    Error, a::{self, B as C, d::{E, f}},\n    g::*,\n}";
        let expected = ["crate.Error = Error", "crate.a = a", "crate.a.B = C", "crate.a.d.E = E", "crate.a.d.f = f", "crate.g = *"];
        assert_eq!(shown(tree), expected);
        assert_eq!(shown("super::x"), ["super.x = x"]);
    }

    #[test]
    fn comments_and_tests_are_not_code() {
        let text =
            "use a::B;\n#[cfg(test)]\nmod example;\n// crate::no\nfn f() {}\n#[cfg(test)]\nmod tests {\n    use c::D;\n}\nfn g() {}\n";
        let (code, files) = without_tests(&without_comments(text));
        assert_eq!((code.as_str(), files), ("use a::B;\n\nfn f() {}\nfn g() {}", vec!["example".to_owned()]));
    }

    #[test]
    fn re_exports_of_children_are_followed_and_are_not_used() {
        let dir = tempfile::tempdir().unwrap();
        let files = [
            ("lib.rs", "pub mod a;\nmod b;\npub use b::Thing;\n"),
            ("b.rs", "pub struct Thing;\n"),
            ("a/mod.rs", "mod c;\nmod d;\npub mod e;\npub use c::Own;\npub use e::*;\nfn f() { d::run() }\npub struct Here;\n"),
            ("a/c.rs", "use crate::Thing;\npub struct Own;\n"),
            ("a/d.rs", "use super::{Own, Wide};\npub fn run() { super::super::a::e::x() }\n"),
            ("a/e.rs", "pub struct Wide;\nfn y() -> super::Here { todo!() }\n"),
        ];
        for (name, text) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let edges = Crate::read(dir.path()).edges();
        let shown: Vec<String> = edges.iter().map(|(from, to)| format!("{} -> {}", from.join("."), to.join("."))).collect();
        assert_eq!(shown, ["a -> a.d", "a.c -> b", "a.d -> a.c", "a.d -> a.e", "a.e -> a"]);
    }
}
