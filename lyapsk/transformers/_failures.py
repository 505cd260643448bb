"""Rows for networks that could not be processed."""

import warnings

import numpy as np

from ..exceptions import FailedNetworkWarning


def warn_of(failures, n_networks):
    """Warn of failures, (position, cause) each, if there are any."""
    if not failures:
        return
    causes = "; ".join(str(cause) for _, cause in failures[:3])
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    warnings.warn(
        f"{len(failures)} of {n_networks} networks could not be processed; their rows hold "
        f"error_score. {causes}{more}. See failures_.",
        FailedNetworkWarning,
        stacklevel=3,
    )


def in_rows(features_of, results, n_features, error_score):
    """Features of the results, (n_results, n_features); ``error_score`` where one is None."""
    done = [index for index, result in enumerate(results) if result is not None]
    missing = np.nan if error_score == "raise" else error_score
    rows = np.full((len(results), n_features), float(missing))
    if done:
        rows[done] = features_of([results[index] for index in done])
    return rows
