"""The work of `harness` in plain PyTorch, scikit-learn and numpy, to be timed beside it.

    python benches/peer VERB …

Each verb prints one JSON object as its last line. Imports, building and warm-up are outside its times.
"""

import argparse
import json
from pathlib import Path

import torch

import check
import feed
import infer
import metrics
import roofline
import step
import whole


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="peer", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, run: object, *options: str) -> argparse.ArgumentParser:
        sub = verbs.add_parser(name, help=run.__doc__.splitlines()[0])
        sub.set_defaults(run=run)
        for option in options:
            sub.add_argument(f"--{option}", required=True, type=str if option == "category" else Path)
        sub.add_argument("--threads", type=int, help="threads inside one operator")
        return sub

    sub = verb("step", step.run, "config", "weights")
    sub.add_argument("--seconds", type=float, default=10.0)
    sub.add_argument("--device", default="cpu")
    sub.add_argument("--channels-last", action="store_true", help="memory format of images and weights")
    sub.add_argument("--fused", action="store_true", help="the optimiser's update as one kernel")
    sub.add_argument("--precision", choices=["fp32", "bf16"], default="fp32", help="bf16 is autocast")
    sub.add_argument("--compile", action="store_true", help="torch.compile of the network")
    sub.add_argument("--flops", action="store_true", help="count the arithmetic of a step instead of timing it")
    sub.add_argument("--profile", type=Path, metavar="FILE", help="also write one step's kernels by time")
    sub = verb("roofline", roofline.run)
    sub.add_argument("--device", default="cpu")
    sub.add_argument("--side", type=int, help="of the matrices; 2048, on a GPU 8192, where it is not given")
    sub = verb("data", feed.run, "root", "category", "config")
    sub.add_argument("--workers", type=int, default=0, help="processes; 0 = this one")
    sub.add_argument("--cached", action="store_true", help="keep the resized images")
    sub.add_argument("--seconds", type=float, default=10.0)
    sub = verb("metrics", metrics.run, "root")
    sub.add_argument("--anomalib", action="store_true", help="its AUPRO instead")
    sub = verb("infer", infer.run, "config", "weights")
    sub.add_argument("images", nargs="+", type=Path)
    sub.add_argument("--seconds", type=float, default=10.0)
    sub = verb("whole", whole.run, "root", "category", "config", "weights")
    sub.add_argument("--workers", type=int, help="processes; as data.workers says where not given")
    sub.add_argument("--first-step", action="store_true", help="end after the first step")
    sub = verb("check", check.run, "run-folder", "root", "weights")
    sub.add_argument("--harness", type=Path, default=Path("harness"), help="the program that made the run")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    if args.threads is not None:
        torch.set_num_threads(args.threads)
    print(json.dumps(args.run(args)))


if __name__ == "__main__":
    main()
