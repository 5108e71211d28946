#!/usr/bin/env bash
# Puts all that scripts/gpu-check.sh needs on a bare machine with a GPU into one folder, and packs it: FOLDER.tar.gz.
#   scripts/gpu-bundle.sh [FOLDER [CATEGORY]]      needs the built binaries and weights/
# FOLDER is target/gpu-bundle where none is given. CATEGORY is a category's folder for the long run at the end:
# ../shared/data/mvtec/transistor where none is given and that is there, else one of the built-in set.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-target/gpu-bundle}")
built=$(realpath "${CARGO_TARGET_DIR:-target}")/release
weights=weights/resnet50.safetensors
cuda=.deps/libtorch/nvidia/cu13
limit_mb=60

say() { printf 'gpu-bundle: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }
for binary in harness harness-torch; do
    [ -x "$built/$binary" ] || die "$built/$binary is missing: use \`just gpu-bundle\`, which builds it first"
done
[ -e "$weights" ] || die "$weights is missing: use \`just gpu-bundle\`, which fetches it first"

rm -rf "$out" "$out.tar.gz"
mkdir -p "$out"/{bin,lib,benches,data}
for binary in harness harness-torch; do strip -o "$out/bin/$binary" "$built/$binary"; done
cp scripts/gpu-check.sh "$out/"
cp -r experiments "$out/"
cp benches/{gpu,machine,side,table}.py "$out/benches/"
mkdir -p "$out/benches/peer" "$out/benches/card"
cp benches/peer/*.py "$out/benches/peer/"
cp benches/card/*.py "$out/benches/card/"
"$built/harness" weights import "$weights" --fp16 --out "$out/weights" >/dev/null
git describe --always --dirty --abbrev=10 >"$out/revision" 2>/dev/null || echo unknown >"$out/revision"

# The kernels of a step are listed by CUPTI, through a small library that the driver loads.
if ! command -v cc >/dev/null 2>&1 || ! cc -O2 -Wall -shared -fPIC -Ibenches/card -isystem "$cuda/include" \
    -o "$out/lib/libcudatrace.so" benches/card/trace.c -L"$cuda/lib" -l:libcupti.so.13; then
    say "benches/card/trace.c could not be compiled: the check will list no kernels of ours"
fi

# A few images of a built-in category: COUNT of each folder.
few() { # FROM TO COUNT
    mkdir -p "$2"
    find "$1" -maxdepth 1 -type f | sort | head -n "$3" | while read -r image; do cp "$image" "$2/"; done
}
builtin=$("$built/harness" data builtin)
few "$builtin/gear/train/good" "$out/data/few/gear/train/good" 16
for folder in "$builtin"/gear/test/* "$builtin"/gear/ground_truth/*; do
    few "$folder" "$out/data/few/gear/${folder#"$builtin"/gear/}" 2
done
category=${2:-../shared/data/mvtec/transistor}
if [ ! -d "$category" ]; then
    say "there is no folder $category: the paper's profile will run on the built-in gear"
    category=$builtin/gear
fi
mkdir -p "$out/data/whole"
cp -r "$category" "$out/data/whole/"

tar -C "$(dirname "$out")" -czf "$out.tar.gz" "$(basename "$out")"
size_mb() { du -sb "$1" | awk '{ printf "%.1f", $1 / 1e6 }'; }
say "$out.tar.gz: $(size_mb "$out.tar.gz") MB; unpacked: $(size_mb "$out") MB"
[ "$(stat -c %s "$out.tar.gz")" -lt $((limit_mb * 1000000)) ] || die "that is more than $limit_mb MB"
