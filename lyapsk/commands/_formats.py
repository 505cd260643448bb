"""Results as text, JSON and CSV."""

import json
import math

import numpy as np

from ..report._csv import to_csv


def to_json(values):
    """Strict JSON of dicts, lists, arrays and numbers, as ``ON_JSON`` tells."""
    return json.dumps(_plain(values), indent=2, allow_nan=False)


def _plain(value):
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else f"{'-' if value < 0 else ''}Infinity"
    return value


def spectrum_as_json(spectrum):
    """All numbers of a spectrum as a dict."""
    return {
        "state_size": spectrum.state_size,
        "n_sequences": len(spectrum.per_sequence),
        "n_steps": spectrum.n_steps,
        "n_positive": spectrum.n_positive,
        "kaplan_yorke_dimension": spectrum.kaplan_yorke_dimension,
        "entropy_rate": spectrum.entropy_rate,
        "gradient_horizon": spectrum.gradient_horizon,
        "tol": spectrum.tol,
        "exponents": spectrum.exponents,
        "standard_error": spectrum.standard_error,
        "drift": spectrum.drift,
        "settled": spectrum.converged,
        "layers": spectrum.layers,
        "per_sequence": spectrum.per_sequence,
    }


def spectrum_as_csv(spectrum):
    """One row for each exponent, as text."""
    columns = {
        "rank": range(1, len(spectrum.exponents) + 1),
        "exponent": spectrum.exponents,
        "standard_error": spectrum.standard_error,
        "drift": spectrum.drift,
        "settled": spectrum.converged,
    }
    if spectrum.layers is not None:
        columns["layer"] = spectrum.layers
    return to_csv(columns).decode().rstrip("\n")


def spectrum_as_table(spectrum):
    """The spectrum as people read it."""
    shortest, longest = int(spectrum.n_steps.min()), int(spectrum.n_steps.max())
    heads = {
        "state size": spectrum.state_size,
        "exponents": f"{len(spectrum.exponents)}, of which positive {spectrum.n_positive}",
        "steps": longest if shortest == longest else f"{shortest} to {longest}",
        "sequences": len(spectrum.per_sequence),
        "Kaplan-Yorke dimension": f"{spectrum.kaplan_yorke_dimension:.4g}",
        "entropy rate": f"{spectrum.entropy_rate:.4g} nats per step",
        "gradient horizon": f"{spectrum.gradient_horizon:.4g} steps",
    }
    lines = [f"{name:<24} {value}" for name, value in heads.items()]
    has_layers = spectrum.layers is not None
    lines += ["", f"rank    exponent  std. error  settled{'  layer' * has_layers}"]
    for rank, exponent in enumerate(spectrum.exponents):
        settled = "yes" if spectrum.converged[rank] else "no"
        line = f"{rank + 1:>4}  {exponent:>10.5f}  {spectrum.standard_error[rank]:>10.2g}"
        layer = f"  {spectrum.layers[rank]}" if has_layers else ""
        lines.append(f"{line}  {settled:<7}{layer}".rstrip())
    return "\n".join(lines)
