//! What people write: configurations, sweeps, words of a command, conditions on runs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use harness::config::Request;
use harness::data::list::List;
use harness::store::query::{Query, Sort};
use harness::sweep::file::File;
use harness::sweep::resolve::resolve as resolve_sweep;
use harness::{Error, Result, testing};

use crate::Target;
use crate::mutate::Corpus;

const TOML: &[&str] = &[
    "[",
    "]",
    "[[ablate]]\n",
    "[grid]\n",
    "[zip]\n",
    "[[list]]\n",
    "[random]\n",
    "n = 9\n",
    "{ uniform = [0, 1] }",
    "{ log = [1e-4, 1] }",
    "{ int = [1, 3] }",
    "{ choice = [1, 2] }",
    "set = { ",
    " }",
    "from = \"previous\"\n",
    "name = \"x\"\n",
    "\"",
    "'''",
    "\"\"\"",
    "#",
    ",",
    ".",
    "=",
    "\n",
    "\r\n",
    "\t",
    "true",
    "false",
    "\"none\"",
    "\"auto\"",
    "loss.score.gamma",
    "train.steps",
    "data.size",
    "padim.channels",
    "model.backbone.name",
    "seeds = [0]\n",
    "detector = \"padim\"\n",
    "profile = \"paper\"\n",
    "\\u0000",
    "\\U0010ffff",
    "é",
    "\u{202e}",
    "a.a.a.a.a.a.a.a",
    "[[[[[[[[",
    "{{{{{{",
    "2026-01-01",
    "0x7f",
    "1_000",
];

const LIST: &[&str] = &[
    "category", "split", "defect", "image", "mask", "rule", "train", "test", "good", "half", "../x", "/x", "\"", ",", ";", "\n", "\r\n",
    "a/b", "é",
];

const CONDITION: &[&str] = &[
    "and",
    "or",
    "not",
    "(",
    ")",
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "in",
    "[",
    "]",
    ",",
    "\"",
    "status",
    "finished",
    "seed",
    "category",
    "test/image_auroc",
    "loss.score.gamma",
    "model.stlnet",
    "true",
    "null",
    "-",
    "started",
    " ",
    "é",
    "~",
];

pub fn targets() -> [Target; 5] {
    [
        Target { name: "configuration", corpus: || toml_files("experiments"), read: configuration },
        Target { name: "words", corpus: words, read: overrides },
        Target { name: "sweep", corpus: || toml_files("experiments"), read: sweep_file },
        Target { name: "condition", corpus: conditions, read: condition },
        Target { name: "list", corpus: lists, read: list },
    ]
}

fn toml_files(folder: &str) -> Corpus {
    let below = |folder: PathBuf| {
        let entries = std::fs::read_dir(folder).expect("the checkout is whole").map(|entry| entry.expect("it can be listed").path());
        entries.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect::<Vec<_>>()
    };
    let root = testing::root();
    let mut paths = [below(root.join(folder)), below(root.join(folder).join("profiles")), below(root.join("tests/fuzz/corpus"))].concat();
    paths.sort();
    Corpus::of(paths.iter().map(|path| std::fs::read(path).expect("it is there")).collect(), TOML)
}

/// The sets of words are one a line.
fn words() -> Corpus {
    let lines = [
        "loss.score.gamma=3\ntrain.steps=100\n",
        "detector=padim\npadim.channels=20\n",
        "model.ptfem.scales=[1, 2, 4]\n",
        "data.root=/path/to/mvtec\ndata.categories=transistor,toothbrush\n",
        "run.seeds=[0, 1, 2]\n",
        "model.backbone.weights=none\n",
        "pseudo.ratio=0.5\neval.pro.limit=0.3\n",
        "us.fields=[17, 33]\nus.dense=false\n",
    ];
    Corpus::of(lines.map(|line| line.as_bytes().to_vec()).to_vec(), TOML)
}

fn conditions() -> Corpus {
    let lines = [
        "status = finished and test/image_auroc > 0.9",
        "not (seed in [0, 1] or category != \"gear\")",
        "loss.score.gamma >= 3",
        "-test/image_auroc",
        "model.stlnet = true",
    ];
    Corpus::of(lines.map(|line| line.as_bytes().to_vec()).to_vec(), CONDITION)
}

/// What is not text is refused by whoever reads the file or the command line.
fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

/// A configuration that is accepted means the same when it is written down and read again.
fn configuration(input: &[u8], dir: &Path) -> Result<()> {
    let path = dir.join("try.toml");
    std::fs::write(&path, input).expect("it is a folder of ours");
    resolve(&Request { file: Some(path), ..Request::default() }, dir)
}

fn overrides(input: &[u8], dir: &Path) -> Result<()> {
    resolve(&Request { overrides: text(input).lines().map(str::to_owned).collect(), ..Request::default() }, dir)
}

fn resolve(request: &Request, dir: &Path) -> Result<()> {
    let config = request.resolve()?.config;
    let again = dir.join("again.toml");
    std::fs::write(&again, config.to_toml()).expect("it is a folder of ours");
    let read =
        Request { file: Some(again), ..Request::default() }.resolve().unwrap_or_else(|error| panic!("written and read again: {error}"));
    assert_eq!(read.config.to_toml(), config.to_toml());
    Ok(())
}

/// Of a sweep that is accepted every row is a checked configuration, under a name of its own.
fn sweep_file(input: &[u8], dir: &Path) -> Result<()> {
    let path = dir.join("try.toml");
    std::fs::write(dir.join("full.toml"), "").expect("it is a folder of ours");
    std::fs::write(&path, input).expect("it is a folder of ours");
    let resolved = resolve_sweep(&File::read(&path)?, &path, None, &[])?;
    let names: BTreeSet<&str> = resolved.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names.len(), resolved.rows.len());
    assert!(!resolved.rows.is_empty());
    Ok(())
}

fn lists() -> Corpus {
    let list = "category,split,defect,image,mask,rule\n\
        a,train,good,x/0.png,,\na,train,,x/1.png,,\na,test,good,x/2.png,,\na,test,cut,x/3.png,m/3.png;m/4.png,nonzero\n\
        b,validation,good,y/0.png,,\nb,test,hole,y/1.png,,half\n";
    Corpus::of(vec![list.as_bytes().to_vec()], LIST)
}

/// In a list that is accepted no two images of a category have the same key.
fn list(input: &[u8], dir: &Path) -> Result<()> {
    let path = dir.join("list.csv");
    std::fs::write(&path, input).expect("it is a folder of ours");
    let list = List::read(&path, dir)?;
    for name in list.categories() {
        let listed = list.category(&name)?;
        let keys: BTreeSet<&str> = listed.train.iter().chain(&listed.test).map(|item| item.key.as_str()).collect();
        assert_eq!(keys.len(), listed.train.len() + listed.test.len());
    }
    Ok(())
}

fn condition(input: &[u8], _: &Path) -> Result<()> {
    let metrics = BTreeSet::from(["test/image_auroc".to_owned()]);
    let text = text(input);
    let ordered = Sort::parse(&text, &metrics).map(drop);
    Query::parse(&text, &metrics).map(drop).or_else(|error: Error| ordered.map_err(|_| error))
}
