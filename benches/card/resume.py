"""Step 5: a run that is killed or stopped and taken up again on the GPU: what repeats and what does not."""

import json
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from maps import difference, stored
from report import Step, share
from training import greatest, losses
from work import NO_TF32, Card, Failed, end

# What the program says where it was stopped and can be resumed.
STOPPED = 75


def run(card: Card, step: Step) -> None:
    """One run twice as a whole, once killed and once stopped in its middle; events and maps of all."""
    batch, steps, repeat = (4, 16, 2) if card.rehearse else (8, 200, 5)
    words = card.words("cpu", f"data.root={card.of(batch)}", f"data.repeat={repeat}", f"train.batch={batch}", f"train.steps={steps}")
    words.append("train.checkpoint_every_s=0.3")

    def whole(name: str) -> Path:
        return card.run(words, card.device, card.store(f"resume {name}"), NO_TF32)

    works = {
        "whole": lambda: (whole("whole"), None),
        "again": lambda: (whole("again"), None),
        "killed": lambda: interrupted(card, words, "killed", signal.SIGKILL, steps),
        "stopped": lambda: interrupted(card, words, "stopped", signal.SIGTERM, steps),
    }
    runs: dict[str, Path] = {}
    with ThreadPoolExecutor(card.at_once) as pool:
        for name, work in {name: pool.submit(work) for name, work in works.items()}.items():
            with step.trying(name):
                runs[name], found = work.result()
                if found:
                    step.data[name] = found
                    step.line(f"{name} at step {found['seen']}, resumed at", f"step {found['step']}", remark=f"attempt {found['attempts']}")
                    step.line(f"{name}: events up to the checkpoint are kept", "yes" if found["kept"] else "no", "yes", "byte for byte")
    if "whole" not in runs:
        return
    for name in [name for name in works if name in runs and name != "whole"]:
        with step.trying(f"{name} beside whole"):
            of, other = losses(runs["whole"]), losses(runs[name])
            missing = sorted(of.keys() ^ other.keys())
            step.line(f"{name}: the same steps, each once", "yes" if not missing and ordered(runs[name]) else f"no: {missing[:5]}", "yes")
            loss = share(greatest(of, other)) if not missing else "—"
            spread = difference(stored(runs["whole"]), stored(runs[name]))
            same = (runs["whole"] / "events.jsonl").read_bytes() == (runs[name] / "events.jsonl").read_bytes()
            remark = "yardstick: nothing but the same seed" if name == "again" else "no more than `again` differs"
            step.line(f"{name}: greatest difference of a loss to the whole run", loss, "0 on a CPU", remark)
            step.line(f"{name}: of the maps", share(spread.share), "0 on a CPU", f"events the same bytes: {'yes' if same else 'no'}")


def interrupted(card: Card, words: list[str], name: str, how: int, steps: int) -> tuple[Path, dict[str, Any]]:
    """The finished run, and what was seen when it was interrupted."""
    store = card.store(f"resume {name}")
    child = card.start(card.run_command(words, card.device, store), NO_TF32, err=subprocess.DEVNULL)
    try:
        seen = half_way(card, store, steps, child)
        end(child, how)
    except BaseException:
        end(child)
        raise
    if how == signal.SIGTERM and child.returncode != STOPPED:
        raise Failed(f"SIGTERM: it ended with {child.returncode} instead of {STOPPED}")
    (checkpoint,) = store.glob("runs/*/*/checkpoints/last.ckpt")
    at = position(checkpoint)
    before = (checkpoint.parents[1] / "events.jsonl").read_bytes()[: at["events_len"]]
    folder = card.run(words, card.device, store, NO_TF32)
    kept = (folder / "events.jsonl").read_bytes().startswith(before)
    attempts = json.loads((folder / "run.json").read_text())["attempts"]
    return folder, {"seen": seen, "step": at["step"], "kept": kept, "attempts": attempts}


def half_way(card: Card, store: Path, steps: int, child: Any) -> int:
    """Waits for a step in the second third of the run and a checkpoint; the step last reported."""
    while child.poll() is None:
        card.clock.left()
        for events in store.glob("runs/*/*/events.jsonl"):
            reported = [int(line.split('"step":')[1].split(",")[0]) for line in whole_lines(events) if '"event":"step"' in line]
            if reported and reported[-1] >= steps // 3 and (events.parent / "checkpoints/last.ckpt").exists():
                return reported[-1]
        time.sleep(0.005)
    raise Failed(f"it ended with {child.returncode} before it could be interrupted")


def whole_lines(path: Path) -> list[str]:
    text = path.read_text(errors="replace")
    return text[: text.rfind("\n") + 1].splitlines()


def ordered(run: Path) -> bool:
    """Whether each step is told once, in its order."""
    events = map(json.loads, (run / "events.jsonl").read_text().splitlines())
    told = [event["step"] for event in events if event["event"] == "step"]
    return told == sorted(set(told))


def position(checkpoint: Path) -> dict[str, Any]:
    """Where a last.ckpt stands (src/run/checkpoint.rs): JSON behind a head of 28 bytes, its length at byte 12."""
    with checkpoint.open("rb") as file:
        head = file.read(28)
        if head[:8] != b"harnckpt":
            raise Failed(f"{checkpoint} is no checkpoint")
        return json.loads(file.read(int.from_bytes(head[12:20], "little")))
