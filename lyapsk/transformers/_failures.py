"""Rows for networks that could not be processed."""

import warnings

import numpy as np

from .._message import message_of
from ..exceptions import FailedNetworkWarning, InvalidInputError, LyapskError
from ..nets import failed


def attempt_each(function, entries, *, strict):
    """What a function makes of each entry, or its error, with the entry's position in front.

    An entry that is an error itself stays as it is. With ``strict`` the first error is raised.
    """
    results = list(entries)
    for position, entry in enumerate(entries):
        try:
            results[position] = entry if failed(entry) else function(entry)
        except LyapskError as error:
            results[position] = type(error)(f"network {position}: {error}")
            if strict:
                raise results[position] from error.__cause__
    return results


def succeeded(results):
    """The results that are no errors; there must be one."""
    done = [result for result in results if not failed(result)]
    if not done:
        raise InvalidInputError(f"X: none of {len(results)} networks can be used. {results[0]}")
    return done


def reported(results):
    """Warn of the errors among results.

    Returns
    -------
    results : list
        With None in the place of errors.
    failures : list of (int, LyapskError)
        Position and cause of each.
    """
    failures = [(i, result) for i, result in enumerate(results) if failed(result)]
    if failures:
        warnings.warn(_summary(failures, len(results)), FailedNetworkWarning, stacklevel=3)
    return [None if failed(result) else result for result in results], failures


def in_rows(features_of, results, n_features, error_score):
    """Features of the results, (n_results, n_features); ``error_score`` where one is None."""
    done = [index for index, result in enumerate(results) if result is not None]
    missing = np.nan if error_score == "raise" else error_score
    rows = np.full((len(results), n_features), float(missing))
    if done:
        rows[done] = features_of([results[index] for index in done])
    return rows


def _summary(failures, n_networks):
    causes = "; ".join(message_of(cause) for _, cause in failures[:3])
    more = f"; and {len(failures) - 3} more" if len(failures) > 3 else ""
    return (
        f"{len(failures)} of {n_networks} networks could not be processed; their rows hold "
        f"error_score. {causes}{more}. See failures_."
    )
