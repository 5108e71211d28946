"""TEM and PTFEM on one small fixed input, from their equations, in numpy and float64: writes tests/golden/model_stl.json.

    python3 tests/oracle/model_stl.py

Concatenates, upsamples and loops over regions and pixel pairs literally. Inputs and parameters are sines of the flat index,
so that the reader of the file can make them again. Refuses inputs on which float32 rounding could move a pixel in or out of
a level's window.
"""

import json
from pathlib import Path

import numpy as np

BATCH, WIDTH, SIDE = 2, 6, 8
MID, CHANNELS, HIDDEN, OUT, LEVELS = 5, 4, 3, 5, 6
P_IN, P_HIDDEN, P_MID, P_OUT, P_LEVELS, SCALES = 5, 4, 3, 4, 4, [1, 2, 4]
CASES = {
    "default_train": {},
    "default_eval": {"mode": "eval"},
    "endpoint_half": {"levels": "endpoint", "window": "half"},
    "binning": {"window": "half"},
    "scaled": {"normalize": True, "scale": CHANNELS**-0.5},
    "offset_mean": {"offsets": [(0, 1), (1, 0)]},
    "offset_up": {"offsets": [(-1, 2)]},
}
least_margin = np.inf


def parameter(name, shape):
    wave = np.sin(0.37 * np.arange(1, np.prod(shape) + 1) + 0.11 * (sum(name.encode()) % 97)).reshape(shape)
    if name.endswith("running_var"):
        return 1 + 0.4 * wave
    if name.endswith("running_mean"):
        return 0.2 * wave
    if name.endswith("bn.weight"):
        return 1 + 0.3 * wave
    if name.endswith("bn.bias"):
        return 0.2 + 0.1 * wave
    return 0.5 * wave


def linear(x, name, out):
    """x [..., in]."""
    return x @ parameter(name + ".weight", (out, x.shape[-1])).T


def norm(x, name, mode):
    """Batch norm over all but the last dimension."""
    width = (x.shape[-1],)
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axes), x.var(axes)
    if mode == "eval":
        mean, var = parameter(name + ".running_mean", width), parameter(name + ".running_var", width)
    return (x - mean) / np.sqrt(var + 1e-5) * parameter(name + ".weight", width) + parameter(name + ".bias", width)


def relu(x):
    return np.maximum(x, 0)


def leaky(x):
    return np.where(x > 0, x, 0.01 * x)


def conv3x3(x, name, out):
    """x [B, H, W, C], zero padding."""
    w = parameter(name + ".weight", (out, x.shape[-1], 3, 3))
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    h, width = x.shape[1:3]
    return sum(padded[:, dy : dy + h, dx : dx + width] @ w[:, :, dy, dx].T for dy in range(3) for dx in range(3))


def cosine(vector, pixels):
    return pixels @ vector / (np.linalg.norm(pixels, axis=-1) * np.linalg.norm(vector))


def encode(m, count, case):
    """m [K] to levels [N] and encoding [K, N], one value at a time."""
    global least_margin
    step = (m.max() - m.min()) / count
    shift = 1.0 if case.get("levels") == "endpoint" else 0.5
    levels = m.min() + (np.arange(count) + shift) * step
    encoding = np.zeros((len(m), count))
    for i, value in enumerate(m):
        for n, level in enumerate(levels):
            if case.get("window") != "half":
                fires, margin = abs(level - value) < step, abs(abs(level - value) - step)
            elif shift == 1.0:
                fires = -step / 2 <= level - value < step / 2
                margin = abs(abs(level - value) - step / 2)
            else:
                place = (value - m.min()) / step
                fires = n == min(int(np.floor(place)), count - 1)
                inner = 0 < np.round(place) < count
                margin = abs(place - np.round(place)) * step if inner else step
            least_margin = min(least_margin, margin)
            if fires:
                encoding[i, n] = 1 - abs(level - value)
    return levels, encoding


def tem(x0, case):
    mode = case.get("mode", "train")
    y = linear_map(leaky(norm(conv3x3(x0, "tem.enter.conv", MID), "tem.enter.bn", mode)), "tem.project", CHANNELS)
    rows = y.reshape(BATCH, -1, CHANNELS)
    mean = rows.mean(1)
    coded = [encode(cosine(mean[b], rows[b]), LEVELS, case) for b in range(BATCH)]
    counting = np.stack([np.stack([levels, e.sum(0) / (e.sum() + 1e-6)], 1) for levels, e in coded])
    raised = relu(linear(leaky(linear(counting, "tem.mlp.0", HIDDEN)), "tem.mlp.1", CHANNELS))
    both = np.concatenate([raised, np.repeat(mean[:, None], LEVELS, 1)], 2)
    d = relu(norm(linear(both, "tem.join.conv", CHANNELS), "tem.join.bn", mode))
    key, query, value = (linear(d, "tem." + name, CHANNELS) for name in ("key", "query", "value"))
    logits = np.einsum("bnc,bmc->bnm", key, query) * case.get("scale", 1.0)
    attention = np.exp(logits - logits.max(2, keepdims=True))
    attention /= attention.sum(2, keepdims=True)
    enhanced = relu(norm(linear(attention @ value, "tem.out.conv", OUT), "tem.out.bn", mode))
    assigned = np.stack([e @ enhanced[b] for b, (_, e) in enumerate(coded)])
    if case.get("normalize"):
        assigned /= np.stack([e.sum(1, keepdims=True) + 1e-6 for _, e in coded])
    return assigned.reshape(BATCH, SIDE, SIDE, OUT)


def linear_map(x, name, out):
    """A 1x1 convolution, whose weight is [out, in, 1, 1]."""
    return x @ parameter(name + ".weight", (out, x.shape[-1], 1, 1))[:, :, 0, 0].T


def co_occurrence(e, offsets):
    """e [h, w, N]."""
    h, w, n = e.shape
    total = np.zeros((n, n))
    for dy, dx in offsets:
        for y in range(h):
            for x in range(w):
                if 0 <= y + dy < h and 0 <= x + dx < w:
                    total += np.outer(e[y, x], e[y + dy, x + dx]) / len(offsets)
    return total


def upsample(x):
    """x [B, s, s, C] to SIDE x SIDE, bilinear with aligned corners."""
    at = np.arange(SIDE) * (x.shape[1] - 1) / (SIDE - 1)
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(x.shape[1])[None]))
    return np.einsum("yi,xj,bijc->byxc", weights, weights, x)


def ptfem(t1, x0, case):
    mode = case.get("mode", "train")
    v = linear_map(np.concatenate([t1, x0], 3), "ptfem.in", P_IN)
    maps = []
    for s in SCALES:
        prefix, h = f"ptfem.branch{s}", SIDE // s
        entries = np.zeros((BATCH, s, s, P_LEVELS**2, 3))
        means = np.zeros((BATCH, s, s, P_IN))
        for b, i, j in np.ndindex(BATCH, s, s):
            region = v[b, i * h : (i + 1) * h, j * h : (j + 1) * h].reshape(-1, P_IN)
            means[b, i, j] = region.mean(0)
            levels, e = encode(cosine(means[b, i, j], region), P_LEVELS, case)
            o = co_occurrence(e.reshape(h, h, P_LEVELS), case.get("offsets", [(1, 1)]))
            o = o / (o.sum() + 1e-6)
            for k, (first, second) in enumerate(np.ndindex(P_LEVELS, P_LEVELS)):
                entries[b, i, j, k] = levels[first], levels[second], o[first, second]
        t = relu(linear(leaky(linear(entries, prefix + ".mlp.0", P_HIDDEN)), prefix + ".mlp.1", P_MID))
        both = np.concatenate([np.repeat(means[:, :, :, None], P_LEVELS**2, 3), t], 4)
        d = relu(norm(linear(both, prefix + ".join.0.conv", P_MID), prefix + ".join.0.bn", mode))
        d = norm(linear(d, prefix + ".join.1.conv", P_MID), prefix + ".join.1.bn", mode).mean(3)
        maps.append(upsample(d))
    return relu(norm(linear(np.concatenate(maps, 3), "ptfem.fuse.conv", P_OUT), "ptfem.fuse.bn", mode))


def summary(x):
    """x [B, H, W, C]: its moments and some of its values by [b, c, y, x]."""
    x = x.transpose(0, 3, 1, 2)
    places = [np.unravel_index(k, x.shape) for k in range(0, x.size, 29)]
    samples = [[*map(int, p), float(f"{x[p]:.9g}")] for p in places]
    return {"shape": list(x.shape), "mean": float(x.mean()), "deviation": float(x.std()), "samples": samples}


def main():
    shape = (BATCH, WIDTH, SIDE, SIDE)
    x0 = relu(np.sin(0.9 * np.arange(1, np.prod(shape) + 1)).reshape(shape) + 0.4).transpose(0, 2, 3, 1)
    cases = {}
    for name, case in CASES.items():
        t1 = tem(x0, case)
        cases[name] = {"t1": summary(t1), "t2": summary(ptfem(t1, x0, case))}
    assert least_margin > 1e-6, f"a pixel lies {least_margin:.1e} from the border of a window"
    text = json.dumps({"format": "harness-golden-stl/1", "source": "tests/oracle/model_stl.py", "cases": cases}, separators=(",", ":"))
    Path(__file__).parents[1].joinpath("golden/model_stl.json").write_text(text.replace('"samples"', '\n"samples"') + "\n")
    print(f"least margin to a window's border: {least_margin:.1e}")


main()
