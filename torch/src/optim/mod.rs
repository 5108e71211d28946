//! Optimisers with state that can be saved, and learning-rate schedules.
