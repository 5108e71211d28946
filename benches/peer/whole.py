"""A whole run: training, then the score map and metrics of each test image at its own size."""

import argparse
import itertools
import time
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader

import config
import data
import measure
import metrics
from network import Network, Weights, upsample
from train import learning_rate, make_optimizer, train_step

SEED = 0


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Training as the configuration says, then score maps and metrics of the test images."""
    begin = time.perf_counter()
    cfg = config.load(args.config)
    torch.manual_seed(SEED)
    folder, size = args.root / args.category, cfg["data"]["size"]
    weights = Weights.load(args.weights)
    network = Network(cfg, weights)
    workers = cfg["data"]["workers"] if args.workers is None else args.workers

    network.train()
    optimizer = make_optimizer(network, cfg["optim"])
    dataset = data.TrainingSet(folder, cfg, weights, SEED)
    epochs = data.Epochs(len(dataset), cfg["train"]["batch"], SEED, cfg["train"]["epochs"])
    batches = iter(data.training_batches(dataset, epochs, workers))
    means: dict[str, float] = {}
    for epoch in range(cfg["train"]["epochs"]):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(cfg["optim"], epoch, cfg["train"]["epochs"])
        sums: dict[str, float] = {}
        for x, mask in itertools.islice(batches, epochs.batches):
            for name, term in train_step(network, optimizer, x, mask, cfg).items():
                sums[name] = sums.get(name, 0.0) + term.item()
            if args.first_step:
                return {"seconds": time.perf_counter() - begin}
        means = {name: value / epochs.batches for name, value in sums.items()}
        print(f"epoch {epoch}: " + ", ".join(f"{name} {value:.4f}" for name, value in means.items()), flush=True)

    maps, masks = score_test_images(network, data.TestSet(folder, size, weights), cfg["eval"]["batch"], workers)
    values = metrics.evaluate(maps, masks, cfg["eval"]["pro"]["limit"])
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "workers": workers, "values": values, "losses": means}


@torch.no_grad()
def score_test_images(
    network: Network, images: data.TestSet, batch: int, workers: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Score maps and masks of all test images, each [H, W] in the image's own size."""
    network.eval()
    maps, masks = [], []
    for x, (heights, widths) in DataLoader(images, batch_size=batch, num_workers=workers):
        for scores, height, width in zip(network(x)[1], heights.tolist(), widths.tolist()):
            masks.append(images.mask(len(maps), (height, width)))
            maps.append(upsample(scores.unsqueeze(0), (height, width))[0, 0].numpy())
    return maps, masks
