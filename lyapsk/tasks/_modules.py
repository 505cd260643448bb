"""Networks that learn the tasks."""

from torch import nn

from ..exceptions import InvalidInputError

_LAYERS = {"RNN": nn.RNN, "GRU": nn.GRU, "LSTM": nn.LSTM}


class SequenceClassifier(nn.Module):
    """One recurrent layer, and a linear read-out from its last hidden state.

    Parameters
    ----------
    kind : {"RNN", "GRU", "LSTM"}, default="LSTM"
        Recurrent layer; "RNN" is the tanh network of Elman.
    hidden_size : int, default=32
        Number of hidden units.
    n_inputs, n_classes : int, default=1 and 10
        Width of one step of the input, and of the output.
    half_width : float or None, default=None
        Recurrent weights are drawn uniformly from ``[-half_width, half_width]``; None leaves
        them as torch draws them, with a half-width of ``1 / sqrt(hidden_size)``.

    Examples
    --------
    >>> import torch
    >>> from lyapsk.tasks import SequenceClassifier
    >>> SequenceClassifier("GRU", hidden_size=8)(torch.zeros(5, 64, 1)).shape
    torch.Size([5, 10])
    """

    def __init__(self, kind="LSTM", hidden_size=32, n_inputs=1, n_classes=10, half_width=None):
        super().__init__()
        if kind not in _LAYERS:
            raise InvalidInputError(f"kind={kind!r}: choose one of {', '.join(_LAYERS)}.")
        self.recurrent = _LAYERS[kind](n_inputs, hidden_size, batch_first=True)
        self.readout = nn.Linear(hidden_size, n_classes)
        if half_width is not None:
            nn.init.uniform_(self.recurrent.weight_hh_l0, -half_width, half_width)

    def forward(self, X):
        """Logits (n_sequences, n_classes) of X (n_sequences, n_steps, n_inputs)."""
        hidden, _ = self.recurrent(X)
        return self.readout(hidden[:, -1])
