//! A small finished run, made up: images with round defects, maps that find most of them, events of a training.

use std::collections::BTreeMap;
use std::path::Path;

use harness::config::{Config, Resize};
use harness::data::{Item, Source};
use harness::eval::{self, Evaluation, MapName, Output};
use harness::image::{Map, Mask, Rgb, codec};
use harness::metric::Protocol;
use harness::run::{Event, Folder, Id, event};

/// What lies in the test folder: a kind, its number of images, and the defects' least and greatest radius in px.
pub type Kind = (&'static str, usize, [f64; 2]);

pub struct Run {
    pub folder: Folder,
    pub test: Source,
    pub maps: Vec<(MapName, Vec<Map>)>,
    pub evaluations: Vec<(MapName, Evaluation)>,
    pub cfg: Config,
}

/// Reproducible noise in 0..1.
pub fn noise(seed: u64, index: u64) -> f64 {
    let mut x = (seed << 32 ^ index).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    x = (x ^ x >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ x >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((x ^ x >> 31) >> 11) as f64 / (1_u64 << 53) as f64
}

struct Spot {
    x: f64,
    y: f64,
    radius: f64,
}

fn picture(width: usize, height: usize, spots: &[Spot], seed: u64) -> (Rgb, Mask) {
    let (mut image, mut mask) = (Rgb::filled(width, height, [0; 3]), Mask::filled(width, height, 0));
    for y in 0..height {
        for x in 0..width {
            let weave = ((x as f64 * 0.45).sin() * (y as f64 * 0.38).sin() * 22.0) + 14.0 * noise(seed, (y * width + x) as u64);
            let hit = spots.iter().any(|s| (x as f64 - s.x).hypot(y as f64 - s.y) < s.radius);
            let base = if hit { [72.0, 58.0, 50.0] } else { [150.0, 138.0, 112.0] };
            image.set(x, y, base.map(|b: f64| (b + weave).clamp(0.0, 255.0) as u8));
            mask.set(x, y, u8::from(hit));
        }
    }
    (image, mask)
}

/// A map of `side` x `side` that is high around the spots; `skill` 0..=1.
fn map(side: usize, width: usize, height: usize, spots: &[Spot], skill: f64, seed: u64) -> Map {
    let value = |i: usize| {
        let (x, y) = ((i % side) as f64 + 0.5, (i / side) as f64 + 0.5);
        let (x, y) = (x / side as f64 * width as f64, y / side as f64 * height as f64);
        let near = spots.iter().map(|s| (-((x - s.x).hypot(y - s.y) / (s.radius + 8.0)).powi(2)).exp()).fold(0.0, f64::max);
        (0.15 * noise(seed, i as u64) + skill * near * (0.35 + 0.65 * noise(seed, 1 << 20))) as f32
    };
    Map::from_vec(side, side, (0..side * side).map(value).collect())
}

/// Makes the run below `root`; `sizes` of the images are used in turn.
pub fn run(root: &Path, kinds: &[Kind], sizes: &[(usize, usize)], kinds_of_map: &[MapName]) -> Run {
    let category = root.join("data/linen");
    let (mut items, mut spots_of, mut size_of) = (vec![], vec![], vec![]);
    for (k, (kind, count, [least, greatest])) in kinds.iter().enumerate() {
        for n in 0..*count {
            let seed = (1000 * k + n) as u64;
            let (width, height) = sizes[items.len() % sizes.len()];
            let draw = |i: u64| noise(seed, (1 << 40) + i);
            let spot = |i: u64| Spot {
                x: width as f64 * (0.1 + 0.8 * draw(3 * i)),
                y: height as f64 * (0.1 + 0.8 * draw(3 * i + 1)),
                radius: least + (greatest - least) * draw(3 * i + 2),
            };
            let good = *kind == "good";
            let spots: Vec<Spot> = if good { vec![] } else { (0..1 + n as u64 % 3).map(spot).collect() };
            let (image, mask) = picture(width, height, &spots, seed);
            let stem = format!("{n:03}");
            let place = |below: &str, name: String| {
                let folder = category.join(below).join(kind);
                std::fs::create_dir_all(&folder).unwrap();
                folder.join(name)
            };
            let path = place("test", format!("{stem}.png"));
            codec::write_png(&path, &image).unwrap();
            let mask_path = (!good).then(|| place("ground_truth", format!("{stem}_mask.png")));
            mask_path.iter().for_each(|path| codec::write_mask_png(path, &mask).unwrap());
            items.push(Item { path, key: format!("test/{kind}/{stem}"), defect: kind.to_string(), mask: mask_path.map(Into::into) });
            spots_of.push(spots);
            size_of.push((width, height));
        }
    }
    let test = Source::new(items, 64, Resize::Bilinear, 1);
    let maps = kinds_of_map.iter().map(|&kind| {
        let (side, skill) = if kind == "S" { (32, 0.9) } else { (16, 0.35) };
        let one = |i: usize| map(side, size_of[i].0, size_of[i].1, &spots_of[i], skill, i as u64 + 77);
        (kind, (0..test.len()).map(one).collect::<Vec<Map>>())
    });
    let maps: Vec<(MapName, Vec<Map>)> = maps.collect();
    let cfg = Config::default();
    let evaluate =
        |maps: &Vec<Map>| eval::evaluate(&test, &cfg.eval, &Protocol::default(), &|i| Ok(Output::of_map(maps[i].clone()))).unwrap();
    let evaluations = maps.iter().map(|(kind, maps)| (*kind, evaluate(maps))).collect();
    let folder = Folder::of(&root.join("runs"), &Id::new("full", "0a1b2c3d4e", 0).unwrap());
    std::fs::create_dir_all(folder.path()).unwrap();
    Run { folder, test, maps, evaluations, cfg }
}

/// The events of a training that goes well but for its hinge, which comes to rest at zero.
pub fn training(epochs: u64, steps: u64) -> Vec<Event> {
    let mut events = vec![Event::Start { format: event::FORMAT, id: "full/0a1b2c3d4e-s0".into() }];
    let mut step = 0;
    for epoch in 0..epochs {
        let (mut sums, mut norms) = (BTreeMap::<String, f64>::new(), 0.0);
        for _ in 0..steps {
            let (progress, rough) = (step as f64 / steps as f64, |i: u64| 0.7 + 0.6 * noise(5, 10 * step + i));
            let parts = [
                ("feature", 0.9 * (-progress / 6.0).exp() * rough(0) + 0.05),
                ("score_normal", 0.3 * (-progress / 3.0).exp() * rough(1)),
                ("score_pair", (1.8 * (-progress / 4.0).exp() * rough(2) - 0.02).max(0.0)),
                ("consistency", 0.08 * (-progress / 12.0).exp() * rough(3)),
            ];
            let mut losses = BTreeMap::from(parts.map(|(name, value)| (name.to_owned(), value)));
            losses.insert("total".into(), parts.iter().map(|p| p.1).sum());
            let norm = 4.0 * (-progress / 10.0).exp() * rough(4).powi(3);
            losses.iter().for_each(|(name, value)| *sums.entry(name.clone()).or_default() += value / steps as f64);
            norms += norm / steps as f64;
            events.push(Event::Step { epoch, step, losses, lr: 0.01, grad_norm: Some(norm), stats: BTreeMap::new() });
            step += 1;
        }
        events.push(Event::Epoch { epoch, step, losses: sums, grad_norm: Some(norms), stats: BTreeMap::new() });
    }
    events
}

/// Puts events where a run has them.
pub fn record(folder: &Folder, events: &[Event]) {
    let mut writer = event::Writer::open(&folder.events_jsonl()).unwrap();
    events.iter().for_each(|e| writer.append(e).unwrap());
    writer.flush().unwrap();
}

impl Run {
    /// Writes the figures.
    pub fn report(&self) -> harness::Result<()> {
        let map_of = |name: MapName, i: usize| Ok(self.maps.iter().find(|(n, _)| *n == name).unwrap().1[i].clone());
        harness::report::run::write(&self.folder, &self.test, &self.cfg.eval, &self.evaluations, &map_of)
    }
}
