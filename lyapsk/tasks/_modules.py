"""Networks that learn the tasks."""

from torch import nn

from .. import nn as own
from .._checks import check_choice, check_count, check_positive

LAYERS = {
    "RNN": nn.RNN,
    "GRU": nn.GRU,
    "LSTM": nn.LSTM,
    **{name: getattr(own, name) for name in own.__all__ if name != "RecurrentLayer"},
}


class SequenceNetwork(nn.Module):
    """One recurrent layer, and a linear read-out from its hidden states.

    Parameters
    ----------
    kind : str, default="LSTM"
        Recurrent layer: "RNN", which is the tanh network of Elman, "GRU", "LSTM", or the name of
        one of :mod:`lyapsk.nn`.
    hidden_size : int, default=32
        Number of hidden units.
    n_inputs, n_outputs : int, default=1
        Width of one step of the input, and of the output.
    half_width : float or None, default=None
        Recurrent weights are drawn uniformly from ``[-half_width, half_width]``; None leaves
        them as their layer draws them, torch's with a half-width of ``1 / sqrt(hidden_size)``.
        Layers without a free matrix of recurrent weights keep their own.
    read_from : int or None, default=None
        First step that is read out; a negative one counts from the end. None reads out the last
        step alone.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.tasks import SequenceNetwork
    >>> X = torch.zeros(5, 64, 1)
    >>> SequenceNetwork("GRU", hidden_size=8, n_outputs=10)(X).shape
    torch.Size([5, 10])
    >>> SequenceNetwork("GRU", hidden_size=8, read_from=20)(X).shape
    torch.Size([5, 44, 1])
    """

    def __init__(
        self,
        kind="LSTM",
        hidden_size=32,
        n_inputs=1,
        n_outputs=1,
        half_width=None,
        read_from=None,
    ):
        super().__init__()
        check_kind("kind", kind)
        check_count("hidden_size", hidden_size)
        self.read_from = read_from
        self.recurrent = LAYERS[kind](n_inputs, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, n_outputs)
        if half_width is not None:
            check_positive("half_width", half_width)
            free = dict(self.recurrent.named_parameters()).get("weight_hh_l0")
            if free is not None and free.ndim == 2:
                nn.init.uniform_(free, -half_width, half_width)

    def forward(self, X):
        """Outputs for X (n_sequences, n_steps, n_inputs).

        Returns
        -------
        Tensor of shape (n_sequences, n_outputs) or (n_sequences, n_steps_read, n_outputs)
        """
        hidden, _ = self.recurrent(X)
        if self.read_from is None:
            return self.readout(hidden[:, -1])
        return self.readout(hidden[:, self.read_from :])

    def extra_repr(self):
        """What the parts do not show."""
        return f"read_from={self.read_from}"


def check_kind(name, kind):
    """Refuse a kind of layer that there is not."""
    check_choice(name, kind, tuple(LAYERS))
