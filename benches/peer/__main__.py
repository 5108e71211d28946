"""The work of `harness` in plain PyTorch, scikit-learn and numpy, to be timed beside it.

    python benches/peer VERB …

Each verb prints one JSON object as its last line. Imports, building and warm-up are outside its times.
"""

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader

import check
import config
import data
import measure
import metrics
from network import Network, Weights, upsample
from train import learning_rate, make_optimizer, train_step

SEED = 0


def step(args: argparse.Namespace) -> dict[str, Any]:
    """Training steps on random images in memory, half of them anomalous."""
    cfg, device = config.load(args.config), torch.device(args.device)
    torch.manual_seed(SEED)
    batch, size = cfg["train"]["batch"], cfg["data"]["size"]
    network = Network(cfg, Weights.load(args.weights)).to(device).train()
    x = torch.randn(batch, 3, size, size).to(device)
    mask = torch.zeros(batch, 1, size, size, device=device)
    mask[::2, :, size // 4 : size // 2, size // 4 : size // 2] = 1.0
    if args.tuned:
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(network, cfg["optim"])
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = args.tuned or args.compile
    model = torch.compile(network) if args.compile else network
    terms: dict[str, torch.Tensor] = {}

    def one_step() -> int:
        terms.update(train_step(model, optimizer, x, mask, cfg, args.precision))
        return batch

    samples = measure.rates(one_step, args.seconds, device)
    loss = float(terms["total"])
    return {"images_per_s": measure.median(samples), "samples": samples, "batch": batch, "loss": loss}


def load_data(args: argparse.Namespace) -> dict[str, Any]:
    """Training batches from files: decode, resize, pseudo anomaly, normalise, collate."""
    cfg = config.load(args.config)
    dataset = data.TrainingSet(args.root / args.category, cfg, Weights(), SEED)
    batches = iter(data.training_batches(dataset, data.Epochs(len(dataset), cfg["train"]["batch"], SEED), args.workers))
    samples = measure.rates(lambda: len(next(batches)[0]), args.seconds, torch.device("cpu"))
    # Workers deliver in bursts, so the rate is that of the whole time.
    return {"images_per_s": len(samples) / sum(1 / s for s in samples), "samples": samples}


def compute_metrics(args: argparse.Namespace) -> dict[str, Any]:
    """Every metric of score maps and masks that are in memory."""
    paths = sorted((args.root / "maps").glob("*.npy"))
    maps = [np.load(path) for path in paths]
    masks = []
    for path, scores in zip(paths, maps):
        mask = args.root / "masks" / f"{path.stem}.png"
        masks.append(data.read_mask(mask) if mask.exists() else np.zeros(scores.shape, bool))
    peak = measure.PeakExtra()
    start = time.perf_counter()
    values = metrics.evaluate(maps, masks)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_extra_bytes": peak.bytes(), "values": values}


@torch.no_grad()
def infer(args: argparse.Namespace) -> dict[str, Any]:
    """One image at a time, from its file to its map and score."""
    cfg = config.load(args.config)
    weights = Weights.load(args.weights)
    network = Network(cfg, weights).eval()

    def score(path: Path) -> float:
        image, own = data.read_resized(path, cfg["data"]["size"])
        return float(upsample(network(data.to_input(image, weights).unsqueeze(0))[1], own).max())

    for path in itertools.islice(itertools.cycle(args.images), 5):
        score(path)
    times = []
    for path in itertools.islice(itertools.cycle(args.images), args.count):
        start = time.perf_counter()
        score(path)
        times.append(1000 * (time.perf_counter() - start))
    return {f"p{q}_ms": float(np.percentile(times, q)) for q in (50, 95, 99)}


def whole(args: argparse.Namespace) -> dict[str, Any]:
    """A run: training as the configuration says, then the score map and metrics of each test image at its own size."""
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
        means = {name: value / epochs.batches for name, value in sums.items()}
        print(f"epoch {epoch}: " + ", ".join(f"{name} {value:.4f}" for name, value in means.items()), flush=True)

    maps, masks = score_test_images(network, data.TestSet(folder, size, weights), cfg["eval"]["batch"], workers)
    values = metrics.evaluate(maps, masks, cfg["eval"]["pro"]["limit"])
    seconds = time.perf_counter() - begin
    return {"seconds": seconds, "peak_rss_bytes": measure.peak_rss(), "values": values, "losses": means}


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


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peer", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: Any, *options: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=run.__doc__.splitlines()[0])
        sub.set_defaults(run=run)
        for option in options:
            sub.add_argument(f"--{option}", required=True, type=str if option == "category" else Path)
        sub.add_argument("--threads", type=int, help="threads inside one operator")
        return sub

    sub = verb("step", step, "config", "weights")
    sub.add_argument("--seconds", type=float, default=10.0)
    sub.add_argument("--tuned", action="store_true", help="channels-last memory format")
    sub.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    sub.add_argument("--compile", action="store_true", help="torch.compile")
    sub.add_argument("--device", default="cpu")
    sub = verb("data", load_data, "root", "category", "config")
    sub.add_argument("--workers", type=int, default=0, help="processes; 0 = this one")
    sub.add_argument("--seconds", type=float, default=10.0)
    verb("metrics", compute_metrics, "root")
    sub = verb("infer", infer, "config", "weights")
    sub.add_argument("images", nargs="+", type=Path)
    sub.add_argument("--count", type=int, default=100)
    sub = verb("whole", whole, "root", "category", "config", "weights")
    sub.add_argument("--workers", type=int, help="processes; as data.workers says where not given")
    sub = verb("check", check.against_run, "run-folder", "root", "weights")
    sub.add_argument("--harness", default="harness", help="the program that made the run")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    print(json.dumps(args.run(args)))


if __name__ == "__main__":
    main()
