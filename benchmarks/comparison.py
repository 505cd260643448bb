"""How does lyapsk compare with published code and with general packages?

    python benchmarks/comparison.py [NAME ...] [--quick] [--record]

NAME is a table (published, henon, elman, series, networks, systems) or a row of one of the last
two, such as "dead"; without any, all tables. Packages that are not installed are left out, and the
output says so: pip install pynamicalsys lyapynov nolds neurokit2 jitcode jitcdde
"""

import argparse
import warnings
from importlib.metadata import version

import torch
from comparison_features import FEATURES, NETWORK_FEATURES, SYSTEM_FEATURES, answer, load
from comparison_lyapsk import Lyapsk
from comparison_measures import elman, henon, installed, published, series
from comparison_rivals import Jitcode, Lyapynov, Pynamicalsys
from report import machine, record, table

HEADING = "Comparison"
END = "<!-- end of the comparison -->"
COMMAND = "python benchmarks/comparison.py"
PACKAGES = ("lyapsk", "pynamicalsys", "lyapynov", "jitcode", "jitcdde", "nolds", "neurokit2")

PUBLISHED = "[published code](https://github.com/shlizee/LyapunovAutoEncode)"
READ_IN_PUBLISHED = {
    "layers": "of its own models",
    "cell": "no",
    "driven": "yes",
    "ragged": "no",
    "population": "no",
    "gpu": "yes",
    "errors": "spread over sequences",
    "running": "yes",
    "leading": "yes",
    "jacobian": "yes",
    "gradient": "no",
    "estimator": "no",
}
CHAOSTOOLS = "[ChaosTools.jl](https://juliadynamics.github.io/ChaosTools.jl/stable/)"
READ_IN_CHAOSTOOLS = {"maps": "yes", "odes": "yes", "indicators": "yes", "measured": "yes"}

HOW_FOUND = f"""\
`{COMMAND} WORD`, with the word in brackets, answers a row again. "Yes" is a run whose result was
checked; "no", that no public name or argument of the package speaks of it, or that a run gave
something else. Empty: not known."""
ABOUT_NETWORKS = f"{HOW_FOUND} The published code was read, not run."
ABOUT_SYSTEMS = """\
Found in the same way. ChaosTools.jl is written in Julia and was not run: its column is what its
documentation says of [exponents](https://juliadynamics.github.io/ChaosTools.jl/stable/lyapunovs/)
and of [indicators](https://juliadynamics.github.io/ChaosTools.jl/stable/chaos_detection/). nolds
and neurokit2 do the last row and no other."""


def feature_table(features, kinds, read_in, read):
    """One row for each feature, one column for each package."""
    rows = {}
    for feature in features:
        answers = {name: answer(package, feature) for name, package in installed(kinds).items()}
        answers[read_in] = read.get(feature, "")
        rows[f"{FEATURES[feature][0]} (`{feature}`)"] = answers
    return rows, [*installed(kinds), read_in]


def networks(_, features=NETWORK_FEATURES):
    kinds = (Lyapsk, Pynamicalsys, Lyapynov)
    return *feature_table(features, kinds, PUBLISHED, READ_IN_PUBLISHED), ABOUT_NETWORKS


def systems(_, features=SYSTEM_FEATURES):
    kinds = (Lyapsk, Pynamicalsys, Lyapynov, Jitcode)
    return *feature_table(features, kinds, CHAOSTOOLS, READ_IN_CHAOSTOOLS), ABOUT_SYSTEMS


TABLES = {
    "published": ("Published formulas", published),
    "elman": ("Networks driven by data", elman),
    "henon": ("A map of two dimensions", henon),
    "series": ("From a series alone", series),
    "networks": ("What each does for networks", networks),
    "systems": ("What each does for other systems", systems),
}
ROWS = {"networks": NETWORK_FEATURES, "systems": SYSTEM_FEATURES}


def versions():
    """Of all packages; of one that cannot be had, why."""
    for name in PACKAGES:
        package = load(name)
        yield package if isinstance(package, str) else f"{name} {version(name)}"


def sections(names, quick):
    """The tables that are asked for, each below its command."""
    for name, (title, make) in TABLES.items():
        some = [feature for feature in ROWS.get(name, ()) if feature in names]
        if names and name not in names and not some:
            continue
        rows, columns, about = make(quick, some) if some else make(quick)
        about = about.replace("\n", " ")
        yield f"### {title}\n\n`{COMMAND} {name}`\n\n{about}\n\n{table(rows, columns)}"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="tables or rows; default: all")
    parser.add_argument("--quick", action="store_true", help="a few minutes less, for trying")
    parser.add_argument("--record", action="store_true", help="write the section of RESULTS.md")
    parser.add_argument("--note", default="", help="a sentence on the machine, for the record")
    given = parser.parse_args()
    if unknown := set(given.names) - {*TABLES, *FEATURES}:
        parser.error(f"neither tables nor rows: {', '.join(sorted(unknown))}")
    if given.record and (given.names or given.quick):
        parser.error("--record takes all tables at full length")
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    run = f"`{COMMAND}`, {machine()}, one thread; {', '.join(versions())}. {given.note}".rstrip()
    text = "\n\n".join([f"## {HEADING}", run, *sections(given.names, given.quick), END])
    print(text)
    if given.record:
        record(HEADING, text)


if __name__ == "__main__":
    main()
