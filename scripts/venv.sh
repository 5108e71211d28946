# Sourced: a Python of their own for checks that need packages, made once under .deps/.
#   venv NAME PACKAGE==VERSION…
venv() {
    local name=$1 folder=.deps/$1
    shift
    [ ! -e "$folder/.complete" ] || return 0
    mkdir -p .deps
    rm -rf "$folder"
    python3 -m venv "$folder" || { printf '%s: there is no python3 with venv: install it, e.g. apt-get install python3-venv\n' "$name" >&2; exit 3; }
    printf '%s: downloading %s\n' "$name" "$*" >&2
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary=:all: "$@" \
        || { printf '%s: the packages could not be installed: is PyPI reachable? Then repeat the command.\n' "$name" >&2; exit 3; }
    touch "$folder/.complete"
}
