"""The three constraints on features F [B, C, h, w] and scores S [B, 1, h, w] under a mask [B, 1, H, W] of 0 and 1."""

import torch
import torch.nn.functional as F
from torch import Tensor

from config import Config
from network import upsample

# Logit of a patch that takes no part; finite, because 0 times a difference of infinities is NaN.
CLOSED = -1e9


def distance(features: Tensor) -> Tensor:
    """Distance to the centre, sqrt(|F|^2 + 1) - 1, without cancellation: [B, C, h, w] -> [B, 1, h, w]"""
    u = features.square().sum(1, keepdim=True)
    return u / (1.0 + torch.sqrt(1.0 + u))


def feature_loss(a: Tensor, mask: Tensor, cfg: Config) -> Tensor:
    """Eq. (4): normal pixels to the centre, anomalous ones away from it. `a` [B, 1, H, W] -> []"""
    normal, anomalous = a[mask == 0], a[mask == 1]
    pull = normal.mean() if len(normal) else a.new_zeros(())
    push = -torch.log(-torch.expm1(-(anomalous + cfg["eps"]))).mean() if len(anomalous) else a.new_zeros(())
    weight = 0.5 if len(normal) and len(anomalous) else cfg["single_class_weight"]
    return weight * (pull + push)


def score_loss(s: Tensor, mask: Tensor, cfg: Config) -> tuple[Tensor, Tensor]:
    """Eq. (5): normal scores below gamma, and each anomalous one above each normal one by lambda. `s` [B, 1, H, W]"""
    normal, anomalous = s[mask == 0], s[mask == 1]
    below = F.relu(normal - cfg["gamma"]).mean() if len(normal) else s.new_zeros(())
    if len(normal) == 0 or len(anomalous) == 0:
        return below, s.new_zeros(())
    return below, all_pairs_hinge(normal, anomalous, cfg["lambda"])


def all_pairs_hinge(normal: Tensor, anomalous: Tensor, margin: float) -> Tensor:
    """Mean over all pairs of max(0, margin - (anomalous_j - normal_i)): [Nn], [Na] -> []

    A normal score n pays n - t for each t = anomalous - margin below it: with t sorted, a count and a prefix sum.
    """
    t = torch.sort(anomalous.double() - margin).values  # [Na]
    n = normal.double()
    sums = F.pad(torch.cumsum(t, 0), (1, 0))  # [Na + 1]
    below = torch.searchsorted(t.detach(), n.detach())  # [Nn]
    return ((below * n - sums[below]).mean() / len(t)).float()


def patches(x: Tensor, size: list[int]) -> Tensor:
    """Non-overlapping patches as vectors: [B, C, h, w] -> [B, K, C * ph * pw]"""
    return F.unfold(x, size, stride=size).transpose(1, 2)


def consistency_loss(features: Tensor, scores: Tensor, mask: Tensor, cfg: Config) -> Tensor:
    """Eqs. (6) and (7): normal patches that look alike should score alike. -> []"""
    size, scale = cfg["patch"], mask.shape[2] // features.shape[2]
    cell = [scale * side for side in size]  # px
    valid = F.max_pool2d(mask, cell).flatten(1) == 0  # [B, K]

    def log_softmax_rows(x: Tensor) -> Tensor:
        x = patches(x, size)
        # The matrix product's rounding would be as large as small distances.
        logits = -torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist") / cfg["tau"]  # [B, K, K]
        return logits.masked_fill(~valid.unsqueeze(1), CLOSED).log_softmax(2)

    log_p, log_q = log_softmax_rows(features), log_softmax_rows(scores)
    rows = F.kl_div(log_p, log_q, reduction="none", log_target=True).sum(2) * valid  # KL(Q || P), [B, K]
    counts = valid.sum(1)
    images = counts >= 2
    means = rows.sum(1) / counts.clamp_min(1)  # [B]
    return (means * images).sum() / images.sum().clamp_min(1)


def losses(features: Tensor, scores: Tensor, mask: Tensor, cfg: Config) -> dict[str, Tensor]:
    """Every term and their weighted sum `total`, all []."""
    size = mask.shape[2:]
    feature = feature_loss(upsample(distance(features), size), mask, cfg["feature"])
    score_normal, score_pair = score_loss(upsample(scores, size), mask, cfg["score"])
    consistency = consistency_loss(features, scores, mask, cfg["consistency"])
    total = cfg["alpha"] * feature + cfg["beta"] * (score_normal + score_pair) + cfg["xi"] * consistency
    return {
        "total": total,
        "feature": feature,
        "score_normal": score_normal,
        "score_pair": score_pair,
        "consistency": consistency,
    }
