//! What a folder holds and what in it would spoil a result. Reads every file once, in parallel; changes nothing.
//!
//! A finding *spoils* where a figure would be wrong or a run would stop, *warns* where a figure may be doubted or is missing,
//! and is a *fact* otherwise. Two images are the same where their decoded pixels are, whatever their files look like.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use super::report::{CategoryReport, Count, Finding, Grade, Report, Sizes};
use crate::config::{self, MaskRule, Masks, Orientation};
use crate::data::dataset::category::{Category, Form};
use crate::data::dataset::item::{GOOD, Item, Truth};
use crate::data::dataset::layout::Listing;
use crate::data::dataset::{Dataset, Source};
use crate::image::truth::Values;
use crate::image::{Mask, Rgb, codec};
use crate::metric::{Connectivity, label};
use crate::names::counted;
use crate::{Error, Result};

/// Greatest ratio of an image's sides that is passed over.
const SQUASHED: usize = 2;

/// Checks every category of a data set.
///
/// # Errors
/// A root without any category.
pub fn check(dataset: &Dataset) -> Result<Report> {
    let categories = dataset.categories()?.iter().map(|name| category(dataset, name)).collect::<Result<_>>()?;
    let findings = if dataset.is_list() { Vec::new() } else { halves(dataset.root())? };
    Ok(Report { root: dataset.root().to_owned(), categories, findings })
}

/// Folders that look like a category but are not.
fn halves(root: &Path) -> Result<Vec<Finding>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root).map_err(|e| Error::io("list the folder", root, &e))? {
        let path = entry.map_err(|e| Error::io("list the folder", root, &e))?.path();
        let has = |part: &str| path.join(part).is_dir();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if !name.starts_with('.') && (has("train") || has("test") || has("ground_truth")) && !path.join("train").join(GOOD).is_dir() {
            names.push(name);
        }
    }
    names.sort();
    Ok(Finding::some(Grade::Warns, "folders that look like a category have no train/good; \"all\" omits them", names).into_iter().collect())
}

/// Checks one category.
///
/// # Errors
/// A folder that cannot be listed.
pub fn category(dataset: &Dataset, name: &str) -> Result<CategoryReport> {
    let category = dataset.look(name)?;
    let seen = look(&category, dataset.data());
    let mut findings = of_place(&category);
    findings.extend(of_content(&seen, dataset.data()));
    let findings = tidy(dataset.root(), findings);
    Ok(CategoryReport { name: name.to_owned(), counts: counts(&category, &seen), sizes: sizes(&seen), findings })
}

/// What folders and lists show: no file is read whole.
pub(super) fn of_place(category: &Category) -> Vec<Finding> {
    let refusal = category.refusal().map(|(what, remedy)| Finding::new(Grade::Spoils, format!("{what}: {remedy}"), Vec::new()));
    let place = match &category.form {
        Form::Folders(listing) => of_folders(listing, category).into_iter().chain(of_others(listing)).collect(),
        Form::List { validation: 0, .. } => Vec::new(),
        Form::List { validation, .. } => {
            let what = format!("{} of the split validation: neither trained on nor scored", counted(*validation, "image", "images"));
            vec![Finding::new(Grade::Fact, what, Vec::new())]
        }
    };
    let names = of_names(category).into_iter();
    refusal.into_iter().chain::<Vec<Finding>>(place).chain(of_classes(category)).chain(of_labels(category)).chain(names).collect()
}

/// What the images and masks show.
pub(super) fn of_content(seen: &[Seen], data: &config::Data) -> Vec<Finding> {
    let parts = [of_images(seen, data.orientation), of_masks(seen, data), of_roi(seen, data), of_strangers(seen), of_copies(seen)];
    parts.into_iter().flatten().chain(of_shapes(seen)).collect()
}

/// Findings with files below the root, the most serious first.
pub(super) fn tidy(root: &Path, mut findings: Vec<Finding>) -> Vec<Finding> {
    // Also in what the decoder says about a file.
    let above = format!("{}/", root.display());
    let below = |file: &String| file.replace(&above, "");
    findings.iter_mut().for_each(|finding| finding.files = finding.files.iter().map(below).collect());
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.grade));
    findings
}

/// Decodes everything, in parallel.
pub(super) fn look(category: &Category, data: &config::Data) -> Vec<Seen> {
    let items: Vec<Item> = category.items().cloned().collect();
    items.into_par_iter().map(|item| see(item, data)).collect()
}

/// What was seen of one image and its mask.
pub(super) struct Seen {
    item: Item,
    image: Result<Image>,
    /// `None` where there is no mask file.
    mask: Option<Result<Marked>>,
    /// Why `data.roi` does not fit the image.
    misplaced: Option<Error>,
}

struct Image {
    width: usize,
    height: usize,
    alpha: bool,
    turned: bool,
    deepest: Option<u16>,
    transparent: bool,
    more_pages: bool,
    /// Grey, of 0 and one other value: 1 or 255.
    two_tone: bool,
    /// Of size and pixels.
    hash: blake3::Hash,
}

/// What the files of a ground truth mark together.
struct Marked {
    width: usize,
    height: usize,
    /// The tag of a file asks for a turn.
    turned: bool,
    /// Of size and pixels of each file as an image.
    hashes: Vec<blake3::Hash>,
    empty: bool,
    /// More than half of its pixels are anomalous.
    most: bool,
    /// Values other than 0 and 1, or 0 and full scale.
    grey: bool,
    regions_4: usize,
    regions_8: usize,
    /// Pixels of the smallest region.
    smallest: Option<usize>,
    /// The whole of it lies outside of `data.roi`.
    outside: bool,
}

fn see(item: Item, data: &config::Data) -> Seen {
    let image = codec::read(&item.path).and_then(|bytes| {
        let decoded = codec::decode_as(&bytes, &item.path, data.reading())?;
        let (width, height) = (decoded.rgb.width, decoded.rgb.height);
        let two_tone = [1, 255].iter().any(|&high| decoded.rgb.data.contains(&high) && is_of(&decoded.rgb, high));
        let hash = pixels(&decoded.rgb);
        let codec::Decoded { had_alpha: alpha, deepest, transparent, more_pages, turned, .. } = decoded;
        Ok(Image { width, height, alpha, turned, deepest, transparent, more_pages, two_tone, hash })
    });
    let roi = Source::within(item.clone(), data);
    let inside = if image.is_ok() { roi.inside(0) } else { Ok(None) };
    let mask = item.mask.as_ref().map(|truth| see_truth(truth, data, inside.as_ref().ok().and_then(Option::as_ref)));
    Seen { item, image, mask, misplaced: inside.err() }
}

/// Whether all pixels are black or grey of one value.
fn is_of(image: &Rgb, high: u8) -> bool {
    let mut black = false;
    let two = image.data.chunks_exact(3).all(|pixel| {
        black |= pixel == [0; 3];
        pixel == [0; 3] || pixel == [high; 3]
    });
    two && black
}

/// The hash of an image's size and pixels.
fn pixels(image: &Rgb) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[image.width.to_le_bytes(), image.height.to_le_bytes()].concat()).update(&image.data);
    hasher.finalize()
}

fn see_truth(truth: &Truth, data: &config::Data, inside: Option<&Mask>) -> Result<Marked> {
    let (mut all, mut hashes, mut grey, mut turned): (Option<Mask>, Vec<_>, _, _) = (None, vec![], false, false);
    for path in &truth.files {
        let bytes = codec::read(path)?;
        let decoded = codec::decode_as(&bytes, path, data.reading())?;
        hashes.push(pixels(&decoded.rgb));
        turned |= decoded.turned;
        let values = Values::of(&bytes, path, data.reading())?;
        let kinds = values.kinds();
        // Where the rule comes with the file, its values are known to be kinds of damage, or shades.
        grey |= truth.rule.is_none() && !kinds.is_empty() && kinds != [1] && kinds != [255] && kinds != [values.full];
        let mask = values.mask(truth.rule.unwrap_or(data.mask_rule), path)?;
        let before = all.get_or_insert_with(|| Mask::filled(mask.width, mask.height, 0));
        if (before.width, before.height) != (mask.width, mask.height) {
            let what = format!("{} is of another size than {}, a mask of the same image", path.display(), truth.path().display());
            return Err(Error::environment(what, "make them equal"));
        }
        before.data.iter_mut().zip(mask.data).for_each(|(all, one)| *all |= one);
    }
    let mask = all.expect("a ground truth has at least one file");
    let regions = label(&mask, Connectivity::Eight);
    Ok(Marked {
        smallest: regions.regions.iter().map(|region| region.area).min(),
        outside: inside
            .is_some_and(|inside| inside.data.len() == mask.data.len() && !inside.data.iter().zip(&mask.data).any(|(a, b)| a * b != 0)),
        width: mask.width,
        height: mask.height,
        turned,
        hashes,
        empty: mask.is_empty(),
        most: 2 * mask.area() > mask.data.len(),
        grey,
        regions_4: label(&mask, Connectivity::Four).count(),
        regions_8: regions.count(),
    })
}

fn of_images(seen: &[Seen], orientation: Orientation) -> Vec<Finding> {
    // The error names the file already.
    let broken = |s: &Seen| s.image.as_ref().err().map(|e| e.what.clone());
    let unreadable = Finding::some(Grade::Spoils, "images that cannot be read", seen.iter().filter_map(broken).collect());
    let of = |fits: fn(&Image) -> bool| paths(seen.iter().filter(|s| s.image.as_ref().is_ok_and(fits)));
    let alpha = Finding::some(Grade::Fact, "images with an alpha channel: it is composited over black", of(|i| i.alpha));
    let (grade, turned) = match orientation {
        Orientation::Apply => (Grade::Fact, "images that are turned upright, as their orientation tag (EXIF) asks"),
        Orientation::Ignore => (Grade::Warns, "images with an orientation tag (EXIF) that is not applied (data.orientation)"),
    };
    let turned = Finding::some(grade, turned, of(|i| i.turned));
    let deepest = seen.iter().filter_map(|s| s.image.as_ref().ok()?.deepest).max();
    let bits = deepest.map_or(16, |deepest| u16::BITS - deepest.leading_zeros());
    let dark = format!(
        "images of 16 bits of which they use {bits}: they come out dark, at 1/{} of full scale; scale them to the full range",
        1 << (16 - bits)
    );
    let dark = Finding::some(Grade::Warns, &dark, if bits <= 14 { of(|i| i.deepest.is_some()) } else { Vec::new() });
    let blank = Finding::some(Grade::Warns, "images that are wholly transparent, and come out black", of(|i| i.transparent));
    let pages = Finding::some(Grade::Warns, "images of several pages: only the first is read", of(|i| i.more_pages));
    [unreadable, alpha, turned, dark, blank, pages].into_iter().flatten().collect()
}

/// Images that are far from square.
fn of_shapes(seen: &[Seen]) -> Option<Finding> {
    let long = |s: &&Seen| s.image.as_ref().is_ok_and(|i| i.width.max(i.height) > SQUASHED * i.width.min(i.height));
    let what = "images more than twice as long as wide: a network sees them squashed into a square";
    Finding::some(Grade::Warns, what, paths(seen.iter().filter(long)))
}

/// What the region of interest does to the images.
fn of_roi(seen: &[Seen], data: &config::Data) -> Vec<Finding> {
    let misplaced = seen.iter().filter(|s| s.item.key.starts_with("test/")).filter_map(|s| s.misplaced.as_ref()).map(|e| e.what.clone());
    let outside = |s: &&Seen| s.mask.as_ref().is_some_and(|mask| mask.as_ref().is_ok_and(|mask| mask.outside));
    let outside = if data.roi.is_none() { Vec::new() } else { paths(seen.iter().filter(outside)) };
    let findings = [
        Finding::some(Grade::Spoils, "images that the region of interest does not fit", misplaced.collect()),
        Finding::some(Grade::Warns, "defects that lie outside of the region of interest (data.roi)", outside),
    ];
    findings.into_iter().flatten().collect()
}

/// Masks that are missing.
fn of_labels(category: &Category) -> Vec<Finding> {
    let defective: Vec<&Item> = category.test.iter().filter(|item| !item.is_good()).collect();
    let missing: Vec<&&Item> = defective.iter().filter(|item| item.mask.is_none()).collect();
    if missing.is_empty() || category.masks == Masks::Ignore {
        return Vec::new();
    }
    let files: Vec<String> = missing.iter().map(|item| item.path.display().to_string()).collect();
    if category.masks == Masks::Auto && missing.len() == defective.len() {
        let what = "no defective image has a mask: there are image-level metrics alone (data.masks)";
        return vec![Finding::new(Grade::Warns, what, Vec::new())];
    }
    vec![Finding::new(Grade::Spoils, "defective images without a mask: add masks, or set data.masks = \"ignore\"", files)]
}

fn of_masks(seen: &[Seen], data: &config::Data) -> Vec<Finding> {
    let defective: Vec<&Seen> = seen.iter().filter(|s| !s.item.is_good() && s.item.key.starts_with("test/")).collect();
    fn truth(s: &Seen) -> Option<&Marked> {
        s.mask.as_ref()?.as_ref().ok()
    }
    let masks_where = |fits: &dyn Fn(&Seen, &Marked) -> bool| -> Vec<String> {
        let chosen = defective.iter().filter(|s| truth(s).is_some_and(|t| fits(s, t)));
        chosen.filter_map(|s| s.item.mask.as_ref()).map(|truth| truth.path().display().to_string()).collect()
    };
    let unreadable = defective.iter().filter_map(|s| s.mask.as_ref()?.as_ref().err()).map(|e| e.what.clone()).collect();
    let misfits = |s: &Seen, t: &Marked| s.image.as_ref().is_ok_and(|i| (i.width, i.height) != (t.width, t.height));
    let turned = |s: &Seen, t: &Marked| misfits(s, t) && (t.turned || s.image.as_ref().is_ok_and(|i| i.turned));
    let side = data.size + 2 * data.margin;
    let several = match data.mask_rule {
        MaskRule::Nonzero => "masks with values other than 0 and 1, or 0 and 255: all but 0 is anomalous (data.mask_rule)",
        MaskRule::Half => "masks with values other than 0 and 255: half of full scale and more is anomalous (data.mask_rule)",
    };
    [
        Finding::some(Grade::Spoils, "masks that cannot be read", unreadable),
        Finding::some(Grade::Spoils, "masks of another size than their image", masks_where(&|s, t| misfits(s, t) && !turned(s, t))),
        Finding::some(
            Grade::Spoils,
            "masks of another size than their image where one of them has an orientation tag (EXIF): each is read by its own (data.orientation)",
            masks_where(&turned),
        ),
        Finding::some(Grade::Spoils, "empty masks of defective images", masks_where(&|_, t| t.empty)),
        Finding::some(Grade::Warns, "masks that mark more than half of their image: are they inverted?", masks_where(&|_, t| t.most)),
        Finding::some(Grade::Warns, several, masks_where(&|_, t| t.grey)),
        Finding::some(
            Grade::Warns,
            "masks with defects smaller than a pixel of the network's input (data.size)",
            masks_where(&|_, t| t.smallest.is_some_and(|area| area * side * side < t.width * t.height)),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Masks among the images: by their name beside the image that they belong to, or by pixels that are a mask's; and images that
/// look like masks where others do not.
fn of_strangers(seen: &[Seen]) -> Vec<Finding> {
    let keys: HashSet<&str> = seen.iter().map(|s| s.item.key.as_str()).collect();
    let masks: HashSet<blake3::Hash> =
        seen.iter().filter_map(|s| s.mask.as_ref()?.as_ref().ok()).filter(|t| !t.empty).flat_map(|t| t.hashes.clone()).collect();
    let two_tone = |s: &Seen| s.image.as_ref().is_ok_and(|i| i.two_tone);
    let is_mask = |s: &Seen| {
        let beside = s.item.key.strip_suffix("_mask").is_some_and(|key| keys.contains(key) || two_tone(s));
        beside || two_tone(s) && s.image.as_ref().is_ok_and(|i| masks.contains(&i.hash))
    };
    let (strangers, others): (Vec<&Seen>, Vec<&Seen>) = seen.iter().partition(|s| is_mask(s));
    let alike: Vec<&Seen> = others.iter().copied().filter(|s| two_tone(s)).collect();
    let odd = if 2 * alike.len() < others.len() { alike } else { Vec::new() };
    [
        Finding::some(Grade::Spoils, "masks among the images: they would be taken for images", paths(strangers.into_iter())),
        Finding::some(Grade::Warns, "images of black and one grey, unlike the others: are they masks?", paths(odd.into_iter())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Pictures that are passed over, because their format is not read.
fn of_others(listing: &Listing) -> Vec<Finding> {
    let folders = [&listing.train, &listing.test, &listing.ground_truth].into_iter().flatten();
    let files = folders.flat_map(|folder| &folder.others).chain(&listing.others);
    let pictures = files.filter(|path| is_picture(path)).map(|path| path.display().to_string()).collect();
    let what = "pictures of a format that is not read: convert them to PNG, or remove them";
    Finding::some(Grade::Warns, what, pictures).into_iter().collect()
}

/// Endings of pictures that are not read.
const PICTURES: &str = "apng arw avif cr2 cr3 dcm dng exr gif hdr heic heif ico j2k jfif jif jp2 jpe jpf jxl mng nef orf pbm pcx pgm png~ \
                        pnm ppm psd qoi raf raw rw2 sr2 svg tga xbm xpm";

/// By its ending, or its first bytes.
pub fn is_picture(path: &Path) -> bool {
    let ending = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if PICTURES.split_whitespace().any(|known| known == ending) {
        return true;
    }
    let mut start = [0; 12];
    let read = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file())
        && std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut start)).is_ok();
    let begins = |magic: &[u8]| start.starts_with(magic);
    let known = [b"\x89PNG".as_slice(), b"\xff\xd8\xff", b"GIF8", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];
    let boxed = &start[4..8] == b"ftyp" && [b"heic".as_slice(), b"heix", b"mif1", b"avif"].contains(&&start[8..]);
    read && (known.into_iter().any(begins) || begins(b"RIFF") && &start[8..] == b"WEBP" || boxed)
}

/// Images that occur more than once.
fn of_copies(seen: &[Seen]) -> Vec<Finding> {
    let mut groups: BTreeMap<[u8; 32], Vec<&Item>> = BTreeMap::new();
    for s in seen {
        if let Ok(image) = &s.image {
            groups.entry(*image.hash.as_bytes()).or_default().push(&s.item);
        }
    }
    let (mut across, mut contrary, mut train, mut test) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for group in groups.into_values().filter(|group| group.len() > 1) {
        let of_train = group.iter().filter(|item| item.key.starts_with("train/")).count();
        let good = group.iter().filter(|item| item.is_good()).count();
        let list = match of_train {
            0 if good > 0 && good < group.len() => &mut contrary,
            0 => &mut test,
            n if n == group.len() => &mut train,
            _ => &mut across,
        };
        list.push(group.iter().map(|item| item.key.as_str()).collect::<Vec<_>>().join(" = "));
    }
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    [
        Finding::some(Grade::Spoils, "images that occur in both train and test", sorted(across)),
        Finding::some(Grade::Spoils, "images that are good and defective in test", sorted(contrary)),
        Finding::some(Grade::Warns, "images that occur more than once in train", sorted(train)),
        Finding::some(Grade::Warns, "images that occur more than once in test", sorted(test)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the folders themselves show.
fn of_folders(listing: &Listing, category: &Category) -> Vec<Finding> {
    let test = &category.test;
    let text = |paths: Vec<PathBuf>| paths.into_iter().map(|p| p.display().to_string()).collect::<Vec<_>>();
    let folders = [&listing.train, &listing.test, &listing.ground_truth].into_iter().flatten();
    let empty = listing.test.iter().filter(|f| f.images.is_empty() && f.name != GOOD).map(|f| f.path.clone()).collect();
    let nested = folders.flat_map(|f| f.folders.iter().map(|inner| f.path.join(inner))).collect();
    let used: HashSet<&PathBuf> = test.iter().filter_map(|item| item.mask.as_ref()).flat_map(|truth| &truth.files).collect();
    let truths = listing.ground_truth.iter().filter(|f| f.name != GOOD).flat_map(|f| &f.images);
    let orphans = truths.filter(|path| category.masks != Masks::Ignore && !used.contains(path)).cloned().collect();
    let of_good = listing.ground_truth.iter().filter(|f| f.name == GOOD).flat_map(|f| f.images.clone()).collect();
    [
        Finding::some(Grade::Warns, "folders of defects without an image", text(empty)),
        Finding::some(Grade::Warns, "folders one level too deep: nothing in them is read", text(nested)),
        Finding::some(Grade::Warns, "images outside of good and the folders of defects: they are not read", text(listing.stray.clone())),
        Finding::some(
            Grade::Warns,
            "folders of images beside those of normal parts: they are not read (`harness data import folder` makes a list of both)",
            text(listing.beside.clone()),
        ),
        Finding::some(Grade::Warns, "masks that belong to no image", text(orphans)),
        Finding::some(Grade::Fact, "masks of good images: they are not read", text(of_good)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The longest name of a category or of a test image, bytes: maps and figures are named after them, and a file system takes 255, of
/// which `.panels-errors-`, `.png` and the marks of a file that is being written take up to 45.
const LONGEST_NAME: usize = 200;

/// Names after which no file could be written.
fn of_names(category: &Category) -> Option<Finding> {
    let is_long = |name: &str| name.len() > LONGEST_NAME;
    let part = |item: &&Item| item.key.split('/').any(|part| is_long(part.rsplit_once('.').map_or(part, |(stem, _)| stem)));
    let items = category.test.iter().filter(part).map(|item| item.path.display().to_string());
    let own = is_long(&category.name).then(|| category.folder().join(&category.name).display().to_string());
    let what = format!("names of more than {LONGEST_NAME} bytes: maps and figures that are called so could not be written; rename them");
    Finding::some(Grade::Spoils, &what, items.chain(own).collect())
}

/// What is missing among the labels of the test images.
fn of_classes(category: &Category) -> Option<Finding> {
    let what = match (category.test.iter().any(Item::is_good), category.test.iter().any(|item| !item.is_good())) {
        (true, true) => return None,
        (false, true) => "no good image in test: image AUROC has no value",
        (true, false) => "no defective image in test: no metric has a value",
        (false, false) => "no image in test: a run is fitted only, and has no metrics",
    };
    Some(Finding::new(Grade::Warns, what, Vec::new()))
}

fn counts(category: &Category, seen: &[Seen]) -> Vec<Count> {
    let count = |split: &str, folder: &str| {
        let here = || seen.iter().filter(|s| s.item.defect == folder && s.item.key.split('/').next() == Some(split));
        let truths = || here().filter_map(|s| s.mask.as_ref()?.as_ref().ok());
        Count {
            split: split.to_owned(),
            folder: folder.to_owned(),
            images: here().count(),
            masks: here().filter(|s| s.mask.is_some()).count(),
            regions_4: truths().map(|t| t.regions_4).sum(),
            regions_8: truths().map(|t| t.regions_8).sum(),
        }
    };
    category.folders().iter().map(|(split, folder)| count(split, folder)).collect()
}

fn sizes(seen: &[Seen]) -> Option<Sizes> {
    let mut sizes: Vec<[usize; 2]> = seen.iter().filter_map(|s| s.image.as_ref().ok()).map(|i| [i.width, i.height]).collect();
    sizes.sort_by_key(|&[width, height]| (width * height, width));
    sizes.dedup();
    Some(Sizes { smallest: *sizes.first()?, largest: *sizes.last()?, distinct: sizes.len() })
}

fn paths<'a>(seen: impl Iterator<Item = &'a Seen>) -> Vec<String> {
    seen.map(|s| s.item.path.display().to_string()).collect()
}
