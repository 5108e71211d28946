"""What each system costs at the CPU profile, on the built-in gears: results/costs/table.md (`just costs`).

`harness bench` measures a system's training step and its scoring of one image, each in a process of its own, on all cores.
"""

import argparse
import json
import math
import subprocess
from typing import Any

from machine import CORES, ROOT, machine

SYSTEMS = {
    "MLFF": ["experiments/full.toml"],
    "PaDiM": ["experiments/padim.toml"],
    "nearest neighbour": ["experiments/nearest.toml"],
    "RD (ResNet-50)": ["experiments/rd.toml"],
    "FCDD (ResNet-50)": ["experiments/fcdd.toml"],
    "SuperSimpleNet (ResNet-50)": ["experiments/supersimplenet.toml"],
    "CutPaste, fine-tuned ResNet-50": ["experiments/cutpaste.toml"],
    "Patch SVDD": ["experiments/psvdd.toml"],
    "US (p = 33, half the width)": ["experiments/us.toml", "us.teacher=none"],
}
# These look at each image once, and have no training step.
UNTRAINED = ("PaDiM", "nearest neighbour")
# Training images of a category of the built-in set.
IMAGES = 60
HEAD = ["", "training, images/s", "steps × images", "so training takes", "memory", "scoring an image", "memory"]


def answer(command: list[str]) -> Any:
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=True).stdout)


def visits(keys: dict[str, Any]) -> tuple[int, int]:
    """Steps of the whole training, and images a step."""
    train, items = keys["train"], IMAGES * keys["data"]["repeat"]
    batches = items // train["batch"] if train["drop_last"] else math.ceil(items / train["batch"])
    return train["steps"] or train["epochs"] * max(batches, 1), train["batch"]


def row(harness: str, name: str, words: list[str], seconds: float) -> list[str]:
    def bench(part: str) -> dict[str, Any]:
        ask = [*words, "data.categories=gear", f"run.threads={CORES}", "--only", part, "--seconds", str(seconds), "--json"]
        return answer([harness, "bench", *ask])

    def memory(figures: dict[str, Any]) -> str:
        return f"{figures['peak_bytes'] / 2**20:.0f} MiB"

    training = ["each image once", "—", "—", "—"]
    if name not in UNTRAINED:
        step, (steps, batch) = bench("step"), visits(answer([harness, "config", "show", *words, "--json"])["config"])
        rate = step["step"]["images_per_s"]
        training = [f"{rate:.1f}", f"{steps} × {batch}", f"{steps * batch / rate:.0f} s", memory(step)]
    inference = bench("inference")
    return [name, *training, f"{inference['inference']['p50_ms']:.0f} ms", memory(inference)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--harness", default=str(ROOT / "target/release/harness"))
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to measure each part")
    args = parser.parse_args()
    rows = [row(args.harness, name, words, args.seconds) for name, words in SYSTEMS.items()]
    lines = [HEAD, [":--"] + ["--:"] * (len(HEAD) - 1), *rows]
    where = machine()
    text = "".join("| " + " | ".join(cells) + " |\n" for cells in lines)
    text += f"\n{where['cpu']}, {CORES} cores, {where['ram_gib']} GiB. Medians; memory is the most that the process held, with its libraries.\n"
    out = ROOT / "results/costs/table.md"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text)
    print(text, end="")


if __name__ == "__main__":
    main()
