#!/usr/bin/env bash
# The binary as a user would run it: a tiny untrained-backbone experiment on the built-in data, found again, scored again
# from its stored maps, and used on an image; a sweep of it with its report. Needs neither ImageNet weights nor a network.
set -euo pipefail
cd "$(dirname "$0")/.."
harness=$(realpath "${CARGO_TARGET_DIR:-target}")/release/harness
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
small=(data.categories=gear data.size=64 train.epochs=2 train.batch=12 model.backbone.name=resnet18 model.backbone.weights=none model.sc.r=2 'model.ptfem.scales=[1,2,4]')

"$harness" run "${small[@]}" --dry-run
"$harness" run "${small[@]}" --json >result.json
"$harness" run "${small[@]}" | grep -q gear      # found finished: nothing is repeated
"$harness" score --run latest --variant rd_per_image
image=$(find data -path '*gear/test/good*' -name '*.png' | sort | head -n 1)
"$harness" predict --run latest --out predicted "$image"
test -s predicted/scores.csv
cat >sweep.toml <<'END'
title = "smoke"
against = "previous"
[[ablate]]
name = "full"
[[ablate]]
name = "no texture"
set = { model.stlnet = false }
END
"$harness" sweep sweep.toml "${small[@]}" --dry-run
"$harness" sweep sweep.toml "${small[@]}"
"$harness" report sweep --format latex | grep -q toprule
test -s results/sweep/table.csv
"$harness" data check data/builtin-v*/ >check.txt
"$harness" runs list
"$harness" config check loss.score.gamma=3
if "$harness" config check loss.score.gama=3 2>error.txt; then echo "a misspelt key was accepted"; exit 1; fi
grep -q 'did you mean `loss.score.gamma`' error.txt
echo "smoke run: ok"
