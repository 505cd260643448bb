"""The files of a report."""

from .._files import write_atomically
from ._csv import to_csv
from ._figures import overview_figure
from ._html import render
from ._tables import networks_table, scores_table, spectra_table


def write_report(outcomes, out, seed, left_out=()):
    """Write tables and pictures, and the report last.

    Parameters
    ----------
    outcomes : list of Outcome
    out : Path
        A directory that is there.
    seed : int
        That it was made with.
    left_out : sequence of str
        What is not in it, and why.
    """
    contents = {
        "results.csv": to_csv(networks_table(outcomes)),
        "spectra.csv": to_csv(spectra_table(outcomes)),
        "scores.csv": to_csv(scores_table(outcomes)),
        "overview.png": overview_figure(outcomes),
        "report.html": render(outcomes, seed, left_out),
    }
    for name, content in contents.items():
        write_atomically(out / name, content)
