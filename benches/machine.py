"""What figures depend on besides the code: the machine, and the versions of what ran on it."""

import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
CORES = len(os.sched_getaffinity(0))
PACKAGES = ["torch", "torchvision", "numpy", "scipy", "scikit-learn", "pillow"]

_CPU = Path("/proc/cpuinfo").read_text()
NATIVE_BF16 = "avx512_bf16" in _CPU or "amx_bf16" in _CPU


def gpu() -> str | None:
    """The first NVIDIA GPU's name, if the driver answers."""
    try:
        return output(["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]).splitlines()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return None


def machine() -> dict[str, Any]:
    """Figures with equal values of this may stand in one table."""
    model = re.search(r"^model name\s*:\s*(.*)$", _CPU, re.MULTILINE)
    memory = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return {
        "cpu": model[1] if model else platform.machine(),
        "cores": CORES,
        "bf16_instructions": NATIVE_BF16,
        "ram_gib": round(int(memory[1]) / 2**20) if memory else None,
        "gpu": gpu(),
        "system": platform.system(),
    }


def described(machine: dict[str, Any]) -> str:
    words = [machine["cpu"], f"{machine['cores']} cores", f"{machine['ram_gib']} GiB"]
    words.append("bf16 instructions" if machine["bf16_instructions"] else "no bf16 instructions")
    return ", ".join([*words, *([machine["gpu"]] if machine["gpu"] else []), machine["system"]])


def versions(harness: Path) -> dict[str, str]:
    """Of both sides; `commit` ends in `+` where the checkout has changes of its own."""
    found = {"python": platform.python_version(), "harness": output([harness, "--version"]).split()[-1]}
    # harness-torch says which libtorch it was built with: "libtorch 2.11.0, 2 threads"
    found["libtorch"] = output([harness.with_name("harness-torch"), "--libtorch"]).split()[1].rstrip(",")
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "—"
    found["commit"] = "—"
    if not (ROOT / ".git").exists():
        return found
    try:
        commit = output(["git", "-C", ROOT, "rev-parse", "--short=10", "HEAD"])
        found["commit"] = commit + ("+" if output(["git", "-C", ROOT, "status", "--porcelain", "-uno"]) else "")
    except (OSError, subprocess.CalledProcessError):
        pass
    return found


def output(command: list[Any]) -> str:
    try:
        return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout.strip()
    except subprocess.CalledProcessError as error:
        print(error.stderr, file=sys.stderr)
        raise
