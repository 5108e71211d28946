#!/usr/bin/env bash
# Everything that is to be known of `harness` on an NVIDIA GPU, in eight minutes. Runs in the folder that `just gpu-bundle` makes,
# on a machine with nothing but Python 3 with torch 2.11.0, torchvision, safetensors and scikit-learn ($PYTHON, else python3).
#   ./gpu-check.sh [--rehearse] [--continue] [--minutes N] [--only forward,training,…]
# Results, as each step ends: results/table.md and results/<step>.json.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}
[ -x bin/harness-torch ] || { echo "gpu-check: this is not the folder that \`just gpu-bundle\` makes: bin/harness-torch is missing" >&2; exit 3; }
# The binaries are linked to libtorch 2.11.0, which Python's torch brings along with CUDA's libraries.
libraries=$("$python" - <<'END'
import importlib.util, pathlib
found = importlib.util.find_spec("torch")
if found and found.origin:
    torch = pathlib.Path(found.origin).parent
    print(":".join(map(str, [torch / "lib", *sorted(torch.parent.glob("nvidia/*/lib"))])))
END
)
[ -n "$libraries" ] || { echo "gpu-check: $python has no torch: name one that has by PYTHON=…" >&2; exit 3; }
export LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
export PATH=$PWD/bin:$PATH PYTHONDONTWRITEBYTECODE=1
exec "$python" benches/card "$@"
