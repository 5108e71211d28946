"""What the machine could do at most: matrix products and copies, the two edges of the roofline."""

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

import measure


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Rates of large matrix products and of a large copy."""
    device = torch.device(args.device)
    side = args.side or (8192 if device.type == "cuda" else 2048)
    rates = {"fp32_flop_per_s": product(side, torch.float32, device), "bf16_flop_per_s": product(side, torch.bfloat16, device)}
    if device.type == "cuda":
        torch.backends.cuda.matmul.allow_tf32 = True
        rates["tf32_flop_per_s"] = product(side, torch.float32, device)
    source = torch.ones(2**30 if device.type == "cuda" else 2**27, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    copied = 2 * source.numel()  # read and written
    return rates | {"copy_bytes_per_s": copied / fastest(lambda: target.copy_(source), device)}


def product(side: int, dtype: torch.dtype, device: torch.device) -> float:
    """FLOP/s of a product of square matrices."""
    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    return 2 * side**3 / fastest(lambda: a @ b, device)


def fastest(work: Callable[[], Any], device: torch.device, times: int = 12) -> float:
    """Seconds of the fastest of some calls: a limit is what the machine can do when nothing disturbs it."""
    seconds = []
    for _ in range(times):
        measure.synchronize(device)
        start = time.perf_counter()
        work()
        measure.synchronize(device)
        seconds.append(time.perf_counter() - start)
    return min(seconds)
