//! Means, quantiles, resampling and tests over plain slices. Pure.

mod bootstrap;
mod holm;
mod mean;
mod normal;
mod quantile;
mod sign_flip;

pub use bootstrap::{RESAMPLES, bca_interval};
pub use holm::{holm, smallest_p};
pub use mean::{mean, standard_deviation};
pub use normal::{normal_cdf, normal_quantile};
pub use quantile::{median, quantile};
pub use sign_flip::{EXACT_PAIRS, SIGN_FLIP_DRAWS, sign_flip, smallest_sign_flip_p};
