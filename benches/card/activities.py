"""What trace.c wrote of a training, cut to some steps: kernels by time, copies, and how often the host waited."""

import re
import shutil
import subprocess
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

# Values of CUPTI's enumerations (cupti_activity.h).
DIRECTIONS = {1: "to the card", 2: "to the host", 8: "on the card"}
MEMORY = {1: "pageable", 2: "pinned"}
WAITS = {1: "for an event", 3: "for a stream", 4: "for all of the card"}
# Steps at both ends that are not counted: cuDNN measures its algorithms, and the last has no next.
WARM_UP, TAIL = 10, 1


@dataclass
class Trace:
    """Times in ns."""

    names: dict[int, str] = field(default_factory=dict)
    # Start, end, index of the name.
    kernels: list[tuple[int, int, int]] = field(default_factory=list)
    # Start, end, bytes, direction, memory kinds of source and target.
    copies: list[tuple[int, int, int, int, int, int]] = field(default_factory=list)
    memsets: list[tuple[int, int, int]] = field(default_factory=list)
    # Start, end, type.
    waits: list[tuple[int, int, int]] = field(default_factory=list)
    dropped: int = 0
    errors: list[str] = field(default_factory=list)


@dataclass
class Steps:
    """Means a step, of `count` steps; times in ms."""

    count: int
    wall_ms: float
    kernels: float
    kernels_ms: float
    # A kernel ran in so much of the time.
    busy: float
    # By name: ms, calls.
    by_kernel: dict[str, tuple[float, float]]
    # By direction and kind of host memory: calls, bytes.
    copies: dict[str, tuple[float, float]]
    memsets: float
    # By what the host waited for: calls, ms.
    waits: dict[str, tuple[float, float]]


def read(path: Path) -> Trace:
    """A line that was cut off is left out."""
    trace = Trace()
    into = {"k": (trace.kernels, 3), "c": (trace.copies, 6), "m": (trace.memsets, 3), "w": (trace.waits, 3)}
    for line in path.read_text(errors="replace").splitlines():
        kind, _, rest = line.partition(" ")
        if kind == "n":
            index, _, name = rest.partition(" ")
            trace.names[int(index)] = name
        elif kind == "!":
            trace.errors.append(rest)
        elif kind == "d":
            trace.dropped += int(rest)
        elif kind in into and len(numbers := rest.split()) == into[kind][1]:
            into[kind][0].append(tuple(map(int, numbers)))
    return trace


def uploads(trace: Trace, steps: int) -> list[int]:
    """When the images of each step went up: the largest copies to the card that there are one a step of."""
    up = [copy for copy in trace.copies if copy[3] == 1]
    sizes = Counter(copy[2] for copy in up)
    once = [size for size, count in sizes.items() if 0.9 * steps <= count <= 1.1 * steps + 1]
    if not once:
        raise ValueError(f"no copy to the card is made once a step; there are {sizes.most_common(5)} (bytes, count)")
    return sorted(copy[0] for copy in up if copy[2] == max(once))


def cut(trace: Trace, steps: int) -> Steps:
    """The steps between two uploads, behind the first ones."""
    at = uploads(trace, steps)
    first = min(WARM_UP, len(at) // 2)
    count = len(at) - TAIL - first
    if count < 1:
        raise ValueError(f"{len(at)} uploads are too few")
    begin, end = at[first], at[first + count]

    def within(records: list) -> list:
        return [record for record in records if begin <= record[0] < end]

    kernels, names = within(trace.kernels), readable(trace.names)
    by_kernel: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for start, stop, index in kernels:
        entry = by_kernel[names.get(index, "?")]
        entry[0] += (stop - start) / 1e6 / count
        entry[1] += 1 / count
    copies: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for _, _, size, direction, source, target in within(trace.copies):
        host = MEMORY.get(source if direction == 1 else target, "") if direction in (1, 2) else ""
        entry = copies[f"{DIRECTIONS.get(direction, f'kind {direction}')}{f', {host}' if host else ''}"]
        entry[0] += 1 / count
        entry[1] += size / count
    waits: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for start, stop, kind in within(trace.waits):
        if kind in WAITS:
            waits[WAITS[kind]][0] += 1 / count
            waits[WAITS[kind]][1] += (stop - start) / 1e6 / count
    return Steps(
        count=count,
        wall_ms=(end - begin) / 1e6 / count,
        kernels=len(kernels) / count,
        kernels_ms=sum(stop - start for start, stop, _ in kernels) / 1e6 / count,
        busy=covered(kernels, begin, end) / (end - begin),
        by_kernel={name: (ms, calls) for name, (ms, calls) in sorted(by_kernel.items(), key=lambda item: -item[1][0])},
        copies={name: (calls, size) for name, (calls, size) in copies.items()},
        memsets=len(within(trace.memsets)) / count,
        waits={name: (calls, ms) for name, (calls, ms) in waits.items()},
    )


def covered(kernels: list[tuple[int, int, int]], begin: int, end: int) -> int:
    """Time in which at least one of them ran."""
    total, upto = 0, begin
    for start, stop, _ in sorted(kernels):
        total += max(0, min(stop, end) - max(start, upto))
        upto = max(upto, stop)
    return total


def readable(names: dict[int, str]) -> dict[int, str]:
    """Without C++'s mangling, where c++filt is there."""
    if not names or shutil.which("c++filt") is None:
        return names
    plain = subprocess.run(["c++filt"], input="\n".join(names.values()), capture_output=True, text=True).stdout.splitlines()
    return dict(zip(names, plain)) if len(plain) == len(names) else names


def short(name: str) -> str:
    """A kernel's name for a table: without arguments and most of its templates."""
    name = re.sub(r"\(anonymous namespace\)::|at::native::|void ", "", name)
    name = name.split("(")[0]
    return name if len(name) < 90 else f"{name[:60]}…{name[-25:]}"
