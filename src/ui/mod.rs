//! Progress for people and machines.
