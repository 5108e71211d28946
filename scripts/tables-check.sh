#!/usr/bin/env bash
# The guide's lines for pandas and polars on a table of runs: the tests of tests/results with a Python of their own, made once.
#   tables-check.sh [ARGUMENTS OF cargo test]
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/venv.sh
venv tables pandas==3.1.1 polars==2.1.0
HARNESS_PYTHON=$PWD/.deps/tables/bin/python HARNESS_REQUIRE=all cargo test --release --workspace --quiet --test results tables "$@"
