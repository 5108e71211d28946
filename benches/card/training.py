"""Step 2: twenty training steps, beside the CPU's and once more."""

import json
from pathlib import Path

from maps import difference, stored
from report import NEEDS_CUDA, Line, Step, share
from work import NO_TF32, Card


def run(card: Card, step: Step) -> None:
    """Losses of twenty steps on the GPU beside the CPU's; the same seed twice."""
    detectors = card.known.get("detectors") or card.detectors()
    step.at_once(card.at_once, {name: lambda name=name: trained(card, step, name, full=name == detectors[0]) for name in detectors})


def trained(card: Card, step: Step, name: str, full: bool) -> list[Line]:
    """A detector's lines; TF32 and bf16 as well where `full`."""
    batch, steps = (4, 3) if card.rehearse else (8, 20)
    # An epoch is a step, so that each is reported, on a GPU too.
    words = card.words("cpu", f"detector={name}", f"data.root={card.of(batch)}", "data.repeat=1", f"train.batch={batch}")
    words += [f"train.steps={steps}", "train.checkpoint_every_s=1000000"]

    def made(where: str, device: str, env: dict[str, str] | None = None, *more: str) -> Path:
        return card.run([*words, *more], device, card.store(f"training {name} {where}"), env)

    cpu = losses(made("cpu", "cpu"))
    if not cpu:
        return [Line(name, "not trained", remark="it looks at each image once")]
    first, second = (made(f"{card.device} {n}", card.device, NO_TF32) for n in (1, 2))
    runs = {"cpu": cpu, "float32": losses(first), "again": losses(second)}
    if full:
        runs["bf16"] = losses(made("bf16", card.device, None, "train.precision=bf16"))
        if not card.rehearse:
            runs["TF32"] = losses(made("tf32", card.device))
    step.data[name] = runs
    last = max(cpu)
    lines = [Line(f"{name}: loss after 1 and {last} steps, GPU beside CPU", pair(runs["float32"], last), pair(cpu, last))]
    for what in ("float32", "TF32", "bf16") if full else ("float32",):
        apart = share(greatest(cpu, runs[what])) if what in runs else NEEDS_CUDA
        lines.append(Line(f"{name}: greatest difference of a step's loss to the CPU's, {what}", apart, remark="share of the loss"))
    spread = difference(stored(first), stored(second))
    lines.append(Line(f"{name}: the same seed twice, loss", share(greatest(runs["float32"], runs["again"])), "0 on a CPU", "share of the loss"))
    lines.append(Line(f"{name}: the same seed twice, maps", share(spread.share), "0 on a CPU", f"share of the range {spread.range:.3g}"))
    return lines


def losses(run: Path) -> dict[int, float]:
    """The whole loss by step, as events.jsonl tells; none where nothing is trained."""
    events = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    return {event["step"]: event["losses"]["total"] for event in events if event["event"] == "step" and "total" in event["losses"]}


def pair(values: dict[int, float], last: int) -> str:
    return f"{values[1]:.5g}, {values[last]:.5g}"


def greatest(of: dict[int, float], other: dict[int, float]) -> float:
    """The greatest difference of a step's loss, as a share of it."""
    if of.keys() != other.keys():
        raise ValueError(f"steps {sorted(of)} here and {sorted(other)} there")
    return max(abs(other[step] - loss) / max(abs(loss), 1e-12) for step, loss in of.items())
