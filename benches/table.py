"""Rows of figures, harness beside Python, and how they are written."""

import statistics
from dataclasses import dataclass

HEAD = ["", "harness", "Python", "which", "times better (range)", "n", "target"]


@dataclass
class Row:
    """A figure of both sides, one value a round; without `theirs` there is nothing to compare with."""

    what: str
    unit: str
    ours: list[float]
    theirs: list[float]
    which: str
    target: str
    # The larger figure is the better one; None where both are shown and neither divided by the other.
    higher: bool | None

    @classmethod
    def rate(cls, what: str, unit: str, ours: list[float], theirs: list[float], which: str, target: str = "") -> "Row":
        return cls(what, unit, ours, theirs, which, target, True)

    @classmethod
    def cost(cls, what: str, unit: str, ours: list[float], theirs: list[float], which: str, target: str = "") -> "Row":
        return cls(what, unit, ours, theirs, which, target, False)

    @classmethod
    def beside(cls, what: str, unit: str, ours: list[float], theirs: list[float], which: str) -> "Row":
        return cls(what, unit, ours, theirs, which, "", None)

    @classmethod
    def alone(cls, what: str, unit: str, ours: list[float], target: str = "") -> "Row":
        return cls(what, unit, ours, [], "", target, None)

    def times(self) -> str:
        """How many times better ours is: of the medians, and from round to round."""
        if self.higher is None or not self.theirs:
            return ""
        better = [o / t if self.higher else t / o for o, t in zip(self.ours, self.theirs)]
        mine, other = statistics.median(self.ours), statistics.median(self.theirs)
        ratio = mine / other if self.higher else other / mine
        return f"{ratio:.2f}" + (f" ({min(better):.2f}–{max(better):.2f})" if len(better) > 1 else "")

    def cells(self) -> list[str]:
        rounds = min(len(values) for values in (self.ours, self.theirs) if values)
        ours = figure(self.ours, self.unit, spread=not self.theirs)
        theirs = figure(self.theirs, self.unit, spread=not self.ours)
        return [self.what, ours, theirs, self.which, self.times(), str(rounds), self.target]


def figure(values: list[float], unit: str, spread: bool) -> str:
    """The median; with `spread`, the range where there is one."""
    if not values:
        return ""
    text = f"{digits(statistics.median(values))} {unit}".rstrip()
    return text + (f" ({digits(min(values))}–{digits(max(values))})" if spread and len(values) > 1 else "")


def digits(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def markdown(rows: list[Row]) -> str:
    lines = ["| " + " | ".join(HEAD) + " |", "| :-- | --: | --: | :-- | --: | --: | --: |"]
    return "\n".join(lines + ["| " + " | ".join(cell or "—" for cell in row.cells()) + " |" for row in rows]) + "\n"
