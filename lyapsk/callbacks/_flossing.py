"""Gradient flossing: train a network's exponents before and while it learns its task."""

import time
from numbers import Real

import numpy as np
import torch
from torch.nn.utils import parametrize
from tqdm.auto import tqdm

from .._checks import check_count, check_positive, refusal
from ..exceptions import NumericalError
from ..nets import Options, Sequences, find_layer, module_of, pose, refresh_weights
from ..spectrum import differentiable_exponents, initial_frame
from ..tangent import attached_dynamics_of, dynamics_of
from ._epochs import DOUBLING, is_chosen, outside_of_epoch
from ._few import OfFewSequences


class GradientFlossing(OfFewSequences):
    """Drive the leading exponents of a net toward a target, so that gradients neither die nor grow.

    Before the first epoch, and again after chosen ones, a few updates of the recurrent layer's
    weights reduce the mean squared distance of the leading exponents to the target, by
    backpropagation through the frame iteration itself [1]_. Where there are updates after epochs,
    two numbers are recorded in the history, ``flossing_loss`` after the updates and
    ``flossing_dur``, their seconds; both are NaN in epochs without updates.

    Parameters
    ----------
    n_exponents : int, default=10
        Leading exponents that are driven, at most the size of the full state.
    target : float, default=0.0
        Nats per step.
    n_before : int, default=100
        Updates before the first epoch.
    n_during : int, default=0
        Updates after each chosen epoch.
    epochs : "doubling", int or collection of int, default="doubling"
        After epochs 1, 2, 4, 8 and so on; every how many epochs; or after which, counted from 1.
    learning_rate : float, default=0.003
        Step size of Adam, whose memory is kept from one update to the next.
    n_sequences : int, default=8
        Sequences to follow, drawn once from the training data.
    n_steps : int, optional
        Steps to follow: shorter than the sequences it cuts them, longer it joins them end to end.
        By default the sequences' own length. The first steps only turn the frame into the
        directions that grow, so a few dozen are better than a few.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    random_state : int, RandomState or None, default=0
        Draws the sequences, and a fresh initial frame for each update.

    Attributes
    ----------
    losses_ : list of float
        Before each update, and after the last of those before the first epoch.
    indices_ : ndarray of int
        Sequences that are followed.

    See Also
    --------
    LyapunovMonitor : Records the spectrum.

    Notes
    -----
    Of ten Elman networks with 80 units that copy items over a delay of 80 steps, eight learn it
    after flossing, ten with flossing in between, and none without. Orthogonal weights alone do as
    well over 40 steps, less well over 80. LSTMs gained nothing (``python benchmarks/flossing.py``).

    Everything but the weights themselves is in float64; where the net is verbose, a progress bar
    shows. Memory is that of about
    ``2 sqrt(n_steps)`` steps of ``n_sequences * n_exponents`` states. A direction that dies within
    a step, as among relu units, has no exponent to drive: NumericalError.

    References
    ----------
    .. [1] R. Engelken, "Gradient flossing: improving gradient descent through dynamic control of
       Jacobians", NeurIPS 2023, arXiv 2312.17306.

    Examples
    --------
    >>> from lyapsk.callbacks import GradientFlossing
    >>> from lyapsk.tasks import digits_by_rows
    >>> task, flossing = digits_by_rows(), GradientFlossing(4, n_before=40, n_steps=32)
    >>> net = task.net("RNN", hidden_size=16, max_epochs=1, callbacks=[flossing])
    >>> net = net.fit(task.X_train, task.y_train)
    >>> flossing.losses_[-1] < 0.3 * flossing.losses_[0]
    True
    """

    names = ("flossing_loss", "flossing_dur")

    def __init__(
        self,
        n_exponents=10,
        *,
        target=0.0,
        n_before=100,
        n_during=0,
        epochs=DOUBLING,
        learning_rate=0.003,
        n_sequences=8,
        n_steps=None,
        layer=None,
        random_state=0,
    ):
        super().__init__(n_sequences, epochs, random_state)
        self.n_exponents = n_exponents
        self.target = target
        self.n_before = n_before
        self.n_during = n_during
        self.learning_rate = learning_rate
        self.n_steps = n_steps
        self.layer = layer

    def initialize(self):
        """Forget what was done."""
        super().initialize()
        self.losses_ = []
        self._check()
        return self

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Floss before the first epoch."""
        if not self.losses_:
            with outside_of_epoch(net):
                self._floss(net, dataset_train, self.n_before)

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        """Floss after a chosen epoch."""
        if not self.n_during:
            return
        start, loss, seconds = time.perf_counter(), np.nan, np.nan
        if is_chosen(len(net.history), self.epochs):
            loss = self._floss(net, dataset_train, self.n_during)
            seconds = time.perf_counter() - start
        for name, value in zip(self.names, (loss, seconds), strict=True):
            net.history.record(name, value)

    def _floss(self, net, dataset, n_updates):
        """Update the weights so many times; the loss after the last."""
        layer = find_layer(module_of(net), self.layer)
        options = Options.checked(n_exponents=self.n_exponents, n_steps=self.n_steps)
        problem = pose(net, Sequences(self.few(dataset)), options, layer=self.layer)
        drives = [part.drive for part in problem.parts]
        optimizer = self._optimizer_of(list(layer.parameters()))
        gradients = [(p, p.grad) for p in layer.parameters()]
        try:
            for _ in tqdm(range(n_updates), desc="flossing", disable=not net.verbose):
                optimizer.zero_grad()
                self.losses_.append(self._backward(layer, drives, options))
                optimizer.step()
        finally:
            for parameter, gradient in gradients:
                parameter.grad = gradient
        refresh_weights(layer)
        self.losses_.append(
            self._loss(_dynamics(layer, options, dynamics_of), drives, options).item()
        )
        return self.losses_[-1]

    def _backward(self, layer, drives, options):
        """Loss now; its gradient goes to the layer's parameters."""
        with torch.enable_grad(), parametrize.cached():
            refresh_weights(layer)
            loss = self._loss(_dynamics(layer, options, attached_dynamics_of), drives, options)
            loss.backward()
        return loss.item()

    def _loss(self, dynamics, drives, options):
        """Mean squared distance of the leading exponents to the target."""
        # From a fresh frame each time: from one for all, its own directions alone would be driven.
        frame = initial_frame(
            dynamics.state_size,
            self.n_exponents,
            seed=int(self.rng_.randint(2**31 - 1)),
            dtype=options.dtype,
            device=options.device,
        )
        weights = [drive.state.shape[1] for drive in drives]
        exponents = sum(
            weight * differentiable_exponents(dynamics, drive, frame)
            for weight, drive in zip(weights, drives, strict=True)
        ) / sum(weights)
        if not exponents.isfinite().all():
            raise NumericalError(
                f"GradientFlossing: the leading exponents are {exponents.tolist()} nats per step. "
                "Those that are not finite cannot be driven: ask for fewer (n_exponents), or look "
                "for units that are never active."
            )
        return (exponents - self.target).square().mean()

    def _optimizer_of(self, parameters):
        """That of the last updates, unless the module was made anew in between."""
        last = getattr(self, "optimizer_", None)
        known = [] if last is None else last.param_groups[0]["params"]
        if list(map(id, known)) != list(map(id, parameters)):
            self.optimizer_ = torch.optim.Adam(parameters, lr=self.learning_rate)
        return self.optimizer_

    def _check(self):
        check_count("n_exponents", self.n_exponents)
        check_count("n_before", self.n_before, least=0)
        check_count("n_during", self.n_during, least=0)
        check_positive("learning_rate", self.learning_rate)
        if not (isinstance(self.target, Real) and np.isfinite(self.target)):
            raise refusal("target", self.target, "a finite number of nats per step")


def _dynamics(layer, options, of):
    return of(layer, dtype=options.dtype, device=options.device)
