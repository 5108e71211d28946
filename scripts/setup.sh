#!/usr/bin/env bash
# Puts libtorch 2.11.0 into .deps/libtorch: from PyPI's wheels, one fixed build whatever Python is here.
# Idempotent and resumable: each wheel is kept until it is unpacked, each step is skipped once done.
#   scripts/setup.sh [cpu|cuda]      no argument: cuda where nvidia-smi answers, else cpu
set -euo pipefail
cd "$(dirname "$0")/.."

deps=.deps
home=$deps/libtorch          # torch/ and nvidia/ side by side, as the wheels' own run paths expect
wheels=$deps/wheels

say() { printf 'setup: %s\n' "$*" >&2; }
die() { printf 'setup: %s\n' "$*" >&2; exit 3; }

# A user's own libtorch wins, silently: torch-sys reads these variables itself and checks the version.
if [ -n "${LIBTORCH:-}" ] || [ -n "${LIBTORCH_USE_PYTORCH:-}" ]; then exit 0; fi

flavour=${1:-auto}
if [ "$flavour" = auto ]; then
    flavour=cpu
    if command -v nvidia-smi >/dev/null 2>&1 && nvidia-smi -L >/dev/null 2>&1; then flavour=cuda; fi
    # Whatever is complete already stays: another flavour has to be asked for by name.
    for done in cuda cpu; do [ -e "$home/.done-$done" ] && exit 0; done
fi
[ -e "$home/.done-$flavour" ] && exit 0

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) ;;
    *) die "no automatic libtorch for $(uname -s) on $(uname -m).
  Install libtorch 2.11.0 (or Python's torch==2.11.0) yourself, then set LIBTORCH=/its/folder
  (the folder that holds lib/ and include/), or LIBTORCH_USE_PYTORCH=1, and repeat the command." ;;
esac
command -v python3 >/dev/null 2>&1 || die "python3 is missing (used only to download): install Python 3 with pip, e.g. apt-get install python3-pip"
python3 -m pip --version >/dev/null 2>&1 || die "python3 has no pip: install it, e.g. apt-get install python3-pip, or python3 -m ensurepip --user"
command -v c++ >/dev/null 2>&1 || die "a C++ compiler is missing: install one, e.g. apt-get install g++"

# pip matches a platform tag exactly, so every tag that glibc 2.28 may run is named.
platforms=(--platform manylinux1_x86_64 --platform manylinux2010_x86_64 --platform manylinux2014_x86_64)
for minor in $(seq 5 28); do platforms+=(--platform "manylinux_2_${minor}_x86_64"); done

# download REQUIREMENT FILE-GLOB SHA256
download() {
    local file
    file=$(compgen -G "$wheels/$2" || true)
    if [ -n "$file" ] && [ "$(sha256sum "$file" | cut -d' ' -f1)" = "$3" ]; then return; fi
    [ -n "$file" ] && rm -f "$file"
    say "downloading $1"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.11 --implementation cp --abi cp311 --abi none "${platforms[@]}" -d "$wheels" "$1" \
        || die "pip could not download $1: is PyPI reachable? Repeat the command: finished files are kept."
    file=$(compgen -G "$wheels/$2") || die "pip saved $1 under another name than $2"
    [ "$(sha256sum "$file" | cut -d' ' -f1)" = "$3" ] || { rm -f "$file"; die "$1: the file's sha256 is not the one this project was built with"; }
}

mkdir -p "$wheels" "$home"
torch_sha=7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a
runtime_sha=7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548
cupti_sha=4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8
download torch==2.11.0 'torch-2.11.0-cp311-*.whl' $torch_sha
download nvidia-cuda-runtime==13.0.96 'nvidia_cuda_runtime-13.0.96-*.whl' $runtime_sha
download nvidia-cuda-cupti==13.0.85 'nvidia_cuda_cupti-13.0.85-*.whl' $cupti_sha
if [ "$flavour" = cuda ]; then
    # The rest of what torch 2.11.0 names as its needs on Linux; pip resolves their exact versions from the wheel.
    say "downloading CUDA libraries (about 2.5 GB)"
    python3 -m pip download --quiet --disable-pip-version-check --only-binary=:all: \
        --python-version 3.11 --implementation cp --abi cp311 --abi none "${platforms[@]}" -d "$wheels" "$(compgen -G "$wheels/torch-2.11.0-*.whl")" \
        || die "pip could not download the CUDA libraries. Repeat the command: finished files are kept."
fi

say "unpacking into $home"
rm -rf "$home/torch" "$home/nvidia"
for wheel in "$wheels"/*.whl; do
    case "$(basename "$wheel")" in
        torch-*|nvidia_*) python3 -m zipfile -e "$wheel" "$home" ;;
    esac
done
rm -f "$home"/.done-*

# Linking needs the two CPU libraries only, also where CUDA's lie beside them: the binary loads those itself, at run time.
printf 'INPUT ( libtorch_cpu.so libc10.so )\n' > "$home/torch/lib/libtorch.so"
if [ "$flavour" = cpu ]; then
    rm -f "$home"/torch/lib/libtorch_cuda*.so "$home"/torch/lib/libc10_cuda.so
fi
touch "$home/.done-$flavour"
rm -rf "$wheels"
say "libtorch 2.11.0 ($flavour) is ready"
