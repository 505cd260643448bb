"""Watch gradient and growth line up as a network trains."""

from ..nets import state_size
from ..scorers import GradientAlignmentScorer, InputSensitivityScorer, frame_gradient
from ..scorers._alignment import usual_directions
from ._monitor import Monitor


class AlignmentMonitor(Monitor):
    """Record alignment, gradient share and input sensitivity in the history of a net.

    After each chosen epoch, and once before the first, the same few sequences are read, and five
    numbers recorded: ``alignment_state`` and ``alignment_adjoint``, the scores of
    :class:`~lyapsk.GradientAlignmentScorer` on both sides; ``gradient_share``, what the leading
    directions carry of the recurrent weights' gradient; ``input_sensitivity``, the score of
    :class:`~lyapsk.InputSensitivityScorer`; and ``alignment_dur``, the seconds that this took.
    Epochs that are not chosen hold NaN. Net and generators are left as they were, so that
    training goes on as it would have.

    Parameters
    ----------
    n_sequences : int, default=32
        Sequences that are read, drawn once from the validation data, or from the training data
        where there are no others.
    epochs : int, collection of int or "doubling", default=1
        Every how many epochs; after which, counted from 1; or after 1, 2, 4, 8 and so on.
    n_directions : int, optional
        Leading directions of the frame. By default 5, or one less than the state has.
    n_singular : int, default=2
        Leading singular vectors of the gradient.
    n_draws : int, default=0
        Perturbations of each input; 0 takes the exact changes to first order. These go back
        through the net once for each number of its answer: with answers at every step, 1 draw is
        cheaper.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    random_state : int, RandomState or None, default=0
        Draws the sequences.
    prefix : str, default=""
        Put before the names that are recorded, to tell those of several layers apart.

    Attributes
    ----------
    before_ : dict of str to float
        The numbers before the first epoch of the first ``fit``, under the same names.
    indices_ : ndarray of int
        Sequences that are read.

    Notes
    -----
    The cost is that of some seventy training steps on ``n_sequences`` sequences, whatever the
    size of the data; ``alignment_dur`` tells. An epoch after which the network cannot be read,
    because its training diverged, holds NaN and is warned of.

    Examples
    --------
    >>> from lyapsk.callbacks import AlignmentMonitor
    >>> from lyapsk.tasks import digits_by_rows
    >>> task = digits_by_rows()
    >>> monitor = AlignmentMonitor(n_sequences=8, epochs=2)
    >>> net = task.net("GRU", hidden_size=16, max_epochs=2, callbacks=[monitor])
    >>> net = net.fit(task.X_train, task.y_train)
    >>> sorted(monitor.before_) == sorted(monitor.names)
    True
    >>> [bool(score > -1) for score in net.history[:, "alignment_state"]]
    [False, True]
    """

    _names = (
        "alignment_state",
        "alignment_adjoint",
        "gradient_share",
        "input_sensitivity",
        "alignment_dur",
    )

    def __init__(
        self,
        *,
        n_sequences=32,
        epochs=1,
        n_directions=None,
        n_singular=2,
        n_draws=0,
        layer=None,
        random_state=0,
        prefix="",
    ):
        super().__init__(n_sequences, epochs, random_state, prefix)
        self.n_directions = n_directions
        self.n_singular = n_singular
        self.n_draws = n_draws
        self.layer = layer

    def read(self, net, dataset, epoch):
        """Scores of both sides, share and sensitivity."""
        usual = usual_directions(state_size(net, self.layer))
        n_directions = usual if self.n_directions is None else self.n_directions
        options = {"n_directions": n_directions, "layer": self.layer}
        state, adjoint = (
            GradientAlignmentScorer(side=side, n_singular=self.n_singular, **options)
            for side in ("state", "adjoint")
        )
        sensitivity = InputSensitivityScorer(n_draws=self.n_draws, layer=self.layer)
        return (
            state(net, dataset),
            adjoint(net, dataset),
            float(frame_gradient(net, dataset, **options).share[-1]),
            sensitivity(net, dataset),
        )
