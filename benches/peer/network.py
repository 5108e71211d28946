"""The multi-level feature fusion network, written as its equations read.

B images, C channels, N quantization levels, R = s * s regions of a branch; maps are [B, C, H, W].
"""

import functools
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
import torchvision
from safetensors import safe_open
from torch import Tensor, nn

from config import Config

# Added to sums before dividing by them.
EPS = 1e-6
# Least half-width of a level's window, for groups of equal values.
LEAST_STEP = 1e-6
# Parts of the backbone in the order in which freezing goes down.
PARTS = ["stem", "layer1", "layer2", "all"]


@dataclass
class Weights:
    """ImageNet weights with what their file says about them; torchvision's conventions where it says nothing."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    stride_in: str = "conv2"
    mean: list[float] = field(default_factory=lambda: [0.485, 0.456, 0.406])
    std: list[float] = field(default_factory=lambda: [0.229, 0.224, 0.225])

    @classmethod
    def load(cls, path: Path) -> "Weights":
        with safe_open(path, framework="pt") as file:
            meta = file.metadata() or {}
            weights = cls({name: file.get_tensor(name) for name in file.keys()})
        weights.stride_in = meta.get("stride_in", weights.stride_in)
        if "input_mean" in meta:
            weights.mean, weights.std = json.loads(meta["input_mean"]), json.loads(meta["input_std"])
        return weights


def conv_bn(cin: int, cout: int, kernel: int = 1) -> nn.Sequential:
    """[B, cin, H, W] -> [B, cout, H, W]"""
    conv = nn.Conv2d(cin, cout, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(OrderedDict(conv=conv, bn=nn.BatchNorm2d(cout)))


def conv_bn_1d(cin: int, cout: int) -> nn.Sequential:
    """[B, cin, N] -> [B, cout, N]"""
    return nn.Sequential(OrderedDict(conv=nn.Conv1d(cin, cout, 1, bias=False), bn=nn.BatchNorm1d(cout)))


def upsample(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear with aligned corners: [B, C, h, w] -> [B, C, *size]"""
    return F.interpolate(x, size=size, mode="bilinear", align_corners=True)


def in_float32(forward: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Runs a method on maps in float32, whatever autocast says: bf16 cannot tell the levels apart."""

    @functools.wraps(forward)
    def wrapped(self: nn.Module, *maps: Tensor) -> Tensor:
        with torch.autocast(maps[0].device.type, enabled=False):
            return forward(self, *(x.float() for x in maps))

    return wrapped


def encode(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Quantizes groups of values [G, K]: their levels [G, N], and what each value fires [G, N, K].

    Levels stand in the middle of N equal steps over the group's range; a value fires `1 - distance` at the levels that
    are less than a step away.
    """
    low, high = values.amin(1, keepdim=True), values.amax(1, keepdim=True)  # [G, 1]
    step = (high - low) / count
    levels = low + (torch.arange(count, device=values.device) + 0.5) * step  # [G, N]
    distance = (levels.unsqueeze(2) - values.unsqueeze(1)).abs()  # [G, N, K]
    inside = distance < step.clamp_min(LEAST_STEP).unsqueeze(2)
    return levels, torch.where(inside, 1.0 - distance, 0.0)


class Backbone(nn.Module):
    """ResNet-50 up to its third stage."""

    def __init__(self, stride_in: str, freeze: str):
        super().__init__()
        resnet = torchvision.models.resnet50()
        if stride_in == "conv1":
            for stage in (resnet.layer2, resnet.layer3):
                stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
        self.conv1, self.bn1, self.relu, self.maxpool = resnet.conv1, resnet.bn1, resnet.relu, resnet.maxpool
        self.layer1, self.layer2, self.layer3 = resnet.layer1, resnet.layer2, resnet.layer3
        parts = [[self.conv1, self.bn1], [self.layer1], [self.layer2], [self.layer3]]
        depth = 0 if freeze == "none" else PARTS.index(freeze) + 1
        self.frozen = [module for part in parts[:depth] for module in part]
        for module in self.frozen:
            module.requires_grad_(False)

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Takes weights in torchvision's names."""
        missing, unexpected = self.load_state_dict(tensors, strict=False)
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        if missing or unexpected:
            raise SystemExit(f"the weights are not ResNet-50's: missing {missing}, unexpected {unexpected}")

    def train(self, mode: bool = True) -> "Backbone":
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[B, 3, S, S] -> [B, 256, S/4, S/4], [B, 512, S/8, S/8], [B, 1024, S/16, S/16]"""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        c1 = self.layer1(x)
        c2 = self.layer2(c1)
        return c1, c2, self.layer3(c2)


class TextureEnhancement(nn.Module):
    """TEM: statistics of an image's intensities, enhanced by attention among levels and handed back to the pixels."""

    def __init__(self, cin: int, cfg: Config):
        super().__init__()
        width, hidden = cfg["channels"], cfg["hidden"]
        self.levels = cfg["levels"]
        self.enter = conv_bn(cin, cfg["mid"], 3)
        self.project = nn.Conv2d(cfg["mid"], width, 1, bias=False)
        self.mlp = nn.Sequential(
            nn.Conv1d(2, hidden, 1, bias=False), nn.LeakyReLU(), nn.Conv1d(hidden, width, 1, bias=False), nn.ReLU()
        )
        self.join = conv_bn_1d(2 * width, width)
        self.key = nn.Conv1d(width, width, 1, bias=False)
        self.query = nn.Conv1d(width, width, 1, bias=False)
        self.value = nn.Conv1d(width, width, 1, bias=False)
        self.out = conv_bn_1d(width, cfg["out"])

    def forward(self, x: Tensor) -> Tensor:
        """[B, Ct, H, W] -> [B, out, H, W]"""
        return self.texture(self.project(F.leaky_relu(self.enter(x))))

    @in_float32
    def texture(self, y: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, out, H, W]"""
        height, width = y.shape[2:]
        mean = y.mean((2, 3))  # [B, C]
        similarity = F.cosine_similarity(y, mean[:, :, None, None], dim=1, eps=1e-12)  # [B, H, W]
        levels, encoding = encode(similarity.flatten(1), self.levels)  # [B, N], [B, N, K]
        counts = encoding.sum(2)
        shares = counts / (counts.sum(1, keepdim=True) + EPS)  # [B, N]
        raised = self.mlp(torch.stack([levels, shares], 1))  # [B, C, N]
        description = F.relu(self.join(torch.cat([raised, mean.unsqueeze(2).expand_as(raised)], 1)))  # [B, C, N]

        key, query, value = self.key(description), self.query(description), self.value(description)
        attention = torch.softmax(key.transpose(1, 2) @ query, dim=2)  # [B, N, N]
        enhanced = F.relu(self.out(value @ attention.transpose(1, 2)))  # [B, out, N]
        return (enhanced @ encoding).unflatten(2, (height, width))


class PyramidBranch(nn.Module):
    """One scale of PTFEM: co-occurrences of quantized intensities in s * s regions."""

    def __init__(self, scale: int, cfg: Config):
        super().__init__()
        hidden, mid = cfg["hidden"], cfg["mid"]
        self.scale, self.levels = scale, cfg["levels"]
        self.mlp = nn.Sequential(
            nn.Conv2d(3, hidden, 1, bias=False), nn.LeakyReLU(), nn.Conv2d(hidden, mid, 1, bias=False), nn.ReLU()
        )
        self.join = nn.Sequential(conv_bn(cfg["in"] + mid, mid), nn.ReLU(), conv_bn(mid, mid))

    def forward(self, v: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, mid, H, W]"""
        batch, _, height, width = v.shape
        s, n = self.scale, self.levels
        h, w = height // s, width // s
        mean = F.adaptive_avg_pool2d(v, s)  # [B, C, s, s]
        spread = F.interpolate(mean, size=(height, width), mode="nearest")
        similarity = F.cosine_similarity(v, spread, dim=1, eps=1e-12)  # [B, H, W]
        regions = similarity.view(batch, s, h, s, w).transpose(2, 3).reshape(batch * s * s, h * w)  # [B*R, h*w]
        levels, encoding = encode(regions, n)
        encoding = encoding.view(-1, n, h, w)

        # How often levels u and v are diagonal neighbours.
        pairs = torch.einsum("guhw,gvhw->guv", encoding[:, :, :-1, :-1], encoding[:, :, 1:, 1:])
        shares = pairs / (pairs.sum((1, 2), keepdim=True) + EPS)
        first, second = levels.unsqueeze(2).expand_as(shares), levels.unsqueeze(1).expand_as(shares)
        stacked = torch.stack([first, second, shares], 1)  # [B*R, 3, N, N]
        stacked = stacked.view(batch, s * s, 3, n * n).transpose(1, 2)  # [B, 3, R, N*N]
        region_mean = mean.flatten(2).unsqueeze(3).expand(-1, -1, -1, n * n)  # [B, C, R, N*N]
        joined = self.join(torch.cat([region_mean, self.mlp(stacked)], 1))  # [B, mid, R, N*N]
        return upsample(joined.mean(3).unflatten(2, (s, s)), (height, width))


class PyramidTexture(nn.Module):
    """PTFEM: co-occurrences in regions of several sizes."""

    def __init__(self, cin: int, cfg: Config):
        super().__init__()
        self.enter = nn.Conv2d(cin, cfg["in"], 1, bias=False)
        self.branches = nn.ModuleDict({str(scale): PyramidBranch(scale, cfg) for scale in cfg["scales"]})
        self.fuse = conv_bn(len(cfg["scales"]) * cfg["mid"], cfg["out"])

    def forward(self, t1: Tensor, x0: Tensor) -> Tensor:
        """[B, C1, H, W], [B, Ct, H, W] -> [B, out, H, W]"""
        return self.texture(self.enter(torch.cat([t1, x0], 1)))

    @in_float32
    def texture(self, v: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, out, H, W]"""
        return F.relu(self.fuse(torch.cat([branch(v) for branch in self.branches.values()], 1)))


class SelfCalibration(nn.Module):
    """The calibrated path of SCNet: a small-scale view of the map decides where its convolution counts."""

    def __init__(self, cin: int, cfg: Config):
        super().__init__()
        width = cfg["reduce"] or cin
        self.rate = cfg["r"]
        self.reduce = conv_bn(cin, width) if cfg["reduce"] else None
        self.k2 = conv_bn(width, width, 3)
        self.k3 = conv_bn(width, width, 3)
        self.k4 = conv_bn(width, cfg["out"])

    def forward(self, x: Tensor) -> Tensor:
        """[B, cin, H, W] -> [B, out, H, W]"""
        if self.reduce is not None:
            x = F.relu(self.reduce(x))
        pooled = F.avg_pool2d(x, self.rate, ceil_mode=True, count_include_pad=False)
        small = F.interpolate(self.k2(pooled), size=x.shape[2:], mode="nearest")
        return self.k4(self.k3(x) * torch.sigmoid(x + small))


class Network(nn.Module):
    """Backbone, texture branch, self-calibration and head."""

    def __init__(self, config: Config, weights: Weights):
        super().__init__()
        model = config["model"]
        stride_in = model["backbone"]["stride_in"]
        if stride_in not in ("auto", weights.stride_in):
            raise SystemExit(f"model.backbone.stride_in = {stride_in!r} contradicts the weights: {weights.stride_in!r}")
        texture_width = model["ptfem"]["out"] + model["tem"]["out"] + model["stl"]["width"]
        fusion = model["fusion"]
        self.backbone = Backbone(weights.stride_in, model["backbone"]["freeze"])
        self.backbone.load(weights.tensors)
        self.reduce = conv_bn(256 + 512, model["stl"]["width"])
        self.tem = TextureEnhancement(model["stl"]["width"], model["tem"])
        self.ptfem = PyramidTexture(model["tem"]["out"] + model["stl"]["width"], model["ptfem"])
        self.sc = SelfCalibration(1024, model["sc"])
        self.mid = nn.Conv2d(texture_width + model["sc"]["out"], fusion["mid"], 3, padding=1)
        self.feature = nn.Conv2d(fusion["mid"], fusion["channels"], 1)
        self.score = nn.Conv2d(fusion["channels"], 1, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """[B, 3, S, S] -> features F [B, C, S/4, S/4] and scores [B, 1, S/4, S/4], both float32"""
        c1, c2, c3 = self.backbone(x)
        size = c1.shape[2:]
        x0 = F.relu(self.reduce(torch.cat([c1, upsample(c2, size)], 1)))
        t1 = self.tem(x0)
        t2 = self.ptfem(t1, x0)
        fused = torch.cat([t2, t1, x0, upsample(self.sc(c3), size)], 1)
        mid = self.mid(fused)
        with torch.autocast(x.device.type, enabled=False):
            features = self.feature(mid.float())
            return features, self.score(features)


def learned(network: Network) -> dict[str, Tensor]:
    """Weights and running statistics that do not come from the backbone's file."""
    frozen = {id(tensor) for part in network.backbone.frozen for tensor in part.state_dict(keep_vars=True).values()}
    state = network.state_dict(keep_vars=True)
    return {n: t for n, t in state.items() if id(t) not in frozen and not n.endswith("num_batches_tracked")}
