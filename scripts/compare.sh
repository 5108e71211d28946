#!/usr/bin/env bash
# The method beside PaDiM and the nearest neighbour, one after the other, then in one table. Extra words go to each
# `harness run`:
#   scripts/compare.sh data.root=/path/to/mvtec data.categories=bottle
# Finished runs are reused and interrupted ones go on, so the same command can be repeated at any time.
set -euo pipefail
cd "$(dirname "$0")/.."
results=results
rows=(full padim nearest)
for row in "${rows[@]}"; do
    target/release/harness run "experiments/$row.toml" --results "$results" "$@"
done
echo
target/release/harness runs table --results "$results" "${rows[@]}"
