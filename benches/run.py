"""`just bench`: harness beside what a researcher would have in Python, in alternating runs on this machine.

Each figure is measured in whole processes that take turns (ours, theirs, ours, ...); what is compared is the median over the
rounds, and the spread of the ratio of neighbouring rounds is shown with it. Writes results/bench/<part>.json (every sample)
and results/bench/table.md. Needs the packages of benches/peer/requirements.txt; scripts/bench.sh makes the environment.
"""

import argparse
import json
import os
import platform
import resource  # noqa: F401  (wait4 needs a Unix)
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
HARNESS = ROOT / "target/release/harness"
PEER = [sys.executable, str(ROOT / "benches/peer")]
WEIGHTS = ROOT / "weights/resnet50.safetensors"
DATA = ROOT / "data/builtin-v2"
WORK = ROOT / "target/bench"
RESULTS = ROOT / "results/bench"
CATEGORY = "gear"
CORES = len(os.sched_getaffinity(0))
NATIVE_BF16 = "avx512_bf16" in Path("/proc/cpuinfo").read_text()


class Failed(Exception):
    """A command that did not end well."""


def call(command: list[Any], one_core: bool = False) -> dict[str, Any]:
    """Runs a command in the checkout: its last line as JSON if it is that, its wall seconds and peak memory in bytes."""
    pin = ["taskset", "-c", "0"] if one_core else []
    words = [*pin, *map(str, command)]
    start = time.perf_counter()
    out = WORK / "stdout"
    with out.open("wb") as file, (WORK / "stderr").open("wb") as errors:
        child = subprocess.Popen(words, stdout=file, stderr=errors, cwd=ROOT)
        _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failed(f"{' '.join(words)} ended with {child.returncode}:\n{(WORK / 'stderr').read_text()[-2000:]}")
    lines = out.read_text().strip().splitlines()
    try:
        given = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        given = {}
    given = given if isinstance(given, dict) else {}
    return given | {"wall_s": seconds, "peak_rss_bytes": usage.ru_maxrss * 1024}


def in_turns(rounds: int, sides: dict[str, Callable[[], dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Each side's results, one a round; in every other round the sides come in reverse, so that no one is always first."""
    taken: dict[str, list[dict[str, Any]]] = {name: [] for name in sides}
    for number in range(rounds):
        order = list(sides.items())
        for name, run in order if number % 2 == 0 else reversed(order):
            taken[name].append(run())
            print(f"  round {number + 1} of {rounds}: {name}", file=sys.stderr, flush=True)
    return taken


class Table:
    """Rows of results/bench/table.md."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []

    def compare(
        self, what: str, unit: str, ours: list[float], theirs: list[float], peer: str, target: str, higher: bool
    ) -> None:
        """`higher`: a larger figure is the better one. The ratio says how many times better ours is."""
        ratios = [o / t if higher else t / o for o, t in zip(ours, theirs)]
        mine, other = statistics.median(ours), statistics.median(theirs)
        ratio = mine / other if higher else other / mine
        spread = f"{ratio:.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        self.rows.append([what, f"{digits(mine)} {unit}", f"{digits(other)} {unit}", peer, spread, target])

    def alone(self, what: str, unit: str, ours: list[float], target: str) -> None:
        spread = f"{digits(min(ours))}–{digits(max(ours))}"
        self.rows.append([what, f"{digits(statistics.median(ours))} {unit}", "", "", spread, target])

    def text(self) -> str:
        head = ["", "harness", "Python", "which", "times better (range)", "target"]
        lines = ["| " + " | ".join(head) + " |", "| :-- | --: | --: | :-- | --: | --: |"]
        return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in self.rows]) + "\n"


def digits(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def configuration(name: str, *words: str) -> Path:
    """A resolved configuration as a file for the peer."""
    shown = subprocess.run([HARNESS, "config", "show", *words], cwd=ROOT, check=True, capture_output=True, text=True)
    tomllib.loads(shown.stdout)
    path = WORK / f"{name}.toml"
    path.write_text(shown.stdout)
    return path


def ours(*words: Any) -> list[Any]:
    where = [f"data.root={DATA}", f"data.categories={CATEGORY}"]
    return [HARNESS, "bench", "experiments/full.toml", *where, *words, "--json", "--device", "cpu"]


def bench_step(table: Table, rounds: int, seconds: float) -> Any:
    """Training step at the CPU profile on all cores."""
    config = configuration("step", "experiments/full.toml")
    peer = [*PEER, "step", "--config", config, "--weights", WEIGHTS, "--seconds", seconds, "--threads", CORES]
    mine = ours("--only", "step", "--seconds", seconds, f"run.threads={CORES}")
    sides = {
        "harness": lambda: call(mine),
        "plain": lambda: call(peer),
        "tuned": lambda: call([*peer, "--tuned"]),
    }
    if NATIVE_BF16:
        sides["harness bf16"] = lambda: call([*mine, "train.precision=bf16"])
        sides["tuned bf16"] = lambda: call([*peer, "--tuned", "--precision", "bf16"])
    taken = in_turns(rounds, sides)
    rate = {name: [r["step"]["images_per_s"] if "step" in r else r["images_per_s"] for r in runs] for name, runs in taken.items()}
    what = f"training step, CPU profile, {CORES} threads"
    table.compare(f"{what}, fp32", "img/s", rate["harness"], rate["plain"], "plain PyTorch", "", True)
    table.compare(f"{what}, fp32", "img/s", rate["harness"], rate["tuned"], "channels-last", "≥ 1", True)
    if NATIVE_BF16:
        table.compare(f"{what}, bf16", "img/s", rate["harness bf16"], rate["plain"], "plain PyTorch, fp32", "≥ 2", True)
        table.compare(f"{what}, bf16", "img/s", rate["harness bf16"], rate["tuned bf16"], "tuned, bf16", "≥ 1", True)
    return taken


def bench_step_full(table: Table, rounds: int, seconds: float) -> Any:
    """Training step at full widths, 256 px, nothing frozen; batch 2, since a batch of 32 takes a minute a step here."""
    words = ["--profile", "paper", "train.batch=2"]
    config = configuration("step-full", "experiments/full.toml", *words)
    peer = [*PEER, "step", "--config", config, "--weights", WEIGHTS, "--seconds", seconds, "--threads", CORES]
    mine = ours("--only", "step", "--seconds", seconds, f"run.threads={CORES}", *words)
    taken = in_turns(min(rounds, 3), {"harness": lambda: call(mine), "plain": lambda: call(peer)})
    rate = [r["step"]["images_per_s"] for r in taken["harness"]]
    theirs = [r["images_per_s"] for r in taken["plain"]]
    table.compare("training step, full widths at 256 px, fp32", "img/s", rate, theirs, "plain PyTorch", "", True)
    return taken


def bench_data(table: Table, rounds: int, seconds: float) -> Any:
    """Decode, resize, pseudo anomaly, normalise: both on one core."""
    config = configuration("data", "experiments/full.toml")
    peer = [*PEER, "data", "--root", DATA, "--category", CATEGORY, "--config", config, "--seconds", seconds, "--threads", 1]
    mine = ours("--only", "data", "--seconds", seconds, "data.workers=1")
    taken = in_turns(rounds, {"harness": lambda: call(mine, True), "plain": lambda: call(peer, True)})
    theirs = [r["images_per_s"] for r in taken["plain"]]
    for key, what in ("data", "from files each time"), ("data_cached", "decoded images kept"):
        rate = [r[key]["images_per_s"] for r in taken["harness"]]
        table.compare(f"data path on one core, {what}", "img/s", rate, theirs, "PIL, torchvision", "≥ 5", True)
    return taken


def write_maps(folder: Path, count: int, side: int) -> Path:
    """Maps that a fair detector could have given, and masks: two thirds of the images have one to three regions."""
    if folder.exists():
        return folder
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "maps").mkdir(parents=True)
    (partial / "masks").mkdir()
    random = np.random.default_rng(0)
    for number in range(count):
        scores = random.normal(size=(side, side)).astype(np.float32)
        mask = np.zeros((side, side), np.uint8)
        for _ in range(random.integers(1, 4) if number % 3 else 0):
            y, x = random.integers(0, side * 3 // 4, 2)
            h, w = random.integers(side // 32, side // 5, 2)
            mask[y : y + h, x : x + w] = 255
        scores += 1.2 * (mask > 0)
        np.save(partial / f"maps/{number:03}.npy", scores)
        if mask.any():
            Image.fromarray(mask).save(partial / f"masks/{number:03}.png")
    return partial.rename(folder)


def bench_metrics(table: Table, rounds: int, seconds: float) -> Any:
    """All metrics of maps in memory."""
    built = subprocess.run(
        ["cargo", "bench", "--quiet", "--bench", "metrics", "--no-run", "--message-format=json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    made = [json.loads(line) for line in built.stdout.splitlines()]
    binary = next(m["executable"] for m in made if m.get("target", {}).get("name") == "metrics" and m.get("executable"))
    kept = {}
    for count, side, most in (83, 256, rounds), (110, 1024, 1):
        folder = write_maps(WORK / f"maps-{side}", count, side)
        taken = in_turns(most, {
            "harness": lambda: call([binary, folder, 1]),
            "harness, all threads": lambda: call([binary, folder, CORES]),
            "plain": lambda: call([*PEER, "metrics", "--root", folder]),
        })
        for mine, theirs in zip(taken["harness"], taken["plain"]):
            for name, value in theirs["values"].items():
                if abs(mine["values"][name] - value) > 1e-6:
                    raise Failed(f"{name} of {folder.name}: {mine['values'][name]} here, {value} by scikit-learn and numpy")
        time_of = {name: [r["seconds"] for r in runs] for name, runs in taken.items()}
        what = f"all metrics, {count} maps of {side} px"
        peer = "scikit-learn, numpy"
        table.compare(f"{what}, one thread", "s", time_of["harness"], time_of["plain"], peer, "≥ 10", False)
        table.compare(f"{what}, {CORES} threads", "s", time_of["harness, all threads"], time_of["plain"], peer, "", False)
        pixels = count * side * side
        memory = {name: [r["peak_extra_bytes"] / pixels for r in runs] for name, runs in taken.items()}
        table.compare(f"{what}, memory beyond them", "B/px", memory["harness"], memory["plain"], peer, "≤ 16 B/px", False)
        kept[side] = taken
    return kept


def first_step() -> dict[str, Any]:
    """Seconds from starting `harness run` to its first optimiser step."""
    shutil.rmtree(WORK / "first-step", ignore_errors=True)
    words = ["run", "experiments/full.toml", f"data.root={DATA}", f"data.categories={CATEGORY}", "--device", "cpu"]
    command = [HARNESS, *words, f"run.threads={CORES}", "--json", "--results", WORK / "first-step"]
    start = time.perf_counter()
    child = subprocess.Popen(list(map(str, command)), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    seen = []
    for line in child.stderr:
        seen.append(line)
        if '"step"' in line:
            seconds = time.perf_counter() - start
            child.kill()
            child.wait()
            return {"seconds": seconds}
    raise Failed(f"{' '.join(map(str, command))} ended before its first step:\n{''.join(seen)[-2000:]}")


def bench_startup(table: Table, rounds: int, seconds: float) -> Any:
    """What a user waits for before anything happens."""
    importing = [sys.executable, "-c", "import torch"]
    sides = {
        "--help": lambda: call([HARNESS, "--help"]),
        "config show": lambda: call([HARNESS, "config", "show"]),
        "import torch": lambda: call(importing),
        "first step": first_step,
    }
    taken = in_turns(max(rounds, 5), sides)
    wall = {name: [1000 * r["wall_s"] for r in taken[name]] for name in ("--help", "config show", "import torch")}
    table.compare("`harness --help`", "ms", wall["--help"], wall["import torch"], "`import torch`", "< 20 ms", False)
    table.compare("`harness config show`", "ms", wall["config show"], wall["import torch"], "`import torch`", "< 20 ms", False)
    table.alone("from `harness run` to the first step's end", "s", [r["seconds"] for r in taken["first step"]], "< 1.5 s")
    return taken


def bench_whole(table: Table, rounds: int, seconds: float) -> Any:
    """One category from start to metrics."""
    config = configuration("whole", "experiments/full.toml")
    folder = WORK / "whole"

    def mine() -> dict[str, Any]:
        shutil.rmtree(folder, ignore_errors=True)
        words = ["run", "experiments/full.toml", f"data.root={DATA}", f"data.categories={CATEGORY}", f"run.threads={CORES}"]
        return call([HARNESS, *words, "--device", "cpu", "--quiet", "--results", folder])

    peer = [*PEER, "whole", "--root", DATA, "--category", CATEGORY, "--config", config, "--weights", WEIGHTS, "--threads", CORES]
    taken = in_turns(min(rounds, 3), {"harness": mine, "plain": lambda: call([*peer, "--workers", 0])})
    wall = {name: [r["wall_s"] for r in runs] for name, runs in taken.items()}
    memory = {name: [r["peak_rss_bytes"] / 2**20 for r in runs] for name, runs in taken.items()}
    table.compare(f"a whole run of {CATEGORY}, {CORES} threads", "s", wall["harness"], wall["plain"], "plain PyTorch", "≥ 2", False)
    table.compare("its peak memory", "MiB", memory["harness"], memory["plain"], "plain PyTorch", "≥ 1", False)
    return taken


def bench_inference(table: Table, rounds: int, seconds: float) -> Any:
    """One image at a time, from its file to its score."""
    config = configuration("inference", "experiments/full.toml")
    images = sorted((DATA / CATEGORY / "test").glob("*/*.png"))
    peer = [*PEER, "infer", "--config", config, "--weights", WEIGHTS, "--threads", CORES, "--count", 60, *images]
    mine = ours("--only", "inference", "--seconds", seconds, f"run.threads={CORES}")
    taken = in_turns(rounds, {"harness": lambda: call(mine), "plain": lambda: call(peer)})
    for key in "p50_ms", "p95_ms", "p99_ms":
        values = [r["inference"][key] for r in taken["harness"]]
        what = f"inference at batch 1, {CORES} threads, {key[:3]}"
        table.compare(what, "ms", values, [r[key] for r in taken["plain"]], "plain PyTorch", "", False)
    return taken


PARTS = {
    "step": bench_step,
    "step-full": bench_step_full,
    "data": bench_data,
    "metrics": bench_metrics,
    "startup": bench_startup,
    "whole": bench_whole,
    "inference": bench_inference,
}


def machine() -> str:
    model = next((l.split(":")[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in l), "?")
    bf16 = "bf16 instructions" if NATIVE_BF16 else "no bf16 instructions"
    return f"{model}, {CORES} cores, {bf16}, {platform.system()}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help=f"some of {', '.join(PARTS)}, with commas", default=",".join(PARTS))
    parser.add_argument("--rounds", type=int, default=5, help="how often each side has its turn")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long a turn measures, where that is free")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if unknown := [name for name in wanted if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    WORK.mkdir(parents=True, exist_ok=True)
    RESULTS.mkdir(parents=True, exist_ok=True)
    if not DATA.exists():
        call([HARNESS, "data", "builtin", DATA])
    for name in wanted:
        print(f"{name}: {PARTS[name].__doc__}", file=sys.stderr, flush=True)
        table = Table()
        samples = PARTS[name](table, args.rounds, args.seconds)
        kept = {"format": 1, "machine": machine(), "rows": table.rows, "samples": samples}
        (RESULTS / f"{name}.json").write_text(json.dumps(kept, indent=1))
    everything = Table()
    for name in PARTS:
        if (path := RESULTS / f"{name}.json").exists():
            everything.rows += json.loads(path.read_text())["rows"]
    text = f"{machine()}\n\n{everything.text()}"
    (RESULTS / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    try:
        main()
    except (Failed, subprocess.CalledProcessError) as error:
        sys.exit(f"bench: {error}")
