#!/usr/bin/env bash
# Whether this working tree computes what another revision did: tiny runs of every detector with both, maps and metrics
# compared byte for byte. For a change that must not move a number.
#   scripts/same-results.sh REVISION       builds this tree, and REVISION beside it (minutes, once)
#   scripts/same-results.sh FOLDER         FOLDER holds its two binaries
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
before=${1:?give a revision, or a folder that holds harness and harness-torch}

if [ ! -x "$before/harness" ]; then
    revision=$(git rev-parse --short "$before^{commit}")
    tree=$here/target/same-results/$revision
    [ -e "$tree/Cargo.toml" ] || git worktree add --detach "$tree" "$revision" >&2
    (cd "$tree" && LIBTORCH=${LIBTORCH:-$here/.deps/libtorch/torch} CARGO_TARGET_DIR=$tree/target cargo build --release --quiet)
    before=$tree/target/release
fi
before=$(cd "$before" && pwd)
CARGO_TARGET_DIR=$here/target cargo build --release --workspace --quiet
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
ln -s "$here/weights" weights

tiny=(data.size=64 train.epochs=2 train.batch=12 model.sc.r=2 'model.ptfem.scales=[1,2,4]')
random=(model.backbone.name=resnet18 model.backbone.weights=none)
declare -A cases=(
    [mlff]="data.categories=gear ${random[*]}"
    [mlff-free]="data.categories=fabric ${random[*]} model.backbone.freeze=none data.normalize=lcn data.augment=light train.checkpoint=best_pseudo_val"
    [mlff-bare]="data.categories=chip ${random[*]} model.stlnet=false loss.score.enabled=false loss.consistency.enabled=false optim.kind=adam pseudo.mode=fixed"
    [mlff-bf16]="data.categories=gear ${random[*]} train.precision=bf16 loss.score.pair_mode=random eval.resolution=input"
    [padim]="data.categories=gear detector=padim padim.channels=50 ${random[*]}"
    [nearest]="data.categories=terrazzo detector=nearest ${random[*]} nearest.fraction=0.05"
)
if [ -e weights/resnet50.safetensors ]; then
    cases[mlff-imagenet]="data.categories=gear run.seeds=[1]"
    cases[padim-imagenet]="data.categories=fabric detector=padim padim.channels=60"
fi
different=0
for name in $(printf '%s\n' "${!cases[@]}" | sort); do
    read -ra words <<<"${cases[$name]}"
    for side in before after; do
        binaries=$before; [ $side = after ] && binaries=$here/target/release
        "$binaries/harness" run "${tiny[@]}" "${words[@]}" --results "$side/$name" --json >"$side-$name.json" 2>"$side-$name.err" \
            || { cat "$side-$name.err"; exit 1; }
    done
    metrics() { python3 -c 'import json, sys; print(json.dumps([{k: r[k] for k in ("metrics", "losses", "grad_norm")} for r in json.load(open(sys.argv[1]))], sort_keys=True))' "$1"; }
    maps() { (cd "$1" && find . -path '*/maps/*.npy' | sed 's|.*/maps/||' | sort | while read -r map; do sha256sum < "$(find . -path "*/maps/$map")"; done | sha256sum); }
    if [ "$(metrics "before-$name.json")" = "$(metrics "after-$name.json")" ] && [ "$(maps "before/$name")" = "$(maps "after/$name")" ]; then
        printf '%-16s same (%s maps)\n' "$name" "$(find "after/$name" -path '*/maps/*.npy' | wc -l)"
    else
        printf '%-16s DIFFERENT\n' "$name"; different=1
    fi
done
exit $different
