#!/usr/bin/env bash
# Pictures and tables of README.md, docs/results.md and docs/performance.md: from built-in data, finished runs
# (`just ablation`) and measurements (`just bench`).
#   scripts/readme.sh            runs or reuses the sweeps, then fills the pages
#   scripts/readme.sh --fill     only fills the pages from the files under results/ that are there
set -euo pipefail
cd "$(dirname "$0")/.."
if [ "${1:-}" != --fill ]; then
    harness=${CARGO_TARGET_DIR:-target}/release/harness
    "$harness" sweep experiments/ablation.toml
    "$harness" sweep experiments/ratio.toml optim.lr=1e-3
    "$harness" sweep experiments/pace.toml
    "$harness" sweep experiments/tables-1-2.toml
    "$harness" data show "$("$harness" data builtin)" --category gear --out docs/img/builtin.png
    "$harness" data pseudo experiments/full.toml data.categories=gear --each --out docs/img/generators.png
    cp plots/ablation/means.png docs/img/ablation.png
    cp plots/ablation/panels-gear.png docs/img/panels.png
    cp plots/ratio/course.png docs/img/ratio.png
    cp plots/tables-1-2/categories-image_auroc.png docs/img/systems.png
fi
# Between a mark and the next `<!-- end -->` stands the file that the mark names, without its title:
#   <!-- results/ablation/table.md -->                   the whole file
#   <!-- results/ablation/table.md columns 1 3 4 -->     these columns of its first table, and nothing else
# Where the file is not there, the page keeps what it has.
page_file=$(mktemp)
trap 'rm -f "$page_file"' EXIT
for page in README.md docs/results.md docs/performance.md; do
    awk '
        # Reads a file without its title line into lines[1..count].
        function insert(file, line) {
            found = count = 0
            while ((getline line < file) > 0) { found = 1; if (line !~ /^\*\*/) lines[++count] = line }
            close(file)
            return found
        }
        # The chosen columns of a line of a table.
        function cut(line, i, cells, kept) {
            sub(/^\| /, "", line); sub(/ \|$/, "", line)
            split(line, cells, / \| /)
            kept = "|"
            for (i = 4; $i ~ /^[0-9]+$/; i++) kept = kept " " cells[$i] " |"
            return kept
        }
        /^<!-- end -->/ { skip = 0 }
        !skip { print }
        /^<!-- results\/[^ ]*\.md -->/ && insert($2) {
            skip = 1
            for (i = 1; i <= count; i++) print lines[i]
        }
        /^<!-- results\/[^ ]*\.md columns [0-9 ]+-->/ && insert($2) {
            skip = 1
            for (first = 1; first <= count && lines[first] !~ /^\|/; first++);
            print ""
            for (i = first; i <= count && lines[i] ~ /^\|/; i++) print cut(lines[i])
        }
    ' "$page" >"$page_file"
    cat "$page_file" >"$page"
done
git --no-pager diff --stat README.md docs
