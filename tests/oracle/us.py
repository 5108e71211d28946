#!/usr/bin/env python3
"""Reference values of torch/src/detector/us and torch/src/distil: writes tests/golden/us.json.

Run: python tests/oracle/us.py   (numpy, torch)

Parameters and patches are sines (`wave`), float64; networks have a tenth of the published widths and 7 numbers a description.

    17, 33, 65   of two patches: their descriptions; the loss against a wave, and the norm of its gradient by parameter; and of three
                 students, waves with other names, error and spread
    compactness  of a wave of 5 descriptions, by samples and by dims
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F

# Kernel and width of each convolution, and whether a pooling follows.
LAYERS = {
    17: [(6, 13, False), (5, 26, False), (5, 26, False), (4, 7, False)],
    33: [(5, 13, True), (5, 26, True), (2, 26, False), (4, 7, False)],
    65: [(5, 13, True), (5, 13, True), (5, 13, True), (4, 26, False), (1, 7, False)],
}


def wave(name, shape, scale):
    phase = 0.11 * (sum(name.encode()) % 97)
    index = np.arange(1.0, np.prod(shape) + 1)
    values = scale * np.sin(index * index * 0.37 + phase).reshape(shape)
    # What float32 holds, so that both sides begin with the same numbers.
    return torch.tensor(values.astype(np.float32).astype(np.float64))


def parameters(p, prefix):
    found, cin = {}, 3
    for place, (kernel, cout, _) in enumerate(LAYERS[p], 1):
        shape = [cout, cin, kernel, kernel]
        name = f"{prefix}conv{place}"
        scale = float(np.float32(np.sqrt(3 / np.prod(shape[1:]))))
        found[f"{name}.weight"] = wave(f"{name}.weight", shape, scale).requires_grad_()
        found[f"{name}.bias"] = wave(f"{name}.bias", [cout], 0.1).requires_grad_()
        cin = cout
    return found


def describe(p, params, prefix, x):
    for place, (_, _, pooled) in enumerate(LAYERS[p], 1):
        name = f"{prefix}conv{place}"
        x = F.conv2d(x, params[f"{name}.weight"], params[f"{name}.bias"])
        if place < len(LAYERS[p]):
            x = F.leaky_relu(x, 5e-3)
        if pooled:
            x = F.max_pool2d(x, 2)
    return x


def of(p):
    patches, target = wave("patches", [2, 3, p, p], 1.0), wave("target", [2, 7, 1, 1], 1.0)
    params = parameters(p, "")
    described = describe(p, params, "", patches)
    loss = F.mse_loss(described, target, reduction="none").sum(1).mean()
    loss.backward()
    students = [describe(p, parameters(p, f"s{i}."), f"s{i}.", patches) for i in range(3)]
    mean = sum(students) / 3
    error = ((mean - target) ** 2).sum(1)
    spread = sum((s**2).sum(1) for s in students) / 3 - (mean**2).sum(1)
    return {
        "descriptions": described.flatten().tolist(),
        "loss": loss.item(),
        "gradients": {name: value.grad.norm().item() for name, value in params.items()},
        "error": error.flatten().tolist(),
        "spread": spread.flatten().tolist(),
    }


def compactness(rows):
    correlations = np.corrcoef(rows.numpy())
    return float((np.triu(correlations, 1) ** 2).sum())


golden = {str(p): of(p) for p in LAYERS}
descriptions = wave("descriptions", [5, 7], 1.0)
golden["compactness"] = {"samples": compactness(descriptions), "dims": compactness(descriptions.T)}
path = pathlib.Path(__file__).parent.parent / "golden/us.json"
path.write_text(json.dumps(golden, indent=1) + "\n")
