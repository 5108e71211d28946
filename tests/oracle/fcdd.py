"""FCDD's networks, upsampling and loss in torch, from their definitions: writes tests/golden/fcdd.json.

    python tests/oracle/fcdd.py (needs torch)

Weights are sines of the flat index, shifted by the sum of the bytes of the parameter's name, so that the reader of the file can make
them again. Networks take one batch of two images of 32 px, in evaluation mode and then in training mode.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def wave(shape, speed, shift):
    return torch.tensor(np.sin(speed * np.arange(int(np.prod(shape))) + shift).reshape(shape), dtype=torch.float32)


def fill(network):
    for name, tensor in network.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        values = wave(tensor.shape, 0.37, sum(name.encode()))
        if tensor.dim() == 4:
            values *= np.sqrt(3.0 / tensor[0].numel())
        elif name.endswith("running_var"):
            values = 1 + 0.5 * values
        elif "weight" in name:
            values = 1 + 0.1 * values
        else:
            values *= 0.1
        tensor.copy_(values)


def vgg():
    layers, cin = [], 3
    for cout in [64, "M", 128, "M", 256, 256, "M", 512, 512]:
        if cout == "M":
            layers.append(nn.MaxPool2d(2, 2))
        else:
            layers += [nn.Conv2d(cin, cout, 3, padding=1), nn.BatchNorm2d(cout), nn.ReLU()]
            cin = cout
    return nn.ModuleDict({"features": nn.Sequential(*layers), "head": nn.Conv2d(512, 1, 1)})


def cnn():
    plan, modules = [(3, 8, 5), (8, 32, 5), (32, 64, 3), (64, 128, 3), (128, 128, 3)], {}
    for i, (cin, cout, k) in enumerate(plan, 1):
        modules[f"conv{i}"] = nn.Conv2d(cin, cout, k, padding=k // 2)
        if i < 5:
            modules[f"bn{i}"] = nn.BatchNorm2d(cout, eps=1e-4)
    return nn.ModuleDict({**modules, "head": nn.Conv2d(128, 1, 1)})


def forward_cnn(net, x):
    for i in range(1, 5):
        x = F.leaky_relu(net[f"bn{i}"](net[f"conv{i}"](x)))
        if i != 3:
            x = F.max_pool2d(x, 3, 2, 1)
    return net["head"](net["conv5"](x))


def taps(k, std):
    """Of an even number of taps the middle one stands twice, and all are halved."""
    odd = np.exp(-0.5 * (np.arange(-((k - 1) // 2), (k - 1) // 2 + 1) / std) ** 2)
    return odd if k % 2 else np.insert(odd, len(odd) // 2, 1.0) / 2


def upsample(cells, k, shift, size):
    kernel = torch.tensor(np.outer(taps(k, 12.0), taps(k, 12.0)), dtype=torch.float64)[None, None]
    beyond = size - (cells.shape[-1] - 1) * 8 - (1 if k % 2 else 2)
    # An output padding is at most the stride less one; more rows of zeros are the same.
    whole = F.pad(F.conv_transpose2d(cells[:, None].double(), kernel, stride=8), (0, beyond, 0, beyond))
    cut = (k - 1) // 2
    return whole[:, 0, cut - shift : -cut - shift, cut - shift : -cut - shift]


def loss(maps, labels):
    normal = (maps * (1 - labels)).mean((1, 2))
    missed = -torch.log(1 - torch.exp(-(maps * labels).mean((1, 2))) + 1e-31)
    return torch.where(labels.amax((1, 2)) > 0, normal + missed, normal)


images = 0.5 + 0.5 * wave((2, 3, 32, 32), 0.011, 0.0)
out = {}
for name, network, forward in [("vgg", vgg(), lambda n, x: n["head"](n["features"](x))), ("cnn", cnn(), forward_cnn)]:
    with torch.no_grad():
        fill(network)
        evaluated = forward(network.eval(), images)
        trained = forward(network.train(), images)
    out[name] = {
        "eval": evaluated.flatten().tolist(),
        "train": trained.flatten().tolist(),
        "parameters": sum(p.numel() for p in network.parameters()),
    }

cells = wave((2, 28, 28), 0.7, 0.3).square()
for name, k, shift in [("vgg", 62, 3), ("cnn", 59, 0)]:
    maps = upsample(cells, k, shift, 224)
    assert maps.shape == (2, 224, 224)
    ones = upsample(torch.ones(1, 28, 28), k, shift, 224)[0]
    impulse = torch.zeros(1, 28, 28)
    impulse[0, 10, 14] = 1
    peak = upsample(impulse, k, shift, 224)[0]
    places = [(0, 0), (3, 220), (17, 100), (111, 112), (83, 115), (223, 223)]
    out[name] |= {
        "middle": ones[112, 112].item(),
        "corner": ones[0, 0].item(),
        "peak": list(divmod(int(peak.argmax()), 224)),
        "samples": [[y, x, maps[1, y, x].item()] for y, x in places],
    }

maps = upsample(cells, 62, 3, 224)
labels = torch.zeros(2, 224, 224, dtype=torch.float64)
labels[1, 40:90, 100:130] = 1
out["loss"] = {"normal": loss(maps, labels * 0).tolist(), "image": loss(maps, labels * 0 + 1).tolist(), "pixel": loss(maps, labels).tolist()}
path = Path(__file__).parent.parent / "golden" / "fcdd.json"
path.write_text(json.dumps(out, indent=1) + "\n")
