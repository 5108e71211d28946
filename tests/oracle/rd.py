"""Reverse distillation on one small fixed input, in torch and float64: writes tests/golden/rd.json.

    python3 tests/oracle/rd.py

Teacher's maps and parameters are a hash of the flat index and the name, so that the reader of the file can make them again. From
them come both losses in training mode, gradients of the flat one, and both score maps in evaluation mode.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

BATCH, SIDE = 2, 64
# Basic or bottleneck, the widths of the teacher's maps, factor of the inner width, blocks of the embedding and of decoder 1 to 3.
CASES = {
    "resnet18": (False, [64, 128, 256], 1, 2, [2, 2, 2]),
    "resnet50": (True, [256, 512, 1024], 1, 1, [1, 1, 1]),
}
GRADIENTS = ["fusion.1.0.conv.weight", "embedding.0.conv2.weight", "embedding.0.shortcut.bn.bias", "decoder.3.0.shortcut.conv.weight"]


def hashed(name, shape):
    """Numbers in [-1, 1)."""
    count = torch.Size(shape).numel()
    at = torch.arange(1, count + 1, dtype=torch.float64) * 0.7548776662 + sum(name.encode()) % 97
    wave = torch.sin(at) * 43758.5453
    return (2 * (wave - torch.floor(wave)) - 1).reshape(shape)


class Network:
    """The student, as functions of named parameters that are made where they are first used."""

    def __init__(self, training):
        self.training = training
        self.parameters = {}

    def parameter(self, name, shape):
        value = hashed(name, shape)
        if name.endswith("running_var"):
            return 1 + 0.4 * value
        if name.endswith("running_mean"):
            return 0.1 * value
        if ".bn" in name and name.endswith("weight"):
            value = 1 + 0.3 * value
        elif ".bn" in name:
            value = 0.2 * value
        else:
            value = value * (3 / (shape[1] * shape[2] * shape[3])) ** 0.5
        self.parameters[name] = value.requires_grad_()
        return value

    def norm(self, x, name):
        vector = [x.shape[1]]
        mean, var, weight, bias = (self.parameter(f"{name}.{part}", vector) for part in ("running_mean", "running_var", "weight", "bias"))
        return F.batch_norm(x, mean, var, weight, bias, self.training)

    def unit(self, x, conv, bn, cout, kernel, scale):
        if scale == "double":
            y = F.conv_transpose2d(x, self.parameter(f"{conv}.weight", [x.shape[1], cout, 2, 2]), stride=2)
        else:
            weight = self.parameter(f"{conv}.weight", [cout, x.shape[1], kernel, kernel])
            y = F.conv2d(x, weight, stride=2 if scale == "half" else 1, padding=kernel // 2)
        return self.norm(y, bn)

    def block(self, x, name, bottleneck, inner, cout, scale):
        def unit(y, number, width, kernel, scale):
            return self.unit(y, f"{name}.conv{number}", f"{name}.bn{number}", width, kernel, scale)

        if bottleneck:
            y = F.relu(unit(x, 1, inner, 1, "keep"))
            y = F.relu(unit(y, 2, inner, 3, scale))
            y = unit(y, 3, cout, 1, "keep")
        else:
            y = F.relu(unit(x, 1, cout, 3, scale))
            y = unit(y, 2, cout, 3, "keep")
        changes = scale != "keep" or x.shape[1] != cout
        shortcut = self.unit(x, f"{name}.shortcut.conv", f"{name}.shortcut.bn", cout, 1, scale) if changes else x
        return F.relu(y + shortcut)

    def stage(self, x, name, depth, sizes, scale):
        for number in range(depth):
            x = self.block(x, f"{name}.{number}", *sizes, scale if number == 0 else "keep")
        return x

    def forward(self, case, maps):
        bottleneck, widths, factor, depth, depths = case
        out = 4 if bottleneck else 1

        def down(x, name, cout):
            return F.relu(self.unit(x, f"fusion.{name}.conv", f"fusion.{name}.bn", cout, 3, "half"))

        fused = [down(down(maps[0], "1.0", widths[1]), "1.1", widths[2]), down(maps[1], "2.0", widths[2]), maps[2]]
        x = self.stage(torch.cat(fused, 1), "embedding", depth, (bottleneck, 512 * factor, 512 * out), "half")
        decoded = []
        for level in (3, 2, 1):
            planes = 32 * 2**level
            x = self.stage(x, f"decoder.{level}", depths[level - 1], (bottleneck, planes * factor, planes * out), "double")
            decoded.insert(0, x)
        return decoded


def losses(maps, decoded):
    pairs = list(zip(maps, decoded))
    flat = sum((1 - F.cosine_similarity(f.flatten(1), d.flatten(1))).mean() for f, d in pairs)
    pixel = sum((1 - F.cosine_similarity(f, d)).mean() for f, d in pairs)
    return flat, pixel


def score_maps(maps, decoded):
    levels = [1 - F.cosine_similarity(f, d) for f, d in zip(maps, decoded)]
    up = torch.stack([F.interpolate(a[:, None], size=SIDE, mode="bilinear", align_corners=True)[:, 0] for a in levels])
    return {"sum": up.sum(0), "product": up.prod(0)}


def result(name, case):
    maps = [1 + hashed(f"{name}/{k}", [BATCH, width, SIDE >> (k + 2), SIDE >> (k + 2)]) for k, width in enumerate(case[1])]
    training = Network(training=True)
    flat, pixel = losses(maps, training.forward(case, maps))
    flat.backward()
    gradients = {name: training.parameters[name].grad.norm().item() for name in GRADIENTS}
    with torch.no_grad():
        scored = score_maps(maps, Network(training=False).forward(case, maps))
    places = [[b, y, x] for b in range(BATCH) for y in (0, 13, 40, SIDE - 1) for x in (0, 22, SIDE - 1)]
    samples = {form: [[*place, whole[tuple(place)].item()] for place in places] for form, whole in scored.items()}
    return {"flat": flat.item(), "pixel": pixel.item(), "gradients": gradients, "maps": samples}


if __name__ == "__main__":
    golden = {name: result(name, case) for name, case in CASES.items()}
    path = Path(__file__).parent.parent / "golden" / "rd.json"
    path.write_text(json.dumps(golden) + "\n")
    print(path)
