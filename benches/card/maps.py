"""Score maps that were written as .npy files, and how far two sets of them are apart."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Difference:
    """The greatest difference, as a share of the range of the first set."""

    share: float
    range: float
    count: int
    what: str


def stored(run: Path) -> dict[str, np.ndarray]:
    """All maps of a finished run, by their place below its maps."""
    return {str(path.relative_to(run / "maps")): np.load(path) for path in sorted((run / "maps").rglob("*.npy"))}


def predicted(folder: Path) -> dict[str, np.ndarray]:
    """What `harness predict` wrote: the maps, or where there are none the image scores."""
    found = {str(path.relative_to(folder)): np.load(path) for path in sorted(folder.rglob("*.npy"))}
    if found:
        return found
    with (folder / "scores.csv").open() as file:
        return {row["image"]: np.array(float(row["score"])) for row in csv.DictReader(file)}


def difference(of: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> Difference:
    """Raises where the two sets are not of the same images, or a score is not finite."""
    if not of or of.keys() != other.keys():
        raise ValueError(f"{len(of)} maps here and {len(other)} there are not of the same images")
    for name, values in [*of.items(), *other.items()]:
        if not np.isfinite(values).all():
            raise ValueError(f"{name}: a score is not finite")
    span = max(float(v.max()) for v in of.values()) - min(float(v.min()) for v in of.values())
    apart = max(float(np.abs(of[name].astype(np.float64) - other[name]).max()) for name in of)
    what = "maps" if any(v.ndim for v in of.values()) else "image scores"
    return Difference(apart / span if span else (0.0 if apart == 0 else float("inf")), span, len(of), what)
