//! What can be fitted and can score.
