//! Tags and notes.

use harness::run::{self, Lock};

use super::support::runs::{id, store};
use super::{badly, json, well};

#[test]
fn tags_and_notes_stand_beside_a_run_and_are_listed_and_shown() {
    let (dir, [a, b, c, d]) = store();
    let before = std::fs::read(a.run_json()).unwrap();
    well(dir.path(), &["runs", "tag", &id(&a), "table-4", "final"]);
    well(dir.path(), &["runs", "tag", &id(&a), "final"]);
    well(dir.path(), &["runs", "note", &id(&a), "lr too high? = see table 4"]);
    assert_eq!(std::fs::read(a.run_json()).unwrap(), before, "what the run wrote stays as it is");
    let shown = well(dir.path(), &["runs", "show", &id(&a)]);
    assert!(shown.contains("tags: final table-4") && shown.contains("note: lr too high?"), "{shown}");
    let listed = json(&well(dir.path(), &["runs", "list", "--json", "--where", "tag=final"]));
    assert_eq!((listed.as_array().unwrap().len(), listed[0]["id"].as_str()), (1, Some(&*id(&a))));
    // Those of the command line count as before, and are where new ones begin.
    assert!(well(dir.path(), &["runs", "tag", &id(&c)]).contains("night"));
    assert!(well(dir.path(), &["runs", "tag", &id(&c), "late"]).contains("late night"));
    well(dir.path(), &["runs", "tag", &id(&c), "night", "--remove"]);
    assert_eq!(c.record().unwrap().unwrap().tags, ["late"]);
    well(dir.path(), &["runs", "note", &id(&a), "--remove"]);
    assert_eq!(a.record().unwrap().unwrap().note, None);
    // A run in work can be labelled; it writes its own files only.
    let lock = Lock::acquire(&d.lock(), run::now()).unwrap();
    well(dir.path(), &["runs", "tag", &id(&d), "watch"]);
    drop(lock);
    assert_eq!(d.record().unwrap().unwrap().tags, ["watch"]);
    well(dir.path(), &["runs", "gc", "--apply"]);
    assert_eq!(a.record().unwrap().unwrap().tags, ["final", "table-4"]);
    let error = badly(dir.path(), &["runs", "tag", &id(&b), "nothing", "--remove"], 2);
    assert!(error.contains("has no tag"), "{error}");
    for words in [&["two words"][..], &["ok", "=1"], &[""]] {
        let error = badly(dir.path(), &[&["runs", "tag", &id(&b)], words].concat(), 2);
        assert!(error.contains("is not a tag"), "{error}");
    }
    badly(dir.path(), &["runs", "note", &id(&b), "a\nb"], 2);
    assert!(!b.labels_json().exists(), "what was refused left nothing");
}
