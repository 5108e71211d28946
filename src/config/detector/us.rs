//! `[us]`: uninformed students (Bergmann et al. 2020): several students learn to describe the patches of normal images as a teacher
//! does; where they err, or differ from one another, a patch is not normal.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::method::{Method, Outputs};
use super::teaching::Teaching;
use crate::config::{Checkpoint, Config};
use crate::{Error, Result, place};

pub(super) const METHOD: Method = Method {
    name: "us",
    defaults: include_str!("../../../experiments/detectors/us.toml"),
    reads: &[
        "run",
        "data.root",
        "data.categories",
        "data.size",
        "data.repeat",
        "data.augment",
        "data.resize",
        "data.workers",
        "data.cache_mb",
        "us",
        "optim",
        "train",
        "eval",
    ],
    version: 1,
    outputs,
    trained: true,
    backbones: |_| &[],
    check,
    describe,
};

/// The sides of patches for which there is a network, px, and the name of the map of each alone.
pub const US_FIELDS: [(usize, &str); 3] = [(17, "A17"), (33, "A33"), (65, "A65")];

/// What stands in `us.teacher` for the side of the patches.
const PLACE: &str = "{p}";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Us {
    /// p: sides of the patches, px; a teacher and its students for each.
    pub fields: Vec<usize>,
    /// M: students of a teacher.
    pub students: usize,
    /// d: numbers of a description.
    pub descriptor: usize,
    /// Factor of the published widths of all layers but the last.
    pub width: f64,
    /// Whether each pixel is described, or each cell of the network's own stride.
    pub dense: bool,
    /// The teachers' file, or "none".
    pub teacher: String,
}

impl Us {
    /// The file of the teacher of each field; none where the teachers are random.
    pub fn files(&self) -> Vec<String> {
        let file = |p: &usize| self.teacher.replace(PLACE, &p.to_string());
        if self.teacher == "none" { vec![] } else { self.fields.iter().map(file).collect() }
    }

    /// The teacher as rows name it: what it was distilled from, for how long and on what, as its files say.
    pub fn teacher(&self) -> String {
        let fields = |fields: &[usize]| fields.iter().map(|p| format!("p{p}")).collect::<Vec<_>>().join(", ");
        let files = self.files();
        if files.is_empty() {
            return format!("random {}", fields(&self.fields));
        }
        // Fields whose teachers were made alike are named together.
        let mut groups: Vec<(String, Vec<usize>, String)> = vec![];
        for (&p, file) in self.fields.iter().zip(&files) {
            let (from, course) = match Teaching::of_file(&place::find(Path::new(file), &[])) {
                Some(teaching) => (teaching.backbone.title().to_owned(), teaching.course()),
                None => (file.clone(), String::new()),
            };
            match groups.iter_mut().find(|group| group.0 == from && group.2 == course) {
                Some(group) => group.1.push(p),
                None => groups.push((from, vec![p], course)),
            }
        }
        let text = |(from, of, course): &(String, Vec<usize>, String)| {
            let course = if course.is_empty() { String::new() } else { format!(", {course}") };
            format!("{from} -> {}{course}", fields(of))
        };
        groups.iter().map(text).collect::<Vec<_>>().join("; ")
    }
}

/// A: the mean over the fields of the standardised error and spread; E and V: either alone; where there are several fields the
/// map of each.
fn outputs(cfg: &Config) -> Outputs {
    let of = |p: &usize| US_FIELDS.iter().find(|(side, _)| side == p).map(|(_, name)| *name);
    let each = cfg.us.fields.iter().filter_map(of).filter(|_| cfg.us.fields.len() > 1);
    Outputs::of_maps(&["A", "E", "V"].into_iter().chain(each).collect::<Vec<_>>())
}

fn describe(cfg: &Config) -> String {
    let Us { students, descriptor, width, dense, .. } = cfg.us;
    let words = [
        format!("teacher: {}", cfg.us.teacher()),
        if students == 3 { String::new() } else { format!("{students} students") },
        if descriptor == 128 { String::new() } else { format!("{descriptor} numbers") },
        if width == 1.0 { String::new() } else { format!("widths x {width}") },
        if dense { String::new() } else { "strided".into() },
    ];
    format!("US ({})", words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("; "))
}

fn check(cfg: &Config) -> Result<()> {
    let Us { fields, teacher, .. } = &cfg.us;
    let known = |p: &usize| US_FIELDS.iter().any(|(side, _)| side == p);
    if fields.is_empty() || !fields.iter().all(known) || !fields.is_sorted_by(|a, b| a < b) {
        return Err(Error::config(
            format!("us.fields: there are no networks of patches of {fields:?} px"),
            "use some of [17, 33, 65], in this order",
        ));
    }
    if fields.len() > 1 && teacher != "none" && !teacher.contains(PLACE) {
        return Err(Error::config(
            format!("us.teacher: {teacher} is one file, and each of {fields:?} px needs a teacher of its own"),
            format!("put {PLACE} into its name, which stands for the side of the patches"),
        ));
    }
    if cfg.train.checkpoint != Checkpoint::Last {
        return Err(Error::config(
            "train.checkpoint: us cannot score before its training has ended, when it learns how far its students err on normal images",
            "use train.checkpoint=last",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::teaching::Compact;
    use super::*;
    use crate::config::{BackboneName, Detector, check};

    fn with(changes: &[&str]) -> Config {
        let words: Vec<String> = changes.iter().map(|&change| change.to_owned()).collect();
        Config { detector: Detector::US, ..Config::default() }.with(&words).unwrap()
    }

    /// A file of a teacher without its tensors.
    fn write(path: &Path, field: usize, steps: u64) {
        let teaching = Teaching {
            backbone: BackboneName::Resnet50,
            backbone_hash: "b".into(),
            images: "photographs".into(),
            images_hash: "i".into(),
            image_count: 9,
            field,
            width: 1.0,
            descriptor: 128,
            steps,
            seed: 0,
            batch: 64,
            lr: 1e-3,
            compact: Compact::Samples,
            unexplained: 0.5,
        };
        let metadata: serde_json::Map<_, _> = teaching.entries().into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
        let header = serde_json::json!({ "__metadata__": metadata }).to_string();
        std::fs::write(path, [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()).unwrap();
        assert_eq!(Teaching::of_file(path), Some(teaching));
    }

    #[test]
    fn its_name_says_who_the_teacher_is_and_never_us_alone() {
        let dir = tempfile::tempdir().unwrap();
        let teacher = format!("us.teacher={}/us_p{{p}}.safetensors", dir.path().display());
        assert_eq!(describe(&with(&["us.fields=[33]", "us.teacher=none"])), "US (teacher: random p33)");
        let unmade = describe(&with(&[&teacher, "us.fields=[33]"]));
        assert!(unmade.ends_with("us_p33.safetensors -> p33)"), "{unmade}");
        for (p, steps) in [(17, 20000), (33, 20000), (65, 1)] {
            write(&dir.path().join(format!("us_p{p}.safetensors")), p, steps);
        }
        let name = |words: &[&str]| describe(&with(&[&[teacher.as_str()], words].concat()));
        assert_eq!(name(&["us.fields=[17, 33]"]), "US (teacher: ResNet-50 -> p17, p33, 20000 steps on photographs)");
        assert_eq!(name(&[]), "US (teacher: ResNet-50 -> p17, p33, 20000 steps on photographs; ResNet-50 -> p65, 1 step on photographs)");
        assert_eq!(
            name(&["us.fields=[33]", "us.students=2", "us.width=0.5", "us.dense=false"]),
            "US (teacher: ResNet-50 -> p33, 20000 steps on photographs; 2 students; widths x 0.5; strided)"
        );
    }

    #[test]
    fn a_file_that_is_no_teachers_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        assert_eq!(Teaching::of_file(&path), None);
        for bytes in [&b""[..], &[255; 8], b"\x02\0\0\0\0\0\0\0{}", b"\x04\0\0\0\0\0\0\0null"] {
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Teaching::of_file(&path), None, "{bytes:?}");
        }
    }

    #[test]
    fn maps_are_the_sum_its_parts_and_where_there_are_several_each_field() {
        assert_eq!(outputs(&with(&["us.fields=[33]"])).maps, ["A", "E", "V"]);
        assert_eq!(outputs(&with(&["us.fields=[17, 65]"])).maps, ["A", "E", "V", "A17", "A65"]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (word, key) in [
            ("us.fields=[]", "us.fields"),
            ("us.fields=[33, 17]", "us.fields"),
            ("us.fields=[33, 33]", "us.fields"),
            ("us.fields=[32]", "us.fields"),
            ("us.teacher=\"one.safetensors\"", "us.teacher"),
            ("train.checkpoint=best_test", "train.checkpoint"),
        ] {
            let error =
                Config { detector: Detector::US, ..Config::default() }.with(&[word.to_owned()]).and_then(|cfg| check(&cfg)).unwrap_err();
            assert!(error.what.starts_with(key), "{word}: {error}");
        }
        check(&with(&["us.fields=[33]", "us.teacher=\"one.safetensors\""])).unwrap();
    }
}
