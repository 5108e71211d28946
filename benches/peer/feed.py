"""The data path: from files to batches."""

import argparse
from typing import Any

import torch

import config
import data
import measure
from network import Weights

SEED = 0


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Training batches from files: decode, resize, pseudo anomaly, normalise, collate, in a DataLoader."""
    cfg = config.load(args.config)
    dataset = data.TrainingSet(args.root / args.category, cfg, Weights(), SEED, args.cached)
    batches = iter(data.training_batches(dataset, data.Epochs(len(dataset), cfg["train"]["batch"], SEED), args.workers))
    samples = measure.rates(lambda: len(next(batches)[0]), args.seconds, torch.device("cpu"))
    # Workers deliver in bursts, so the rate is that of the whole time; batches are of one size.
    return {"images_per_s": len(samples) / sum(1 / s for s in samples), "samples": samples}
