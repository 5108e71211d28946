"""Step 4: the kernels of one step, and how often the host waits for the card."""

import sys
from dataclasses import asdict

import activities
import gpu
import pace
from report import NEEDS_CUDA, Step
from work import Card, Failed

STEPS = 30
TOP = 12


def run(card: Card, step: Step) -> None:
    """Ours by CUPTI, the peer's by torch.profiler: kernels by time, copies, waits."""
    with step.trying("harness"):
        ours(card, step)
    with step.trying("peer"):
        theirs(card, step)


def ours(card: Card, step: Step) -> None:
    if not card.library.exists():
        raise Failed("the bundle has no lib/libcudatrace.so: it could not be compiled where the bundle was made")
    if card.rehearse:
        # It loads, says that there is no driver, and lets the program go on.
        log = card.work / "trace.txt"
        code = "import ctypes, sys; sys.exit(0 if ctypes.CDLL(sys.argv[1]).InitializeInjection() == 1 else 1)"
        card.call([sys.executable, "-c", code, card.library], 30, {"CUDA_TRACE": str(log)})
        said = activities.read(log).errors
        step.line("kernels of a step", NEEDS_CUDA, remark=f"the library that lists them loads; CUPTI: {said[0] if said else 'nothing odd'}")
        return
    log = card.work / "trace.txt"
    log.unlink(missing_ok=True)
    words = card.words("paper", f"train.batch={gpu.BATCH}", "data.repeat=120", f"train.steps={STEPS}", "train.checkpoint_every_s=1000000")
    env = {"CUDA_INJECTION64_PATH": str(card.library), "CUDA_TRACE": str(log)}
    card.run(words, card.device, card.store("kernels"), env, 60)
    if not log.exists():
        raise Failed("the driver did not load lib/libcudatrace.so")
    found = activities.read(log)
    if found.errors or found.dropped:
        step.line("CUPTI", "; ".join(found.errors) or "no error", remark=f"{found.dropped} activities dropped")
    steps = activities.cut(found, STEPS)
    step.data["steps"] = asdict(steps)
    step.line("one step, TF32, traced", f"{steps.wall_ms:.3g} ms", remark=f"mean of {steps.count} steps; a kernel runs in {100 * steps.busy:.0f} % of it")
    step.line("kernels", f"{steps.kernels:.0f} a step", remark=f"{steps.kernels_ms:.3g} ms of kernels, {steps.memsets:.3g} memsets")
    waits = ", ".join(f"{calls:.3g} {what} ({ms:.2g} ms)" for what, (calls, ms) in steps.waits.items())
    step.line("the host waits", f"{sum(calls for calls, _ in steps.waits.values()):.3g} times a step", "≤ 0.1", waits)
    for what, (calls, size) in steps.copies.items():
        step.line(f"copies {what}", f"{calls:.3g} a step", remark=f"{size / 1e6:.3g} MB")
    for name, (ms, calls) in list(steps.by_kernel.items())[:TOP]:
        step.line(f"`{activities.short(name)}`", f"{ms:.3g} ms", remark=f"{100 * ms / steps.kernels_ms:.0f} %, {calls:.3g} calls a step")


def theirs(card: Card, step: Step) -> None:
    """The peer's list goes into a file of its own."""
    written = card.results / "4-kernels-peer.txt"
    card.call([*pace.peer(card), "--seconds", 0.2 if card.rehearse else 1, "--profile", written], 60)
    rows = [line for line in written.read_text().splitlines() if line.strip() and not line.startswith("-")]
    if len(rows) < 5:
        raise Failed(f"{written} lists no kernels")
    step.line("the peer's, eager", written.name, remark="torch.profiler's list, the longest first")
