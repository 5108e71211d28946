#!/usr/bin/env bash
# What a change must pass. Release builds throughout, so that libtorch's bindings are compiled once.
set -euo pipefail
cd "$(dirname "$0")/.."
step() { printf '\n== %s\n' "$*"; }
step format;  cargo fmt --all --check
step lints;   cargo clippy --release --workspace --all-targets --quiet -- -D warnings
step docs;    RUSTDOCFLAGS="-D warnings" cargo doc --release --workspace --no-deps --quiet
step build;   cargo build --release --workspace --quiet
step smoke;   scripts/smoke.sh
step tests;   scripts/test.sh
