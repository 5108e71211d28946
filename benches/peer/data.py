"""MVTec AD's folder layout, and pseudo anomalies: confetti noise and CutPaste.

Images are 8-bit grey or RGB. Masks are 1 where an image is anomalous.
"""

import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torchvision.transforms.functional as TF
from numpy.random import Generator
from PIL import Image
from scipy import ndimage
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from config import Config
from network import Weights

SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
# Mean change in grey levels below which noise counts as invisible.
INVISIBLE = 0.025
# Pastes that may change nothing before an image is left normal.
TRIES = 10


def images_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def read_resized(path: Path, size: int) -> tuple[Image.Image, tuple[int, int]]:
    """An image as RGB of `size` x `size` px (antialiased bilinear), and its own height and width."""
    image = Image.open(path).convert("RGB")
    return TF.resize(image, [size, size], TF.InterpolationMode.BILINEAR), (image.height, image.width)


def to_input(image: Image.Image | np.ndarray, weights: Weights) -> Tensor:
    """8-bit RGB to network input [3, S, S]."""
    return TF.normalize(TF.to_tensor(image), weights.mean, weights.std)


def blob_centres(rate: float, height: int, width: int, rng: Generator) -> np.ndarray:
    """Every pixel is a centre with this probability, and at least one is: (y, x) in rows [M, 2]"""
    while True:
        centres = np.argwhere(rng.random((height, width)) < rate)
        if len(centres) > 0:
            return centres


def blob_layer(rate: float, black: bool, shape: tuple[int, ...], cfg: Config, rng: Generator) -> np.ndarray:
    """Rotated squares, each of one change of colour, later ones over earlier ones: [H, W, 3] float32"""
    height, width, _ = shape
    layer = np.zeros(shape, np.float32)
    if rate == 0.0:
        return layer
    low, high = cfg["size"]
    for y, x in blob_centres(rate, height, width, rng):
        side = int(rng.integers(low, high + 1))
        change = np.full(3, -255) if black else rng.integers(-256, 0, 3)
        angle = rng.uniform(-cfg["rotation"], cfg["rotation"])
        square = Image.new("L", (side, side), 255).rotate(angle, Image.Resampling.NEAREST, expand=True)
        blob = Image.new("L", (width, height))
        blob.paste(square, (int(x) - square.width // 2, int(y) - square.height // 2))
        layer[np.asarray(blob) > 0] = change
    return layer


def confetti(image: np.ndarray, cfg: Config, rng: Generator) -> np.ndarray:
    """Blurred blobs, subtracted from an image [H, W, 3] uint8, or added where subtracting would hardly show."""
    noise = blob_layer(cfg["color_rate"], False, image.shape, cfg, rng)
    noise += blob_layer(cfg["bw_rate"], True, image.shape, cfg, rng)
    if cfg["blur_sigma"] > 0.0:
        radius = cfg["blur_kernel"] // 2
        noise = ndimage.gaussian_filter(noise, cfg["blur_sigma"], axes=(0, 1), radius=radius, mode="mirror")
    noise = noise.astype(np.int16)  # truncates
    plain = image.astype(np.int16)
    darker, brighter = np.clip(plain + noise, 0, 255), np.clip(plain - noise, 0, 255)
    change, opposite = np.abs(darker - plain).mean(), np.abs(brighter - plain).mean()
    chosen = brighter if change < INVISIBLE and opposite > change else darker
    return chosen.astype(np.uint8)


def jitter(patch: Image.Image, strength: float, rng: Generator) -> Image.Image:
    """Brightness, contrast, saturation and hue, in random order."""
    factors = rng.uniform(1 - strength, 1 + strength, 3)
    steps = list(zip((TF.adjust_brightness, TF.adjust_contrast, TF.adjust_saturation), factors))
    steps.append((TF.adjust_hue, rng.uniform(-strength, strength)))
    for i in rng.permutation(len(steps)):
        adjust, amount = steps[i]
        patch = adjust(patch, amount)
    return patch


def cutpaste(image: np.ndarray, cfg: Config, rng: Generator) -> np.ndarray:
    """A rectangle of an image [H, W, 3] uint8, its colours jittered, pasted elsewhere in the same image."""
    height, width, _ = image.shape
    area = rng.uniform(*cfg["area"]) * height * width
    aspect = np.exp(rng.uniform(np.log(cfg["aspect"]), -np.log(cfg["aspect"])))
    w = int(np.clip(round(np.sqrt(area * aspect)), 1, width - 1))
    h = int(np.clip(round(np.sqrt(area / aspect)), 1, height - 1))
    x, y = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    to = int(rng.integers(0, width - w + 1)), int(rng.integers(0, height - h + 1))
    pasted = Image.fromarray(image)
    pasted.paste(jitter(pasted.crop((x, y, x + w, y + h)), cfg["jitter"], rng), to)
    return np.array(pasted)


def pseudo_anomaly(image: np.ndarray, cfg: Config, rng: Generator) -> tuple[np.ndarray, np.ndarray]:
    """An image [H, W, 3] uint8 with one pseudo anomaly, and where any channel changed, [H, W] bool."""
    weight = cfg["weight"]
    if rng.random() < weight["confetti"] / (weight["confetti"] + weight["cutpaste"]):
        changed = confetti(image, cfg["confetti"], rng)
        return changed, (changed != image).any(2)
    for _ in range(TRIES):
        changed = cutpaste(image, cfg["cutpaste"], rng)
        mask = (changed != image).any(2)
        if mask.any():
            break
    return changed, mask


class TrainingSet(Dataset[tuple[Tensor, Tensor]]):
    """Normal images of a category, some of them with a pseudo anomaly.

    Item `epoch * len + i` is visit `i` of that epoch. It depends on the seed and its number only.
    """

    def __init__(self, folder: Path, config: Config, weights: Weights, seed: int, cached: bool = False):
        self.paths = images_in(folder / "train" / "good")
        self.size, self.pseudo = config["data"]["size"], config["pseudo"]
        self.kept = [self._read(path) for path in self.paths] if cached else None
        self.items = len(self.paths) * config["data"]["repeat"]
        self.weights, self.seed = weights, seed
        self.anomalous = functools.lru_cache(maxsize=2)(self._anomalous)

    def __len__(self) -> int:
        """Visits in an epoch."""
        return self.items

    def _read(self, path: Path) -> np.ndarray:
        return np.array(read_resized(path, self.size)[0])

    def image(self, visit: int) -> np.ndarray:
        """The image of a visit, [S, S, 3] uint8"""
        index = visit % len(self.paths)
        return self.kept[index].copy() if self.kept else self._read(self.paths[index])

    def _anomalous(self, epoch: int) -> np.ndarray:
        """Which visits of an epoch get a pseudo anomaly, exactly the configured share: [items] bool"""
        count = round(self.pseudo["ratio"] * self.items)
        return np.random.default_rng([self.seed, 0, epoch]).permutation(self.items) < count

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor]:
        """Network input [3, S, S] and mask [1, S, S]"""
        epoch, visit = divmod(item, self.items)
        image = self.image(visit)
        mask = np.zeros(image.shape[:2], bool)
        if self.anomalous(epoch)[visit]:
            image, mask = pseudo_anomaly(image, self.pseudo, np.random.default_rng([self.seed, 1, item]))
        return to_input(image, self.weights), torch.from_numpy(mask).float().unsqueeze(0)


class Epochs(Sampler[list[int]]):
    """Batches of items, epoch after epoch, each in an order of its own and without its last, smaller batch."""

    def __init__(self, items: int, batch: int, seed: int, epochs: int | None = None):
        self.items, self.batch, self.seed, self.epochs = items, min(batch, items), seed, epochs

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return self.items // self.batch

    def __iter__(self) -> Iterator[list[int]]:
        for epoch in itertools.count() if self.epochs is None else range(self.epochs):
            order = np.random.default_rng([self.seed, 2, epoch]).permutation(self.items)
            for batch in range(self.batches):
                yield (epoch * self.items + order[batch * self.batch : (batch + 1) * self.batch]).tolist()


def training_batches(dataset: TrainingSet, epochs: Epochs, workers: int) -> DataLoader:
    """Batches of ([B, 3, S, S], [B, 1, S, S])."""
    return DataLoader(dataset, batch_sampler=epochs, num_workers=workers)


class TestSet(Dataset[tuple[Tensor, tuple[int, int]]]):
    """The test images of a category with their own sizes; ground truth by `mask`."""

    def __init__(self, folder: Path, size: int, weights: Weights):
        self.folder, self.size, self.weights = folder, size, weights
        defects = sorted(path for path in (folder / "test").iterdir() if path.is_dir())
        self.paths = [path for defect in defects for path in images_in(defect)]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, tuple[int, int]]:
        """Network input [3, S, S], and the image's own height and width"""
        image, own = read_resized(self.paths[index], self.size)
        return to_input(image, self.weights), own

    def mask(self, index: int, own: tuple[int, int]) -> np.ndarray:
        """[H, W] bool in the image's own size"""
        path = self.paths[index]
        if path.parent.name == "good":
            return np.zeros(own, bool)
        return read_mask(self.folder / "ground_truth" / path.parent.name / f"{path.stem}_mask.png")


def read_mask(path: Path) -> np.ndarray:
    """[H, W] bool of a picture of 0 and 255"""
    return np.asarray(Image.open(path).convert("L")) >= 128
