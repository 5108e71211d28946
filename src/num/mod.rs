//! Means, quantiles, resampling and tests over plain slices. Pure.

mod binomial;
mod bootstrap;
mod chi_squared;
mod holm;
mod mean;
mod normal;
mod power;
mod quantile;
mod rank_shift;
mod sign_flip;

pub(crate) use binomial::root;
pub use binomial::{binomial_cdf, rate_interval};
pub use bootstrap::{RESAMPLES, bca_interval};
pub use chi_squared::chi_squared_above;
pub use holm::{holm, smallest_p};
pub use mean::{mean, standard_deviation};
pub use normal::{normal_cdf, normal_quantile};
pub use power::{POWER, pairs_needed, visible_effect};
pub use quantile::{median, quantile};
pub use rank_shift::{RankShift, rank_shift};
pub use sign_flip::{EXACT_PAIRS, SIGN_FLIP_DRAWS, sign_flip, smallest_sign_flip_p};
