"""The check of `harness` on a GPU: gpu-check.sh of the folder that `just gpu-bundle` makes.

Six steps, each with a limit of its own, in eight minutes on an H100. Each writes what it found as it goes: results/table.md, and
results/<step>.json with all samples. A step that fails says why, and the next goes on.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

# The modules beside this folder: the two sides as processes, readings of the card.
sys.path.append(str(Path(__file__).resolve().parent.parent))

import forward
import kernels
import pace
import paper
import resume
import training
from machine import ROOT, described, machine
from report import Report
from side import WORK, Failed
from work import Card, Clock

# By number: what it does, and seconds at most; the last has what is left.
STEPS = {
    "forward": (forward.run, 80.0),
    "training": (training.run, 70.0),
    "pace": (pace.run, 190.0),
    "kernels": (kernels.run, 45.0),
    "resume": (resume.run, 45.0),
    "paper": (paper.run, 3600.0),
}
# A rehearsal may run beside other work, and its processes may take so many times as long as on a machine with a GPU.
REHEARSAL_S, REHEARSAL_SLACK = 3600.0, 20.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="gpu-check.sh", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rehearse", action="store_true", help="all of it on the CPU, at tiny sizes: whether it works")
    parser.add_argument("--continue", dest="go_on", action="store_true", help="only the last step, from where an earlier call ended")
    parser.add_argument("--minutes", type=float, default=8.0, help="of the whole call")
    parser.add_argument("--only", help=f"some of {', '.join(STEPS)}, with commas")
    args = parser.parse_args()
    wanted = args.only.split(",") if args.only else ["paper"] if args.go_on else list(STEPS)
    if unknown := [name for name in wanted if name not in STEPS]:
        parser.error(f"there is no step {unknown[0]!r}; there are {', '.join(STEPS)}")
    begin = time.monotonic()
    if args.rehearse:
        # Threads that wait by spinning make a busy machine crawl.
        os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    clock = Clock(REHEARSAL_S, REHEARSAL_SLACK) if args.rehearse else Clock(60 * args.minutes - 10)
    results = ROOT / ("results-rehearsal" if args.rehearse else "results")
    card = Card(results, WORK / ("card-rehearsal" if args.rehearse else "card"), clock, args.rehearse, args.go_on)
    for folder in results, card.work:
        if not args.go_on and not args.only:
            shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)

    revision = (ROOT / "revision").read_text().strip()
    what = "A rehearsal on the CPU: its figures mean nothing. " if args.rehearse else ""
    report = Report(results, f"{what}{described(machine())}. harness {revision}.")
    if not args.rehearse:
        # Where this fails, nothing else is worth the time.
        card.call([card.harness.with_name("harness-torch"), "--device-kind", "cuda"], 60)
    pace.cache(card)
    warming = pace.warm_up(card) if "pace" in wanted else pace.Warming()
    try:
        for number, (name, (run, limit_s)) in enumerate(STEPS.items(), 1):
            if name not in wanted:
                report.recall(number, name)
                continue
            clock.begin(REHEARSAL_S if args.rehearse else limit_s)
            with report.step(number, name, run.__doc__.splitlines()[0]) as step:
                if name == "pace":
                    pace.cool_down(card, warming, step)
                run(card, step)
    finally:
        pace.give_up(warming)
    print(report.table())
    print(f"{time.monotonic() - begin:.0f} s in all; {results}")
    failed = [f"{step.number}: {line.what}" for step in report.steps.values() for line in step.lines if line.measured == "failed"]
    if failed:
        print(f"failed: {'; '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failed as error:
        sys.exit(f"gpu-check: {error}")
