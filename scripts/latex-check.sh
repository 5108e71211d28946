#!/usr/bin/env bash
# Compiles every LaTeX table of the sweeps in results/ in a page of two columns, and fails where one is wider than its column.
#   latex-check.sh [FOLDER WITH .tex FILES…]
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'latex-check: %s\n' "$*" >&2; }

if ! command -v pdflatex > /dev/null; then
    say "skipped: there is no pdflatex; Debian: apt-get install texlive-latex-base texlive-latex-recommended"
    exit 0
fi
[ $# -gt 0 ] || set -- results/*/
mapfile -t tables < <(find "$@" -maxdepth 1 -name '*.tex' | sort)
[ ${#tables[@]} -gt 0 ] || { say "there is no .tex file in $*: run a sweep first"; exit 2; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
wide=0
for table in "${tables[@]}"; do
    cat > "$work/page.tex" <<PAGE
\documentclass[twocolumn]{article}
\usepackage[utf8]{inputenc}
\usepackage{booktabs,array}
\begin{document}
\typeout{column \the\columnwidth, text \the\textwidth}
\input{$PWD/$table}
\end{document}
PAGE
    if ! (cd "$work" && pdflatex -interaction=nonstopmode -halt-on-error page.tex > out.txt); then
        say "$table does not compile:"
        grep -A5 '^!' "$work/out.txt" >&2
        exit 1
    fi
    if grep '^Overfull .hbox' "$work/out.txt" >&2; then
        say "$table is wider than its place"
        wide=1
    fi
done
say "${#tables[@]} tables compiled; $(grep -m1 '^column' "$work/out.txt")"
exit $wide
