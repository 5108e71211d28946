//! Means, quantiles and resampling over plain slices. Pure.

mod mean;
mod quantile;

pub use mean::{mean, standard_deviation};
pub use quantile::{median, quantile};
