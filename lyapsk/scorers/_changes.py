"""How far a net's answer has moved: Kullback-Leibler divergence, squared distance, or loss."""

from abc import ABC, abstractmethod
from functools import partial

import torch
from sklearn.base import is_classifier
from skorch import NeuralNetClassifier
from skorch.dataset import get_len
from skorch.utils import multi_indexing
from torch import nn
from torch.nn import functional as F

from ..exceptions import InvalidInputError, NumericalError
from ..nets import unwrapped
from ._sequences import loss_is_skorchs


class Change(ABC):
    """What of a net's answer is looked at, and by how much it changes.

    For a small perturbation the change is ``factor`` times the squared length of the change of
    ``coordinates``.
    """

    factor = 1.0

    def __init__(self, net):
        self._net = net

    def viewed(self, output, X, y):
        """``view`` of an answer that has a place for each sequence, and numbers in all.

        Raises
        ------
        InvalidInputError, NumericalError
        """
        first, n_rows = _first(output), get_len(X)
        if not first.ndim or len(first) != n_rows:
            raise InvalidInputError(
                f"output: the net's answer has the shape {tuple(first.shape)} for {n_rows} "
                "sequences. Its first axis must be that of the sequences."
            )
        view = self.view(output, X, y)
        if view.isnan().any():
            raise NumericalError(
                "net: its answers hold NaN. Look at its weights: a training that diverged leaves "
                "such a net."
            )
        return view

    @abstractmethod
    def view(self, output, X, y):
        """What is looked at of a batch, in float64 with the sequences in front."""

    @abstractmethod
    def between(self, before, after):
        """Change (n_sequences,) from one view to another."""

    @abstractmethod
    def coordinates(self, view):
        """Where the view is, (n_sequences, n_coordinates)."""


class OfValues(Change):
    """Squared distance, summed over all outputs of a sequence."""

    def view(self, output, X, y):
        return _first(output).double().flatten(1)

    def between(self, before, after):
        return (after - before).square().sum(1)

    def coordinates(self, view):
        return view


class OfProbabilities(Change):
    """Kullback-Leibler divergence ``sum p log(p / p')`` in nats, summed over answers.

    To second order in the perturbation it is half the Fisher metric of ``log p``.
    """

    factor = 0.5

    def view(self, output, X, y):
        return _log_probabilities(self._net, _first(output).double(), y).flatten(1)

    def between(self, before, after):
        # 0 log 0 is 0.
        terms = (before.exp() * (before - after)).where(~before.isneginf(), 0.0)
        return terms.sum(1).clamp(min=0)

    def coordinates(self, view):
        possible = ~view.isneginf()
        weights = view.detach().where(possible, 0.0).mul(0.5).exp() * possible
        return weights * view.where(possible, 0.0)


class OfLoss(OfValues):
    """Squared change of each sequence's own loss."""

    def view(self, output, X, y):
        return torch.stack([self._of_row(i, output, X, y) for i in range(get_len(X))])

    def _of_row(self, index, output, X, y):
        row = slice(index, index + 1)
        own = tuple(map(partial(_row, row), output)) if isinstance(output, tuple) else output[row]
        loss = self._net.get_loss(
            own, multi_indexing(y, row), X=multi_indexing(X, row), training=False
        )
        return loss.double().mean().reshape(1)


CHANGES = {"probabilities": OfProbabilities, "values": OfValues, "loss": OfLoss}


def change_of(net, output):
    """The ``Change`` that a user asks for; "auto" goes by the net's criterion."""
    if output == "auto":
        classes = nn.CrossEntropyLoss | nn.NLLLoss | nn.BCELoss | nn.BCEWithLogitsLoss
        by_class = isinstance(unwrapped(net.criterion_), classes) or is_classifier(net)
        output = "probabilities" if by_class else "values"
    return CHANGES[output](net)


def _log_probabilities(net, output, y):
    """Of what skorch and torch take a module's output for, with this criterion."""
    criterion = unwrapped(net.criterion_)
    if isinstance(criterion, nn.BCEWithLogitsLoss):
        return torch.stack([F.logsigmoid(output), F.logsigmoid(-output)], -1)
    if isinstance(criterion, nn.CrossEntropyLoss):
        return output.log_softmax(_class_axis(net, criterion, output, y))
    if isinstance(criterion, nn.NLLLoss) and not isinstance(net, NeuralNetClassifier):
        return output.log_softmax(_class_axis(net, criterion, output, y))
    if not ((output >= 0) & (output <= 1)).all():
        raise InvalidInputError(
            f"output: the net's answers are taken for probabilities, as its criterion "
            f"{type(criterion).__name__} asks, but range from {float(output.min()):.4g} to "
            f"{float(output.max()):.4g}. Use criterion=torch.nn.CrossEntropyLoss for a module that "
            "gives logits, or output='values' for squared distances."
        )
    if isinstance(criterion, nn.BCELoss):
        return torch.stack([output, 1 - output], -1).log()
    # Rounding must not pass for a change: float32 probabilities do not quite sum to 1.
    return (output / output.sum(-1, keepdim=True)).log()


def _class_axis(net, criterion, output, y):
    """The axis that targets lack; else torch's second, or the last for losses that reshape."""
    shape, of_y = tuple(output.shape), tuple(getattr(y, "shape", ()))
    lacking = [axis for axis in range(1, len(shape)) if shape[:axis] + shape[axis + 1 :] == of_y]
    if len(lacking) == 1:
        return lacking[0]
    kind = nn.CrossEntropyLoss if isinstance(criterion, nn.CrossEntropyLoss) else nn.NLLLoss
    reshapes = type(criterion).forward is not kind.forward or not loss_is_skorchs(net)
    return -1 if reshapes else 1


def _first(output):
    first = output[0] if isinstance(output, tuple | list) else output
    if not isinstance(first, torch.Tensor):
        raise InvalidInputError(
            f"output: the net's answer is of type {type(output).__name__}. It must be a tensor, or "
            "a tuple that starts with one."
        )
    return first


def _row(row, part):
    return part[row] if isinstance(part, torch.Tensor) and part.ndim else part
