#!/usr/bin/env bash
# The five rows of the paper's Table 4, one after the other, then side by side. Extra words go to each `harness run`:
#   scripts/ablation.sh data.root=/path/to/mvtec run.seeds='[0,1,2]'
# Finished runs are reused and interrupted ones go on, so the same command can be repeated at any time.
set -euo pipefail
cd "$(dirname "$0")/.."
results=results
rows=()
for file in experiments/ablation/*.toml; do
    target/release/harness run "$file" --results "$results" data.categories=gear data.repeat=3 "$@"
    rows+=("$(basename "$file" .toml)")
done
echo
target/release/harness runs table --results "$results" "${rows[@]}"
