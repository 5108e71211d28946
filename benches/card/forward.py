"""Step 1: what is here, and whether each detector's forward pass is the CPU's."""

import json
import shutil
import subprocess
from pathlib import Path

import torch

from machine import ROOT, machine, versions
from maps import difference, predicted
from report import NEEDS_CUDA, Line, Step, share
from work import NO_TF32, Card, Failed

BOUND = 1e-4


def run(card: Card, step: Step) -> None:
    """CUDA, versions, card; each detector's maps on the GPU beside the CPU's."""
    with step.trying("what is here"):
        found(card, step)
    detectors = card.detectors()
    card.known["detectors"] = detectors
    # Two steps, so that a network whose first map is one number everywhere has a range; at full size that takes too long.
    little = ["train.steps=2", f"train.batch={4 if card.rehearse else 8}"]
    works = {f"{detectors[0]}, paper profile": card.words("paper", "train.epochs=0", "train.steps=0")}
    works |= {name: card.words("cpu", f"detector={name}", *little) for name in detectors}
    step.at_once(card.at_once, {what: lambda what=what, words=words: compared(card, what, words) for what, words in works.items()})


def found(card: Card, step: Step) -> None:
    step.data["machine"] = machine()
    step.data["versions"] = versions(card.harness) | {"commit": (ROOT / "revision").read_text().strip()}
    step.line("processor", step.data["machine"]["cpu"], remark=f"{step.data['machine']['cores']} cores, {step.data['machine']['ram_gib']} GiB")
    step.line("versions", ", ".join(f"{what} {version}" for what, version in step.data["versions"].items()))
    kind = card.call([card.harness.with_name("harness-torch"), "--device-kind", "auto"], 60).strip()
    if card.rehearse:
        step.line("CUDA found by `harness`", NEEDS_CUDA, remark=f"auto is {kind} here")
        return
    step.line("CUDA found by `harness`", kind, "cuda", f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}")
    asked = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total,compute_cap,clocks.max.sm,power.limit", "--format=csv,noheader"]
    step.line("card", subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip())


def compared(card: Card, what: str, words: list[str]) -> list[Line]:
    """One run on the CPU, and its maps by way of `predict`: the weights are the same on both sides."""
    store = card.store(f"forward {what}")
    fitted = card.run(words, "cpu", store)
    in_bf16 = other_precision(fitted, store)

    def maps(run: Path, device: str, name: str, env: dict[str, str] | None = None) -> dict:
        out = store / name
        command = [card.harness, "predict", card.few / "gear/test", "--run", f"{run.parent.name}/{run.name}", "--no-overlay"]
        card.call([*command, "--results", run.parents[2], "--out", out, "--device", device], 60, env)
        return predicted(out)

    cpu = maps(fitted, "cpu", "cpu")
    exact = difference(cpu, maps(fitted, card.device, "float32", NO_TF32))
    kind = f"of the range {exact.range:.3g} of {exact.count} {exact.what}"
    lines = [Line(f"{what}: GPU − CPU, float32", share(exact.share), f"≤ {BOUND:.0e}", kind if exact.share <= BOUND else f"{kind}: TOO LARGE")]
    if card.rehearse:
        lines.append(Line(f"{what}: with TF32", NEEDS_CUDA))
    else:
        lines.append(Line(f"{what}: with TF32", share(difference(cpu, maps(fitted, card.device, "tf32")).share)))
    lines.append(Line(f"{what}: in bf16", share(difference(cpu, maps(in_bf16, card.device, "bf16")).share)))
    return lines


def other_precision(run: Path, store: Path) -> Path:
    """A copy of a finished run that scores in bf16, in a store of its own."""
    there = store / "bf16-store" / run.relative_to(store)
    shutil.copytree(run, there)
    config = there / "config.toml"
    text = config.read_text()
    if 'precision = "fp32"' not in text:
        raise Failed(f"{config} does not say precision = \"fp32\"")
    config.write_text(text.replace('precision = "fp32"', 'precision = "bf16"'))
    json.loads((there / "summary.json").read_text())
    return there
