"""Clocks and memory of this process."""

import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch


def rates(work: Callable[[], int], seconds: float, device: torch.device, warm_up: int = 3) -> list[float]:
    """Images a second of repeated `work`, which returns its number of images.

    On a CPU one sample is one call. On a GPU it is ten, which may overlap: waiting for each would be a cost of its own.
    """
    calls = 10 if device.type == "cuda" else 1
    for _ in range(warm_up):
        work()
    synchronize(device)
    samples: list[float] = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < seconds or len(samples) < 3:
        start = time.perf_counter()
        images = sum(work() for _ in range(calls))
        synchronize(device)
        samples.append(images / (time.perf_counter() - start))
    return samples


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def median(samples: list[float]) -> float:
    return statistics.median(samples)


class PeakExtra:
    """Resident memory beyond what there was at its beginning; Linux only."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
        self.before = self._status("VmRSS")

    def bytes(self) -> int:
        return max(self._status("VmHWM") - self.before, 0)

    @staticmethod
    def _status(name: str) -> int:
        match = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
        assert match is not None
        return int(match[1]) * 1024
