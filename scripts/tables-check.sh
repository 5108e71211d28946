#!/usr/bin/env bash
# The guide's lines for pandas and polars on a table of runs: the tests of tests/results with a Python of their own, made once.
#   tables-check.sh [ARGUMENTS OF cargo test]
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.deps/tables
packages=(pandas==3.1.1 polars==2.1.0)

say() { printf 'tables-check: %s\n' "$*" >&2; }
die() { printf 'tables-check: %s\n' "$*" >&2; exit 3; }

if [ ! -e "$venv/.complete" ]; then
    mkdir -p .deps
    rm -rf "$venv"
    python3 -m venv "$venv" || die "there is no python3 with venv: install it, e.g. apt-get install python3-venv"
    say "downloading ${packages[*]}"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: "${packages[@]}" \
        || die "the packages could not be installed: is PyPI reachable? Then repeat the command."
    touch "$venv/.complete"
fi
HARNESS_PYTHON=$PWD/$venv/bin/python HARNESS_REQUIRE=all cargo test --release --workspace --quiet --test results tables "$@"
