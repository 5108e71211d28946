"""What every step of the check is told, and how it runs processes within its time."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import ROOT
from side import Failed

# NVIDIA's own variable: its libraries leave float32 alone.
NO_TF32 = {"NVIDIA_TF32_OVERRIDE": "0"}
# The smallest networks and images, for rehearsals.
TINY = ["data.size=64", "model.stl.width=16", "model.tem.levels=8", "model.ptfem.scales=[1,2,4]", "model.sc.reduce=16", "model.sc.r=2"]


class OutOfTime(Failed):
    """There is no time left for it."""


class Clock:
    """How long the whole check and its present step may still take. `slack` stretches what a process is given."""

    def __init__(self, total_s: float, slack: float = 1.0):
        self.end = time.monotonic() + total_s
        self.step_end, self.slack = self.end, slack

    def begin(self, limit_s: float) -> None:
        self.step_end = min(self.end, time.monotonic() + limit_s)

    def left(self, most: float = 1e9) -> float:
        """Seconds for the next process, at least one."""
        left = min(most * self.slack, self.step_end - time.monotonic())
        if left < 1.0:
            raise OutOfTime("the time of this step is over")
        return left


@dataclass(frozen=True)
class Card:
    """Where things are, and how much of everything there is."""

    results: Path
    work: Path
    clock: Clock
    # All on the CPU, at tiny sizes.
    rehearse: bool
    # Go on with the long run of an earlier call.
    go_on: bool
    harness: Path = ROOT / "bin/harness"
    weights: Path = ROOT / "weights/resnet50.safetensors"
    few: Path = ROOT / "data/few"
    whole: Path = ROOT / "data/whole"
    library: Path = ROOT / "lib/libcudatrace.so"
    # What the steps tell one another.
    known: dict[str, Any] = field(default_factory=dict)

    @property
    def device(self) -> str:
        return "cpu" if self.rehearse else "cuda"

    @property
    def at_once(self) -> int:
        """Processes that may run beside each other where nothing is timed."""
        return 1 if self.rehearse else 6

    def words(self, profile: str, *more: str) -> list[str]:
        """The settings of a run on few images."""
        tiny = [*TINY, "eval.resolution=input"] if self.rehearse else []
        profile = "cpu" if self.rehearse else profile
        # A random teacher does for US: the file of one is not in the bundle.
        where = [f"data.root={self.few}", "data.categories=gear", f"model.backbone.weights={self.weights}", "us.teacher=none"]
        return ["--profile", profile, *where, f"run.threads={1 if self.rehearse else 2}", *tiny, *more]

    def detectors(self) -> list[str]:
        """All that this `harness` knows, the default first."""
        text = self.call([self.harness, "config", "explain", "detector"], 10)
        names = re.findall(r'"(\w+)"', next(line for line in text.splitlines() if "one of" in line))
        default = next(line for line in text.splitlines() if "default" in line)
        return sorted(names, key=lambda name: f'"{name}"' not in default)

    def call(self, command: list[Any], most_s: float, env: dict[str, str] | None = None) -> str:
        """What a process prints; `most_s` and the step's clock end it with all that it started."""
        child = self.start(command, env)
        limit_s = self.clock.left(most_s)
        try:
            out, err = child.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            end(child)
            raise Failed(f"not ready after {limit_s:.0f} s: {shown(command)}") from None
        if child.returncode:
            raise Failed(f"{shown(command)} ended with {child.returncode}: {err.strip()[-600:]}")
        return out

    def start(self, command: list[Any], env: dict[str, str] | None = None, err: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """A process that leads a group of its own; `err` is where its progress goes, as for Popen."""
        self.clock.left()
        return subprocess.Popen(
            list(map(str, command)), cwd=ROOT, env=os.environ | (env or {}), text=True, process_group=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=err,
        )

    def run(self, words: list[str], device: str, store: Path, env: dict[str, str] | None = None, most_s: float = 120) -> Path:
        """A finished run's folder."""
        out = self.call(self.run_command(words, device, store), most_s, env)
        return store / "runs" / json.loads(out)[0]["id"]

    def run_command(self, words: list[str], device: str, store: Path) -> list[Any]:
        return [self.harness, "run", *words, "--device", device, "--results", store, "--json"]

    def store(self, name: str) -> Path:
        """An empty run store."""
        path = self.work / re.sub(r"\W+", "-", name)
        shutil.rmtree(path, ignore_errors=True)
        return path

    def of(self, count: int) -> Path:
        """A data root with so many training images of the few, and all of their test images."""
        root = self.work / f"of-{count}"
        if not root.exists():
            shutil.copytree(self.few, root)
            for image in sorted((root / "gear/train/good").iterdir())[count:]:
                image.unlink()
        return root


def end(child: subprocess.Popen[str], how: int = signal.SIGKILL) -> str:
    """Ends a process with all that it started, and waits for it, half a minute where it is asked kindly; its last words."""
    if child.poll() is None:
        os.killpg(child.pid, how)
    try:
        return child.communicate(timeout=30)[1] or ""
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        return child.communicate()[1] or ""


def shown(command: list[Any]) -> str:
    """A command, short enough for a table."""
    text = " ".join(str(word).removeprefix(f"{ROOT}/") for word in command)
    return text if len(text) < 160 else f"{text[:100]} … {text[-50:]}"


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """The variables of this process while a block runs, for what starts processes itself."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
