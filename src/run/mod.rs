//! One run on disk: its identity, events, checkpoints, lock and environment.
