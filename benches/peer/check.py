"""Whether the peer computes what `harness` computes: its network, its losses and its metrics."""

import argparse
import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

import config
import data
import metrics
from losses import losses
from network import Network, Weights, learned, upsample

# Where a finished run's parameter names differ from the peer's.
RENAMED = {
    "low.reduce.": "reduce.",
    "ptfem.in.": "ptfem.enter.",
    "ptfem.branch": "ptfem.branches.",
    ".mlp.1.": ".mlp.2.",
    ".join.1.": ".join.2.",
    "head.mid.conv.": "mid.",
    "head.feature.": "feature.",
}
# Test images whose maps are compared.
IMAGES = 8
# Pseudo anomalies whose size and strength are compared.
PSEUDO = 600
# As many as one gallery holds.
GALLERY = 100
# Greatest differences that rounding explains: of maps as a share of the greatest score, of metrics, of losses; and of means
# over pseudo anomalies, in standard errors.
BOUNDS = {"maps": 1e-4, "metrics": 1e-6, "losses": 1e-5, "pseudo": 5.0}
GOLDEN_LOSSES = Path(__file__).parents[2] / "tests" / "golden" / "loss.json"


def run(args: argparse.Namespace) -> dict[str, Any]:
    """The peer against a finished run of `harness`: parameters, maps of the run's weights, metrics, losses, pseudo anomalies."""
    cfg = config.load(args.run_folder / "config.toml")
    weights = Weights.load(args.weights)
    network = Network(cfg, weights).eval()
    take(network, args.run_folder / "checkpoints" / "weights.safetensors")
    summary = json.loads((args.run_folder / "summary.json").read_text())
    images = data.TestSet(args.root / summary["category"], cfg["data"]["size"], weights)
    figures = {
        "parameters": sum(t.numel() for t in network.parameters()),
        "parameters_of_run": summary["counts"]["parameters"],
        **map_differences(network, images, args.run_folder, args.harness),
        "metric_differences": metric_differences(images, args.run_folder, summary, cfg["eval"]["pro"]["limit"]),
        "loss_differences": loss_differences(),
        "pseudo_anomalies": pseudo_anomalies(cfg, args, summary["category"]),
    }
    if wrong := differing(figures):
        raise SystemExit("the peer does other work than `harness`: " + "; ".join(wrong) + f"\n{json.dumps(figures)}")
    return figures


def differing(figures: dict[str, Any]) -> list[str]:
    """What lies beyond its bound, or is no number."""
    wrong = []
    if figures["parameters"] != figures["parameters_of_run"]:
        wrong.append(f"{figures['parameters']} parameters instead of {figures['parameters_of_run']}")
    if not figures["greatest_map_difference"] <= BOUNDS["maps"] * figures["greatest_score"]:
        wrong.append(f"maps differ by {figures['greatest_map_difference']}")
    for what in "metric", "loss":
        bound = BOUNDS["metrics" if what == "metric" else "losses"]
        wrong += [f"{name} by {value}" for name, value in figures[f"{what}_differences"].items() if not abs(value) <= bound]
    for kind, (theirs, own) in figures["pseudo_anomalies"].items():
        for name in "area", "change":
            # Both sides draw as many, with like spread.
            allowed = BOUNDS["pseudo"] * np.sqrt(2 / own["count"]) * own[f"{name}_sd"]
            if not abs(theirs[name] - own[name]) <= allowed:
                wrong.append(f"{name} of {kind}: {own[name]:.2f} instead of {theirs[name]:.2f} ± {allowed:.2f}")
    return wrong


def map_differences(network: Network, images: data.TestSet, run: Path, harness: Path) -> dict[str, float]:
    """Score maps of a few test images against those of `harness predict`.

    It gets them resized already: two ways of resizing differ by a grey level, which score maps show.
    """
    differences, greatest = [], []
    with tempfile.TemporaryDirectory() as folder:
        chosen = range(0, len(images), max(len(images) // IMAGES, 1))
        paths = {index: Path(folder) / f"{index:03}.png" for index in chosen}
        for index, path in paths.items():
            data.read_resized(images.paths[index], images.size)[0].save(path)
        command = [harness, "predict", "--run", f"{run.parent.name}/{run.name}", *paths.values(), "--out", folder, "--no-overlay"]
        root = run.resolve().parents[3]  # results/runs/<experiment>/<id>
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
        for index, path in paths.items():
            theirs = np.load(path.with_suffix(".npy"))
            with torch.no_grad():
                ours = upsample(network(images[index][0].unsqueeze(0))[1], (images.size, images.size))[0, 0].numpy()
            differences.append(float(np.abs(ours - theirs).max()))
            greatest.append(float(np.abs(theirs).max()))
    return {"greatest_score": max(greatest), "greatest_map_difference": max(differences)}


def metric_differences(images: data.TestSet, run: Path, summary: dict[str, Any], limit: float) -> dict[str, float]:
    """The peer's metrics of the maps that the run stored, less the run's own."""
    maps, masks = [], []
    for index, path in enumerate(images.paths):
        stored = np.load(run / "maps" / "S" / summary["category"] / "test" / path.parent.name / f"{path.stem}.npy")
        own = images[index][1]
        maps.append(upsample(torch.from_numpy(stored)[None, None], own)[0, 0].numpy())
        masks.append(images.mask(index, own))
    values = metrics.evaluate(maps, masks, limit)
    return {name: value - summary["metrics"][f"test/{name}"] for name, value in values.items()}


def pseudo_anomalies(cfg: config.Config, args: argparse.Namespace, category: str) -> dict[str, list[dict[str, float]]]:
    """Mean area in % and mean change in grey levels of each kind: [`harness data pseudo`, the peer]."""
    words = [args.run_folder / "config.toml", f"data.root={args.root}", f"data.categories={category}", "pseudo.ratio=1"]
    words += [f"data.repeat={-(-GALLERY // len(list((args.root / category / 'train/good').iterdir())))}"]
    means: dict[str, list[tuple[int, float, float]]] = {}
    for seed in range(PSEUDO // GALLERY):
        with tempfile.TemporaryDirectory() as folder:
            command = [args.harness, "data", "pseudo", *words, f"run.seeds=[{seed}]", "--count", str(GALLERY)]
            command += ["--out", f"{folder}/pseudo.png"]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        for kind, *row in re.findall(r"^(confetti|cutpaste) +(\d+) +([\d.]+) % +([\d.]+)$", printed, re.MULTILINE):
            means.setdefault(kind, []).append((int(row[0]), float(row[1]), float(row[2])))
    theirs = {}
    for kind, rows in means.items():
        counts, areas, changes = zip(*rows)
        theirs[kind] = {"count": sum(counts), "area": np.average(areas, weights=counts), "change": np.average(changes, weights=counts)}

    images = data.TrainingSet(args.root / category, cfg, Weights(), seed=0, cached=True)
    own: dict[str, list[tuple[float, float]]] = {}
    for kind, share in ("confetti", 1.0), ("cutpaste", 0.0):
        for item in range(theirs[kind]["count"]):
            before = images.image(item)
            weight = {"confetti": share, "cutpaste": 1 - share}
            after, mask = data.pseudo_anomaly(before, cfg["pseudo"] | {"weight": weight}, np.random.default_rng([0, 3, item]))
            if mask.any():
                change = np.abs(grey(after) - grey(before))[mask].mean()
                own.setdefault(kind, []).append((100 * mask.mean(), change))
    return {kind: [theirs[kind], described(np.array(values))] for kind, values in own.items()}


def described(values: np.ndarray) -> dict[str, float]:
    """Means and standard deviations of areas and changes [M, 2]."""
    (area, change), (area_sd, change_sd) = values.mean(0), values.std(0, ddof=1)
    return {"count": len(values), "area": area, "change": change, "area_sd": area_sd, "change_sd": change_sd}


def grey(image: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(image).convert("L")).astype(float)


def take(network: Network, path: Path) -> None:
    """Puts a finished run's weights into the network, every one of them."""
    own = learned(network)
    for name, tensor in load_file(path).items():
        for theirs, ours in RENAMED.items():
            name = name.replace(theirs, ours)
        own.pop(name).data.copy_(tensor.reshape(network.state_dict()[name].shape))
    if own:
        raise SystemExit(f"the run has no value for {sorted(own)}")


def wave(shape: tuple[int, ...], speed: float, amplitude: float) -> torch.Tensor:
    """The inputs of tests/oracle/loss.py: sines of the flat index."""
    values = amplitude * np.sin(speed * np.arange(1, np.prod(shape) + 1)).reshape(shape)
    return torch.from_numpy(values).float()


def loss_differences() -> dict[str, float]:
    """Each term of the loss less its reference value."""
    golden = json.loads(GOLDEN_LOSSES.read_text())["cases"]["default"]
    mask = torch.zeros(3, 1, 8, 16)
    mask[0, 0, 1:4, 2:7] = 1.0
    mask[2, 0, 7, 15] = 1.0
    cfg = {
        "alpha": 1.0,
        "beta": 1.0,
        "xi": 1.0,
        "feature": {"eps": 1e-6, "single_class_weight": 0.5},
        "score": {"gamma": 0.25, "lambda": 1.5},
        "consistency": {"patch": [2, 4], "tau": 1.0},
    }
    terms = losses(wave((3, 3, 4, 8), 0.7, 0.8), wave((3, 1, 4, 8), 1.3, 2.0), mask, cfg)
    return {name: float(term) - golden[name] for name, term in terms.items()}
