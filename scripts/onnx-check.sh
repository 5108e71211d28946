#!/usr/bin/env bash
# Every kind of exported model in real onnxruntime: the tests of torch/tests/export with a Python of their own, made once.
#   onnx-check.sh [ARGUMENTS OF cargo test]
set -euo pipefail
cd "$(dirname "$0")/.."

venv=.deps/onnx
packages=(onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6)

say() { printf 'onnx-check: %s\n' "$*" >&2; }
die() { printf 'onnx-check: %s\n' "$*" >&2; exit 3; }

if [ ! -e "$venv/.complete" ]; then
    mkdir -p .deps
    rm -rf "$venv"
    python3 -m venv "$venv" || die "there is no python3 with venv: install it, e.g. apt-get install python3-venv"
    say "downloading ${packages[*]}"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: "${packages[@]}" \
        || die "the packages could not be installed: is PyPI reachable? Then repeat the command."
    touch "$venv/.complete"
fi
HARNESS_PYTHON=$PWD/$venv/bin/python HARNESS_REQUIRE=all cargo test --release --workspace --quiet --test export "$@"
