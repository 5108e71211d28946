#!/usr/bin/env bash
# Pictures and tables of README.md, docs/results.md and docs/performance.md: from built-in data, finished runs
# (`just ablation`) and measurements (`just bench`).
#   scripts/readme.sh            runs or reuses the sweeps, some nine hours of two cores, then fills the pages
#   scripts/readme.sh --fill     only fills the pages from what is there under results/ and plots/
set -euo pipefail
cd "$(dirname "$0")/.."
# Sweeps that ask what the ablation shows, with a figure of differences each. Those with many runs in bf16, which changes nothing that can be
# told (precision.toml) and takes half the time on a processor that has it.
studies="leave-one-out precision"
studies_bf16="training clipping length generators beyond thresholds loss-weights open-choices better-without"
if [ "${1:-}" != --fill ]; then
    harness=${CARGO_TARGET_DIR:-target}/release/harness
    for sweep in ablation ratio pace tables-1-2 better-compare $studies; do "$harness" sweep "experiments/$sweep.toml"; done
    for sweep in ablation leave-one-out; do
        "$harness" sweep "experiments/$sweep.toml" --name "$sweep-frozen" model.backbone.freeze=all
    done
    # Exit code 1: a run failed. Without clipping some do, which is a finding of training.toml.
    for sweep in $studies_bf16; do "$harness" sweep "experiments/$sweep.toml" train.precision=bf16 || [ $? = 1 ]; done
    "$harness" data show "$("$harness" data builtin)" --category gear --out docs/img/builtin.png
    "$harness" data pseudo experiments/full.toml data.categories=gear --each --out docs/img/generators.png
fi
# Where the picture is not there, the page keeps what it has.
picture() { [ ! -f "plots/$1.png" ] || cp "plots/$1.png" "docs/img/$2.png"; }
picture ablation/means ablation
picture ablation/panels-gear panels
picture ratio/course ratio
picture length/course length
picture thresholds/interaction thresholds
picture tables-1-2/categories-image_auroc systems
picture tables-1-2-mvtec/categories-image_auroc systems-mvtec
picture tables-1-2-mvtec/categories-aupro-0.3 systems-mvtec-aupro
picture better-compare/categories-aupro-0.3 better
picture better-compare-mvtec/categories-aupro-0.3 better-mvtec
for sweep in $studies $studies_bf16; do picture "$sweep/differences" "study-$sweep"; done
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
