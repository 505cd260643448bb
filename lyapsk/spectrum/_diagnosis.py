"""What a spectrum says about a network, in plain words."""

from dataclasses import dataclass, field
from textwrap import fill

import numpy as np

from .._checks import check_count
from ..exceptions import InvalidTypeError
from ._derived import ROUNDING
from ._result import LyapunovSpectrum

CHAOTIC, FORGETTING = np.log(100.0), 10
"""Growth in nats over a sequence, and times that a sequence outlasts the horizon, to tell of."""
LOST = -5.0
"""Nats per step below which a direction is lost within a step, to less than a hundredth."""


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`diagnose` finds; ``print`` shows it as a text.

    Attributes
    ----------
    kind : {"stable", "chaotic", "forgetting", "dead"}
    summary : str
        What its state does, in one sentence.
    meaning : str
        What follows for training.
    advice : str
        What to do.
    remarks : tuple of str
        How sure this is, and how the layers differ, where there is something to say.
    numbers : dict
        By name, in nats per step where they are exponents: ``largest_exponent``,
        ``standard_error``, ``gradient_horizon`` in steps, ``growth`` (factor over a sequence),
        ``entropy_rate``, ``kaplan_yorke_dimension``, ``n_positive``, ``share_lost`` (of the
        exponents, those below -5), ``share_settled``, ``n_exponents``, ``state_size``,
        ``n_sequences``, ``n_steps`` of the sequences that this is told for; and ``layers``, for
        each layer its ``kind`` and ``largest_exponent``, or None where several layers share one
        frame.
    """

    kind: str
    summary: str
    meaning: str
    advice: str
    remarks: tuple = ()
    numbers: dict = field(default_factory=dict)

    def __str__(self):
        paragraphs = [
            f"Diagnosis: {self.kind}",
            self.summary,
            f"For training: {self.meaning}",
            f"What to do: {self.advice}",
            *self.remarks,
        ]
        text = "\n\n".join(fill(paragraph, 79) for paragraph in paragraphs)
        return f"{text}\n\n{_table(self.numbers)}" if self.numbers else text


def diagnose(spectrum, *, n_steps=None):
    """Say in plain words whether a network is stable, chaotic, forgetting or dead.

    A network is *dead* if no perturbation of its state outlives a step; *chaotic* if its largest
    exponent is positive by more than two standard errors and multiplies differences, and with
    them gradients, by more than 100 over a sequence; *forgetting* if its gradient horizon is less
    than a tenth of a sequence; *stable* otherwise.

    Parameters
    ----------
    spectrum : LyapunovSpectrum
    n_steps : int, optional
        Length of the sequences that the network is to work on; by default the longest that the
        spectrum was taken along. Set it for spectra along sequences that were joined.

    Returns
    -------
    Diagnosis

    Raises
    ------
    InvalidTypeError
        If `spectrum` is no LyapunovSpectrum.
    InvalidInputError
        If `n_steps` is no whole number of at least 1.

    See Also
    --------
    lyapsk.callbacks.LyapunovMonitor : Tells as a network trains.

    Examples
    --------
    >>> import torch
    >>> from lyapsk import diagnose, lyapunov_spectrum
    >>> layer = torch.nn.RNN(1, 8)
    >>> _ = torch.nn.init.orthogonal_(layer.weight_hh_l0, gain=0.1)
    >>> diagnosis = diagnose(lyapunov_spectrum(layer, torch.zeros(2, 100, 1)))
    >>> diagnosis.kind
    'forgetting'
    >>> bool(diagnosis.numbers["gradient_horizon"] < 1)
    True
    """
    if not isinstance(spectrum, LyapunovSpectrum):
        raise InvalidTypeError(
            f"spectrum: got {type(spectrum).__name__}. It must be a LyapunovSpectrum: pass what "
            "lyapunov_spectrum returns."
        )
    longest = int(spectrum.n_steps.max())
    n_steps = longest if n_steps is None else check_count("n_steps", n_steps)
    largest, error = float(spectrum.exponents[0]), float(spectrum.standard_error[0])
    kind = _kind(largest, error, n_steps)
    layers = _by_layer(spectrum, n_steps)
    summary, meaning, advice = _TEXTS[kind](largest, error, n_steps)
    return Diagnosis(
        kind=kind,
        summary=summary,
        meaning=meaning,
        advice=advice,
        remarks=(*_on_settling(spectrum, kind, n_steps), *_on_layers(layers)),
        numbers=_numbers(spectrum, n_steps, layers),
    )


def _kind(largest, error, n_steps):
    if np.isneginf(largest):
        return "dead"
    if largest > max(2 * error, CHAOTIC / n_steps):
        return "chaotic"
    return "forgetting" if largest < -FORGETTING / n_steps else "stable"


def _dead(largest, error, n_steps):
    return (
        "No perturbation of its state outlives a step.",
        "what it read before leaves no trace, and no gradient reaches an earlier step, so that "
        "it cannot learn anything that takes memory.",
        "Look for units that are saturated or never active: use smaller weights or inputs, or a "
        "smaller learning rate.",
    )


def _chaotic(largest, error, n_steps):
    return (
        f"Its largest exponent is {_measured(largest, error)} nats per step: small differences in "
        f"its state grow {_told(_factor(largest, n_steps))} times over the {n_steps} steps of a "
        "sequence.",
        "gradients grow as much, so that steps of the optimizer become wild, and what it answers "
        "hangs on the smallest details of its inputs.",
        "Use smaller recurrent weights, a smaller learning rate, or clip gradients.",
    )


def _forgetting(largest, error, n_steps):
    return (
        "Small differences in its state shrink by a factor of e every "
        f"{_told(-1 / largest)} steps, while sequences have {n_steps}.",
        f"{_faded(largest)}: training can hardly find what depends on it.",
        "Where the task needs a longer memory, use larger or orthogonal recurrent weights, or "
        "forget gates that start open (a positive bias).",
    )


def _stable(largest, error, n_steps):
    does = "grow" if largest > 0 else "shrink"
    changes = f"{does} {_told(_factor(abs(largest), n_steps))} times"
    if abs(largest) <= ROUNDING:
        changes = "neither grow nor shrink"
    if largest * n_steps > CHAOTIC:
        meaning = "whether gradients explode cannot be told, with so large an error."
        advice = "Take more steps."
    elif largest * n_steps < LOST:
        meaning = f"gradients do not explode, but {_faded(largest)}."
        advice = "Nothing, unless the task needs a longer memory."
    else:
        meaning = (
            "gradients neither explode nor vanish within a sequence, so that training can use all "
            "of it."
        )
        advice = "Nothing."
    return (
        f"Its largest exponent is {_measured(largest, error)} nats per step: over the {n_steps} "
        f"steps of a sequence small differences in its state {changes}.",
        meaning,
        advice,
    )


def _faded(largest):
    return (
        f"of what it read more than {_told(np.ceil(LOST / largest))} steps ago less than a "
        "hundredth is left, and so of the gradients"
    )


_TEXTS = {"dead": _dead, "chaotic": _chaotic, "forgetting": _forgetting, "stable": _stable}


def _on_settling(spectrum, kind, n_steps):
    """Whether more steps are needed, and whether they could change the diagnosis."""
    largest, error = float(spectrum.exponents[0]), float(spectrum.standard_error[0])
    if spectrum.converged[0]:
        return
    if np.isinf(error):
        yield "How sure this is cannot be told from so few steps: take more."
        return
    drift = float(spectrum.drift[0])
    total = int(spectrum.n_steps.sum())
    needed = total * (error / spectrum.tol) ** 2
    if error > spectrum.tol:
        bounds = {_kind(largest + sign * 2 * error, error, n_steps) for sign in (-1, 1)}
        yield (
            f"The largest exponent is not settled: its standard error is {error:.2g}. About "
            f"{_told(needed - total)} steps more than the {_told(total)} that were taken "
            f"would bring that to {spectrum.tol:g}. Within two standard errors the diagnosis "
            f"{'still stands' if bounds == {kind} else 'could yet change'}."
        )
    elif _kind(largest + drift, error, n_steps) != kind:
        yield (
            f"The largest exponent still drifts, by {drift:+.2g} nats per step from the first "
            "half of the steps to the second, and the diagnosis could yet change: leave the start "
            "out as warm-up, or take longer sequences."
        )


def _on_layers(layers):
    if layers and len(layers) > 1:
        told = ", ".join(
            f"{name} {own['kind']} ({own['largest_exponent']:.3g})" for name, own in layers.items()
        )
        yield f"Layer by layer, with the largest exponent of each: {told}."


def _by_layer(spectrum, n_steps):
    if spectrum.layers is None:
        return None
    layers = {}
    names = set(spectrum.layers.tolist())
    for name in sorted(names, key=lambda name: (len(name.partition("_")[0]), name)):
        first = int(np.flatnonzero(spectrum.layers == name)[0])
        largest, error = (float(a[first]) for a in (spectrum.exponents, spectrum.standard_error))
        layers[name] = {"kind": _kind(largest, error, n_steps), "largest_exponent": largest}
    return layers


def _numbers(spectrum, n_steps, layers):
    largest = float(spectrum.exponents[0])
    return {
        "largest_exponent": largest,
        "standard_error": float(spectrum.standard_error[0]),
        "gradient_horizon": float(spectrum.gradient_horizon),
        "growth": float(_factor(largest, n_steps)),
        "entropy_rate": spectrum.entropy_rate,
        "kaplan_yorke_dimension": spectrum.kaplan_yorke_dimension,
        "n_positive": spectrum.n_positive,
        "share_lost": float((spectrum.exponents < LOST).mean()),
        "share_settled": float(spectrum.converged.mean()),
        "n_exponents": len(spectrum.exponents),
        "state_size": int(spectrum.state_size),
        "n_sequences": len(spectrum.per_sequence),
        "n_steps": n_steps,
        "layers": layers,
    }


def _table(numbers):
    largest = _measured(numbers["largest_exponent"], numbers["standard_error"])
    taken = numbers["n_exponents"]
    rows = {
        "largest exponent": f"{largest} nats per step",
        "gradient horizon": f"{_told(numbers['gradient_horizon'], 3)} steps",
        "growth over a sequence": f"{_told(numbers['growth'])} times",
        "entropy rate": f"{numbers['entropy_rate']:.3g} nats per step",
        "Kaplan-Yorke dimension": f"{numbers['kaplan_yorke_dimension']:.3g}",
        "exponents": f"{taken} of {numbers['state_size']}",
        "positive": f"{numbers['n_positive']} of {taken}",
        "below -5 (lost in a step)": f"{100 * numbers['share_lost']:.0f} %",
        "settled": f"{100 * numbers['share_settled']:.0f} %",
        "sequences read": numbers["n_sequences"],
        "told for sequences of": f"{numbers['n_steps']} steps",
    }
    return "\n".join(f"{name:<26} {value}" for name, value in rows.items())


def _measured(largest, error):
    return f"{largest:.3g} ± {error:.1g}"


def _factor(exponent, n_steps):
    return np.exp(min(exponent * n_steps, 700.0))


def _told(number, digits=2):
    """With so many digits, and a power of ten only where that is easier to read."""
    rounded = float(f"{number:.{digits}g}")
    return f"{rounded:,.0f}" if 10**digits <= rounded < 1e7 else f"{rounded:.{digits}g}"
