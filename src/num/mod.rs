//! Means, quantiles and resampling over plain slices. Pure.
