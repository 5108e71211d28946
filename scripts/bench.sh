#!/usr/bin/env bash
# harness beside its Python peers (benches/run.py), which live in an environment of their own.
set -euo pipefail
cd "$(dirname "$0")/.."
home=target/bench
venv=$home/venv
wanted=$(sha256sum benches/peer/requirements.txt | cut -d' ' -f1)
if [ "$(cat "$venv/.done" 2>/dev/null)" != "$wanted" ]; then
    printf 'bench: installing the peers of benches/peer/requirements.txt (PyTorch with CUDA, scikit-learn, anomalib: about 6 GB)\n' >&2
    mkdir -p "$home"
    python3 -m venv "$venv" || { printf 'bench: python3 has no venv: e.g. apt-get install python3-venv\n' >&2; exit 3; }
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r benches/peer/requirements.txt
    printf '%s' "$wanted" >"$venv/.done"
fi
exec "$venv/bin/python" benches/run.py --harness "${CARGO_TARGET_DIR:-target}/release/harness" "$@"
