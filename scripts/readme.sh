#!/usr/bin/env bash
# The README's pictures and tables, from built-in data, finished runs (`just ablation`) and measurements (`just bench`).
set -euo pipefail
cd "$(dirname "$0")/.."
harness=target/release/harness
"$harness" sweep experiments/ablation.toml
"$harness" sweep experiments/ratio.toml
"$harness" data show "$("$harness" data builtin)" --category gear --out docs/img/builtin.png
cp plots/ablation/means.png docs/img/ablation.png
cp plots/ratio/course.png docs/img/ratio.png
# Between marks stand a sweep's table without its title, its findings, and the table of `just bench`; a file that is not there
# leaves what stands.
for page in README.md docs/performance.md; do
    awk '
        function insert(file, line) {
            while ((getline line < file) > 0) { found = 1; if (line !~ /^\*\*/) lines[++count] = line }
            return found
        }
        /^<!-- end -->/ { skip = 0 }
        !skip { print }
        /^<!-- results\/.*\.md -->/ {
            found = count = 0
            if (insert($2)) { skip = 1; for (i = 1; i <= count; i++) print lines[i] }
        }
    ' "$page" > target/page.md
    mv target/page.md "$page"
done
git --no-pager diff --stat README.md docs
