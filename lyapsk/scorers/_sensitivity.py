"""Is a network most sensitive to the inputs after which perturbations grow most?"""

import warnings
from functools import partial

import numpy as np
import torch
from sklearn.base import BaseEstimator
from skorch.dataset import get_len

from .._checks import check_choice, check_count, check_positive
from ..exceptions import LyapskWarning, NumericalError
from ..nets import recorded_calls
from ..spectrum import follow_frame, log_largest_singular_values, mean_growth_to_end
from ._changes import CHANGES, change_of
from ._perturbation import first_order_changes, sampled_changes
from ._readings import in_parts, infer, joined, recording_of
from ._sensitivity_result import GROWTHS, InputSensitivity
from ._source import Source


class InputSensitivityScorer(BaseEstimator):
    """Rank correlation of a net's sensitivity to each input with the growth that follows it.

    What reaches the recurrent layer is perturbed at one step at a time, by the same Gaussian draws
    at every step, and the change of the net's answer is measured. Its rank correlation over the
    steps of a sequence with the growth of perturbations from that step to the end, averaged over
    sequences, is the score. In any network that forgets, late inputs matter more: the rank
    correlation with the step's position alone is the control that stands beside it in
    :meth:`analyze`.

    It is a scorer: pass it as ``scoring=`` to scikit-learn's model selection over skorch nets, or
    to :class:`skorch.callbacks.EpochScoring`. The net is run in eval mode and left as it was.

    Parameters
    ----------
    growth : {"finite_time_exponent", "singular_value"}, default="finite_time_exponent"
        Growth that the score is about: the mean growth of the leading direction over the steps
        that follow, or the logarithm of the largest singular value of their Jacobians' product.
    size : float, default=0.1
        Standard deviation of the perturbation of each input, in the units of what reaches the
        layer (after embedding and scaling by the module).
    n_draws : int, default=8
        Perturbations of each step. With 0, nothing is sampled: the exact changes to first order
        are scored.
    output : {"auto", "probabilities", "values", "loss"}, default="auto"
        What of the net's answer counts: Kullback-Leibler divergence of class probabilities,
        squared distance of outputs, or squared change of each sequence's own loss. ``"auto"`` is
        ``"probabilities"`` for classifiers and nets with a criterion of classes, and ``"values"``
        for all others. The axis of classes is the one that the targets lack, where targets are
        given; else torch's second, or the last where net or criterion reshape the answer.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    random_state : int, RandomState or None, default=0
        Seeds the perturbations and the initial frame.
    device : str or torch.device, optional
        Where frames are followed; by default a GPU where there is one, otherwise the CPU.
    verbose : int, default=0
        With 1, a progress bar on stderr.

    See Also
    --------
    GradientAlignmentScorer : Where the gradient points.
    LyapunovSpectrum.finite_time_exponents : The growth alone, without perturbing anything.

    Notes
    -----
    The net reads ``n_steps * n_draws`` perturbed copies of each sequence, 1,024 at once. The
    changes to first order take one pass back through the net for each number of its answer
    instead, which for one answer to a sequence is far cheaper; :meth:`analyze` does both. Where
    a net in float32 forgets an input by more than about seven digits, the sampled change is that
    of rounding; ``agreement`` of the two is then far above 1, and the first order is to be trusted.

    References
    ----------
    R. Vogt (2023), "Interpretation and Optimization of Recurrent Neural Network Performance
    Through Lyapunov Exponents Methodology", PhD thesis, University of Washington,
    hdl.handle.net/1773/50205.

    Examples
    --------
    >>> from lyapsk import InputSensitivityScorer
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> net = task.net("GRU", hidden_size=8).initialize()
    >>> sensitivity = InputSensitivityScorer(n_draws=2).analyze(net, task.X_valid[:5])
    >>> sensitivity.sampled.shape
    (5, 8)
    >>> sensitivity.correlation("finite_time_exponent").shape
    (5,)
    """

    # skorch's EpochScoring names its column in the history after it.
    __name__ = "input_sensitivity"

    def __init__(
        self,
        *,
        growth="finite_time_exponent",
        size=0.1,
        n_draws=8,
        output="auto",
        layer=None,
        random_state=0,
        device=None,
        verbose=0,
    ):
        self.growth = growth
        self.size = size
        self.n_draws = n_draws
        self.output = output
        self.layer = layer
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    @torch.inference_mode(mode=False)
    def __call__(self, net, X, y=None):
        """Score of a net.

        Parameters
        ----------
        net, X, y
            As for :meth:`analyze`.

        Returns
        -------
        float
            Between -1 and 1. NaN, with a warning, if every sequence has fewer than three steps, or
            an answer that nothing changes.
        """
        first_order = self.n_draws == 0
        return self._analyzed(net, X, y, [self.growth], first_order=first_order).score

    @torch.inference_mode(mode=False)
    def analyze(self, net, X, y=None):
        """The score with the arrays behind it.

        Parameters
        ----------
        net : initialised or fitted skorch net
            With one recurrent layer of one direction, or one that ``layer`` names.
        X : whatever ``net.fit`` takes
            Sequences, or a torch Dataset. Sequences that the module packs count over their own
            steps only.
        y : whatever ``net.fit`` takes, optional
            Targets, which only ``output="loss"`` needs.

        Returns
        -------
        InputSensitivity

        Raises
        ------
        InvalidInputError, InvalidTypeError, RecurrentLayerError, NotInitializedNetError
            Naming the argument, its value and what is allowed.
        NumericalError
            If states or answers are not finite.
        """
        return self._analyzed(net, X, y, GROWTHS, first_order=True)

    def _analyzed(self, net, X, y, growths, *, first_order):
        self._check()
        source = Source(net, self.layer, random_state=self.random_state, device=self.device)
        change = change_of(net, self.output)
        rng = np.random.default_rng(source.options.seed)
        measured = source.over_batches(
            partial(self._of_batch, source, change, rng, first_order),
            X,
            y,
            needs_targets=self.output == "loss",
        )
        recordings, sampled, exact = zip(*measured, strict=True)
        sensitivity = InputSensitivity.from_changes(
            joined(sampled).permute(2, 0, 1).numpy() if self.n_draws else None,
            joined(exact).numpy() if first_order else None,
            _growths(source, recordings, growths),
            self.growth,
        )
        _warn_of_missing(sensitivity.correlation("position"))
        return sensitivity

    def _check(self):
        check_choice("growth", self.growth, GROWTHS)
        check_choice("output", self.output, ("auto", *CHANGES))
        check_positive("size", self.size, also=", in the units of what reaches the recurrent layer")
        check_count("n_draws", self.n_draws, least=0)

    def _of_batch(self, source, change, rng, first_order, X, y):
        """What drives the layer, sampled changes and those to first order, NaN after the end."""
        with recorded_calls(source.layer) as calls:
            infer(source.net, X)
        recording = recording_of(source.layer, source.dynamics, calls, get_len(X))
        outside = ~recording.within.cpu()
        sampled = exact = None
        if self.n_draws:
            n_sequences, _, n_inputs = recording.inputs.shape
            # Sequence by sequence, so that batches do not matter.
            draws = rng.normal(0, self.size, size=(n_sequences, self.n_draws, n_inputs))
            draws = torch.as_tensor(draws).transpose(0, 1)
            sampled = sampled_changes(
                source, change, recording, X, y, draws, verbose=self.verbose
            ).cpu()
            sampled = sampled.masked_fill(outside, torch.nan).permute(1, 2, 0)
        if first_order:
            exact = self.size**2 * first_order_changes(source, change, X, y).cpu()
            exact = exact.masked_fill(outside, torch.nan)
        return recording, sampled, exact


def _growths(source, recordings, names):
    """By name, the growth that follows each step of each sequence, (n_sequences, n_steps)."""
    frame = source.frame(source.dynamics.state_size if "singular_value" in names else 1)
    follow = partial(_growths_of, source.dynamics, frame, names)
    by_batch = in_parts(follow, recordings, lambda r: r.inputs.shape[1] * frame.numel())
    followed = [part for parts in by_batch for part in parts]
    return {name: joined(part[name] for part in followed).numpy() for name in followed[0]}


def _growths_of(dynamics, frame, names, recording):
    followed = follow_frame(dynamics, recording.drive, frame, keep=("growth", "factors"))
    within = recording.within
    failed = followed.failed_step[0]
    if ((failed >= 0) & (failed < recording.lengths)).any():
        raise NumericalError(
            "net: the state of its recurrent layer is not finite from step "
            f"{int(failed[failed >= 0].min())} of a sequence on: the network explodes. Use fewer "
            "steps, smaller inputs or smaller weights."
        )
    leading = followed.history[0, :, :, 0].cpu().numpy()
    found = {"step_growth": leading}
    if "finite_time_exponent" in names:
        found["finite_time_exponent"] = mean_growth_to_end(leading, recording.lengths.cpu())
    if "singular_value" in names:
        R = followed.factors[0]
        identity = torch.eye(R.shape[-1], dtype=R.dtype, device=R.device)
        following = torch.where(within[..., None, None], R, identity)
        found["singular_value"] = log_largest_singular_values(following).cpu().numpy()
    outside = ~within.cpu()
    return {name: torch.as_tensor(v).masked_fill(outside, torch.nan) for name, v in found.items()}


def _warn_of_missing(correlations):
    n_missing = int(np.isnan(correlations).sum())
    if n_missing:
        warnings.warn(
            f"{n_missing} of {len(correlations)} sequences have no rank correlation and are left "
            "out: they have fewer than three steps, or nothing changes the answer to them.",
            LyapskWarning,
            stacklevel=4,
        )
