"""The two sides as processes that take turns."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine import ROOT

WORK = ROOT / "target/bench"
CATEGORY = "gear"
EXPERIMENT = ROOT / "experiments/full.toml"
# The CPU profile trains the backbone at a rate of its own, its batch norms fixed; the peer has neither, and freezes it.
FROZEN = ["model.backbone.freeze=all"]

Figures = dict[str, Any]
Side = Callable[[], Figures]


class Failed(Exception):
    """A command that did not end well, or figures that do not agree."""


@dataclass(frozen=True)
class Bench:
    """What every part is told."""

    harness: Path
    weights: Path
    data: Path
    results: Path
    rounds: int
    seconds: float

    def settings(self, *words: str) -> list[str]:
        """The experiment of every part, on the built-in data; at the CPU profile with a frozen backbone."""
        frozen = [] if "--profile" in words else FROZEN
        where = [f"data.root={self.data}", f"data.categories={CATEGORY}", f"model.backbone.weights={self.weights}"]
        return [str(EXPERIMENT), *where, *frozen, *words]

    def config(self, name: str, *words: str) -> Path:
        """Its resolved configuration, as a file for the peer."""
        command = [self.harness, "config", "show", *self.settings(*words)]
        shown = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        tomllib.loads(shown.stdout)
        path = WORK / f"{name}.toml"
        path.write_text(shown.stdout)
        return path

    def ours(self, part: str, *words: Any, device: str = "cpu", seconds: float | None = None) -> list[Any]:
        """`harness bench` of one part."""
        timing = ["--only", part, "--seconds", self.seconds if seconds is None else seconds]
        return [self.harness, "bench", *self.settings(*words), *timing, "--json", "--device", device]

    def peer(self, verb: str, *words: Any) -> list[Any]:
        return [sys.executable, ROOT / "benches/peer", verb, *words]


def call(command: list[Any], one_core: bool = False, limit_s: float | None = None) -> Figures:
    """Runs a command in the checkout: its last line as JSON if it is that, its wall seconds and peak memory in bytes.

    Where the command keeps child processes, the memory is that of the largest process. After `limit_s` all are ended.
    """
    pin = ["taskset", "-c", str(min(os.sched_getaffinity(0)))] if one_core else []
    words = [*pin, *map(str, command)]
    start = time.perf_counter()
    with (WORK / "stdout").open("wb") as file, (WORK / "stderr").open("wb") as errors:
        group = None if limit_s is None else 0  # a group of its own, to end what torch.compile starts, too
        child = subprocess.Popen(words, stdout=file, stderr=errors, cwd=ROOT, process_group=group)
        clock = threading.Timer(limit_s or 0.0, os.killpg, (child.pid, signal.SIGKILL))
        if limit_s is not None:
            clock.start()
        _, status, usage = os.wait4(child.pid, 0)
        clock.cancel()
    seconds = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise Failed(f"{' '.join(words)} ended with {child.returncode} after {seconds:.0f} s:\n{(WORK / 'stderr').read_text()[-2000:]}")
    lines = (WORK / "stdout").read_text().strip().splitlines()
    try:
        given = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        given = {}
    given = given if isinstance(given, dict) else {}
    return given | {"wall_s": seconds, "peak_rss_bytes": usage.ru_maxrss * 1024}


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def in_turns(rounds: int, sides: dict[str, Side], optional: Iterable[str] = ()) -> dict[str, list[Figures]]:
    """Each side's figures, one a round; in every other round the sides come in reverse, so that no one is always first.

    An optional side that fails is left out from then on, and why is said.
    """
    taken: dict[str, list[Figures]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in list(taken) if number % 2 == 0 else reversed(list(taken)):
            begin = time.perf_counter()
            try:
                taken[name].append(sides[name]())
            except Failed as error:
                if name not in optional:
                    raise
                say(f"  {name} is left out:\n{error}")
                del taken[name]
                continue
            say(f"  round {number + 1} of {rounds}: {name}, {time.perf_counter() - begin:.0f} s")
    return taken


def tried(sides: dict[str, Side]) -> dict[str, Figures]:
    """One turn for each of some ways; a way that fails is left out, and why is said."""
    taken = {}
    for name, run in sides.items():
        try:
            taken[name] = run()
            say(f"  tried {name}: {taken[name]['images_per_s']:.3g} images/s")
        except Failed as error:
            say(f"  tried {name}: it fails\n{error}")
            taken[name] = {"images_per_s": 0.0, "error": str(error)}
    return taken
