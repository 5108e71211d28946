//! Images on disk: the MVTec AD layout, the built-in procedural set, checks, and the loader. Never tch.

pub mod builtin;
