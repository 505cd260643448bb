"""How do time and memory grow with networks, state size, steps and workers?

    python benchmarks/scale.py [--quick] [--record]

Each case runs in a process of its own, one thread in each worker. The growth exponents are slopes
of straight lines through the logarithms; what follows for a million networks is extrapolated from
the largest case.
"""

import argparse
import json
import subprocess
import sys
import time

import numpy as np
from report import machine, record, table

HEADING = "Scale"
N_SEQUENCES, N_INPUTS = 2, 1
MILLION = 10**6
COLUMNS = ("seconds", "recording", "MiB")

NETWORKS = (10, 100, 1000, 10_000)
SIZES = (16, 32, 64, 128, 256)
STEPS = (30, 100, 300, 1000)
SMALL = {"n_networks": 200, "n_units": 16, "n_steps": 64, "n_jobs": 1}
ONE = {"n_networks": 1, "n_units": 64, "n_steps": 100, "n_jobs": 1}
LARGER = {"n_networks": 200, "n_units": 64, "n_steps": 300, "n_jobs": 1}


def measure(n_networks, n_units, n_steps, n_jobs):
    """Seconds and the highest memory in use, in MiB, of spectra of so many GRUs.

    Of the seconds, "recording" are those in which networks are run to see what drives them, which
    the process does that hands out the work.
    """
    import resource

    import torch

    from lyapsk import LyapunovSpectrumTransformer
    from lyapsk.nets import Options, Sequences, pose

    torch.set_num_threads(1)

    class Networks:
        """Made one by one, as from files."""

        def __len__(self):
            return n_networks

        def __getitem__(self, index):
            torch.manual_seed(index)
            return torch.nn.GRU(N_INPUTS, n_units, batch_first=True)

    X = torch.randn(N_SEQUENCES, n_steps, N_INPUTS, generator=torch.Generator().manual_seed(0))
    transformer = LyapunovSpectrumTransformer(X, n_jobs=n_jobs)
    transformer.fit_transform([Networks()[0]] * (2 * n_jobs))  # processes and imports are there
    start = time.perf_counter()
    transformer.fit_transform(Networks())
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    networks, some, sequences = Networks(), range(min(n_networks, 200)), Sequences(X)
    start = time.perf_counter()
    for index in some:
        pose(networks[index], sequences, Options.checked())
    recording = (time.perf_counter() - start) * n_networks / len(some)
    return {"seconds": seconds, "recording": recording, "MiB": peak}


def measured(case):
    """The same in a fresh process."""
    command = [sys.executable, __file__, "--case", json.dumps(case)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def varied(base, name, values):
    """Results by what is varied, and the growth exponents of time and memory."""
    rows = {f"{value:,}": measured({**base, name: value}) for value in values}
    logs = np.log([list(row.values()) for row in rows.values()])
    slopes = np.polyfit(np.log(values), logs, 1)[0]
    return rows | {"growth exponent": dict(zip(COLUMNS, slopes, strict=True))}


def section(networks, sizes, steps, small, larger):
    """The section of RESULTS.md."""
    *_, (n, largest), _ = networks.items()
    hours, recording = (
        MILLION / int(n.replace(",", "")) * largest[name] / 3600 for name in COLUMNS[:2]
    )

    def shown(rows):
        return table(rows, COLUMNS)

    return f"""## {HEADING}

`python benchmarks/scale.py`, {machine()}

GRUs along {N_SEQUENCES} sequences, whole spectra. "Recording" are the seconds in which networks \
are run to see what drives them, which one process does. The memory is the highest of that \
process, of which some 300 MiB are torch itself.

By networks, {SMALL["n_units"]} units, {SMALL["n_steps"]} steps, read one by one:

{shown(networks)}

By units, one network, {ONE["n_steps"]} steps:

{shown(sizes)}

By steps, one network, {ONE["n_units"]} units:

{shown(steps)}

By workers, 1,000 networks as in the first table:

{shown(small)}

By workers, {LARGER["n_networks"]} networks of {LARGER["n_units"]} units, {LARGER["n_steps"]} \
steps:

{shown(larger)}

A million networks as in the first table would take one core {60 * hours:.0f} minutes, \
{60 * recording:.0f} of them for recording. No cluster is faster than that: it pays for larger \
networks and longer sequences, or with the networks shared out among several runs with one \
`memory`.
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the smallest cases")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md")
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.case:
        print(json.dumps(measure(**given.case)))
        return
    part = slice(2 if given.quick else None)
    networks = varied(SMALL, "n_networks", NETWORKS[part])
    sizes, steps = varied(ONE, "n_units", SIZES[part]), varied(ONE, "n_steps", STEPS[part])
    thousand = SMALL | {"n_networks": 1000}
    small, larger = (
        {f"{n}": measured({**base, "n_jobs": n}) for n in (1, 2)} for base in (thousand, LARGER)
    )
    text = section(networks, sizes, steps, small, larger)
    print(text)
    if given.record:
        record(HEADING, text)


if __name__ == "__main__":
    main()
