//! The source and the loader: the same bytes whatever the threads, the cache and the start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use harness::config::{Augment, Combine, Config, CutPasteMask, RatioMode, Resize, Texture, Weight};
use harness::data::photographs::Photographs;
use harness::data::{Batch, Epoch, Item, Loader, Shape, Source, Views, category};
use harness::image::codec::{decode, write_mask_png, write_png};
use harness::image::resize::{nearest_mask, resize};
use harness::image::{Mask, Rgb};
use harness::pseudo::{self, Beside, Name};
use harness::seed::stream;
use harness::testing::{shared, skip};
use rand::RngExt;

const SIZE: usize = 64;

/// Images of mixed sizes, each a different pattern.
fn folder(images: usize) -> (tempfile::TempDir, Vec<Item>) {
    let root = tempfile::tempdir().unwrap();
    let items = (0..images)
        .map(|n| {
            let (width, height) = (70 + 9 * n, 50 + 13 * n);
            let data = (0..3 * width * height).map(|i| (i * 13 + i / (90 + n) + n * 41) as u8).collect();
            let path = root.path().join(format!("{n:03}.png"));
            write_png(&path, &Rgb::from_vec(width, height, data)).unwrap();
            Item { path, key: format!("train/good/{n:03}"), defect: "good".into(), mask: None }
        })
        .collect();
    (root, items)
}

fn config() -> Config {
    let mut config = Config::default();
    config.data.size = SIZE;
    config.data.repeat = 3;
    config.train.batch = 4;
    config.train.drop_last = false;
    config
}

fn epoch(images: usize, config: &Config, epoch: u64, first_batch: usize) -> Epoch {
    Epoch { shape: Shape::new(images, &config.data, &config.train), seed: 11, epoch, first_batch }
}

fn batches(source: &Arc<Source>, epoch: Epoch, config: &Config) -> Vec<Batch> {
    views(source, epoch, Views::Pseudo, config)
}

fn views(source: &Arc<Source>, epoch: Epoch, views: Views, config: &Config) -> Vec<Batch> {
    let mut loader = Loader::start(source.clone(), epoch, views, &config.data, &config.pseudo);
    std::iter::from_fn(|| loader.next()).collect::<Result<_, _>>().unwrap()
}

fn source(items: &[Item], cache_mb: usize) -> Arc<Source> {
    Arc::new(Source::new(items.to_vec(), SIZE, Resize::Bilinear, cache_mb))
}

/// A source as a run has it: with `data.crop` above `data.size`, images are loaded larger.
fn cropped(items: &[Item], config: &Config) -> Arc<Source> {
    Arc::new(Source::of(items.to_vec(), config, 1))
}

/// What `data.crop` and FCDD's augmentation make of an item and its mask.
fn slow_finish(config: &Config, epoch: u64, item: usize, (image, mask): (Rgb, Mask)) -> (Rgb, Mask) {
    let mut draws = stream(11, "finish", epoch, item as u64);
    let slack = config.data.crop - SIZE;
    let (image, mask) = if draws.random::<bool>() {
        let (left, top) = (draws.random_range(0..=slack), draws.random_range(0..=slack));
        let (mut crop, mut of_mask) = (Rgb::filled(SIZE, SIZE, [0; 3]), Mask::filled(SIZE, SIZE, 0));
        for (x, y) in (0..SIZE).flat_map(|y| (0..SIZE).map(move |x| (x, y))) {
            crop.set(x, y, image.at(left + x, top + y));
            of_mask.set(x, y, mask.at(left + x, top + y));
        }
        (crop, of_mask)
    } else {
        (resize(&image, SIZE, config.data.resize), nearest_mask(&mask, SIZE, SIZE))
    };
    (pseudo::augment::fcdd(&image, &mut draws), mask)
}

#[test]
fn images_that_are_loaded_larger_are_cropped_or_resized_after_their_pseudo_anomaly() {
    let (_root, items) = folder(3);
    let mut config = config();
    (config.data.crop, config.data.augment, config.data.resize) = (SIZE + 9, Augment::Fcdd, Resize::Nearest);
    config.pseudo.ratio = 0.7;
    let source = cropped(&items, &config);
    assert_eq!((source.size(), source.loaded_size()), (SIZE, SIZE + 9));
    let chosen = pseudo::chosen(&config.pseudo, 11, 2, 9);
    let made = batches(&source, epoch(3, &config, 2, 0), &config);
    let mut with = 0;
    for batch in &made {
        for (at, &item) in batch.items.iter().enumerate() {
            let image = resize(&decode(&items[item % 3].path).unwrap(), SIZE + 9, Resize::Nearest);
            let before = if chosen[item] {
                let sample = pseudo::pseudo(&image, Beside::image(&image), &config.pseudo, &mut stream(11, "pseudo", 2, item as u64));
                (sample.image, sample.mask)
            } else {
                (image, Mask::filled(SIZE + 9, SIZE + 9, 0))
            };
            let (image, mask) = slow_finish(&config, 2, item, before);
            let area = SIZE * SIZE;
            assert!(batch.images[3 * area * at..3 * area * (at + 1)] == image.data, "{item}");
            assert!(batch.masks[area * at..area * (at + 1)] == mask.data, "{item}");
            with += usize::from(batch.kinds[at] > 0);
        }
    }
    assert_eq!(with, chosen.iter().filter(|&&c| c).count());
    // A pass and the test see the whole image, resized.
    let whole = resize(&resize(&decode(&items[1].path).unwrap(), SIZE + 9, Resize::Nearest), SIZE, Resize::Nearest);
    assert!(*source.get(1).unwrap() == whole);
    let bare = views(&source, epoch(3, &config, 2, 0), Views::Bare, &config);
    let place = bare[0].items.iter().position(|item| item % 3 == 1).unwrap();
    assert!(bare[0].images[3 * SIZE * SIZE * place..][..3 * SIZE * SIZE] == whole.data);
    // A detector that does not read data.crop loads at data.size.
    config.detector = harness::config::Detector::PADIM;
    assert_eq!(cropped(&items, &config).loaded_size(), SIZE);
}

/// One item as docs/method.md says it, without threads or cache.
fn slow_item(items: &[Item], config: &Config, epoch: u64, item: usize) -> (Rgb, Mask) {
    let mut image = resize(&decode(&items[item % items.len()].path).unwrap(), SIZE, config.data.resize);
    if config.data.augment == Augment::Light {
        image = pseudo::augment::light(&image, &mut stream(11, "augment", epoch, item as u64));
    }
    if !pseudo::chosen(&config.pseudo, 11, epoch, config.data.repeat * items.len())[item] {
        return (image, Mask::filled(SIZE, SIZE, 0));
    }
    let of = if config.pseudo.mode == RatioMode::Fixed { 0 } else { epoch };
    let sample = pseudo::pseudo(&image, Beside::image(&image), &config.pseudo, &mut stream(11, "pseudo", of, item as u64));
    (sample.image, sample.mask)
}

#[test]
fn batches_hold_what_a_loop_without_threads_makes() {
    let (_root, items) = folder(3);
    for (augment, mode) in [(Augment::None, RatioMode::Exact), (Augment::Light, RatioMode::Fixed)] {
        let mut config = config();
        (config.data.augment, config.pseudo.mode) = (augment, mode);
        let made = batches(&source(&items, 1), epoch(3, &config, 2, 0), &config);
        assert_eq!(made.iter().map(Batch::len).collect::<Vec<_>>(), [4, 4, 1]);
        for batch in &made {
            for (at, &item) in batch.items.iter().enumerate() {
                let (image, mask) = slow_item(&items, &config, 2, item);
                let area = SIZE * SIZE;
                assert_eq!(batch.images[3 * area * at..3 * area * (at + 1)], image.data);
                assert_eq!(batch.masks[area * at..area * (at + 1)], mask.data);
            }
        }
        let mut visits: Vec<usize> = made.iter().flat_map(|b| b.items.clone()).collect();
        visits.sort_unstable();
        assert_eq!(visits, (0..9).collect::<Vec<_>>());
    }
}

#[test]
fn an_epoch_is_that_of_the_first_release() {
    // A change here changes every result: it needs a new METHOD_VERSION.
    let (_root, items) = folder(4);
    let hash = |adapt: fn(&mut Config)| {
        let mut config = config();
        adapt(&mut config);
        let mut hasher = blake3::Hasher::new();
        for batch in batches(&source(&items, 1), epoch(4, &config, 1, 0), &config) {
            hasher.update(&batch.images).update(&batch.masks);
        }
        hasher.finalize().to_hex()[..16].to_owned()
    };
    let made = [
        hash(|_| ()),
        hash(|config| config.data.augment = Augment::Light),
        hash(|config| config.pseudo.combine = Combine::All),
        hash(|config| (config.pseudo.weight.confetti, config.pseudo.cutpaste.mask) = (0.0, CutPasteMask::Rect)),
        hash(|config| (config.pseudo.weight.cutpaste, config.pseudo.confetti.blur_kernel) = (0.0, 11)),
    ];
    assert_eq!(made, EPOCHS);
}

const EPOCHS: [&str; 5] = ["b182145392007687", "9430ac5e63ea92fa", "8e98a2203966880b", "0863da87e7c01650", "a0a94e85b7e48b39"];

#[test]
fn ratio_zero_leaves_every_image_as_it_is_and_ratio_one_none() {
    let (_root, items) = folder(3);
    for ratio in [0.0, 1.0] {
        let mut config = config();
        config.pseudo.ratio = ratio;
        let area = SIZE * SIZE;
        for batch in batches(&source(&items, 1), epoch(3, &config, 0, 0), &config) {
            for (at, &item) in batch.items.iter().enumerate() {
                let clean = resize(&decode(&items[item % 3].path).unwrap(), SIZE, config.data.resize);
                let image = &batch.images[3 * area * at..][..3 * area];
                let mask = &batch.masks[area * at..][..area];
                let differs = clean.data.chunks_exact(3).zip(image.chunks_exact(3)).map(|(a, b)| u8::from(a != b));
                assert_eq!(mask, differs.collect::<Vec<_>>());
                assert_eq!(mask.contains(&1), ratio == 1.0);
            }
        }
    }
}

#[test]
fn batches_are_the_same_for_any_threads_any_cache_and_any_start() {
    let (_root, items) = folder(5);
    let mut config = config();
    config.data.workers = 1;
    let first = batches(&source(&items, 0), epoch(5, &config, 1, 0), &config);
    assert_eq!(first.len(), 4);
    for (workers, cache_mb, from) in [(2, 1, 0), (5, 0, 0), (5, 1, 2), (1, 0, 3), (2, 1, 4), (3, 1, 9)] {
        config.data.workers = workers;
        let again = batches(&source(&items, cache_mb), epoch(5, &config, 1, from), &config);
        assert_eq!(again, first[from.min(4)..], "{workers} workers, {cache_mb} MiB, from batch {from}");
    }
}

/// An item with its views' images, masks and kinds.
type ItemViews = (usize, Vec<Rgb>, Vec<Mask>, Vec<u8>);

/// All items of some batches, by number.
fn by_item(batches: &[Batch]) -> Vec<ItemViews> {
    let mut all = Vec::new();
    for batch in batches {
        let (v, side) = (batch.views, batch.size);
        assert_eq!((batch.images.len(), batch.masks.len()), (3 * side * side * v * batch.len(), side * side * v * batch.len()));
        assert_eq!(batch.kinds.len(), v * batch.len());
        for (at, &item) in batch.items.iter().enumerate() {
            let images = batch.images.chunks_exact(3 * side * side).skip(at * v).take(v);
            let masks = batch.masks.chunks_exact(side * side).skip(at * v).take(v);
            all.push((
                item,
                images.map(|data| Rgb::from_vec(side, side, data.to_vec())).collect(),
                masks.map(|data| Mask::from_vec(side, side, data.to_vec())).collect(),
                batch.kinds[at * v..][..v].to_vec(),
            ));
        }
    }
    all.sort_by_key(|one| one.0);
    all
}

#[test]
fn a_bare_view_is_the_image_whatever_the_configuration_says_and_a_plain_one_is_augmented_only() {
    let (_root, items) = folder(3);
    let mut config = config();
    config.pseudo.ratio = 1.0;
    for augment in [Augment::None, Augment::Light, Augment::Translate] {
        config.data.augment = augment;
        for (kind, augmented) in [(Views::Bare, false), (Views::Plain, augment != Augment::None)] {
            for (item, images, masks, kinds) in by_item(&views(&source(&items, 1), epoch(3, &config, 1, 0), kind, &config)) {
                let clean = resize(&decode(&items[item % 3].path).unwrap(), SIZE, config.data.resize);
                assert_eq!((images.len(), kinds, masks[0].is_empty()), (1, vec![0], true));
                assert_eq!(images[0] != clean, augmented, "{kind:?}, {augment:?}");
            }
        }
    }
}

#[test]
fn the_kind_of_a_view_names_the_generator_that_lies_on_top() {
    let (_root, items) = folder(3);
    let mut config = config();
    config.pseudo.ratio = 0.5;
    let kinds = |config: &Config| {
        let made = by_item(&batches(&source(&items, 1), epoch(3, config, 1, 0), config));
        assert!(made.iter().all(|(_, _, masks, kinds)| masks[0].is_empty() == (kinds[0] == 0)));
        made.into_iter().map(|one| one.3[0]).collect::<std::collections::BTreeSet<u8>>()
    };
    let with = |confetti, cutpaste, scar| {
        let mut config = config.clone();
        config.pseudo.weight = Weight { confetti, cutpaste, scar, ..config.pseudo.weight };
        config
    };
    for (config, kind) in [(with(1.0, 0.0, 0.0), Name::Confetti), (with(0.0, 1.0, 0.0), Name::CutPaste), (with(0.0, 0.0, 1.0), Name::Scar)]
    {
        assert_eq!(kinds(&config), [0, kind.kind()].into());
    }
    let mut all = with(1.0, 1.0, 1.0);
    all.pseudo.combine = Combine::All;
    assert_eq!(kinds(&all), [0, Name::Confetti.kind()].into());
}

#[test]
fn three_views_are_of_one_image_normal_cutpaste_and_scar_whatever_the_ratio() {
    let (_root, items) = folder(3);
    let mut config = config();
    (config.data.augment, config.pseudo.ratio) = (Augment::Translate, 0.0);
    for crop in [None, Some(24)] {
        let three = Views::ThreeWay { crop };
        let made = by_item(&views(&source(&items, 1), epoch(3, &config, 1, 0), three, &config));
        assert_eq!(made.len(), 9);
        let plain = by_item(&views(&source(&items, 1), epoch(3, &config, 1, 0), Views::Plain, &config));
        for ((item, images, masks, kinds), (_, whole, ..)) in made.iter().zip(&plain) {
            assert_eq!((kinds.as_slice(), masks[0].is_empty()), ([0, 1, 2].as_slice(), true), "item {item}");
            // All differences are marked, so each paste lies in the crop.
            for view in [1, 2] {
                assert_eq!(masks[view], pseudo::changed(&images[0], &images[view]), "item {item}, view {view}");
                assert!(!masks[view].is_empty());
            }
            assert_ne!(images[1], images[2]);
            let side = crop.unwrap_or(SIZE);
            let places = |most: usize| (0..=most - side).flat_map(move |y| (0..=most - side).map(move |x| (x, y)));
            let found = places(SIZE).filter(|&(x, y)| whole[0].crop(x, y, side, side) == images[0]).count();
            assert_eq!(found, 1, "item {item}: a part of the augmented image");
        }
        let smaller = made.iter().filter(|one| one.2[2].area() < one.2[1].area()).count();
        assert!(crop.is_some() || smaller > 4, "a scar is smaller than most pastes");
    }
}

#[test]
fn a_paste_that_does_not_show_is_a_normal_view() {
    let root = tempfile::tempdir().unwrap();
    let item = |n: usize| {
        let path = root.path().join(format!("{n}.png"));
        write_png(&path, &Rgb::filled(70, 70, [0; 3])).unwrap();
        Item { path, key: format!("train/good/{n}"), defect: "good".into(), mask: None }
    };
    let items: Vec<Item> = (0..2).map(item).collect();
    let config = config();
    let made = by_item(&views(&source(&items, 1), epoch(2, &config, 0, 0), Views::ThreeWay { crop: Some(32) }, &config));
    assert!(made.iter().all(|(_, images, masks, kinds)| *kinds == [0; 3] && masks.iter().all(Mask::is_empty) && images[0] == images[2]));
}

#[test]
fn three_views_are_the_same_for_any_threads_any_cache_and_any_start_and_differ_between_epochs() {
    let (_root, items) = folder(5);
    let three = Views::ThreeWay { crop: Some(32) };
    let mut config = config();
    config.data.workers = 1;
    let first = views(&source(&items, 0), epoch(5, &config, 1, 0), three, &config);
    for (workers, cache_mb, from) in [(1, 1, 0), (3, 0, 1), (8, 1, 2)] {
        config.data.workers = workers;
        let again = views(&source(&items, cache_mb), epoch(5, &config, 1, from), three, &config);
        assert_eq!(again, first[from..], "{workers} workers, {cache_mb} MiB, from batch {from}");
    }
    let images = |of: u64, config: &Config| {
        by_item(&views(&source(&items, 1), epoch(5, config, of, 0), three, config)).into_iter().map(|one| one.1).collect::<Vec<_>>()
    };
    assert!(images(1, &config).iter().zip(&images(2, &config)).all(|(a, b)| a != b));
    config.pseudo.mode = RatioMode::Fixed;
    assert_eq!(images(1, &config), images(2, &config), "a fixed set has fixed crops and pastes");
}

#[test]
fn epochs_differ_and_a_fixed_set_of_pseudo_anomalies_does_not() {
    let (_root, items) = folder(4);
    let mut config = config();
    let source = source(&items, 1);
    let by_item = |config: &Config, of: u64| {
        let mut all: Vec<(usize, Vec<u8>)> = Vec::new();
        for batch in batches(&source, epoch(4, config, of, 0), config) {
            all.extend(batch.items.iter().copied().zip(batch.images.chunks_exact(3 * SIZE * SIZE).map(<[u8]>::to_vec)));
        }
        all.sort();
        all
    };
    let order = |of: u64| batches(&source, epoch(4, &config, of, 0), &config).into_iter().flat_map(|b| b.items).collect::<Vec<_>>();
    assert_ne!(order(0), order(1));
    assert_ne!(by_item(&config, 0), by_item(&config, 1));
    config.pseudo.mode = RatioMode::Fixed;
    assert_eq!(by_item(&config, 0), by_item(&config, 1));
}

#[test]
fn fewer_items_than_a_batch_make_one_batch() {
    let (_root, items) = folder(2);
    let mut config = config();
    (config.train.batch, config.train.drop_last) = (32, true);
    let made = batches(&source(&items, 1), epoch(2, &config, 0, 0), &config);
    assert_eq!(made.iter().map(Batch::len).collect::<Vec<_>>(), [6]);
}

#[test]
fn a_file_that_breaks_ends_the_stream_with_an_error_that_names_it() {
    let (_root, items) = folder(4);
    std::fs::write(&items[2].path, "no image").unwrap();
    let config = config();
    let mut loader = Loader::start(source(&items, 1), epoch(4, &config, 0, 0), Views::Pseudo, &config.data, &config.pseudo);
    let error = loop {
        match loader.next().expect("an error before the end") {
            Ok(batch) => assert!(batch.items.iter().all(|item| item % 4 != 2)),
            Err(error) => break error,
        }
    };
    assert!(error.what.contains("002.png"), "{error}");
    assert!(loader.next().is_none());
}

#[test]
fn dropping_a_loader_in_an_epoch_lets_go_of_its_source() {
    let (_root, items) = folder(4);
    let mut config = config();
    config.data.repeat = 500;
    let source = source(&items, 1);
    let mut loader = Loader::start(source.clone(), epoch(4, &config, 0, 0), Views::Pseudo, &config.data, &config.pseudo);
    loader.next().unwrap().unwrap();
    drop(loader);
    assert_eq!(Arc::strong_count(&source), 1);
}

#[test]
fn the_cache_keeps_what_fits_and_decodes_the_rest_again() {
    let (_root, items) = folder(3);
    // 3 * 512^2 bytes an image: one fits into 1 MiB.
    let source = Source::new(items.clone(), 512, Resize::Nearest, 1);
    let first: Vec<Arc<Rgb>> = (0..3).map(|i| source.get(i).unwrap()).collect();
    assert_eq!(source.kept(), 1);
    std::fs::remove_file(&items[0].path).unwrap();
    std::fs::remove_file(&items[1].path).unwrap();
    assert!(Arc::ptr_eq(&source.get(0).unwrap(), &first[0]));
    assert!(source.get(1).unwrap_err().what.contains("001.png"));
    assert_eq!(source.get(2).unwrap(), first[2]);
    assert_eq!(source.dimensions(1).unwrap(), (79, 63), "known since it was decoded");
    let none = Source::new(items, 512, Resize::Nearest, 0);
    none.get(2).unwrap();
    assert_eq!(none.kept(), 0);
}

#[test]
fn threads_that_ask_at_once_get_the_same_image_and_the_bound_holds() {
    let (_root, items) = folder(6);
    // Two of 3 * 416^2 bytes fit into 1 MiB.
    let source = Source::new(items, 416, Resize::Nearest, 1);
    let reference: Vec<Arc<Rgb>> = (0..6).map(|i| source.get(i).unwrap()).collect();
    let other = Source::new(source.items().to_vec(), 416, Resize::Nearest, 1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..12).for_each(|i| assert_eq!(other.get(i % 6).unwrap(), reference[i % 6])));
        }
    });
    assert!(other.kept() <= 2);
    (0..6).for_each(|i| drop(other.get(i).unwrap()));
    assert_eq!((source.kept(), other.kept()), (2, 2));
}

/// An item with a mask, both made in `root`.
fn scratch(root: &Path, image: (usize, usize), mask: Option<(usize, usize)>) -> Item {
    let (path, truth): (PathBuf, PathBuf) = (root.join("image.png"), root.join("mask.png"));
    write_png(&path, &Rgb::filled(image.0, image.1, [9; 3])).unwrap();
    let mask = mask.map(|(width, height)| {
        let mut mask = Mask::filled(width, height, 0);
        mask.set(2, 1, 1);
        write_mask_png(&truth, &mask).unwrap();
        truth
    });
    Item { path, key: "test/scratch/image".into(), defect: "scratch".into(), mask: mask.map(Into::into) }
}

#[test]
fn masks_come_in_the_size_of_their_image_or_not_at_all() {
    let root = tempfile::tempdir().unwrap();
    let of = |item: Item| Source::new(vec![item], 32, Resize::Bilinear, 1).mask(0);
    let mask = of(scratch(root.path(), (20, 10), Some((20, 10)))).unwrap();
    assert_eq!((mask.width, mask.height, mask.area(), mask.at(2, 1)), (20, 10, 1, 1));
    let misfit = of(scratch(root.path(), (20, 10), Some((10, 20)))).unwrap_err();
    assert!(misfit.what.contains("10x20") && misfit.what.contains("20x10"), "{misfit}");
    // Where another has one; where none has, there is no ground truth for pixels.
    let both = vec![scratch(root.path(), (20, 10), Some((20, 10))), scratch(root.path(), (20, 10), None)];
    assert!(Source::new(both, 32, Resize::Bilinear, 1).mask(1).unwrap_err().what.contains("no mask"));
    let alone = Source::new(vec![scratch(root.path(), (20, 10), None)], 32, Resize::Bilinear, 1);
    assert!(!alone.is_masked() && alone.mask(0).unwrap().is_empty());
    let mut good = scratch(root.path(), (20, 10), None);
    good.defect = "good".into();
    assert_eq!(of(good).unwrap(), Mask::filled(20, 10, 0));
}

/// The photograph of an item depends on seed, epoch and item alone, and a folder that changes meanwhile is an error.
#[test]
fn an_anomaly_shows_one_of_the_photographs_under_blots() {
    let (_root, items) = folder(3);
    let (photographs, files) = folder(5);
    let mut config = config();
    config.pseudo.weight = Weight { confetti: 0.0, cutpaste: 0.0, perlin: 1.0, ..config.pseudo.weight };
    (config.pseudo.ratio, config.pseudo.perlin.texture) = (1.0, Texture::Photographs);
    photographs.path().to_str().unwrap().clone_into(&mut config.pseudo.perlin.textures);
    let open = || Photographs::of(&config).unwrap();
    let source = |workers| (Arc::new(Source::new(items.clone(), SIZE, Resize::Bilinear, 1).beside(open())), workers);
    let mut made = [1, 3].map(source).map(|(source, workers)| {
        let mut config = config.clone();
        config.data.workers = workers;
        batches(&source, epoch(3, &config, 2, 0), &config)
    });
    assert_eq!(made[0], made[1]);
    let mut shown = std::collections::BTreeSet::new();
    for batch in &mut made[0] {
        for (at, &item) in batch.items.iter().enumerate() {
            let image = resize(&decode(&items[item % 3].path).unwrap(), SIZE, Resize::Bilinear);
            let which = stream(11, "photograph", 2, item as u64).random_range(0..files.len());
            let photograph = decode(&files[which].path).unwrap();
            let beside = Beside { other: &image, photograph: Some(&photograph) };
            let sample = pseudo::pseudo(&image, beside, &config.pseudo, &mut stream(11, "pseudo", 2, item as u64));
            let area = SIZE * SIZE;
            assert!(batch.images[3 * area * at..3 * area * (at + 1)] == sample.image.data, "{item}");
            assert!(batch.masks[area * at..area * (at + 1)] == sample.mask.data, "{item}");
            shown.insert(which);
        }
    }
    assert!(shown.len() > 1, "{shown:?}");

    let opened = open();
    files.iter().for_each(|file| write_png(&file.path, &Rgb::filled(8, 8, [9; 3])).unwrap());
    let source = Arc::new(Source::new(items.clone(), SIZE, Resize::Bilinear, 1).beside(opened));
    let mut loader = Loader::start(source, epoch(3, &config, 2, 0), Views::Pseudo, &config.data, &config.pseudo);
    let error = std::iter::from_fn(|| loader.next()).find_map(Result::err).expect("no photograph is what was hashed");
    assert!(error.what.contains("changed while it was being used"), "{error}");
    config.pseudo.perlin.textures = "no/such/folder".into();
    let error = Photographs::of(&config).err().unwrap();
    assert!(error.what.starts_with("pseudo.perlin.textures: ") && error.exit_code() == 3, "{error}");
}

#[test]
fn a_margin_is_cut_off_in_training_and_in_scoring() {
    let (_root, items) = folder(2);
    let mut config = config();
    config.data.margin = 16;
    let source = cropped(&items, &config);
    assert_eq!((source.size(), source.loaded_size(), source.whole_size()), (SIZE, SIZE, SIZE + 32));
    for (index, item) in items.iter().enumerate() {
        let inner = resize(&decode(&item.path).unwrap(), SIZE + 32, config.data.resize).crop(16, 16, SIZE, SIZE);
        assert_eq!(*source.get(index).unwrap(), inner);
    }
    let shape = Shape::new(items.len(), &config.data, &config.train);
    let epoch = Epoch { shape, seed: 11, epoch: 0, first_batch: 0 };
    let batch = Loader::start(source.clone(), epoch, Views::Bare, &config.data, &config.pseudo).next().unwrap().unwrap();
    assert_eq!(batch.images[..3 * SIZE * SIZE], source.get(batch.items[0]).unwrap().data);
}

#[test]
fn an_alpha_channel_is_remembered() {
    let (root, mut items) = folder(1);
    let source = Source::new(items.clone(), 32, Resize::Bilinear, 1);
    source.get(0).unwrap();
    assert!(!source.saw_alpha());
    items[0].path = root.path().join("alpha.png");
    image::save_buffer(&items[0].path, &[200; 4 * 64], 8, 8, image::ExtendedColorType::Rgba8).unwrap();
    let source = Source::new(items, 32, Resize::Bilinear, 1);
    source.get(0).unwrap();
    assert!(source.saw_alpha());
}

#[test]
fn a_real_category_is_loaded() {
    let Some(root) = shared("data") else { return skip("no shared/data") };
    if !root.join("leather_tiny").is_dir() {
        return skip("no shared/data/leather_tiny");
    }
    let leather = category(&root, "leather_tiny").unwrap();
    let mut config = config();
    config.data.size = 128;
    let train = Arc::new(Source::new(leather.train.clone(), 128, Resize::Bilinear, 8));
    let made = batches(&train, epoch(leather.train.len(), &config, 0, 0), &config);
    assert_eq!(made.iter().flat_map(|b| b.masks.chunks_exact(128 * 128)).filter(|mask| mask.contains(&1)).count(), 6, "half of 12");
    assert_eq!(train.kept(), 4);
    let test = Source::new(leather.test, 128, Resize::Bilinear, 8);
    let regions = (0..test.len()).filter(|&i| !test.mask(i).unwrap().is_empty()).count();
    assert_eq!((test.len(), regions), (15, 11));
}
