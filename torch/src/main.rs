//! `harness-torch`: what `harness` executes for verbs that need tensors.

fn main() {}
