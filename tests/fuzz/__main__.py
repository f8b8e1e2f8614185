"""``python -m tests.fuzz --minutes 10``: a campaign; ``--target T --case N``: one case of it again, in this process."""

import argparse
import sys

from .campaign import run, targets
from .judge import judge


def main() -> int:
    by_name = {target.name: target for target in targets()}
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=sorted(by_name))
    parser.add_argument("--case", type=int)
    options = parser.parse_args()
    chosen = [by_name[options.target]] if options.target else list(by_name.values())
    if options.case is not None:
        fault = judge(chosen[0], options.seed, options.case)
        print(fault or "nothing wrong")
        return fault is not None
    faults = 0
    for line in run(chosen, options.seed, options.minutes):
        print(line, flush=True)
        faults += not line.startswith("...")
    print(f"{faults} findings, seed {options.seed}")
    return faults > 0


if __name__ == "__main__":
    sys.exit(main())
