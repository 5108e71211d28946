"""Optimisation: the steps that every verb shares."""

import contextlib
import math

import torch
from torch import Tensor, nn

from config import Config
from losses import losses
from network import Network


def make_optimizer(network: Network, cfg: Config, fused: bool | None = None) -> torch.optim.SGD:
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    settings = {name: cfg[name] for name in ("lr", "momentum", "weight_decay", "nesterov")}
    return torch.optim.SGD(trained, **settings, fused=fused)


def learning_rate(cfg: Config, epoch: int, epochs: int) -> float:
    if cfg["schedule"] == "cosine":
        return cfg["lr"] * 0.5 * (1.0 + math.cos(math.pi * epoch / epochs))
    return cfg["lr"] * cfg["schedule_gamma"] ** epoch


def train_step(
    network: nn.Module, optimizer: torch.optim.SGD, x: Tensor, mask: Tensor, config: Config, precision: str = "fp32"
) -> dict[str, Tensor]:
    """One update from images [B, 3, S, S] and masks [B, 1, S, S]; the terms of the loss, detached."""
    autocast = torch.autocast(x.device.type, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
    with autocast:
        features, scores = network(x)
    terms = losses(features, scores, mask, config["loss"])
    optimizer.zero_grad()
    terms["total"].backward()
    if config["train"]["clip_norm"] > 0.0:
        nn.utils.clip_grad_norm_(network.parameters(), config["train"]["clip_norm"])
    optimizer.step()
    return {name: term.detach() for name, term in terms.items()}
