"""What is measured on the CPU: each part gives its rows and every figure that they come from."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from machine import CORES, NATIVE_BF16, ROOT
from side import CATEGORY, WORK, Bench, Failed, Figures, call, in_turns, say, tried
from table import Row

Part = tuple[list[Row], Any]
PLAIN = "plain PyTorch"
# A way that takes longer to come to its first figures is left out.
TRIAL_S = 240.0
# What a researcher would try to make the script faster.
TUNING = {
    "channels-last": ["--channels-last"],
    "fused SGD": ["--fused"],
    "channels-last, fused SGD": ["--channels-last", "--fused"],
    "torch.compile, channels-last, fused SGD": ["--compile", "--channels-last", "--fused"],
}
BF16 = {
    "bf16 autocast": ["--precision", "bf16"],
    "bf16 autocast, channels-last, fused SGD": ["--precision", "bf16", "--channels-last", "--fused"],
    "bf16 autocast, torch.compile, channels-last, fused SGD": ["--precision", "bf16", "--compile", "--channels-last", "--fused"],
}


def check(bench: Bench) -> Part:
    """Whether both sides do the same work: a short run of ours against the peer, which refuses what differs."""
    store = WORK / "check" / "results"
    shutil.rmtree(store, ignore_errors=True)
    run = [bench.harness, "run", *bench.settings("train.epochs=1", f"run.threads={CORES}"), "--quiet", "--device", "cpu"]
    call([*run, "--results", store])
    (folder,) = [path.parent for path in store.glob("runs/*/*/summary.json")]
    words = ["--run-folder", folder, "--root", bench.data, "--weights", bench.weights, "--harness", bench.harness]
    figures = call(bench.peer("check", *words, "--threads", CORES))
    rows = [
        Row.beside("parameters", "", [figures["parameters_of_run"]], [figures["parameters"]], PLAIN),
        Row.alone("greatest difference of a score map", "", [figures["greatest_map_difference"]]),
        Row.alone("greatest difference of a metric", "", [max(map(abs, figures["metric_differences"].values()))], "≤ 1e-6"),
        Row.alone("greatest difference of a loss", "", [max(map(abs, figures["loss_differences"].values()))]),
    ]
    for kind, (ours, theirs) in figures["pseudo_anomalies"].items():
        rows.append(Row.beside(f"pseudo anomalies, {kind}, area", "%", [ours["area"]], [theirs["area"]], "PIL, scipy"))
        rows.append(Row.beside(f"pseudo anomalies, {kind}, change", "grey levels", [ours["change"]], [theirs["change"]], "PIL, scipy"))
    return rows, figures


def roofline(bench: Bench) -> Part:
    """The most that all cores give in matrix products and copies, and what a training step makes of it."""
    limits = call(bench.peer("roofline", "--threads", CORES))
    config = bench.config("roofline")
    counted = call(bench.peer("step", "--config", config, "--weights", bench.weights, "--threads", CORES, "--flops"))
    rows = [Row.alone("memory, large copy", "GB/s", [limits["copy_bytes_per_s"] / 1e9])]
    rows.append(Row.alone("a training step's arithmetic as the peer does it", "GFLOP/img", [counted["flops_per_image"] / 1e9]))
    figures = {"limits": limits, "counted": counted}
    for precision in ["fp32", *(["bf16"] if NATIVE_BF16 else [])]:
        figures[precision] = call(bench.ours("step", f"run.threads={CORES}", f"train.precision={precision}"))
        reached = figures[precision]["step"]["images_per_s"] * counted["flops_per_image"] / 1e9
        limit = limits[f"{precision}_flop_per_s"] / 1e9
        rows.append(Row.rate(f"that arithmetic at our pace, {precision}", "GFLOP/s", [reached], [limit], "matrix product of 2048²"))
    return rows, figures


def steps(bench: Bench, name: str, what: str, rounds: int, tuning: dict[str, list[str]], words: list[str]) -> Part:
    """Training steps of both sides on all cores: plain, and tuned by what is fastest in a trial."""
    config = bench.config(name, *words)
    peer = bench.peer("step", "--config", config, "--weights", bench.weights, "--threads", CORES)
    timed = [*peer, "--seconds", bench.seconds]
    short = [*peer, "--seconds", bench.seconds / 2]
    trial = tried({way: lambda way=way: call([*short, *tuning[way]], limit_s=TRIAL_S) for way in tuning})
    pace = {way: figures["images_per_s"] for way, figures in trial.items()}

    mine = bench.ours("step", f"run.threads={CORES}", *words)
    best = max((way for way in pace if way not in BF16), key=pace.__getitem__)
    sides = {"harness": lambda: call(mine), "plain": lambda: call(timed), "tuned": lambda: call([*timed, *tuning[best]])}
    if best16 := max((way for way in pace if way in BF16), key=pace.__getitem__, default=None):
        sides["harness bf16"] = lambda: call([*mine, "train.precision=bf16"])
        sides["tuned bf16"] = lambda: call([*timed, *tuning[best16]])
    taken = in_turns(rounds, sides)
    rate = {name: [r["step"]["images_per_s"] if "step" in r else r["images_per_s"] for r in runs] for name, runs in taken.items()}

    rows = [
        Row.rate(f"{what}, fp32", "img/s", rate["harness"], rate["plain"], f"{PLAIN}, fp32"),
        Row.rate(f"{what}, fp32", "img/s", rate["harness"], rate["tuned"], f"tuned: {best}", "≥ 1"),
    ]
    if best16:
        rows.append(Row.rate(f"{what}, bf16", "img/s", rate["harness bf16"], rate["plain"], f"{PLAIN}, fp32", "≥ 2"))
        rows.append(Row.rate(f"{what}, bf16", "img/s", rate["harness bf16"], rate["tuned bf16"], f"tuned: {best16}", "≥ 1"))
    return rows, {"trial": trial, "turns": taken}


def step(bench: Bench) -> Part:
    """Training step at the CPU profile with a frozen backbone, on all cores."""
    tuning = TUNING | (BF16 if NATIVE_BF16 else {})
    return steps(bench, "step", f"training step, CPU profile, frozen backbone, {CORES} threads", bench.rounds, tuning, [])


def step_full(bench: Bench) -> Part:
    """Training step at full widths, 256 px, nothing frozen; batch 2, since a batch of 32 takes a minute a step here."""
    # torch.compile takes minutes here before its first step.
    tuning = {way: words for way, words in (TUNING | (BF16 if NATIVE_BF16 else {})).items() if "--compile" not in words}
    words = ["--profile", "paper", "train.batch=2", "model.backbone.freeze=none"]
    what = f"training step, full widths, 256 px, batch 2, nothing frozen, {CORES} threads"
    return steps(bench, "step-full", what, min(bench.rounds, 2), tuning, words)


def data(bench: Bench) -> Part:
    """Decode, resize, pseudo anomaly, normalise: on one core each, and with a worker a core."""
    config = bench.config("data")
    seconds = min(bench.seconds, 5.0)
    peer = bench.peer("data", "--root", bench.data, "--category", CATEGORY, "--config", config, "--seconds", seconds, "--threads", 1)
    rows, kept = [], {}
    for workers, loader, where in (1, 0, "on one core"), (CORES, CORES, f"{CORES} workers"):
        mine = bench.ours("data", f"data.workers={workers}", seconds=seconds)
        loading = [*peer, "--workers", loader]
        alone = workers == 1
        taken = in_turns(bench.rounds, {
            f"harness {where}": lambda: call(mine, alone),
            f"DataLoader {where}": lambda: call(loading, alone),
            f"DataLoader {where}, images kept": lambda: call([*loading, "--cached"], alone),
        })
        ours, files, images = taken.values()
        loaded = f"PIL, torchvision in a DataLoader, num_workers={loader}"
        for key, theirs, what in ("data", files, "from files each time"), ("data_cached", images, "resized images kept"):
            rates = [r[key]["images_per_s"] for r in ours], [r["images_per_s"] for r in theirs]
            rows.append(Row.rate(f"data path {where}, {what}", "img/s", *rates, loaded, "≥ 5"))
        kept[where] = taken
    return rows, kept


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


def metrics(bench: Bench) -> Part:
    """All metrics of maps in memory, equal to 1e-6; the large maps once, which take minutes and 8 GB of numpy."""
    built = subprocess.run(
        ["cargo", "bench", "--quiet", "--bench", "metrics", "--no-run", "--message-format=json"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )
    made = [json.loads(line) for line in built.stdout.splitlines()]
    binary = next(m["executable"] for m in made if m.get("target", {}).get("name") == "metrics" and m.get("executable"))
    rows, kept = [], {}
    for count, side, rounds in (83, 256, bench.rounds), (110, 1024, 1):
        folder = write_maps(WORK / f"maps-{side}", count, side)
        call([binary, folder, 1])  # untimed: the first to touch so much memory may wait for a virtual machine's host to give it
        taken = in_turns(rounds, {
            "harness": lambda: call([binary, folder, 1]),
            "harness, all threads": lambda: call([binary, folder, CORES]),
            "plain": lambda: call(bench.peer("metrics", "--root", folder)),
            "anomalib": lambda: call(bench.peer("metrics", "--root", folder, "--anomalib")),
        })
        for peer in "plain", "anomalib":
            for mine, theirs in zip(taken["harness"], taken[peer]):
                for name, value in theirs["values"].items():
                    if abs(mine["values"][name] - value) > 1e-6:
                        raise Failed(f"{name} of {folder.name}: {mine['values'][name]} here, {value} by the peer ({peer})")
        seconds = {name: [r["seconds"] for r in runs] for name, runs in taken.items()}
        memory = {name: [r["peak_extra_bytes"] / (count * side * side) for r in runs] for name, runs in taken.items()}
        what, peer = f"all metrics, {count} maps of {side} px", "scikit-learn, numpy"
        rows += [
            Row.cost(f"{what}, one thread", "s", seconds["harness"], seconds["plain"], peer, "≥ 10"),
            Row.cost(f"{what}, {CORES} threads", "s", seconds["harness, all threads"], seconds["plain"], peer),
            Row.cost(f"{what}, {CORES} threads", "s", seconds["harness, all threads"], seconds["anomalib"], "anomalib, AUPRO alone"),
            Row.cost(f"{what}, memory beyond them", "B/px", memory["harness"], memory["plain"], peer, "≤ 16 B/px"),
        ]
        kept[str(side)] = taken
    return rows, kept


def first_step(bench: Bench) -> Figures:
    """Seconds from starting `harness run` to the end of its first optimiser step."""
    shutil.rmtree(WORK / "first-step", ignore_errors=True)
    command = [bench.harness, "run", *bench.settings(f"run.threads={CORES}"), "--device", "cpu", "--json"]
    command = list(map(str, [*command, "--results", WORK / "first-step"]))
    start = time.perf_counter()
    child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    seen = []
    for line in child.stderr:
        seen.append(line)
        if '"step"' in line:
            seconds = time.perf_counter() - start
            child.kill()
            child.wait()
            return {"wall_s": seconds}
    raise Failed(f"{' '.join(command)} ended before its first step:\n{''.join(seen)[-2000:]}")


def whole_peer(bench: Bench, *words: Any) -> list[Any]:
    where = ["--root", bench.data, "--category", CATEGORY, "--config", bench.config("whole")]
    return bench.peer("whole", *where, "--weights", bench.weights, "--threads", CORES, *words)


def startup(bench: Bench) -> Part:
    """What a user waits for before anything happens."""
    peer = whole_peer(bench, "--workers", 0, "--first-step")
    taken = in_turns(5 if bench.rounds > 1 else 1, {
        "--help": lambda: call([bench.harness, "--help"]),
        "config show": lambda: call([bench.harness, "config", "show"]),
        "import torch": lambda: call([sys.executable, "-c", "import torch"]),
        "first step": lambda: first_step(bench),
        "first step, plain": lambda: call(peer),
    })
    wall = {name: [r["wall_s"] for r in runs] for name, runs in taken.items()}
    rows = [Row.alone(f"`harness {verb}`", "ms", [1000 * s for s in wall[verb]], "< 20 ms") for verb in ("--help", "config show")]
    rows.append(Row.cost("start to the first step's end", "s", wall["first step"], wall["first step, plain"], PLAIN, "< 1.5 s"))
    rows.append(Row.beside("of which `import torch`", "s", [], wall["import torch"], "PyPI's build, with CUDA's libraries"))
    return rows, taken


def whole(bench: Bench) -> Part:
    """One category from start to metrics, with the quality that each reaches."""
    folder = WORK / "whole"

    def mine(precision: str) -> Figures:
        shutil.rmtree(folder, ignore_errors=True)
        words = bench.settings(f"run.threads={CORES}", f"train.precision={precision}")
        figures = call([bench.harness, "run", *words, "--device", "cpu", "--quiet", "--results", folder])
        (summary,) = folder.glob("runs/*/*/summary.json")
        values = json.loads(summary.read_text())["metrics"]
        return figures | {"values": {name.removeprefix("test/"): value for name, value in values.items()}}

    sides = {"harness": lambda: mine("fp32")}
    if NATIVE_BF16:
        sides["harness bf16"] = lambda: mine("bf16")
    for workers in 0, 2:
        sides[f"{PLAIN}, num_workers={workers}"] = lambda workers=workers: call(whole_peer(bench, "--workers", workers))
    taken = in_turns(min(bench.rounds, 2), sides)
    wall = {name: [r["wall_s"] for r in runs] for name, runs in taken.items()}
    memory = {name: [r["peak_rss_bytes"] / 2**20 for r in runs] for name, runs in taken.items()}
    peer = min((name for name in wall if name.startswith(PLAIN)), key=lambda name: np.median(wall[name]))
    rows = []
    for name, what in ("harness", "fp32"), ("harness bf16", "bf16"):
        if name not in taken:
            continue
        run = f"a whole run of {CATEGORY}, {CORES} threads, {what}"
        rows.append(Row.cost(run, "s", wall[name], wall[peer], f"{peer}, fp32", "≥ 2"))
        rows.append(Row.cost("its peak memory", "MiB", memory[name], memory[peer], "with PyPI's CUDA libraries", "≥ 1"))
        for metric in "image_auroc", "pixel_auroc", "aupro@0.3":
            values = [[r["values"][metric] for r in taken[side]][:1] for side in (name, peer)]  # the same in each round
            rows.append(Row.beside(f"its {metric}, one seed", "", *values, "another random stream"))
    return rows, taken


def inference(bench: Bench) -> Part:
    """One image at a time, from its file to its score."""
    config = bench.config("inference")
    images = sorted((bench.data / CATEGORY / "test").glob("*/*.png"))
    seconds = max(bench.seconds, 10.0) if bench.rounds > 1 else bench.seconds
    peer = bench.peer("infer", "--config", config, "--weights", bench.weights, "--threads", CORES, "--seconds", seconds, *images)
    mine = bench.ours("inference", f"run.threads={CORES}", seconds=seconds)
    taken = in_turns(bench.rounds, {"harness": lambda: call(mine), "plain": lambda: call(peer)})
    ours, theirs = [r["inference"]["samples"] for r in taken["harness"]], [r["samples"] for r in taken["plain"]]
    count = min(map(len, ours + theirs))  # a tail is only comparable among equally many
    say(f"  {count} images of each turn count")
    rows = []
    for q in 50, 95, 99:
        values = [[float(np.percentile(times[:count], q)) for times in side] for side in (ours, theirs)]
        rows.append(Row.cost(f"inference at batch 1, {CORES} threads, p{q} of {count} images", "ms", *values, PLAIN))
    return rows, taken
