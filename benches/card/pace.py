"""Step 3: the pace of the paper's training step, beside eager and compiled PyTorch and the card's limits."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from typing import Any

import gpu
from machine import CORES
from report import NEEDS_CUDA, Step
from side import Bench, Failed, Figures, call
from work import NO_TF32, TINY, Card, end, environment

# By what people call it: the setting of both sides, the environment, and the matrix product that limits it.
PRECISIONS = {"TF32": ("fp32", {}, "tf32"), "bf16": ("bf16", {}, "bf16"), "float32": ("fp32", NO_TF32, "fp32")}
# What the peer adds in bf16, as benches/gpu.py has it.
TUNED = ["--precision", "bf16", "--channels-last", "--fused"]
# Seconds until torch.compile may be ready: from its cache, where it was warmed up.
COMPILE_S = 60.0


def run(card: Card, step: Step) -> None:
    """Images a second, memory, share of the matrix rate; the busy share of a whole run with its loader."""
    Pace(card, step).run()


def bench(card: Card) -> Bench:
    return Bench(card.harness, card.weights, card.few, card.results, rounds=1, seconds=0.2 if card.rehearse else 3.0)


def settings(card: Card) -> list[str]:
    return [*TINY, "train.batch=2", "run.threads=1"] if card.rehearse else ["--profile", "paper", f"train.batch={gpu.BATCH}"]


@dataclass
class Warming:
    """What runs beside the first steps, where nothing is timed."""

    compiling: list[subprocess.Popen[str]] = field(default_factory=list)
    counting: subprocess.Popen[str] | None = None


def peer(card: Card) -> list[Any]:
    """The peer's step at our configuration."""
    ours = bench(card)
    config = ours.config("card", *settings(card))
    return ours.peer("step", "--config", config, "--weights", card.weights, "--device", card.device)


def warm_up(card: Card) -> Warming:
    """Has the arithmetic of a step counted, and torch.compile fill its cache; nothing waits for them yet."""
    step = peer(card)
    compiled = [] if card.rehearse else [card.start([*step, "--seconds", 0.1, "--compile", *more]) for more in ([], TUNED)]
    return Warming(compiled, card.start([*step, "--flops"]))


def cool_down(card: Card, warming: Warming, step: Step) -> None:
    """Waits for what runs, so that nothing is beside what is timed; ends what is not ready in time."""
    with step.trying("arithmetic of a step, as the peer does it"):
        out, err = warming.counting.communicate(timeout=card.clock.left(45))
        if warming.counting.returncode:
            raise Failed(err[-600:])
        card.known["flops"] = json.loads(out.splitlines()[-1])["flops_per_image"]
    for child in warming.compiling:
        try:
            child.communicate(timeout=card.clock.left(45))
        except (subprocess.TimeoutExpired, Failed):
            end(child)
            step.line("torch.compile", "not warm", remark="its cache was not filled in time: compiled peers may be left out")


def give_up(warming: Warming) -> None:
    """Ends what still runs when the check ends."""
    for child in [*warming.compiling, *([warming.counting] if warming.counting else [])]:
        if child.returncode is None:
            end(child)


class Pace:
    def __init__(self, card: Card, step: Step):
        self.card, self.step, self.bench = card, step, bench(card)
        self.words, self.peer = settings(card), peer(card)
        self.limits: Figures = {}
        self.flops = card.known.get("flops", 0.0)
        self.ours: dict[str, float] = {}

    def run(self) -> None:
        batch = "2 at 64 px, a rehearsal" if self.card.rehearse else f"{gpu.BATCH} at 256 px"
        self.step.data["batch"] = batch
        if self.flops:
            self.step.line("arithmetic of a step, as the peer does it", f"{self.flops / 1e9:.3g} GFLOP/image", remark=f"batch {batch}")
        side = ["--side", 256] if self.card.rehearse else []
        with self.step.trying("limits of the card"):
            self.limits = self.measured(self.bench.peer("roofline", "--device", self.card.device, *side), 40)
            self.step.line("matrix products", ", ".join(
                f"{name.removesuffix('_flop_per_s')} {rate / 1e12:.3g} TFLOP/s" for name, rate in self.limits.items() if "flop" in name
            ), remark="the greatest rates measured")
        for name in PRECISIONS:
            self.each(f"harness bench, {name}", name, lambda precision: self.bench.ours(
                "step", *self.words, f"train.precision={precision}", device=self.card.device))
        for name in "TF32", "bf16":
            self.with_loader(name)
        for way in [], ["--compile"]:
            for name in PRECISIONS:
                if self.card.rehearse and way and name != "float32":
                    continue
                called = f"peer {'compiled' if way else 'eager'}, {name}"
                self.each(called, name, lambda precision, way=way: [
                    *self.peer, "--seconds", self.bench.seconds, *(TUNED if precision == "bf16" else []), *way])

    def measured(self, command: list[Any], most_s: float, env: dict[str, str] | None = None) -> Figures:
        """A command's figures, with memory and busy share where there is a card."""
        with environment(env or {}):
            return gpu.watched(lambda: call(command, limit_s=self.card.clock.left(most_s)), self.bench.seconds)

    def each(self, what: str, name: str, command: Any) -> None:
        """One line: a side's step in one precision."""
        precision, env, limit = PRECISIONS[name]
        if self.card.rehearse and name == "TF32":
            self.step.line(what, NEEDS_CUDA)
            return
        with self.step.trying(what):
            figures = self.measured(command(precision), COMPILE_S, env)
            rate = figures["step"]["images_per_s"] if "step" in figures else figures["images_per_s"]
            self.step.data[what] = figures
            words = []
            if what.startswith("harness"):
                self.ours[name] = rate
            elif name in self.ours:
                words.append(f"harness: {self.ours[name] / rate:.2f} times as fast")
            if figures["memory_mib"] is not None:
                words += [f"{figures['memory_mib']:.0f} MiB", f"card busy {figures['busy'] or 0:.0f} %"]
            if self.flops and f"{limit}_flop_per_s" in self.limits:
                words.append(f"{100 * rate * self.flops / self.limits[f'{limit}_flop_per_s']:.2g} % of its {name} matrix rate")
            self.step.line(what, f"{rate:.4g} images/s", remark=", ".join(words))

    def with_loader(self, name: str) -> None:
        """One line: a whole `harness run` with its data path, in one precision."""
        precision, _, _ = PRECISIONS[name]
        what = f"harness run with its loader, {name}"
        if self.card.rehearse and name == "TF32":
            self.step.line(what, NEEDS_CUDA)
            return
        with self.step.trying(what):
            words = [*self.words, f"train.precision={precision}", f"data.workers={CORES}", "data.repeat=200"]
            figures = gpu.run(self.bench, self.card.device, words, self.card.clock.left(40))
            self.step.data[what] = figures
            busy = NEEDS_CUDA if figures["busy"] is None else f"{figures['busy']:.0f} %"
            self.step.line(what, f"{figures['images_per_s']:.4g} images/s", remark=f"{CORES} loader threads")
            self.step.line("its busy share of the card", busy, "≥ 95 %")


def cache(card: Card) -> None:
    """Where torch.compile keeps what it compiled."""
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(card.work / "inductor"))
