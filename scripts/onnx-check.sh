#!/usr/bin/env bash
# Every kind of exported model in real onnxruntime: the tests of torch/tests/export with a Python of their own, made once.
#   onnx-check.sh [ARGUMENTS OF cargo test]
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/venv.sh
venv onnx onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
HARNESS_PYTHON=$PWD/.deps/onnx/bin/python HARNESS_REQUIRE=all cargo test --release --workspace --quiet --test export "$@"
