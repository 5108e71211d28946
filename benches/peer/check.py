"""Whether the peer computes what `harness` computes: its network, its losses and its metrics."""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
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
GOLDEN_LOSSES = Path(__file__).parents[2] / "tests" / "golden" / "loss.json"


def against_run(args: argparse.Namespace) -> dict[str, Any]:
    """The weights of a finished run in the peer's network: differences to the run's maps, metrics and counts."""
    cfg = config.load(args.run_folder / "config.toml")
    weights = Weights.load(args.weights)
    network = Network(cfg, weights).eval()
    take(network, args.run_folder / "checkpoints" / "weights.safetensors")
    summary = json.loads((args.run_folder / "summary.json").read_text())
    category = summary["category"]
    images = data.TestSet(args.root / category, cfg["data"]["size"], weights)
    stored = args.run_folder / "maps" / "S" / category / "test"
    difference, scale, maps, masks = 0.0, 0.0, [], []
    for index, path in enumerate(images.paths):
        x, own = images[index]
        theirs = np.load(stored / path.parent.name / f"{path.stem}.npy")
        with torch.no_grad():
            ours = network(x.unsqueeze(0))[1][0, 0].numpy()
        difference, scale = max(difference, float(np.abs(ours - theirs).max())), max(scale, float(np.abs(theirs).max()))
        maps.append(upsample(torch.from_numpy(theirs)[None, None], own)[0, 0].numpy())
        masks.append(images.mask(index, own))
    values = metrics.evaluate(maps, masks, cfg["eval"]["pro"]["limit"])
    return {
        "parameters": sum(t.numel() for t in learned(network).values()),
        "parameters_of_run": summary["counts"]["parameters"],
        "greatest_score": scale,
        "greatest_map_difference": difference,
        "metric_differences": {name: value - summary["metrics"][f"test/{name}"] for name, value in values.items()},
        "loss_differences": loss_differences(),
    }


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
