use super::*;
use crate::config::Config;
use crate::run::{Id, Outcome, Record, Status, record};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn facts(experiment: &str, seed: u64, change: impl FnOnce(&mut Config)) -> Facts {
    let mut cfg = Config::default();
    change(&mut cfg);
    let id = Id::new(experiment, "00ab34ef12", seed).unwrap();
    let record = Record {
        folder: None,
        format: record::FORMAT,
        id: id.to_string(),
        category: "gear".into(),
        schema: crate::run::SCHEMA_VERSION,
        status: Outcome::Finished,
        attempts: 2,
        started: "2025-03-01T12:00:00.000Z".into(),
        git: None,
        argv: vec![],
        notes: vec![],
        tags: vec!["first".into(), "night run".into()],
        sweep: None,
        note: None,
        error: None,
    };
    Facts {
        id,
        status: Status::Finished,
        record: Some(record),
        config: toml::Table::try_from(&cfg).unwrap(),
        planned: None,
        metrics: BTreeMap::from([("test/image_auroc".into(), Some(0.9)), ("test/A/image_auroc".into(), None)]),
    }
}

fn metrics() -> BTreeSet<String> {
    ["test/image_auroc", "test/A/image_auroc", "test/aupro@0.3"].map(str::to_owned).into()
}

fn holds(text: &str, run: &Facts) -> bool {
    Query::parse(text, &metrics()).unwrap_or_else(|e| panic!("{e}")).holds(run)
}

#[test]
fn conditions_hold_as_they_read() {
    let run = facts("full", 2, |cfg| cfg.loss.score.gamma = 3.0);
    for text in [
        "loss.score.gamma>2 and test/image_auroc>0.89",
        "loss.score.gamma=3",
        "loss.score.gamma == 3.0",
        "loss.score.gamma<=3 and loss.score.gamma >= 3 and loss.score.gamma!=2",
        "category=gear",
        "category = 'gear'",
        "category~EA",
        "state=finished and seed<3 and experiment=full",
        "tag=first",
        "tag=\"night run\" and tag~night",
        "model.stlnet=true and optim.kind=sgd",
        "data.categories=all",
        "model.ptfem.scales=4 and not model.ptfem.scales=3",
        "loss.consistency.patch='[2, 4]'",
        "optim.lr=0.001",
        "hash=00ab34ef12 and id~full/00ab",
        "started>2025 and started<2025-03-02 and attempts=2",
        "seed=7 or seed=2",
        "not seed=7",
        "not (seed=2 and seed=7)",
        "seed=2 or seed=7 and seed=8", // `and` binds more strongly
        "NOT seed=7 AND seed=2",
        "loss.score.gamma>-1e3",
    ] {
        assert!(holds(text, &run), "{text}");
    }
    for text in ["seed=3", "tag=night", "tag!=first", "(seed=2 or seed=7) and seed=8", "not not seed=3", "hash=ab34ef12", "category~gears"]
    {
        assert!(!holds(text, &run), "{text}");
    }
}

#[test]
fn a_run_without_the_key_meets_no_comparison_with_it() {
    let mut run = facts("full", 2, |_| ());
    run.record = None;
    for text in ["test/aupro@0.3>0", "test/aupro@0.3<=0", "test/aupro@0.3!=1", "test/A/image_auroc>0", "category!=x", "tag!=x", "note~x"] {
        assert!(!holds(text, &run), "{text}");
        assert!(holds(&format!("not {text}"), &run), "{text}");
    }
}

#[test]
fn what_cannot_be_understood_is_pointed_at() {
    for (text, column, words) in [
        ("", 1, ["expected a key", "such as"]),
        ("loss.score.gama>2", 1, ["`loss.score.gama`", "did you mean `loss.score.gamma`?"]),
        ("seed=1 and image_auroc>0.9", 12, ["`image_auroc`", "did you mean `test/image_auroc`?"]),
        ("test/image_aurok>0.9", 1, ["`test/image_aurok`", "did you mean `test/image_auroc`?"]),
        ("sed=1", 1, ["`sed`", "did you mean `seed`?"]),
        ("seed", 5, ["an operator after `seed`", "!="]),
        ("seed 1", 6, ["an operator", "!="]),
        ("seed=", 6, ["a value", "quotes"]),
        ("seed=1 seed=2", 8, ["expected `and` or `or`", ""]),
        ("seed=1 and", 11, ["expected a key", ""]),
        ("(seed=1", 1, ["not closed", ")"]),
        ("seed=1)", 7, ["closes nothing", ""]),
        ("category='gear", 10, ["quote is not closed", ""]),
        ("seed=one", 6, ["compared with a number, not with `one`", ""]),
        ("seed ! 1", 6, ["`!` alone", "not"]),
        ("category>a", 9, ["`category` has no order", "contains"]),
        ("model.ptfem.scales<3", 19, ["no order", ""]),
        ("state=broken", 7, ["`broken` is not a state", "interrupted"]),
        ("optim.kind=sdg", 12, ["did you mean \"sgd\"?", "harness config explain optim.kind"]),
        ("pseudo.ratio=2", 14, ["[0, 1]", ""]),
        ("model.stlnet=maybe", 14, ["true or false", ""]),
        ("tag=\u{e4}\u{f6} and sed=1", 12, ["`sed`", ""]),
    ] {
        let error = Query::parse(text, &metrics()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let (first, rest) = error.what.split_once('\n').unwrap();
        assert!(first.starts_with(&format!("column {column}: ")), "{text}: {error}");
        assert_eq!(rest, format!("  {text}\n  {}^", " ".repeat(column - 1)));
        words.iter().for_each(|w| assert!(error.to_string().contains(w), "{text}: `{w}` is not in: {error}"));
    }
    let deep = "(".repeat(100_000);
    assert!(Query::parse(&deep, &metrics()).unwrap_err().what.contains("nested too deeply"));
}

#[test]
fn without_known_metrics_any_name_with_a_slash_is_one() {
    assert!(Query::parse("test/whatever>1", &BTreeSet::new()).is_ok());
    assert!(Query::parse("whatever>1", &BTreeSet::new()).is_err());
}

#[test]
fn runs_are_sorted_by_any_key_those_without_it_last() {
    let with = |seed, value| {
        let mut run = facts("full", seed, |_| ());
        run.metrics.insert("test/image_auroc".into(), value);
        run
    };
    let runs = [with(0, Some(0.5)), with(1, None), with(2, Some(0.9)), with(3, Some(0.5))];
    let sorted = |key: &str| {
        let mut runs = runs.to_vec();
        Sort::parse(key, &metrics()).unwrap().apply(&mut runs, |run| run);
        runs.iter().map(|run| run.id.seed).collect::<Vec<_>>()
    };
    assert_eq!(sorted("test/image_auroc"), [0, 3, 2, 1]);
    assert_eq!(sorted("-test/image_auroc"), [2, 0, 3, 1]);
    assert_eq!(sorted("-seed"), [3, 2, 1, 0]);
    assert!(Sort::parse("-sed", &metrics()).unwrap_err().to_string().contains("did you mean `seed`?"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn any_text_is_understood_or_answered(text in "[a-z0-9 ()=!<>~\"'./äand-]{0,24}") {
        let _ = Query::parse(&text, &metrics());
    }

    /// The slow twin: Rust's own operators.
    #[test]
    fn comparisons_and_their_joins_are_those_of_numbers(seed in 0u64..6, a in 0u64..6, b in 0u64..6, first in 0usize..6, second in 0usize..6, negate: bool, or: bool) {
        type Sign = (&'static str, fn(u64, u64) -> bool);
        let signs: [Sign; 6] =
            [("=", |x, y| x == y), ("!=", |x, y| x != y), ("<", |x, y| x < y), ("<=", |x, y| x <= y), (">", |x, y| x > y), (">=", |x, y| x >= y)];
        let run = facts("full", seed, |_| ());
        let text = format!("{} (seed{}{a}) {} seed {} {b}", if negate { "not" } else { "" }, signs[first].0, if or { "or" } else { "and" }, signs[second].0);
        let (left, right) = (signs[first].1(seed, a) != negate, signs[second].1(seed, b));
        prop_assert_eq!(holds(&text, &run), if or { left || right } else { left && right }, "{}", text);
    }
}
