"""Does the gradient point where the network's perturbations grow fastest?"""

import warnings

import numpy as np
import torch
from sklearn.base import BaseEstimator

from ..exceptions import LyapskWarning
from ..nets import Options, around, recorded_calls, undisturbed
from ..spectrum import initial_frame
from ..tangent import dynamics_of
from ._checks import check_counts, check_length, module_and_layer
from ._directions import frame_overlaps, leading_right_vectors
from ._driven import drive_of
from ._gradients import backpropagate
from ._result import GradientAlignment
from ._sequences import dataset_of, single_sequences

# Numbers in the frames, or in one step's Jacobians, of the sequences that run together.
_ENTRIES = 2**22


class GradientAlignmentScorer(BaseEstimator):
    """Overlap of the loss gradient with the fastest-growing directions of the state.

    For each sequence, let the rows of ``V_m`` be the ``n_singular`` leading right singular vectors
    of the gradient of the net's own loss with respect to the recurrent weights; they live where
    ``h_{s-1}`` lives. Let ``Q_q`` be the ``n_directions`` leading columns of the frame
    ``Q_{s-1}``, from ``J_t Q_{t-1} = Q_t R_t``, before step ``s``. Their overlap
    ``||V_m Q_q||_F^2 / n_singular``, averaged over steps and sequences, is scaled so that 0 is
    the chance level ``n_directions / n`` and 1 is containment.

    It is a scorer: pass it as ``scoring=`` to scikit-learn's model selection over skorch nets, or
    to :class:`skorch.callbacks.EpochScoring`. The net is run in eval mode and left as it was.

    Parameters
    ----------
    n_directions : int, default=5
        Leading directions of the frame, fewer than the size ``n`` of the full state: all of them
        contain every vector.
    n_singular : int, default=2
        Leading right singular vectors of the gradient. Where a gradient has a smaller rank, the
        average is over those that it has.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    warmup : int, default=1
        Steps at the start of each sequence that align the frame and are left out of the averages;
        the gradient is always that of the whole sequence. The frame before the first step is
        random and scores chance.
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

    Each sequence goes through the net and back by itself, as a batch of one: a few milliseconds
    for a hundred steps. In a training loop a few dozen sequences are enough, as ``standard_error``
    tells.

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

    # skorch's EpochScoring names its column in the history after it.
    __name__ = "gradient_alignment"

    def __init__(
        self,
        *,
        n_directions=5,
        n_singular=2,
        layer=None,
        warmup=1,
        random_state=None,
        device=None,
    ):
        self.n_directions = n_directions
        self.n_singular = n_singular
        self.layer = layer
        self.warmup = warmup
        self.random_state = random_state
        self.device = device

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
        return self.analyze(net, X, y).score

    def analyze(self, net, X, y=None):
        """The score with the arrays behind it.

        Parameters
        ----------
        net : initialised or fitted skorch net
            With one recurrent layer, or one that ``layer`` names: ``torch.nn.RNN``, ``GRU`` or
            ``LSTM`` of one direction, or one of their cells.
        X : whatever ``net.fit`` takes
            Sequences of one length, or a torch Dataset of such sequences and their targets.
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
        options = Options.checked(
            warmup=self.warmup, random_state=self.random_state, device=self.device
        )
        module, layer = module_and_layer(net, self.layer)
        dynamics = dynamics_of(layer, dtype=options.dtype, device=options.device)
        check_counts(self.n_directions, self.n_singular, dynamics)
        dataset = dataset_of(net, X, y)
        with undisturbed(net), around(net, module):
            readings = self._read(net, layer, dynamics, dataset)
            overlaps = self._overlaps(dynamics, readings, options)
        alignment = GradientAlignment.from_overlaps(overlaps, dynamics.state_size)
        _warn_of_zero_gradients(alignment.per_sequence)
        return alignment

    def _read(self, net, layer, dynamics, dataset):
        """Initial states and inputs of the layer, and singular vectors, of all sequences."""
        n, like = dynamics.state_size, dynamics.cells[0].recurrent.weight
        readings = []
        for X, y in single_sequences(net, dataset):
            with recorded_calls(layer) as calls:
                gradients = backpropagate(net, layer, X, y)
            state, inputs = drive_of(layer, calls, state_size=n, like=like)
            first = readings[0][1] if readings else inputs
            check_length(len(inputs), len(first), self.warmup)
            vectors = leading_right_vectors(gradients, dynamics, self.n_singular)
            readings.append((state, inputs, vectors))
        return [torch.stack(column) for column in zip(*readings, strict=True)]

    def _overlaps(self, dynamics, readings, options):
        """Overlaps (n_sequences, n_steps, q, m) after the warm-up, a part at a time."""
        n, n_steps = dynamics.state_size, readings[1].shape[1]
        frame = initial_frame(
            n, self.n_directions, seed=options.seed, dtype=options.dtype, device=options.device
        )
        size = max(1, _ENTRIES // (n * max(n, n_steps * len(frame))))
        overlaps = [
            frame_overlaps(dynamics, state, inputs, frame, vectors)
            for state, inputs, vectors in zip(*(c.split(size) for c in readings), strict=True)
        ]
        return torch.cat(overlaps)[:, self.warmup :]


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
