"""Do random rate networks behave as theory says?

    python benchmarks/theory.py [--quick] [--record] [--jobs 2]

Random networks ``dh/dt = -h + J tanh(h)`` of 100, 200 and 400 units. Their largest exponent turns
positive at a coupling of g = 1 and grows with it as mean-field theory says, the more exactly the
larger they are (Sompolinsky, Crisanti and Sommers 1988). Their spectra over relative rank do not
depend on their size, so that dimension and entropy rate grow with it (Engelken, Wolf and Abbott
2023). Exponents are per unit of time.
"""

import argparse
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from mean_field import largest_exponent
from report import machine, record, table

from lyapsk import lyapunov_spectrum
from lyapsk._parallel import in_parallel, one_thread
from lyapsk._random import seeded
from lyapsk.nn import RateRNN

HEADING = "Theory"
FIGURE = Path(__file__).parents[1] / "docs" / "images" / "theory.png"
SIZES = (100, 200, 400)
GAINS = (0.5, 0.7, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 2.0, 3.0, 4.0)
CHAOTIC = 5.0
STEP_SIZE, WARMUP, N_STEPS = 0.1, 1000, 3000
N_DRAWS, N_SPECTRA = 8, 3
RANKS = np.linspace(0, 1, 101)


def spectrum(n, gain, seed, n_exponents, n_steps):
    """Of one random network without input, from a random state."""
    with one_thread(), seeded(seed):
        layer = RateRNN(1, n, bias=False, step_size=STEP_SIZE, gain=gain, dtype=torch.float64)
        state = torch.randn(n)
        return lyapunov_spectrum(
            layer,
            np.zeros((1, WARMUP + n_steps, 1)),
            initial_state=state,
            warmup=WARMUP,
            n_exponents=n_exponents,
        )


def mean_and_error(values):
    """Over the first axis; the error is that of the mean, from the spread over networks."""
    values = np.asarray(values)
    return values.mean(0), values.std(0, ddof=1) / len(values) ** 0.5


def largest_exponents(n_draws, jobs, n_steps):
    """Mean and error of the largest exponent, (n_gains,) each, by size."""
    cases = list(product(SIZES, GAINS, range(n_draws)))
    runs = in_parallel(
        lambda *case: spectrum(*case, 1, n_steps).exponents[0], cases, jobs, "largest exponents", 1
    )
    values = np.reshape(runs, (len(SIZES), len(GAINS), n_draws)) / STEP_SIZE
    return {n: mean_and_error(own.T) for n, own in zip(SIZES, values, strict=True)}


def whole_spectra(n_draws, jobs, n_steps):
    """List the spectra of strongly coupled networks, by size."""
    cases = list(product(SIZES[::-1], range(n_draws)))
    runs = in_parallel(
        lambda n, seed: spectrum(n, CHAOTIC, 100 + seed, None, n_steps), cases, jobs, "spectra", 1
    )
    return {n: [run for run in runs if run.state_size == n] for n in SIZES}


def over_rank(spectra):
    """Mean and error of exponents at each of ``RANKS``."""
    n = spectra[0].state_size
    ranks = (np.arange(n) + 0.5) / n
    return mean_and_error([np.interp(RANKS, ranks, s.exponents / STEP_SIZE) for s in spectra])


def crossing(means):
    """Coupling at which the largest exponent turns positive, between two that were tried."""
    after = int(np.argmax(means > 0))
    return float(np.interp(0, means[after - 1 : after + 1], GAINS[after - 1 : after + 1]))


def by_coupling(largest):
    """Where the largest exponent turns positive, and what it is then, by size and in theory."""
    shown = [g for g in GAINS if g >= 1.5]
    found = {}
    for n in SIZES:
        means, errors = largest[n]
        at = dict(zip(GAINS, zip(means, errors, strict=True), strict=True))
        found[f"{n} units"] = {"turns positive at g": crossing(means)} | {
            f"g = {g:g}": "{:.3f} ± {:.3f}".format(*at[g]) for g in shown
        }
    in_theory = {f"g = {g:g}": f"{largest_exponent(g):.3f}" for g in shown}
    return found | {
        "infinite, if errors halve": {
            f"g = {g:g}": "{:.3f} ± {:.3f}".format(*extrapolated(largest, GAINS.index(g)))
            for g in shown
        },
        "mean-field theory": {"turns positive at g": 1.0, **in_theory},
    }


def extrapolated(largest, gain):
    """The exponent of infinitely large networks, if twice the size is half as far from it."""
    (half, of_half), (whole, of_whole) = (
        [values[gain] for values in largest[n]] for n in SIZES[-2:]
    )
    return 2 * whole - half, np.hypot(2 * of_whole, of_half)


def by_size(spectra):
    """How far spectra over relative rank are from those of the largest networks."""
    reference, of_reference = over_rank(spectra[SIZES[-1]])
    found = {}
    for n in SIZES:
        own, error = over_rank(spectra[n])
        away = np.abs(own - reference).argmax()
        quantities = {
            "dimension / n": [s.kaplan_yorke_dimension / n for s in spectra[n]],
            "entropy rate / n": [s.entropy_rate / STEP_SIZE / n for s in spectra[n]],
        }
        both = np.hypot(error, of_reference)[away]
        found[f"{n} units"] = {
            f"farthest from {SIZES[-1]} units": f"{np.abs(own - reference)[away]:.3f} ± {both:.3f}"
        } | {k: "{:.4f} ± {:.4f}".format(*mean_and_error(v)) for k, v in quantities.items()}
    return found


def as_table(rows):
    return table(rows, list(next(iter(rows.values()))))


def draw(largest, spectra):
    """Largest exponent against coupling, and spectra over relative rank."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    below, above = np.linspace(GAINS[0], 1, 20), np.linspace(1.02, GAINS[-1], 20)
    left.axhline(0, color="0.8", linewidth=1)
    left.axvline(1, color="0.8", linewidth=1)
    at_rest = np.log(1 - STEP_SIZE + STEP_SIZE * below) / STEP_SIZE
    chaotic = [largest_exponent(g) for g in above]
    left.plot([*below, *above], [*at_rest, *chaotic], "k--", linewidth=1, label="mean-field theory")
    for n in SIZES:
        means, errors = largest[n]
        left.errorbar(GAINS, means, errors, marker=".", capsize=2, label=f"{n} units")
        own, error = over_rank(spectra[n])
        (line,) = right.plot(RANKS, own, label=f"{n} units")
        right.fill_between(RANKS, own - error, own + error, color=line.get_color(), alpha=0.3)
    left.set(xlabel="coupling g", ylabel="largest exponent, nats per unit of time")
    right.axhline(0, color="0.8", linewidth=1)
    right.set(xlabel="relative rank", ylabel="exponent, nats per unit of time")
    right.set_title(f"g = {CHAOTIC:g}", fontsize="medium")
    for axes in (left, right):
        axes.legend(frameon=False)
    figure.savefig(FIGURE, dpi=110)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="a minute, too short for conclusions")
    parser.add_argument("--record", action="store_true", help="write RESULTS.md and the figure")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    start, shorter = time.perf_counter(), 10 if given.quick else 1
    n_steps = N_STEPS // shorter
    n_draws, n_spectra = (2, 2) if given.quick else (N_DRAWS, N_SPECTRA)
    largest = largest_exponents(n_draws, given.jobs, n_steps)
    spectra = whole_spectra(n_spectra, given.jobs, n_steps)
    text = "\n\n".join(
        [
            f"## {HEADING}",
            f"`python benchmarks/theory.py`, {machine()}; "
            f"{time.perf_counter() - start:.0f} s. Figure: `docs/images/theory.png`.",
            "Largest exponent of random rate networks per unit of time, mean and standard error of "
            f"the mean over {n_draws} networks of each size and coupling.",
            as_table(by_coupling(largest)),
            f"Whole spectra over relative rank at g = {CHAOTIC:g}, of {n_spectra} networks of each "
            "size.",
            as_table(by_size(spectra)),
        ]
    )
    print(text)
    if given.record:
        record(HEADING, text)
        draw(largest, spectra)


if __name__ == "__main__":
    main()
