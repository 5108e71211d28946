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

# download REQUIREMENTS: each line's wheel, with the sha256 that stands there. One call of pip a wheel: finished ones are kept.
download() {
    local line sha
    while read -r line; do
        sha=${line##*sha256:}
        if [[ "$line" == "#"* || "$have" == *"$sha"* ]]; then continue; fi
        say "downloading ${line%% *}"
        python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
            --python-version 3.11 --implementation cp --abi cp311 --abi none "${platforms[@]}" -d "$wheels" -r <(echo "$line") \
            || die "pip could not download ${line%% *} with the sha256 of $1.
  Is PyPI reachable? Repeat the command: finished files are kept."
    done <"$1"
}

mkdir -p "$wheels" "$home"
have=$(sha256sum "$wheels"/*.whl 2>/dev/null || true)
download scripts/libtorch-cpu.txt
if [ "$flavour" = cuda ]; then
    say "CUDA's libraries: 2.7 GB once they are unpacked"
    download scripts/libtorch-cuda.txt
fi

say "unpacking into $home"
rm -rf "$home/torch" "$home/nvidia"
for wheel in "$wheels"/*.whl; do
    python3 -m zipfile -e "$wheel" "$home"
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
