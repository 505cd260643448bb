"""What the layers share: torch's conventions around the cells that they are made of."""

from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from .._checks import check_count
from ..exceptions import InvalidInputError
from ..tangent import Kind, register_kind


class RecurrentLayer(nn.Module, ABC):
    """Stacked recurrent layers of one direction, with the conventions of ``torch.nn.RNN``.

    Its forward takes steps with the very cells that spectra are taken of, made of the weights as
    they are at that moment.

    Parameters
    ----------
    input_size : int
        Width of the inputs.
    hidden_size : int
        Units of each layer, and width of the outputs.
    num_layers : int, default=1
        Layers, each of which reads the outputs of the one below.
    bias : bool, default=True
        Whether there are biases.
    batch_first : bool, default=False
        Whether inputs and outputs are (n_sequences, n_steps, ...) instead of (n_steps,
        n_sequences, ...).
    device, dtype
        Of the weights.
    constants : dict, optional
        What makes up the dynamics of a derived class beside its weights, kept as attributes.
    """

    n_parts = 1
    """Tensors that make up the state: 2 where it is a pair."""

    def __init__(
        self,
        input_size,
        hidden_size,
        num_layers=1,
        bias=True,
        batch_first=False,
        *,
        device=None,
        dtype=None,
        constants=None,
    ):
        super().__init__()
        self.input_size = check_count("input_size", input_size)
        self.hidden_size = check_count("hidden_size", hidden_size)
        self.num_layers = check_count("num_layers", num_layers)
        self.bias = bool(bias)
        self.batch_first = bool(batch_first)
        self._constants = tuple(constants or ())
        vars(self).update(constants or {})
        for index in range(num_layers):
            width = hidden_size if index else input_size
            for name, shape in self.shapes(width).items():
                weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
                self.register_parameter(f"{name}_l{index}", weight)
        self.reset_parameters()

    def shapes(self, width):
        """Shapes of one layer's weights by name, for inputs of a width."""
        n = self.hidden_size
        bias = {"bias": (n,)} if self.bias else {}
        return {"weight_ih": (n, width), "weight_hh": (n, n)} | bias

    @abstractmethod
    def cell(self, weights):
        """The cell that one layer's weights make up.

        Parameters
        ----------
        weights : dict of str to Tensor of shape (n_networks, ...)
            By the names in ``shapes``.

        Returns
        -------
        Cell
        """

    @torch.no_grad()
    def reset_parameters(self):
        """Draw all weights anew."""
        for index in range(self.num_layers):
            self.reset_layer(_of_layer(_KIND.weights(self), index))

    def reset_layer(self, weights):
        """Draw one layer's weights, given by name: uniformly within ``1 / sqrt(hidden_size)``."""
        for weight in weights.values():
            nn.init.uniform_(weight, -(self.hidden_size**-0.5), self.hidden_size**-0.5)

    def forward(self, input, hx=None):
        """Follow sequences.

        Parameters
        ----------
        input : Tensor or PackedSequence
            Of shape (n_steps, n_sequences, input_size), with ``batch_first`` (n_sequences,
            n_steps, input_size), or (n_steps, input_size) of one sequence.
        hx : Tensor of shape (num_layers, n_sequences, hidden_size), optional
            States to start from, of a pair of parts a tuple of two such tensors; without the
            sequences where the input is of one. By default zero.

        Returns
        -------
        output : Tensor or PackedSequence
            In the layout of ``input``, ``hidden_size`` wide.
        hx : Tensor or tuple of Tensor
            Each sequence's last states.
        """
        x, lengths = self._steps_first(input)
        alone = not isinstance(input, PackedSequence) and input.ndim == 2
        starts = self._starts(hx, x, alone)
        inputs, lasts = x.unsqueeze(1), []
        for cell, start in zip(self._live_cells(), starts, strict=True):
            states = cell.follow(start.unsqueeze(0), inputs)
            inputs = cell.output(states, inputs)
            lasts.append(states[lengths - 1, 0, torch.arange(x.shape[1], device=x.device)])
        parts = torch.stack(lasts).chunk(self.n_parts, -1)
        parts = tuple(part.squeeze(1) for part in parts) if alone else parts
        return self._laid_out(inputs[:, 0], input, lengths), self._alone_or_tuple(parts)

    def extra_repr(self):
        """Sizes, and what differs from the defaults."""
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = {"num_layers": 1, "bias": True, "batch_first": False}
        shown = {n: getattr(self, n) for n, d in defaults.items() if getattr(self, n) != d}
        shown |= {name: getattr(self, name) for name in self._constants}
        return ", ".join([text, *(f"{name}={value}" for name, value in shown.items())])

    def _live_cells(self):
        weights = {name: w.unsqueeze(0) for name, w in _KIND.weights(self).items()}
        return [cell for (cell,) in _KIND.cells(self, weights)]

    def _steps_first(self, input):
        """Inputs (n_steps, n_sequences, input_size) and lengths (n_sequences,)."""
        if isinstance(input, PackedSequence):
            x, lengths = pad_packed_sequence(input)
            lengths = lengths.to(x.device)
        else:
            if input.ndim not in (2, 3):
                raise InvalidInputError(
                    f"input: got shape {tuple(input.shape)}. It must have two or three dimensions."
                )
            x = input.unsqueeze(1) if input.ndim == 2 else input
            x = x.transpose(0, 1) if self.batch_first and input.ndim == 3 else x
            lengths = torch.full((x.shape[1],), len(x), device=x.device)
        if x.shape[-1] != self.input_size or not len(x):
            raise InvalidInputError(
                f"input: got shape {tuple(x.shape)} as (n_steps, n_sequences, n_inputs). There "
                f"must be at least one step, of {self.input_size} inputs."
            )
        self._check_dtype("input", x)
        return x, lengths

    def _starts(self, hx, x, alone):
        """Full states (n_sequences, n) that the layers start from."""
        if hx is None:
            return x.new_zeros(self.num_layers, x.shape[1], self.n_parts * self.hidden_size)
        parts = hx if isinstance(hx, tuple | list) else (hx,)
        n_sequences = () if alone else (x.shape[1],)
        shape = (self.num_layers, *n_sequences, self.hidden_size)
        if len(parts) != self.n_parts or any(part.shape != shape for part in parts):
            named = (
                "(num_layers, hidden_size)" if alone else "(num_layers, n_sequences, hidden_size)"
            )
            raise InvalidInputError(
                f"hx: got shapes {[tuple(part.shape) for part in parts]}. There must be "
                f"{self.n_parts} of shape {named}, here {shape}."
            )
        self._check_dtype("hx", *parts)
        starts = torch.cat(parts, -1)
        return starts.unsqueeze(1) if alone else starts

    def _check_dtype(self, name, *tensors):
        """Refuse tensors that the weights cannot be multiplied with."""
        expected = next(self.parameters()).dtype
        for tensor in tensors:
            mixed = torch.is_autocast_enabled(tensor.device.type)
            if tensor.dtype != expected and not mixed:
                raise InvalidInputError(
                    f"{name}: got {tensor.dtype}. It must be {expected} as the weights: "
                    f"convert it with .to({expected})."
                )

    def _laid_out(self, outputs, input, lengths):
        """Outputs (n_steps, n_sequences, ...) in the layout of the input."""
        if isinstance(input, PackedSequence):
            in_order = input.sorted_indices is None
            return pack_padded_sequence(outputs, lengths.cpu(), enforce_sorted=in_order)
        if input.ndim == 2:
            return outputs[:, 0]
        return outputs.transpose(0, 1) if self.batch_first else outputs

    def _alone_or_tuple(self, parts):
        return parts[0] if self.n_parts == 1 else tuple(parts)


class _LayerKind(Kind):
    """Every ``RecurrentLayer``."""

    def weights(self, layer):
        # The weights' names say which layer's they are; a parametrized one goes by its own name.
        names = [f"{n}_l{i}" for i in range(layer.num_layers) for n in layer.shapes(1)]
        return {name: getattr(layer, name) for name in names}

    def cells(self, layer, weights):
        each = (_of_layer(weights, index) for index in range(layer.num_layers))
        return [(layer.cell(own),) for own in each]


def _of_layer(weights, index):
    """One layer's weights by the names in ``shapes``, from all layers' by theirs."""
    end = f"_l{index}"
    return {name.removesuffix(end): w for name, w in weights.items() if name.endswith(end)}


_KIND = _LayerKind()
register_kind(RecurrentLayer, _KIND)
