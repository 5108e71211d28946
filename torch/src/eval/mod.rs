//! A detector and images to score maps.
