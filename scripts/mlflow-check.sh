#!/usr/bin/env bash
# A tiny real sweep on a real MLflow server, sent again and again: the server has the same of everything, and the right of it.
#   mlflow-check.sh
# The server comes from PyPI into a Python of its own, made once. HARNESS_BINARIES: the folder of harness and harness-torch, if not
# those that `just build` makes.
set -euo pipefail
cd "$(dirname "$0")/.."

. scripts/venv.sh
venv mlflow mlflow==3.17.2
python=$PWD/.deps/mlflow/bin/python
harness=$(realpath "${HARNESS_BINARIES:-${CARGO_TARGET_DIR:-target}/release}")/harness
check=$PWD/scripts/mlflow-check.py
unset MLFLOW_TRACKING_URI MLFLOW_TRACKING_USERNAME MLFLOW_TRACKING_PASSWORD MLFLOW_TRACKING_TOKEN

work=$(mktemp -d)
server=
end() {
    # Its workers are its children; a group of its own ends as a whole.
    [ -z "$server" ] || kill -- "-$server" 2> /dev/null || true
    rm -rf "$work"
}
trap end EXIT
cd "$work"

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
url=http://127.0.0.1:$port
# Nothing is told to anybody about this.
export MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true
set -m
"$python" -m mlflow server --backend-store-uri sqlite:///mlflow.db --artifacts-destination artifacts --host 127.0.0.1 --port "$port" \
    --workers 1 > server.log 2>&1 &
server=$!
set +m

small=(data.categories=gear data.size=64 train.epochs=2 train.batch=12 model.backbone.name=resnet18 model.backbone.weights=none model.sc.r=2 'model.ptfem.scales=[1,2,4]')
cat > tiny.toml <<'END'
title = "texture, with and without"
against = "full"
seeds = [0, 1]
[[ablate]]
name = "full"
[[ablate]]
name = "- texture (STLNet)"
set = { model.stlnet = false }
END
"$harness" sweep tiny.toml "${small[@]}" --quiet > /dev/null
"$python" "$check" wait "$url" || { cat server.log >&2; exit 3; }

send() { "$harness" export mlflow tiny --to "$url" --quiet "$@"; }
counts() { "$python" "$check" counts "$url"; }
send
first=$(counts)
"$python" "$check" look "$url" results
send | grep -q 'all was there already' || { echo "mlflow-check: the second time something was sent" >&2; exit 1; }
second=$(counts)
# As if nobody knew what had arrived: everything is sent again.
"$python" "$check" forget "$url"
send
third=$(counts)
for again in "$second" "$third"; do
    [ "$again" = "$first" ] || { printf 'mlflow-check: before\n%s\nafter\n%s\n' "$first" "$again" >&2; exit 1; }
done
send --all-params --artifacts all
"$python" "$check" more "$url" "$first"
printf 'mlflow-check: ok: %s\n' "$first"
