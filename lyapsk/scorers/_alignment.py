"""Does the gradient point where the network's perturbations grow fastest?"""

import warnings
from functools import partial
from itertools import chain

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch.nn.functional import pad

from .._checks import check_choice, check_count
from ..exceptions import LyapskWarning
from ._checks import check_counts, check_length
from ._directions import adjoint_side, state_side
from ._frame_gradient import gradient_in_frames
from ._readings import in_parts, joined
from ._result import GradientAlignment
from ._source import Source

_SIDES = {"state": state_side, "adjoint": adjoint_side}

_FAR = 0.01
"""Relative distance to autograd from which on there is a warning."""


class GradientAlignmentScorer(BaseEstimator):
    """Overlap of the loss gradient with the fastest-growing directions of the state.

    For each sequence, let the rows of ``V_m`` be the ``n_singular`` leading right singular vectors
    of the gradient of the net's own loss with respect to the recurrent weights; they live where
    ``h_{s-1}`` lives. Let ``Q_q`` be the ``n_directions`` leading columns of the frame
    ``Q_{s-1}``, from ``J_t Q_{t-1} = Q_t R_t``, before step ``s``. Their overlap
    ``||V_m Q_q||_F^2 / n_singular``, averaged over steps and sequences, is scaled so that 0 is
    the chance level ``n_directions / n`` and 1 is containment.

    With ``side="adjoint"`` the same is done where the adjoint ``delta_s`` lives, the gradient of
    the loss with respect to the state after step ``s``: the leading left singular vectors of
    ``sum_s delta_s h_{s-1}^T`` against the backward frame ``P_s``, from
    ``J_{s+1}^T P_{s+1} = P_s R`` run from the end.

    It is a scorer: pass it as ``scoring=`` to scikit-learn's model selection over skorch nets, or
    to :class:`skorch.callbacks.EpochScoring` with ``lower_is_better=False``. The net is run in
    eval mode and left as it was.

    Parameters
    ----------
    n_directions : int, optional
        Leading directions of the frame, fewer than the size ``n`` of the full state: all of them
        contain every vector. By default 5, or ``n - 1`` where that is fewer.
    n_singular : int, default=2
        Leading singular vectors of the gradient. Where a gradient has a smaller rank, the
        average is over those that it has.
    side : {"state", "adjoint"}, default="state"
        Which singular vectors and which frame are compared, see above.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    warmup : int, default=1
        Steps that align the frame and are left out of the averages, at the start of each
        sequence, for the adjoint's side at its end; the gradient is always that of the whole
        sequence. The frame before the first step, or at the end, is random and scores chance.
    random_state : int, RandomState or None, default=None
        Seeds the initial frame. None stands for one fixed frame.
    device : str or torch.device, optional
        Where the frame is followed; by default a GPU where there is one, otherwise the CPU.

    See Also
    --------
    lyapunov_spectrum : How fast the directions grow.

    Notes
    -----
    The gradients of stacked layers' ``weight_hh`` are taken as the blocks of one block-diagonal
    matrix: each singular vector lies in the ``h`` of one layer, with zeros elsewhere (also in the
    cell of an LSTM). The frame is followed in float64 whatever the net's own precision; where a
    direction of it has died, the mean over all that could stand in its place counts.

    Sequences go through the net and its loss in the batches of its own iterator, and back as far
    as the recurrent layer, whose states are then followed in float64. A call takes as long as some
    twenty training steps on the same sequences, so a few dozen of them are enough in a training
    loop; :meth:`analyze` follows frames of all directions as well. Only there is the gradient held
    against autograd's, and a warning given where they differ: because outputs are fed back, the
    loss depends on the weights directly, or chaos makes another trajectory of rounding errors.

    References
    ----------
    R. Vogt (2023), "Interpretation and Optimization of Recurrent Neural Network Performance
    Through Lyapunov Exponents Methodology", PhD thesis, University of Washington,
    hdl.handle.net/1773/50205.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> from lyapsk import GradientAlignmentScorer
    >>> from lyapsk.tasks import SequenceNetwork
    >>> _ = torch.manual_seed(0)
    >>> net = NeuralNetClassifier(
    ...     SequenceNetwork,
    ...     module__hidden_size=8,
    ...     module__n_outputs=2,
    ...     criterion=torch.nn.CrossEntropyLoss,
    ... ).initialize()
    >>> X = np.random.default_rng(0).normal(size=(20, 10, 1)).astype("float32")
    >>> y = (X[:, -1, 0] > 0).astype(int)
    >>> scorer = GradientAlignmentScorer(n_directions=3)
    >>> alignment = scorer.analyze(net, X, y)
    >>> alignment.overlaps.shape
    (9, 3, 2)
    >>> scorer(net, X, y) == alignment.score
    True
    """

    def __init__(
        self,
        *,
        n_directions=None,
        n_singular=2,
        side="state",
        layer=None,
        warmup=1,
        random_state=None,
        device=None,
    ):
        self.n_directions = n_directions
        self.n_singular = n_singular
        self.side = side
        self.layer = layer
        self.warmup = warmup
        self.random_state = random_state
        self.device = device

    @property
    def __name__(self):
        """What skorch's EpochScoring calls its column in the history."""
        return "gradient_alignment" if self.side == "state" else "adjoint_alignment"

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
            0 is chance, 1 is containment. NaN, with a warning, if all gradients are zero.
        """
        source = self._source(net)
        overlaps = self._overlaps(source, source.readings(X, y))
        alignment = GradientAlignment.from_overlaps(overlaps, source.dynamics.state_size)
        _warn_of_zero_gradients(alignment.per_sequence)
        return alignment.score

    @torch.inference_mode(mode=False)
    def analyze(self, net, X, y=None):
        """The score with the arrays behind it.

        Parameters
        ----------
        net : initialised or fitted skorch net
            With one recurrent layer of one direction, or one that ``layer`` names: of torch, of
            :mod:`lyapsk.nn`, or of your own. Where layers have no recurrent matrices, the
            gradient is that of a term ``W s`` added to the new state, with ``W`` zero.
        X : whatever ``net.fit`` takes
            Sequences, or a torch Dataset of sequences and their targets. Sequences that the
            module packs count over their own steps only.
        y : whatever ``net.fit`` takes, optional
            Targets; only a Dataset does without.

        Returns
        -------
        GradientAlignment

        Raises
        ------
        InvalidInputError, InvalidTypeError, RecurrentLayerError, NotInitializedNetError
            Naming the argument, its value and what is allowed.
        NumericalError
            If a gradient is not finite.
        """
        source = self._source(net)
        n = source.dynamics.state_size
        readings, gradients = source.readings_and_gradients(X, y)
        overlaps = self._overlaps(source, readings)
        gradient = gradient_in_frames(source, readings, gradients, source.frame(n))
        alignment = GradientAlignment.from_overlaps(overlaps, n, gradient)
        _warn_of_zero_gradients(alignment.per_sequence)
        _warn_of_distance(gradient.error)
        return alignment

    def _source(self, net):
        check_count("warmup", self.warmup, least=0)
        check_choice("side", self.side, _SIDES)
        source = Source(net, self.layer, random_state=self.random_state, device=self.device)
        check_counts(self._n_directions(source), self.n_singular, source.dynamics)
        return source

    def _n_directions(self, source):
        usual = usual_directions(source.dynamics.state_size)
        return usual if self.n_directions is None else self.n_directions

    def _overlaps(self, source, readings):
        """Overlaps (n_sequences, n_steps, q, m) without the warm-up, NaN where there are none."""
        for reading in readings:
            check_length(reading.lengths, self.warmup)
        frame = source.frame(self._n_directions(source))
        follow = partial(self._overlaps_of, source.dynamics, frame)
        overlaps = joined(chain(*in_parts(follow, readings, partial(_numbers_each, frame))))
        if self.side == "state":
            return overlaps[:, self.warmup :]
        return overlaps[:, : overlaps.shape[1] - self.warmup]

    def _overlaps_of(self, dynamics, frame, reading):
        overlaps = _SIDES[self.side](dynamics, reading, frame, self.n_singular)
        used = reading.within
        if self.side == "adjoint":
            # Those that have as many steps more, as the warm-up asks, before their end.
            used = pad(used, (0, self.warmup))[:, self.warmup :]
        return overlaps.masked_fill(~used[..., None, None], torch.nan)


def usual_directions(state_size):
    """How many directions are looked at where nobody says: fewer than there are."""
    return max(1, min(5, state_size - 1))


def _numbers_each(frame, reading):
    """Numbers for each sequence in frames and in the gradient of the recurrent weights."""
    n_steps, n = reading.state_gradients.shape[1:]
    return n * max(4 * n, n_steps * len(frame))


def _warn_of_zero_gradients(per_sequence):
    n_zero = int(np.isnan(per_sequence).sum())
    if n_zero:
        score = ", so that the score is NaN" if n_zero == len(per_sequence) else ""
        warnings.warn(
            f"The gradient of the recurrent weights is exactly zero for {n_zero} of "
            f"{len(per_sequence)} sequences, which are left out of the averages{score}. Their "
            "loss is already zero in the net's precision, or does not depend on these weights.",
            LyapskWarning,
            stacklevel=3,
        )


def _warn_of_distance(error):
    if not error <= _FAR:
        warnings.warn(
            f"The gradient through the frames is {error:.2g} away from autograd's, relative to it. "
            "Either the loss depends on the recurrent layer in a way that its states do not show, "
            "which the alignment leaves out: outputs that are fed back as inputs, or a penalty on "
            "the weights. Or the network is so chaotic that rounding errors lead elsewhere: use "
            "fewer steps.",
            LyapskWarning,
            stacklevel=3,
        )
