"""Step 6: the paper's profile for as long as the time lasts, and the metrics of its last checkpoint."""

import json
import shutil
import signal
import subprocess
import tomllib
from pathlib import Path

from machine import CORES
from report import Step
from resume import STOPPED, position
from work import Card, Failed, OutOfTime, end

# Seconds kept for the metrics.
RESERVE_S = 45.0
METRICS = ("image_auroc", "pixel_auroc", "aupro@0.3")


def run(card: Card, step: Step) -> None:
    """As many of the 200 epochs as there is time for; a later call with --continue goes on."""
    (category,) = [path.name for path in card.whole.iterdir() if (path / "train").is_dir()]
    words = [f"data.root={card.whole}", f"data.categories={category}", f"model.backbone.weights={card.weights}", f"data.workers={CORES}"]
    words.append("train.checkpoint_every_s=20")
    file = "experiments/paper.toml"
    if card.rehearse:
        file, words = "experiments/full.toml", [*card.words("cpu", "train.epochs=200", "train.batch=4"), "train.checkpoint_every_s=0.2"]
    store = card.work / "paper"
    if not card.go_on:
        shutil.rmtree(store, ignore_errors=True)
    elif not list(store.glob("runs/*/*/checkpoints/last.ckpt")):
        raise Failed("--continue: there is no earlier call's run in this folder: leave it out")

    command = [card.harness, "run", file, *words]
    seconds = card.clock.left() - RESERVE_S if not card.rehearse else 8.0
    if seconds < 10 and not card.rehearse:
        raise OutOfTime(f"{max(seconds, 0):.0f} s are left before the metrics; --only paper has more")
    trained(card, [*command, "--device", card.device, "--results", store, "--json"], seconds)
    (folder,) = store.glob("runs/*/*-s0")
    epochs = told(folder, step, f"{category}, paper profile" if not card.rehearse else "gear, a rehearsal")
    if (folder / "summary.json").exists():
        metrics(folder, step, f"after all {epochs} epochs")
    else:
        with step.trying("metrics of the last checkpoint"):
            copy, at = finished_copy(card, command, folder)
            metrics(copy, step, f"after step {at}")


def trained(card: Card, command: list, seconds: float) -> None:
    """Trains for so long, then stops it with a checkpoint."""
    child = card.start(command)
    try:
        _, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        err = end(child, signal.SIGTERM)
    if child.returncode not in (0, STOPPED, -signal.SIGKILL):
        raise Failed(f"the run ended with {child.returncode}: {err.strip()[-600:]}")


def told(folder: Path, step: Step, what: str) -> int:
    """Lines on how far it came; the epochs of the whole schedule."""
    epochs = tomllib.loads((folder / "config.toml").read_text())["train"]["epochs"]
    timing = list(map(json.loads, (folder / "timing.jsonl").read_text().splitlines()))
    rates = [line["images_per_s"] for line in timing if line["timing"] == "epoch"]
    checkpoint = folder / "checkpoints/last.ckpt"
    if checkpoint.exists():
        at = position(checkpoint)
        step.line(f"{what}: epochs done", f"{at['epoch']} of {epochs}", remark=f"{at['step']} steps in {at['wall_s']:.0f} s, over {attempts(folder)} calls")
    if rates:
        images = max(line["images"] for line in timing if line["timing"] == "epoch") * epochs
        best = sorted(rates)[len(rates) // 2]
        step.line("pace of an epoch, checkpoints included", f"{best:.4g} images/s", remark=f"{images} images in all: {images / best / 60:.3g} minutes")
        step.data["images_per_s"] = rates
    return epochs


def attempts(folder: Path) -> int:
    return json.loads((folder / "run.json").read_text())["attempts"]


def finished_copy(card: Card, command: list, folder: Path) -> tuple[Path, int]:
    """A run that ends one step behind the checkpoint, taken up from a copy of it, and where it ends.

    The length of a run moves its id, and of the paper's schedule nothing else. The run itself stays as it is, for --continue.
    """
    at = position(folder / "checkpoints/last.ckpt")
    ends = at["step"] + 1
    store = card.work / "paper-metrics"
    shutil.rmtree(store, ignore_errors=True)
    shorter = [*command, f"train.steps={ends}", "--device", card.device, "--results", store]
    name = card.call([*shorter, "--dry-run"], 60).split()[0]
    copy = store / "runs" / name
    (copy / "checkpoints").mkdir(parents=True)
    own = f"{folder.parent.name}/{folder.name}"
    card.call([card.harness.with_name("harness-torch"), "--lend-checkpoint", folder.parents[1], own, store / "runs", name], 60)
    # The checkpoint counts the bytes of the events; their first line names the run, whose name is as long.
    (copy / "events.jsonl").write_text((folder / "events.jsonl").read_text().replace(own, name, 1))
    card.call([*shorter, "--json"], 90)
    timing = map(json.loads, (copy / "timing.jsonl").read_text().splitlines())
    begun = [line["step"] for line in timing if line["timing"] == "attempt"]
    if begun != [at["step"]]:
        raise Failed(f"the copy began at step {begun} instead of {at['step']}: it did not take the checkpoint up")
    return copy, ends


def metrics(folder: Path, step: Step, when: str) -> None:
    summary = json.loads((folder / "summary.json").read_text())
    step.data["metrics"] = summary["metrics"]
    for name in METRICS:
        value = summary["metrics"].get(f"test/{name}")
        step.line(f"{name} {when}", "—" if value is None else f"{value:.4f}")
