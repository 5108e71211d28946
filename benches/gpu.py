"""The paper's training step on a GPU, and how much of the card it uses. One command: `just bench-gpu`."""

import json
import shutil
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from machine import ROOT, gpu
from side import WORK, Bench, Failed, Figures, call, in_turns, say
from table import Row

BATCH = 32
# Seconds between two readings of the card.
READING_S = 0.2
# Seconds at the end of a process in which it no longer computes.
ENDING_S = 1.0
# On the clock of this process, in seconds; busy share in %, memory in MiB.
Reading = tuple[float, float, float]
PEERS = {
    "eager, fp32": [],
    "torch.compile, fp32": ["--compile"],
    "eager, bf16, channels-last, fused SGD": ["--precision", "bf16", "--channels-last", "--fused"],
    "torch.compile, bf16, channels-last, fused SGD": ["--precision", "bf16", "--channels-last", "--fused", "--compile"],
}


def steps(bench: Bench) -> tuple[list[Row], Any]:
    """Training step of the paper's profile on a GPU: eager, compiled, ours; memory, busy share, arithmetic, kernels."""
    if gpu() is None:
        say("  no NVIDIA GPU answers nvidia-smi: left out")
        return [], None
    return measured(bench, "cuda", ["--profile", "paper", f"train.batch={BATCH}"], f"{BATCH} at 256 px")


def rehearsal(bench: Bench) -> tuple[list[Row], Any]:
    """The GPU part's commands on the CPU, at the CPU profile: whether they work. Its figures mean nothing."""
    return measured(bench, "cpu", ["train.batch=2"], "2, a rehearsal")


def measured(bench: Bench, device: str, words: list[str], batch: str) -> tuple[list[Row], Any]:
    config = bench.config("gpu", *words)
    peer = bench.peer("step", "--config", config, "--weights", bench.weights, "--device", device)
    limits = call(bench.peer("roofline", "--device", device))
    counted = call([*peer, "--flops"])

    def mine(precision: str) -> list[Any]:
        return bench.ours("step", *words, f"train.precision={precision}", device=device)

    ours = {f"harness {p}": lambda p=p: watched(lambda: call(mine(p)), bench.seconds) for p in ("fp32", "bf16")}
    theirs = {
        name: lambda options=options: watched(lambda: call([*peer, "--seconds", bench.seconds, *options]), bench.seconds)
        for name, options in PEERS.items()
    }
    taken = in_turns(bench.rounds, ours | theirs, optional=theirs)
    fed = in_turns(1, {f"harness run {p}": lambda p=p: run(bench, device, [*words, f"train.precision={p}"]) for p in ("fp32", "bf16")})
    kernels = profiles(bench, [*peer, "--seconds", 1], mine("bf16"))

    what = f"training step, batch {batch}"
    rate = {name: [r["step"]["images_per_s"] if "step" in r else r["images_per_s"] for r in runs] for name, runs in taken.items()}
    memory = {name: [r["memory_mib"] for r in runs if r["memory_mib"]] for name, runs in taken.items()}
    rows = []
    for precision in "fp32", "bf16":
        side = f"harness {precision}"
        for name in (name for name in PEERS if precision in name and name in taken):
            target = "≥ 1" if "compile" in name else ""
            rows.append(Row.rate(f"{what}, {precision}", "img/s", rate[side], rate[name], name, target))
            if memory[side] and memory[name]:
                rows.append(Row.cost("its GPU memory", "MiB", memory[side], memory[name], name, "≥ 1"))
    # cuDNN's convolutions of float32 run in TF32 unless told otherwise.
    for precision, limit in ("fp32", "tf32" if device == "cuda" else "fp32"), ("bf16", "bf16"):
        reached = [r * counted["flops_per_image"] / 1e12 for r in rate[f"harness {precision}"]]
        peak = [limits[f"{limit}_flop_per_s"] / 1e12] * len(reached)
        rows.append(Row.rate(f"the peer's arithmetic at our pace, {precision}", "TFLOP/s", reached, peak, f"matrix product, {limit}"))
    for name, (figures,) in fed.items():
        rows.append(Row.alone(f"`{name}`, with its data path", "img/s", [figures["images_per_s"]]))
        if figures["busy"] is not None:
            rows.append(Row.alone("its busy share of the GPU", "%", [figures["busy"]], "≥ 95 %"))
    return rows, {"limits": limits, "counted": counted, "turns": taken, "runs": fed, "kernels": kernels}


@contextmanager
def readings() -> Iterator[list[Reading]]:
    """Readings of the card while a block runs, there when it ends; none where there is no card."""
    taken: list[Reading] = []
    if gpu() is None:
        yield taken
        return
    query = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits", "--id=0"]
    log = WORK / "nvidia-smi.csv"
    begin = time.perf_counter()
    with log.open("w") as file:
        child = subprocess.Popen([*query, f"--loop-ms={round(1000 * READING_S)}"], stdout=file)
        try:
            yield taken
        finally:
            end = time.perf_counter()
            child.terminate()
            child.wait()
    lines = [line.split(",") for line in log.read_text().splitlines() if line.count(",") == 1]
    step = (end - begin) / max(len(lines), 1)
    taken += [(begin + i * step, float(busy), float(mib)) for i, (busy, mib) in enumerate(lines)]


def busy_share(taken: list[Reading], begin: float, end: float) -> float | None:
    """Mean share of time in which a kernel ran, %."""
    inside = [busy for at, busy, _ in taken if begin <= at <= end]
    return statistics.mean(inside) if inside else None


def watched(work: Callable[[], Figures], seconds: float) -> Figures:
    """With the card's memory and, over the last `seconds`, its busy share; None where there is no card."""
    with readings() as taken:
        figures = work()
        end = time.perf_counter() - ENDING_S
    memory = max(mib for *_, mib in taken) - taken[0][2] if taken else None
    return figures | {"memory_mib": memory, "busy": busy_share(taken, end - 0.8 * seconds, end)}


def run(bench: Bench, device: str, words: list[str], limit_s: float = 600.0) -> Figures:
    """The pace of `harness run`, data path included, after its first steps; it is ended then, or after `limit_s`."""
    shutil.rmtree(WORK / "gpu-run", ignore_errors=True)
    command = [bench.harness, "run", *bench.settings("data.repeat=10", "train.epochs=200", *words), "--device", device, "--json"]
    command = list(map(str, [*command, "--results", WORK / "gpu-run"]))
    steps: list[tuple[float, int]] = []
    counted: list[tuple[float, int]] = []
    warm_up = 3.0
    with readings() as taken:
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert child.stderr is not None
        clock = threading.Timer(limit_s, child.kill)
        clock.start()
        for line in child.stderr:
            event = json.loads(line) if line.startswith("{") else {}
            if "step" in event:
                steps.append((time.perf_counter(), event["step"]))
            counted = [(at, step) for at, step in steps if at - steps[0][0] >= warm_up]
            if len(counted) > 1 and steps[-1][0] - steps[0][0] > warm_up + 2 * bench.seconds:
                break
        clock.cancel()
        child.kill()
        child.wait()
    if len(counted) < 2:
        raise Failed(f"{' '.join(command)} told of {len(steps)} steps: too few; give more --seconds")
    (begin, first), (end, last) = counted[0], counted[-1]
    batch = next(int(w.split("=")[1]) for w in words if w.startswith("train.batch="))
    return {"images_per_s": (last - first) * batch / (end - begin), "busy": busy_share(taken, begin, end)}


def profiles(bench: Bench, peer: list[Any], mine: list[Any]) -> list[str]:
    """One step's kernels of the peer by torch.profiler, and of ours by Nsight Systems where it is installed."""
    written = ["gpu-kernels-peer.txt"]
    call([*peer, "--precision", "bf16", "--channels-last", "--profile", bench.results / written[0]])
    if shutil.which("nsys"):
        report = WORK / "ours"
        call(["nsys", "profile", "--force-overwrite=true", "--trace=cuda", "--output", report, *mine])
        listed = subprocess.run(
            ["nsys", "stats", "--report", "cuda_gpu_kern_sum", f"{report}.nsys-rep"], check=True, capture_output=True, text=True
        )
        written.append("gpu-kernels-ours.txt")
        (bench.results / written[1]).write_text(listed.stdout)
    else:
        say("  no nsys here: no list of our kernels")
    say(f"  kernels: {', '.join(str(bench.results / name) for name in written)}")
    return written
