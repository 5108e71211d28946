//! Which normal images are held out of a fit. Pure; the draw depends on the seed and the number of images.

use rand::seq::SliceRandom;

use crate::{Error, Result, seed};

/// Places of images: those to fit on and those to calibrate with, each rising.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    pub fit: Vec<usize>,
    pub out: Vec<usize>,
}

/// Holds `share` of `n` images out, at least one.
///
/// # Errors
/// `Kind::Config` where fewer than two would be left.
pub fn holdout(n: usize, share: f64, seed: u64) -> Result<Fold> {
    let out = ((share * n as f64).round() as usize).max(1);
    if n < out + 2 {
        return Err(Error::config(
            format!("calibrate.share: {out} of {n} normal images held out leave too few to fit on"),
            "give more images, a smaller share, or calibrate.mode=\"folds\"",
        ));
    }
    Ok(parted(&order(n, seed), 0..out))
}

/// `count` folds of `n` images, each image held out once; sizes differ by one at most.
///
/// # Errors
/// `Kind::Config` where there are fewer images than folds, or fewer than two are left to fit on.
pub fn folds(n: usize, count: usize, seed: u64) -> Result<Vec<Fold>> {
    let largest = n.div_ceil(count);
    if n < count || n < largest + 2 {
        return Err(Error::config(
            format!("calibrate.folds: {n} normal images are too few for {count} folds"),
            "give more images, or fewer folds",
        ));
    }
    let order = order(n, seed);
    Ok((0..count).map(|fold| parted(&order, fold * n / count..(fold + 1) * n / count)).collect())
}

fn order(n: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut seed::stream(seed, "calibrate", 0, 0));
    order
}

fn parted(order: &[usize], out: std::ops::Range<usize>) -> Fold {
    let sorted = |mut places: Vec<usize>| {
        places.sort_unstable();
        places
    };
    let fit = order[..out.start].iter().chain(&order[out.end..]).copied().collect();
    Fold { fit: sorted(fit), out: sorted(order[out].to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_held_out_and_nothing_is_lost() {
        for (n, share, out) in [(40, 0.2, 8), (3, 0.1, 1), (60, 0.5, 30)] {
            let fold = holdout(n, share, 7).unwrap();
            assert_eq!((fold.out.len(), fold.fit.len()), (out, n - out));
        }
        assert_eq!(holdout(60, 0.2, 1), holdout(60, 0.2, 1));
        assert_ne!(holdout(60, 0.2, 1), holdout(60, 0.2, 2));
        for error in [holdout(2, 0.2, 0).map(drop), holdout(10, 0.9, 0).map(drop), folds(4, 5, 0).map(drop), folds(3, 1, 0).map(drop)] {
            assert_eq!(error.unwrap_err().exit_code(), 2);
        }
    }

    proptest! {
        #[test]
        fn each_image_is_held_out_of_one_fold(count in 2..8_usize, more in 2..50_usize, seed: u64) {
            let n = count + more;
            let folds = folds(n, count, seed).unwrap();
            let mut out: Vec<usize> = folds.iter().flat_map(|fold| fold.out.clone()).collect();
            out.sort_unstable();
            prop_assert_eq!(out, (0..n).collect::<Vec<_>>());
            for fold in &folds {
                let mut all = [fold.fit.clone(), fold.out.clone()].concat();
                all.sort_unstable();
                prop_assert_eq!(all.len(), n);
                all.dedup();
                prop_assert_eq!(all.len(), n);
                prop_assert!(fold.out.len().abs_diff(n / count) <= 1);
            }
        }
    }
}
