#!/usr/bin/env bash
# All tests, then the list of those that were skipped and why.
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p target
export HARNESS_SKIP_LOG=$PWD/target/skipped.txt
: > "$HARNESS_SKIP_LOG"
status=0
cargo test --release --workspace --quiet --no-fail-fast "$@" || status=$?
if [ -s "$HARNESS_SKIP_LOG" ]; then
    echo
    echo "skipped (HARNESS_REQUIRE=all turns these into failures):"
    sort -u "$HARNESS_SKIP_LOG" | sed 's/^skipped /  /'
else
    echo "nothing was skipped"
fi
exit $status
