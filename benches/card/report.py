"""What was found, as one table and one JSON file a step, both written anew after each line."""

import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from side import say
from work import OutOfTime

FORMAT = 1
# A figure that only a GPU gives.
NEEDS_CUDA = "needs CUDA"


@dataclass
class Line:
    what: str
    measured: str
    wanted: str = ""
    remark: str = ""


@dataclass
class Step:
    """One step's findings."""

    number: int
    name: str
    title: str
    report: "Report"
    lines: list[Line] = field(default_factory=list)
    # Samples and lists behind the lines.
    data: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0

    def line(self, what: str, measured: str, wanted: str = "", remark: str = "") -> None:
        self.lines.append(Line(what, measured, wanted, remark))
        self.report.write(self)

    @contextmanager
    def trying(self, what: str) -> Iterator[None]:
        """What goes wrong in a block becomes a line, and the step goes on."""
        try:
            yield
        except OutOfTime as error:
            self.line(what, "left out", remark=str(error))
        except Exception as error:  # whatever it is, the other lines are wanted
            say(f"  {what}: {error!r}")
            self.line(what, "failed", remark=f"{type(error).__name__}: {error}")

    def at_once(self, count: int, works: dict[str, Callable[[], list[Line]]]) -> None:
        """Carries out so many works beside each other; the lines of each as it ends."""
        with ThreadPoolExecutor(count) as pool:
            running = {pool.submit(work): name for name, work in works.items()}
            for done in as_completed(running):
                with self.trying(running[done]):
                    for line in done.result():
                        self.line(**asdict(line))


@dataclass
class Report:
    folder: Path
    head: str
    steps: dict[int, Step] = field(default_factory=dict)

    def recall(self, number: int, name: str) -> None:
        """What an earlier call found in this step, if there is something of it."""
        path = self.folder / f"{number}-{name}.json"
        if path.exists():
            kept = json.loads(path.read_text())
            lines = [Line(**line) for line in kept["lines"]]
            self.steps[number] = Step(number, name, kept["title"], self, lines, kept["data"], kept["seconds"])

    @contextmanager
    def step(self, number: int, name: str, title: str) -> Iterator[Step]:
        step = Step(number, name, title, self)
        self.steps[number] = step
        say(f"{number}. {title}")
        begin = time.monotonic()
        with step.trying("the step"):
            yield step
        step.seconds = time.monotonic() - begin
        self.write(step)
        say(f"   {step.seconds:.0f} s")

    def write(self, step: Step) -> None:
        """The step's file and the table, each replaced whole."""
        kept = {"format": FORMAT, "step": step.number, "title": step.title, "seconds": round(step.seconds, 1)}
        kept |= {"lines": [asdict(line) for line in step.lines], "data": step.data}
        replace(self.folder / f"{step.number}-{step.name}.json", json.dumps(kept, indent=1, default=str))
        replace(self.folder / "table.md", self.table())

    def table(self) -> str:
        text = f"{self.head}\n"
        for _, step in sorted(self.steps.items()):
            text += f"\n{step.number}. {step.title} ({step.seconds:.0f} s)\n\n"
            text += "|  | measured | wanted | remark |\n| :-- | --: | --: | :-- |\n"
            for line in step.lines:
                cells = [line.what, line.measured, line.wanted or "—", line.remark or "—"]
                text += "| " + " | ".join(" ".join(cell.split()).replace("|", "/") for cell in cells) + " |\n"
        return text


def replace(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text)
    os.replace(partial, path)


def share(value: float) -> str:
    """A difference as a share of something: `3.2e-06`."""
    return f"{value:.2g}"
