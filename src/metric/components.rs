//! Connected components of a mask: the regions that PRO counts.
//!
//! Rows are cut into runs of anomalous pixels; runs that touch a run of the row above are joined by union-find. A union
//! keeps the earlier run as root, so regions are numbered in the raster order of their first pixels. Cost: one look at
//! each pixel, then work per run; a mask of few defects takes little more than its reading.

use crate::image::{Mask, NOT_SCORED, Plane};
use serde::{Deserialize, Serialize};

/// Which neighbours join two anomalous pixels into one region.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "u8", try_from = "u8")]
pub enum Connectivity {
    /// Those that share an edge.
    Four,
    /// Those that share an edge or a corner: the data set's own evaluation.
    Eight,
}

impl From<Connectivity> for u8 {
    fn from(connectivity: Connectivity) -> u8 {
        match connectivity {
            Connectivity::Four => 4,
            Connectivity::Eight => 8,
        }
    }
}

impl TryFrom<u8> for Connectivity {
    type Error = crate::Error;

    fn try_from(neighbours: u8) -> crate::Result<Self> {
        match neighbours {
            4 => Ok(Self::Four),
            8 => Ok(Self::Eight),
            other => Err(crate::Error::config(format!("connectivity {other} is unknown"), "eval.pro.connectivity is 4 or 8")),
        }
    }
}

/// A horizontal run of one region's pixels: row `y`, columns `start..end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    pub y: usize,
    pub start: usize,
    pub end: usize,
    /// Index into [`Regions::regions`].
    pub region: usize,
}

/// One connected region. The box spans columns `x.0..x.1` and rows `y.0..y.1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// Pixels.
    pub area: usize,
    pub x: (usize, usize),
    pub y: (usize, usize),
}

/// The regions of one mask, as runs in raster order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regions {
    pub width: usize,
    pub height: usize,
    pub runs: Vec<Run>,
    pub regions: Vec<Region>,
    /// Which pixels are scored; `None` = all.
    pub scored: Option<Vec<bool>>,
}

impl Regions {
    pub fn count(&self) -> usize {
        self.regions.len()
    }

    /// The labels as a plane `[height, width]`: 0 outside every region, region index + 1 inside.
    pub fn labels(&self) -> Plane<u32> {
        let mut plane = Plane::filled(self.width, self.height, 0);
        for run in &self.runs {
            let row = run.y * self.width;
            plane.data[row + run.start..row + run.end].fill(run.region as u32 + 1);
        }
        plane
    }
}

/// Finds the regions of `mask`; any value but 0 is anomalous, and [`NOT_SCORED`] is neither.
pub fn label(mask: &Mask, connectivity: Connectivity) -> Regions {
    if mask.data.contains(&NOT_SCORED) {
        let plain = mask.data.iter().map(|&value| if value == NOT_SCORED { 0 } else { value }).collect();
        let regions = label(&Mask::from_vec(mask.width, mask.height, plain), connectivity);
        return Regions { scored: Some(mask.data.iter().map(|&value| value != NOT_SCORED).collect()), ..regions };
    }
    let (mut runs, parent) = joined_runs(mask, connectivity);
    let mut regions: Vec<Region> = Vec::new();
    for i in 0..runs.len() {
        let run = runs[i];
        let region = match parent[i] {
            root if root == i => {
                regions.push(Region { area: 0, x: (run.start, run.end), y: (run.y, run.y + 1) });
                regions.len() - 1
            }
            earlier => runs[earlier].region,
        };
        runs[i].region = region;
        let Region { area, x, y } = &mut regions[region];
        *area += run.end - run.start;
        *x = (x.0.min(run.start), x.1.max(run.end));
        y.1 = run.y + 1;
    }
    Regions { width: mask.width, height: mask.height, runs, regions, scored: None }
}

/// The runs of the mask and, for each, an earlier run of the same region (itself for a root).
fn joined_runs(mask: &Mask, connectivity: Connectivity) -> (Vec<Run>, Vec<usize>) {
    let reach = match connectivity {
        Connectivity::Four => 0,
        Connectivity::Eight => 1, // a run also touches those that end or begin diagonally beside it
    };
    let (mut runs, mut parent) = (Vec::new(), Vec::new());
    let mut above = 0..0; // indices of the previous row's runs
    for y in 0..mask.height {
        let row = &mask.data[y * mask.width..(y + 1) * mask.width];
        let first = runs.len();
        push_runs(&mut runs, row, y);
        parent.extend(first..runs.len());
        let mut candidate = above.start;
        for i in first..runs.len() {
            let Run { start, end, .. } = runs[i];
            while candidate < above.end && runs[candidate].end + reach <= start {
                candidate += 1;
            }
            let touching = (candidate..above.end).take_while(|&j| runs[j].start < end + reach);
            touching.for_each(|j| union(&mut parent, i, j));
        }
        above = first..runs.len();
    }
    (runs, parent)
}

fn push_runs(runs: &mut Vec<Run>, row: &[u8], y: usize) {
    if row.iter().fold(0, |any, &p| any | p) == 0 {
        return; // most rows, at the speed of memory
    }
    let mut end = 0;
    while let Some(gap) = row[end..].iter().position(|&p| p != 0) {
        let start = end + gap;
        end = row[start..].iter().position(|&p| p == 0).map_or(row.len(), |length| start + length);
        runs.push(Run { y, start, end, region: 0 });
    }
}

fn union(parent: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parent, a), root(parent, b));
    parent[a.max(b)] = a.min(b);
}

/// The root, with every second link on the way shortened: chains stay short without a rank.
fn root(parent: &mut [usize], mut i: usize) -> usize {
    while parent[i] != i {
        parent[i] = parent[parent[i]];
        i = parent[i];
    }
    i
}

#[cfg(test)]
mod tests {
    use super::super::tests::slow;
    use super::*;
    use proptest::prelude::*;

    fn mask(rows: &[&str]) -> Mask {
        Mask::from_vec(rows[0].len(), rows.len(), rows.concat().bytes().map(|b| u8::from(b == b'#')).collect())
    }

    #[test]
    fn a_diagonal_scratch_is_one_region_of_eight_and_many_of_four() {
        let scratch = mask(&["#...", ".#..", "..#.", "...#"]);
        assert_eq!(label(&scratch, Connectivity::Eight).count(), 1);
        assert_eq!(label(&scratch, Connectivity::Four).count(), 4);
    }

    #[test]
    fn arms_that_meet_late_are_one_region() {
        let regions = label(&mask(&["#.#.#", "#.#.#", "###.#", "....#", "#####"]), Connectivity::Four);
        assert_eq!(regions.count(), 2);
        assert_eq!(regions.regions[0], Region { area: 7, x: (0, 3), y: (0, 3) });
        assert_eq!(regions.regions[1], Region { area: 9, x: (0, 5), y: (0, 5) });
    }

    #[test]
    fn an_empty_and_a_full_mask_have_no_and_one_region() {
        assert_eq!(label(&Mask::filled(7, 3, 0), Connectivity::Eight).count(), 0);
        let full = label(&Mask::filled(7, 3, 255), Connectivity::Four);
        assert_eq!(full.regions, [Region { area: 21, x: (0, 7), y: (0, 3) }]);
        assert_eq!(label(&Mask::filled(0, 0, 0), Connectivity::Eight).count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn components_are_those_of_a_flood_fill(
            width in 1usize..20, height in 1usize..20, density in 0.1..0.9f64, seed in any::<u64>(), eight in any::<bool>(),
        ) {
            let connectivity = if eight { Connectivity::Eight } else { Connectivity::Four };
            let mut random = slow::Lcg(seed);
            let data = (0..width * height).map(|_| u8::from(random.unit() < density)).collect();
            let mask = Mask::from_vec(width, height, data);
            let regions = label(&mask, connectivity);
            let (labels, count) = slow::flood_fill(&mask, connectivity);
            prop_assert_eq!(regions.count(), count);
            prop_assert_eq!(&regions.labels(), &labels);
            for (r, region) in regions.regions.iter().enumerate() {
                let pixels: Vec<usize> = (0..labels.data.len()).filter(|&i| labels.data[i] == r as u32 + 1).collect();
                prop_assert_eq!(region.area, pixels.len());
                let columns = pixels.iter().map(|i| i % width);
                prop_assert_eq!(region.x, (columns.clone().min().unwrap(), columns.max().unwrap() + 1));
                prop_assert_eq!(region.y, (pixels[0] / width, pixels[pixels.len() - 1] / width + 1));
            }
        }
    }
}
