"""Inference at batch 1."""

import argparse
import itertools
import time
from pathlib import Path
from typing import Any

import torch

import config
import data
from network import Network, Weights, upsample

WARM_UP = 5


@torch.no_grad()
def run(args: argparse.Namespace) -> dict[str, Any]:
    """One image at a time, from its file to its map and score."""
    cfg = config.load(args.config)
    weights = Weights.load(args.weights)
    network = Network(cfg, weights).eval()

    def score(path: Path) -> float:
        image, own = data.read_resized(path, cfg["data"]["size"])
        return float(upsample(network(data.to_input(image, weights).unsqueeze(0))[1], own).max())

    images = itertools.cycle(args.images)
    for path in itertools.islice(images, WARM_UP):
        score(path)
    milliseconds = []
    begin = time.perf_counter()
    while time.perf_counter() - begin < args.seconds:
        start = time.perf_counter()
        score(next(images))
        milliseconds.append(1000 * (time.perf_counter() - start))
    return {"samples": milliseconds}
