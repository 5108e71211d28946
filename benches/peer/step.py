"""Training steps, plain or tuned."""

import argparse
import time
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

import config
import measure
from network import Network, Weights
from train import make_optimizer, train_step

SEED = 0


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Training steps on random images in memory, half of them anomalous."""
    cfg, device = config.load(args.config), torch.device(args.device)
    torch.manual_seed(SEED)
    batch, size = cfg["train"]["batch"], cfg["data"]["size"]
    network = Network(cfg, Weights.load(args.weights)).to(device).train()
    x = torch.randn(batch, 3, size, size).to(device)
    mask = torch.zeros(batch, 1, size, size, device=device)
    mask[::2, :, size // 4 : size // 2, size // 4 : size // 2] = 1.0
    if args.channels_last:
        network, x = network.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    optimizer = make_optimizer(network, cfg["optim"], args.fused)
    torch.backends.cudnn.benchmark = args.channels_last or args.compile
    model = torch.compile(network) if args.compile else network
    terms: dict[str, torch.Tensor] = {}

    def one_step() -> int:
        terms.update(train_step(model, optimizer, x, mask, cfg, args.precision))
        return batch

    if args.flops:
        with FlopCounterMode(display=False) as counter:
            one_step()
        return {"flops_per_image": counter.get_total_flops() / batch, "batch": batch}
    begin = time.perf_counter()
    one_step()
    measure.synchronize(device)
    first_s = time.perf_counter() - begin  # with what torch.compile or cuDNN's search takes
    samples = measure.rates(one_step, args.seconds, device)
    if args.profile:
        profile(one_step, device, args)
    figures = {"images_per_s": measure.median(samples), "samples": samples, "first_step_s": first_s, "batch": batch}
    return figures | {"loss": float(terms["total"])}


def profile(one_step: Any, device: torch.device, args: argparse.Namespace) -> None:
    """Writes the kernels of one step, the longest first."""
    on_gpu = device.type == "cuda"
    activities = [torch.profiler.ProfilerActivity.CPU] + [torch.profiler.ProfilerActivity.CUDA] * on_gpu
    with torch.profiler.profile(activities=activities) as profiler:
        one_step()
        measure.synchronize(device)
    order = "self_device_time_total" if on_gpu else "self_cpu_time_total"
    args.profile.write_text(profiler.key_averages().table(sort_by=order, row_limit=40, max_name_column_width=80))
