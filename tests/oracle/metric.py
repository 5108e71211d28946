"""Reference values of the metrics, by scikit-learn and by plain numpy: writes tests/golden/metric.json.

Run: python tests/oracle/metric.py   (numpy, scipy, scikit-learn)

Images come from a 64-bit linear congruential generator and integer arithmetic, so that src/metric/tests/oracle.rs draws
the very same ones. Every score is an integer or a multiple of 1/8 and exact in float32.
"""

import json
import pathlib

import numpy as np
import scipy
import sklearn
from scipy import ndimage
from sklearn.metrics import auc, average_precision_score, precision_recall_curve, roc_auc_score

EIGHT, FOUR = np.ones((3, 3)), None


class Lcg:
    def __init__(self, seed):
        self.state = seed

    def bits(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return self.state >> 33


def draw(case):
    """The images of a case: pairs of a float32 score map and a mask of 0 and 1."""
    rng, images = Lcg(case["seed"]), []
    for i in range(case["images"]):
        w, h = 20 + rng.bits() % 24, 20 + rng.bits() % 24
        mask = np.zeros((h, w), int)
        for _ in range(1 + rng.bits() % 3 if i % 3 else 0):
            kind, x, y = rng.bits() % 2, rng.bits() % w, rng.bits() % h
            a, b = 1 + rng.bits() % 8, 1 + rng.bits() % 8
            if kind == 0:
                mask[y : y + b, x : x + a] = 1
            else:  # a thin scratch to the lower right
                for k in range(min(a + b, w - x, h - y)):
                    mask[y + k, x + k] = 1
        noise = np.array([rng.bits() % case["levels"] for _ in range(w * h)]).reshape(h, w)
        values = noise + mask * case["lift"]
        values = values**3 if case["cubed"] else (values - case["levels"] // 2) / 8
        images.append((values.astype(np.float32), mask))
    return images


def flat(images, structure, hits=lambda scores: scores):
    """Scores of the normal pixels, and of each region."""
    normal, regions = [], []
    for scores, mask in images:
        labels, count = ndimage.label(mask, structure)
        normal.append(scores[labels == 0])
        regions += [hits(scores)[labels == r + 1] for r in range(count)]
    return np.concatenate(normal), regions


def curve(normal, regions):
    """A point for each distinct score, from the origin: FPR, and the overlap of each region in a row."""
    thresholds = np.unique(np.concatenate([normal, *regions]))[::-1]
    count = lambda values: len(values) - np.searchsorted(np.sort(values), thresholds, side="left")
    fpr = np.concatenate([[0], count(normal) / len(normal)])
    overlaps = np.array([np.concatenate([[0], count(r) / len(r)]) for r in regions])
    return fpr, overlaps


def area_up_to(fpr, pro, limit):
    inside = fpr <= limit
    x, y = fpr[inside], pro[inside]
    if x[-1] < limit:
        k = len(x)
        x = np.append(x, limit)
        y = np.append(y, y[-1] + (pro[k] - y[-1]) * (limit - fpr[k - 1]) / (fpr[k] - fpr[k - 1]))
    return auc(x, y)


def exact_aupro(normal, regions, limit):
    fpr, overlaps = curve(normal, regions)
    return area_up_to(fpr, overlaps.mean(axis=0), limit) / limit


def reached_aupro(normal, regions, limit):
    fpr, overlaps = curve(normal, regions)
    inside = fpr <= limit
    return auc(fpr[inside], overlaps.mean(axis=0)[inside]) / fpr[inside][-1]


def binned_aupro(normal, regions, scores, steps, limit):
    low, span = float(scores.min()), float(scores.max()) - float(scores.min())
    points = []
    for i in range(steps):
        t = low + span * i / steps
        fpr = (normal.astype(float) > t).mean()
        pro = np.mean([(r.astype(float) > t).mean() for r in regions])
        if fpr < limit:
            points.append((fpr, pro))
    fpr, pro = np.array(points).T
    return auc(fpr / fpr.max(), pro)


def recalls(images, rate):
    normal, regions = flat(images, EIGHT)
    fpr, overlaps = curve(normal, regions)
    k = np.flatnonzero(fpr <= rate)[-1]
    share = (rate - fpr[k]) / (fpr[k + 1] - fpr[k])
    covered = overlaps[:, k] + (overlaps[:, k + 1] - overlaps[:, k]) * share
    fractions = []
    for scores, mask in images:
        labels, count = ndimage.label(mask, EIGHT)
        fractions += [(labels == r + 1).sum() / labels.size for r in range(count)]
    large = np.array(fractions) >= 0.01
    return covered[large].mean(), covered[~large].mean(), int(large.sum()), int((~large).sum())


def separation(labels, scores):
    precision, recall, thresholds = precision_recall_curve(labels, scores)
    f1 = (2 * precision * recall / np.maximum(precision + recall, 1e-300))[:-1]
    best = np.flatnonzero(np.isclose(f1, f1.max(), rtol=0, atol=1e-13))[-1]
    return {
        "auroc": roc_auc_score(labels, scores),
        "ap": average_precision_score(labels, scores),
        "f1max": f1[best],
        "f1max_threshold": float(thresholds[best]),
    }


def reference(case):
    images, limit = draw(case), case["limit"]
    labels = np.concatenate([m.ravel() for _, m in images])
    scores = np.concatenate([s.ravel() for s, _ in images])
    normal, regions = flat(images, EIGHT)
    squash = lambda s: (1 / (1 + np.exp(-s.astype(float)))).astype(np.float32)
    squashed = [(squash(s), m) for s, m in images]
    dilate = lambda s: ndimage.maximum_filter(s, 5, mode="nearest")
    per_image = [
        binned_aupro(*flat([(s, m)], EIGHT), s, 200, limit) for s, m in images if m.any()
    ]
    large, tiny, large_regions, tiny_regions = recalls(images, 0.05)
    return {
        "pixel": separation(labels, scores),
        "image": separation([int(m.any()) for _, m in images], [s.max() for s, _ in images]),
        "regions": len(regions),
        "large_recall": large,
        "tiny_recall": tiny,
        "large_regions": large_regions,
        "tiny_regions": tiny_regions,
        "aupro": {
            "exact": exact_aupro(normal, regions, limit),
            "linear200": binned_aupro(normal, regions, scores, 200, limit),
            "linear100": binned_aupro(normal, regions, scores, 100, limit),
            "dilated5": binned_aupro(normal, flat(images, EIGHT, dilate)[1], scores, 200, limit),
            "rd_per_image": np.mean(per_image),
            "connectivity4": exact_aupro(*flat(images, FOUR), limit),
            "reached_fpr": reached_aupro(normal, regions, limit),
            "squashed": exact_aupro(*flat(squashed, EIGHT), limit),
        },
    }


CASES = [
    {"seed": 1, "images": 9, "levels": 40, "lift": 12, "cubed": False, "limit": 0.3},
    {"seed": 2, "images": 7, "levels": 2000, "lift": 900, "cubed": False, "limit": 0.3},
    {"seed": 3, "images": 8, "levels": 120, "lift": 60, "cubed": True, "limit": 0.3},
    {"seed": 4, "images": 6, "levels": 6, "lift": 1, "cubed": False, "limit": 0.3},
    {"seed": 5, "images": 8, "levels": 1000, "lift": 100, "cubed": False, "limit": 1.0},
    {"seed": 6, "images": 8, "levels": 400, "lift": 250, "cubed": False, "limit": 0.05},
]

if __name__ == "__main__":
    golden = {
        "made_by": f"tests/oracle/metric.py with numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}",
        "cases": [{**case, "expected": reference(case)} for case in CASES],
    }
    path = pathlib.Path(__file__).parents[1] / "golden" / "metric.json"
    path.write_text(json.dumps(golden, indent=1, default=float) + "\n")
