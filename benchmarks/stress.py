"""What does it take to get a wrong answer, an unclear error, or to lose a result?

    python benchmarks/stress.py [--quick] [--record] [--seed 0]

Puts many cases of every fault in ``tests/stress`` to the library: inputs of every kind, damaged
files, networks that cannot be processed, memory that does not suffice, kills, threads and
processes. Ends with status 1 where any failed.
"""

import argparse
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from report import machine, record, table

HEADING = "Stress"
TESTS = Path(__file__).parents[1] / "tests"


def measured(fault, n_cases, seed):
    """The outcome of a fault, and the seconds that it took."""
    start = time.perf_counter()
    with TemporaryDirectory() as directory:
        return fault(n_cases, Path(directory), seed), time.perf_counter() - start


def row(outcome, seconds):
    return {
        "cases": f"{outcome.cases:,}",
        "failures": str(len(outcome.failures)),
        "lost": str(outcome.lost),
        "seconds": f"{seconds:.0f}",
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="as few cases as in the tests")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    # Before this directory, where this file has the name of that package.
    sys.path.insert(0, str(TESTS))
    from stress.faults import CASES, FAULTS

    found = {}
    for name, fault in FAULTS.items():
        found[name] = measured(fault, CASES[name][not given.quick], given.seed)
        print(f"{name}: {row(*found[name])}", file=sys.stderr, flush=True)
    failures = [told for outcome, _ in found.values() for told in outcome.failures]
    rows = {name: row(*each) for name, each in found.items()}
    total = sum(seconds for _, seconds in found.values())
    text = f"""## {HEADING}

`python benchmarks/stress.py --seed {given.seed}`, {machine()}; {total:.0f} s.

Cases that ended in anything but a clear error or the right answer, and results of innocent \
networks that were lost or changed.

{table(rows, ["cases", "failures", "lost", "seconds"])}
"""
    print(text, *failures, sep="\n")
    if given.record:
        record(HEADING, text)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
