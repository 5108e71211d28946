"""The losses on one small fixed example, from their definitions, in numpy: writes tests/golden/loss.json.

    python3 tests/oracle/loss.py

Inputs are sines of the flat index, so that the reader of the file can make them again.
"""

import json
from pathlib import Path

import numpy as np

B, C, H, W, SCALE = 3, 3, 4, 8, 2
GAMMA, LAMBDA, EPS = 0.25, 1.5, 1e-6


def wave(shape, speed, amplitude):
    return amplitude * np.sin(speed * np.arange(1, np.prod(shape) + 1)).reshape(shape)


def make_mask():
    mask = np.zeros((B, H * SCALE, W * SCALE))
    mask[0, 1:4, 2:7] = 1  # touches two of four patches of 2 x 4 cells
    mask[2, 7, 15] = 1
    return mask


def upsample(x, height, width):
    """Bilinear with aligned corners, as a product with two interpolation matrices."""

    def weights(to, size):
        at = np.arange(to) * (size - 1) / (to - 1)
        return np.maximum(0, 1 - np.abs(at[:, None] - np.arange(size)[None, :]))

    return np.einsum("yh,bhw,xw->byx", weights(height, x.shape[1]), x, weights(width, x.shape[2]))


def feature_loss(a, y):
    return 0.5 * a[y == 0].mean() + 0.5 * -np.log1p(-np.exp(-(a[y == 1] + EPS))).mean()


def all_pairs(s, y):
    return np.maximum(0, LAMBDA - (s[y == 1][:, None] - s[y == 0][None, :])).mean()


def log_softmax(x):
    x = x - x.max(1, keepdims=True)
    return x - np.log(np.exp(x).sum(1, keepdims=True))


def distances(x):
    return np.sqrt(((x[:, None] - x[None, :]) ** 2).sum(-1))


def cut(x, valid):
    """Flattened 2 x 4 patches of one image [C, H, W], the valid ones."""
    patches = [x[:, i : i + 2, j : j + 4].ravel() for i in range(0, H, 2) for j in range(0, W, 4)]
    return np.array([p for p, v in zip(patches, valid) if v])


def consistency(f, z, mask, sign, q_p):
    losses, entropies = [], []
    for b in range(B):
        size = 2 * SCALE, 4 * SCALE
        corners = [(i, j) for i in range(0, H * SCALE, size[0]) for j in range(0, W * SCALE, size[1])]
        valid = [mask[b, i : i + size[0], j : j + size[1]].max() == 0 for i, j in corners]
        p, q = (log_softmax(sign * distances(cut(x[b], valid))) for x in (f, z[:, None]))
        a, t = (q, p) if q_p else (p, q)
        losses.append((np.exp(a) * (a - t)).sum(1).mean())
        entropies.append([-(np.exp(x) * x).sum(1).mean() / np.log(sum(valid)) for x in (p, q)])
    return np.mean(losses), *np.mean(entropies, 0)


f, z, mask = wave((B, C, H, W), 0.7, 0.8), wave((B, H, W), 1.3, 2.0), make_mask()
a = upsample(np.sqrt((f**2).sum(1) + 1) - 1, H * SCALE, W * SCALE)
cases = {}
for name, sign, q_p, activation in [("default", -1, True, lambda s: s), ("lineage", -1, False, np.abs), ("distance", 1, True, lambda s: s)]:
    s = upsample(activation(z), H * SCALE, W * SCALE)
    kl, entropy_features, entropy_scores = consistency(f, z, mask, sign, q_p)
    terms = {"feature": feature_loss(a, mask), "score_normal": np.maximum(0, s[mask == 0] - GAMMA).mean(), "score_pair": all_pairs(s, mask), "consistency": kl}
    cases[name] = {"total": sum(terms.values()), **terms, "entropy_features": entropy_features, "entropy_scores": entropy_scores}

out = Path(__file__).parents[1] / "golden" / "loss.json"
out.write_text(json.dumps({"script": "tests/oracle/loss.py", "numpy": np.__version__, "cases": cases}, indent=1) + "\n")
