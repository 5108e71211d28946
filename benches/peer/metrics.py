"""AUROC, average precision and F1max of images and pixels by scikit-learn, and the exact AUPRO in numpy."""

import argparse
import time
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

import data
import measure

# Neighbours that join two pixels into one region, diagonal ones too.
NEIGHBOURS = np.ones((3, 3))
LIMIT = 0.3


def separation(labels: np.ndarray, scores: np.ndarray) -> tuple[float, float, float]:
    """AUROC, average precision and F1max of scores [P] with labels [P] bool."""
    precision, recall, _ = precision_recall_curve(labels, scores)
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(float).tiny)
    return float(roc_auc_score(labels, scores)), float(average_precision_score(labels, scores)), float(f1.max())


def aupro(maps: list[np.ndarray], masks: list[np.ndarray], limit: float = LIMIT) -> float:
    """Area under the mean overlap of regions against the false positive rate up to `limit`, divided by it.

    One point for each distinct score: a pixel outside every region adds 1 / (their number) to the rate, one of region r
    adds 1 / (area of r * number of regions) to the overlap. `maps` [H, W] and `masks` [H, W] bool, image by image.
    """
    overlaps, regions = [], 0
    for mask in masks:
        labels, count = ndimage.label(mask, NEIGHBOURS)
        shares = 1.0 / np.bincount(labels.ravel(), minlength=count + 1)
        shares[0] = 0.0
        overlaps.append(shares[labels].ravel())
        regions += count
    scores = np.concatenate([m.ravel() for m in maps])
    overlap = np.concatenate(overlaps)
    order = np.argsort(-scores)
    scores, overlap = scores[order], overlap[order]
    last = np.append(np.flatnonzero(np.diff(scores)), len(scores) - 1)  # of each group of equal scores
    normal = overlap == 0.0
    rate = np.append(0.0, np.cumsum(normal)[last] / normal.sum())
    mean_overlap = np.append(0.0, np.cumsum(overlap)[last] / regions)
    below = rate <= limit
    x = np.append(rate[below], limit)
    y = np.append(mean_overlap[below], np.interp(limit, rate, mean_overlap))
    return float(np.trapezoid(y, x) / limit)


def evaluate(maps: list[np.ndarray], masks: list[np.ndarray], limit: float = LIMIT) -> dict[str, float]:
    """Every metric of one category; an image's score is the maximum of its map, and it is anomalous if any pixel is."""
    image_labels = np.array([mask.any() for mask in masks])
    image_scores = np.array([m.max() for m in maps])
    pixel_labels = np.concatenate([mask.ravel() for mask in masks])
    pixel_scores = np.concatenate([m.ravel() for m in maps])
    values = {}
    for level, labels, scores in (("image", image_labels, image_scores), ("pixel", pixel_labels, pixel_scores)):
        auroc, ap, f1max = separation(labels, scores)
        values |= {f"{level}_auroc": auroc, f"{level}_ap": ap, f"{level}_f1max": f1max}
    return values | {f"aupro@{limit:g}": aupro(maps, masks, limit)}


def anomalib_aupro(maps: list[np.ndarray], masks: list[np.ndarray], limit: float = LIMIT) -> dict[str, float]:
    """AUPRO alone, by anomalib; all maps are of one size."""
    from anomalib.metrics.aupro import _AUPRO  # its imports take seconds, and memory

    metric = _AUPRO(fpr_limit=limit)
    metric.update(torch.from_numpy(np.stack(maps)), torch.from_numpy(np.stack(masks)).int())
    return {f"aupro@{limit:g}": metric.compute().item()}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Every metric of score maps and masks that are in memory."""
    paths = sorted((args.root / "maps").glob("*.npy"))
    maps = [np.load(path) for path in paths]
    masks = []
    for path, scores in zip(paths, maps):
        mask = args.root / "masks" / f"{path.stem}.png"
        masks.append(data.read_mask(mask) if mask.exists() else np.zeros(scores.shape, bool))
    work = anomalib_aupro if args.anomalib else evaluate
    work(maps[:1], masks[:1])  # imports
    peak = measure.PeakExtra()
    start = time.perf_counter()
    values = work(maps, masks)
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "peak_extra_bytes": peak.bytes(), "values": values}
