#!/usr/bin/env python3
"""Reference values of torch/src/detector/cutpaste: writes tests/golden/cutpaste.json.

Run: python tests/oracle/cutpaste.py   (numpy, scikit-learn, torch, torchvision)

    ledoit_wolf   cases: samples, scikit-learn's covariance (`ledoit_wolf`) and its share of the identity, and the squared
                  Mahalanobis distances (`LedoitWolf().mahalanobis`) of some queries
    network       torchvision's ResNet-18 without its classifier, and a head of two hidden layers; parameters and images are sines
                  (`parameter`), float64: averaged features in evaluation mode, logits and cross entropy in training mode
"""

import json
import pathlib

import numpy as np
import torch
import torchvision
from sklearn.covariance import LedoitWolf, ledoit_wolf

HIDDEN = [12, 7]
BATCH, SIDE = 6, 64


def gaussian_cases():
    rng = np.random.default_rng(4)
    for n, d in [(7, 5), (40, 4), (5, 12), (200, 3), (2, 6)]:
        mixing = rng.normal(size=(d, d))
        samples = np.round(rng.normal(size=(n, d)) @ mixing + 2.0, 3)
        queries = np.round(rng.normal(size=(3, d)) @ mixing + 2.5, 3)
        covariance, share = ledoit_wolf(samples)
        distances = LedoitWolf().fit(samples).mahalanobis(queries)
        yield {
            "samples": samples.tolist(),
            "covariance": covariance.tolist(),
            "share": float(share),
            "queries": queries.tolist(),
            "distances": distances.tolist(),
        }


def parameter(name, shape):
    phase = 0.11 * (sum(name.encode()) % 97)
    index = np.arange(1.0, np.prod(shape) + 1)
    # A rising pace: channels of plain sines are too alike for float32 behind batch norms.
    wave = np.sin(index * index * 0.37 + phase).reshape(shape)
    if name.endswith("running_var"):
        value = 1 + 0.4 * wave
    elif name.endswith("running_mean"):
        value = 0.2 * wave
    elif len(shape) > 1:
        value = wave * np.sqrt(2 / np.prod(shape[1:]))
    elif name.endswith("weight"):
        value = 1 + 0.3 * wave
    else:
        value = 0.1 * wave
    # What float32 holds, so that both sides begin with the same numbers.
    return torch.tensor(value.astype(np.float32).astype(np.float64))


def filled(module, names):
    state = {key: parameter(names(key), tuple(t.shape)) for key, t in module.state_dict().items() if "num_batches" not in key}
    missing = module.load_state_dict(state, strict=False).missing_keys
    assert all("num_batches" in key for key in missing), missing
    return module


def network():
    backbone = torchvision.models.resnet18()
    backbone.fc = torch.nn.Identity()
    backbone = filled(backbone.double(), lambda key: f"backbone.{key}")
    layers, cin = [], 512
    for cout in HIDDEN:
        layers += [torch.nn.Linear(cin, cout, bias=False), torch.nn.BatchNorm1d(cout), torch.nn.ReLU()]
        cin = cout
    head = torch.nn.Sequential(*layers, torch.nn.Linear(cin, 3)).double()
    parts = {0: "linear", 1: "bn"}
    name = lambda i: "head.classes" if i == 3 * len(HIDDEN) else f"head.{i // 3}.{parts[i % 3]}"
    head = filled(head, lambda key: f"{name(int(key.split('.')[0]))}.{key.split('.', 1)[1]}")

    shape = (BATCH, 3, SIDE, SIDE)
    # A pace for each image, for the same reason.
    pace = 0.05 * (1 + np.arange(BATCH)) ** 2
    images = np.sin(pace[:, None] * np.arange(1, np.prod(shape[1:]) + 1)).reshape(shape).astype(np.float32)
    images, kinds = torch.tensor(images.astype(np.float64)), torch.arange(BATCH) % 3
    with torch.no_grad():
        features = backbone.eval()(images)
        logits = head.train()(backbone.train()(images))
        loss = torch.nn.functional.cross_entropy(logits, kinds)
        rounded = head.float()(backbone.float()(images.float()))
        print("float32 moves logits by", float((rounded - logits).abs().max()), "of", float(logits.std()))
    return {
        "hidden": HIDDEN,
        "images": list(shape),
        "features": features[:2].tolist(),
        "logits": logits.tolist(),
        "loss": float(loss),
    }


golden = {"source": "tests/oracle/cutpaste.py", "ledoit_wolf": list(gaussian_cases()), "network": network()}
path = pathlib.Path(__file__).parent.parent / "golden" / "cutpaste.json"
path.write_text(json.dumps(golden, separators=(",", ":")).replace('{"samples"', '\n{"samples"') + "\n")
