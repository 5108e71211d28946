"""`just bench`: harness beside what a researcher would have in Python, in alternating runs on this machine.

Each figure is measured in whole processes that take turns (ours, theirs, theirs, ours, ...); what is compared is the median
over the n rounds, and the range of the ratio from round to round is shown with it. Writes results/bench/<part>.json (every
sample, the machine, the versions) and results/bench/table.md, which has the parts that this machine measured. The first part
checks that both sides do the same work. Needs the packages of benches/peer/requirements.txt: scripts/bench.sh installs them.
"""

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import gpu
import parts
from machine import ROOT, described, machine, versions
from side import WORK, Bench, Failed, say
from table import Row, markdown

FORMAT = 2
PARTS = {
    "check": parts.check,
    "roofline": parts.roofline,
    "step": parts.step,
    "step-full": parts.step_full,
    "data": parts.data,
    "metrics": parts.metrics,
    "startup": parts.startup,
    "whole": parts.whole,
    "inference": parts.inference,
    "gpu": gpu.steps,
}


def measure(name: str, bench: Bench) -> None:
    """Measures a part and keeps it, unless it has nothing to say on this machine."""
    part = PARTS[name]
    say(f"{name}: {part.__doc__.splitlines()[0]}")
    begin = time.perf_counter()
    rows, samples = part(bench)
    if not rows:
        return
    kept = {"format": FORMAT, "machine": machine(), "versions": versions(bench.harness), "rounds": bench.rounds}
    kept |= {"seconds": bench.seconds, "rows": [asdict(row) for row in rows], "samples": samples}
    (bench.results / f"{name}.json").write_text(json.dumps(kept, indent=1))
    say(f"{name}: {time.perf_counter() - begin:.0f} s")


def table(results: Path) -> str:
    """All parts that this machine measured, and which others there are."""
    here, rows, left_out = machine(), [], []
    measured: dict[str, list[str]] = {}
    for name in PARTS:
        if not (path := results / f"{name}.json").exists():
            continue
        kept = json.loads(path.read_text())
        if kept["format"] != FORMAT or kept["machine"] != here:
            left_out.append(f"{name} ({described(kept['machine']) if kept['format'] == FORMAT else 'an older format'})")
            continue
        rows += [Row(**row) for row in kept["rows"]]
        words = ", ".join(f"{what} {version}" for what, version in kept["versions"].items())
        measured.setdefault(words, []).append(name)
    notes = [f"{', '.join(names)}: {words}." for words, names in measured.items()]
    if left_out:
        notes.append(f"Left out, measured elsewhere: {'; '.join(left_out)}.")
    return f"{described(here)}\n\n{markdown(rows)}\n" + "\n".join(notes) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(prog="just bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", help=f"some of {', '.join(PARTS)}, with commas", default=",".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3, help="how often each side has its turn")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long a turn measures, where that is free")
    parser.add_argument("--harness", type=Path, default=ROOT / "target/release/harness", help="with harness-torch beside it")
    parser.add_argument("--weights", type=Path, default=ROOT / "weights/resnet50.safetensors")
    parser.add_argument("--data", type=Path, help="the built-in set; drawn where not given")
    parser.add_argument("--results", type=Path, default=ROOT / "results/bench")
    parser.add_argument("--rehearse", action="store_true", help="the GPU part's commands on the CPU, to see that they work")
    args = parser.parse_args()
    wanted = args.only.split(",")
    if args.rehearse:
        wanted, PARTS["gpu"], args.results = ["gpu"], gpu.rehearsal, WORK / "rehearsal"
    if unknown := [name for name in wanted if name not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    if args.rounds < 1 or args.seconds <= 0:
        parser.error("--rounds and --seconds are above 0")
    harness = args.harness.resolve()
    data = args.data or ROOT / subprocess.run(
        [harness, "data", "builtin"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    bench = Bench(harness, args.weights.resolve(), data.resolve(), args.results.resolve(), args.rounds, args.seconds)
    WORK.mkdir(parents=True, exist_ok=True)
    bench.results.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        measure(name, bench)
    text = table(bench.results)
    (bench.results / "table.md").write_text(text)
    print(text)


if __name__ == "__main__":
    try:
        main()
    except (Failed, subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"bench: {error}")
