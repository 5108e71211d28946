#!/usr/bin/env bash
# The README's pictures and its table and findings of the ablation, from built-in data and finished runs (`just ablation` makes them).
set -euo pipefail
cd "$(dirname "$0")/.."
harness=target/release/harness
"$harness" sweep experiments/ablation.toml
cp plots/ablation/means.png docs/img/ablation.png
"$harness" data show data/builtin-v2 --out docs/img/builtin.png
# Between its marks stand the sweep's table without its title, and its findings.
awk '
    function insert(file) { while ((getline line < file) > 0) if (line !~ /^\*\*/) print line }
    /^<!-- end -->/ { skip = 0 }
    !skip { print }
    /^<!-- results\/.*\.md -->/ { skip = 1; insert($2) }
' README.md > target/README.md
mv target/README.md README.md
git --no-pager diff --stat README.md docs/img
