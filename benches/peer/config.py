"""The configuration: a resolved TOML file, as `harness config show` prints one.

Keys have the meaning that experiments/base.toml gives them. Precision, memory format, threads and loader workers come
from the command line instead, since they are what is compared.
"""

import tomllib
from pathlib import Path
from typing import Any

Config = dict[str, Any]

# What is written down here for one value only. Everything else is read.
ONLY = {
    "detector": ["mlff"],
    "data.normalize": ["imagenet"],
    "data.augment": ["none"],
    "data.resize": ["bilinear"],
    "pseudo.mode": ["exact"],
    "pseudo.combine": ["one"],
    "pseudo.weight.scar": [0.0],
    "pseudo.weight.perlin": [0.0],
    "pseudo.weight.simplex": [0.0],
    "pseudo.weight.nsa": [0.0],
    "pseudo.cutpaste.mask": ["diff"],
    "model.self_calibration": [True],
    "model.stlnet": [True],
    "model.backbone.name": ["resnet50"],
    "model.head_init": ["uniform"],
    "model.low.stride": [4],
    "model.stl.join": ["replace"],
    "model.qco.levels": ["midpoint"],
    "model.qco.window": ["full"],
    "model.tem.normalize_assign": [False],
    "model.tem.attention_scale": ["none"],
    "model.ptfem.offset": [[1, 1]],
    "model.sc.upsample": ["nearest"],
    "model.sc.k4": [1],
    "model.fusion.stride": [4],
    "model.fusion.mid_activation": ["none"],
    "model.fusion.bias": [True],
    "model.score.hidden": [0],
    "model.score.residual": [False],
    "model.noise.share": [0.0],
    "loss.label_resolution": ["input"],
    "loss.align_corners": [True],
    "loss.feature.norm_scope": ["batch"],
    "loss.score.enabled": [True],
    "loss.score.pair_mode": ["all_pairs"],
    "loss.score.pair_scope": ["batch"],
    "loss.score.activation": ["identity"],
    "loss.consistency.enabled": [True],
    "loss.consistency.patch_repr": ["flatten"],
    "loss.consistency.scope": ["normal_patches"],
    "loss.consistency.similarity": ["neg_distance"],
    "loss.consistency.kl": ["q_p"],
    "loss.consistency.normalize": ["none"],
    "loss.consistency.exclude_diagonal": [False],
    "loss.consistency.detach": ["none"],
    "loss.consistency.across_images": [False],
    "optim.kind": ["sgd"],
    "optim.schedule": ["exp", "cosine"],
    "optim.warmup_epochs": [0.0],
    "train.checkpoint": ["last"],
    "train.average": ["none"],
    "train.drop_last": [True],
    "eval.resolution": ["original"],
    "eval.align_corners": [True],
    "eval.map": ["own"],
    "eval.gaussian_sigma": [0.0],
    "eval.image_score": ["upsampled"],
    "eval.pro.variant": ["exact"],
    "eval.pro.connectivity": [8],
}

# The same where the backbone is trained; a frozen one uses neither.
ONLY_TRAINED = {
    "model.backbone_lr": [1.0],
    "model.backbone_norms": ["train"],
}


def load(path: Path) -> Config:
    """Reads a configuration and refuses one that asks for what these scripts do not do."""
    config = tomllib.loads(path.read_text())
    trained = get(config, "model.backbone.freeze") != "all"
    for key, allowed in (ONLY | ONLY_TRAINED if trained else ONLY).items():
        value = get(config, key)
        if value not in allowed:
            raise SystemExit(f"{path}: {key} = {value!r} is not written down in the peer, only {allowed}")
    if get(config, "loss.feature.eps") <= 0.0:
        raise SystemExit(f"{path}: loss.feature.eps must be positive in the peer")
    return config


def get(config: Config, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = config
    for part in key.split("."):
        if part not in value:
            raise SystemExit(f"the configuration lacks {key}: give the whole of what `harness config show` prints")
        value = value[part]
    return value
