#!/usr/bin/env bash
# The page of a sweep in a real browser: sorting, filtering, paper, contrast and labels. Screenshots go to target/page-check/.
#   page-check.sh [PAGE.html…]     pages to look at; without any, those that the tests make
# Skips, and says so, where there is no Chromium or no npm (HARNESS_REQUIRE=all makes that a failure).
set -euo pipefail
cd "$(dirname "$0")/.."

tools=.deps/page
packages=(playwright-core@1.65.1 axe-core@4.14.1 pdfjs-dist@4.10.38)
out=target/page-check

say() { printf 'page-check: %s\n' "$*" >&2; }
die() { printf 'page-check: %s\n' "$*" >&2; exit 3; }
skip() {
    [ "${HARNESS_REQUIRE:-}" = all ] && die "$*"
    say "skipped: $*"
    exit 0
}

browser=${HARNESS_BROWSER:-}
for name in chromium chromium-browser chromium-headless-shell google-chrome google-chrome-stable; do
    [ -n "$browser" ] || browser=$(command -v "$name" || true)
done
[ -n "$browser" ] || skip "there is no Chromium: install one (apt-get install chromium), or name it: HARNESS_BROWSER=/path"
command -v npm > /dev/null || skip "there is no npm: install Node.js 20 or later"

if [ "$(cat "$tools/.complete" 2> /dev/null)" != "${packages[*]}" ]; then
    say "downloading ${packages[*]}"
    rm -rf "$tools"
    mkdir -p "$tools"
    # The browser is the machine's own: nothing else is fetched.
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$tools" "${packages[@]}" \
        || die "the packages could not be installed: is the npm registry reachable? Then repeat the command."
    echo "${packages[*]}" > "$tools/.complete"
fi

rm -rf "$out"
mkdir -p "$out"
if [ $# -eq 0 ]; then
    HARNESS_LOOK=$PWD/$out/made cargo test --release --workspace --quiet --test study_page the_page_of
    # Sheets of paper, least and most: fonts differ from machine to machine.
    set -- "$out/made/page/results/ablation/report.html=8-16" "$out/made/many/results/ratio/report.html=8-30"
fi
node scripts/page-check.mjs "$tools" "$browser" "$out" "$@"
