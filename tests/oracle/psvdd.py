#!/usr/bin/env python3
"""Reference values of torch/src/detector/psvdd: writes tests/golden/psvdd.json.

Run: python tests/oracle/psvdd.py   (numpy, torch)

Parameters and patches are sines (`wave`), float64; every figure is torch's own. Patches of 64 px are described quarter by quarter.

    32, 64   for either size: descriptions of two of the pairs' patches (the first 8 numbers), logits of the first pair, the two
             losses, and the norm of the gradient of position + 0.5 svdd by parameter
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

PAIRS = 3
WIDTHS = [32, 64, 128, 128, 64, 32, 32, 64]
LABELS = [3, 0, 7]


def wave(name, shape, scale):
    phase = 0.11 * (sum(name.encode()) % 97)
    index = np.arange(1.0, np.prod(shape) + 1)
    values = scale * np.sin(index * index * 0.37 + phase).reshape(shape)
    # What float32 holds, so that both sides begin with the same numbers.
    return torch.tensor(values.astype(np.float32).astype(np.float64))


def parameters():
    shapes = {}
    cin = 3
    for place, cout in enumerate(WIDTHS, 1):
        shapes[f"k32.conv{place}"] = [cout, cin, 3, 3]
        cin = cout
    shapes["k64.conv1"] = [128, 64, 2, 2]
    shapes["k64.conv2"] = [64, 128, 1, 1]
    for k in (32, 64):
        shapes[f"position{k}.fc1"] = [128, 64]
        shapes[f"position{k}.fc2"] = [128, 128]
        shapes[f"position{k}.fc3"] = [8, 128]
    found = {}
    for name, shape in shapes.items():
        scale = float(np.float32(np.sqrt(3 / np.prod(shape[1:]))))
        found[f"{name}.weight"] = wave(f"{name}.weight", shape, scale)
        found[f"{name}.bias"] = wave(f"{name}.bias", [shape[0]], 0.1)
    return found


def small(p, x):
    for place in range(1, 9):
        x = F.conv2d(x, p[f"k32.conv{place}.weight"], p[f"k32.conv{place}.bias"], stride=2 if place == 1 else 1)
        x = torch.tanh(x) if place == 8 else F.leaky_relu(x, 0.1)
    return x


def large(p, x):
    rows = [torch.cat([small(p, x[:, :, i : i + 32, j : j + 32]) for j in (0, 32)], 3) for i in (0, 32)]
    x = F.leaky_relu(F.conv2d(torch.cat(rows, 2), p["k64.conv1.weight"], p["k64.conv1.bias"]), 0.1)
    return torch.tanh(F.conv2d(x, p["k64.conv2.weight"], p["k64.conv2.bias"]))


def logits(p, k, first, second):
    x = first - second
    for place in (1, 2):
        x = F.leaky_relu(F.linear(x, p[f"position{k}.fc{place}.weight"], p[f"position{k}.fc{place}.bias"]), 0.1)
    weight = p[f"position{k}.fc3.weight"].detach()
    return F.linear(x, weight / weight.norm(dim=0, keepdim=True), p[f"position{k}.fc3.bias"])


def case(k, encode):
    p = {name: value.clone().requires_grad_() for name, value in parameters().items()}
    patches = wave(f"patches{k}", [2 * PAIRS, 3, k, k], 0.5)
    described = encode(p, patches).flatten(1)
    first, second = described[:PAIRS], described[PAIRS:]
    told = logits(p, k, first, second)
    position = F.cross_entropy(told, torch.tensor(LABELS))
    svdd = (first - second).norm(dim=1).mean()
    (position + 0.5 * svdd).backward()
    return {
        "described": described[[0, PAIRS], :8].tolist(),
        "logits": told[0].tolist(),
        "position": position.item(),
        "svdd": svdd.item(),
        "gradients": {name: value.grad.norm().item() for name, value in sorted(p.items()) if value.grad is not None},
    }


golden = {"32": case(32, small), "64": case(64, large)}
path = pathlib.Path(__file__).parent.parent / "golden" / "psvdd.json"
path.write_text(json.dumps(golden, indent=1) + "\n")
print({k: (g["position"], g["svdd"], g["described"][0][:3]) for k, g in golden.items()})
