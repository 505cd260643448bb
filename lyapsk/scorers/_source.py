"""A net's recurrent layer, and what its data and its loss make of it."""

from ..nets import Options, around, refresh_weights, undisturbed
from ..spectrum import initial_frame
from ..tangent import dynamics_of, state_weights
from ._checks import module_and_layer
from ._readings import autograd_gradient, read
from ._sequences import batches, dataset_of


class Source:
    """A checked net.

    Parameters
    ----------
    net : initialised skorch net
    layer : str or None
        Name of the recurrent layer.
    random_state : int, RandomState or None
        Seeds the initial frame.
    device : str, torch.device or None
        Where frames are followed.

    Attributes
    ----------
    net : skorch net
    module : nn.Module
        Its plain module.
    layer : recurrent layer or cell
        Of one direction, with finite weights.
    dynamics : Stack
        Of ``layer``.
    options : Options
    """

    def __init__(self, net, layer, *, random_state, device):
        self.options = options = Options.checked(random_state=random_state, device=device)
        self.net = net
        self.module, self.layer = module_and_layer(net, layer)
        with undisturbed(net):
            refresh_weights(self.layer)
            self.dynamics = dynamics_of(self.layer, dtype=options.dtype, device=options.device)

    def frame(self, n_directions):
        """Initial frame (n_directions, n), by its columns."""
        return initial_frame(
            self.dynamics.state_size,
            n_directions,
            seed=self.options.seed,
            dtype=self.options.dtype,
            device=self.options.device,
        )

    def readings(self, X, y):
        """List the ``Reading`` of each batch of the net's own iterator."""
        return self.over_batches(self._read, X, y)

    def readings_and_gradients(self, X, y):
        """The same, and the gradient of each batch by autograd."""

        def both(*batch):
            reading = self._read(*batch)
            names = state_weights(self.layer, reading.state[0], reading.inputs[0, 0])
            return reading, autograd_gradient(self.net, self.layer, names, *batch)

        return tuple(map(list, zip(*self.over_batches(both, X, y), strict=True)))

    def over_batches(self, function, X, y, *, needs_targets=True):
        """List ``function(X, y)`` of each batch, with the net in eval mode and left as it was."""
        dataset = dataset_of(self.net, X, y, needs_targets=needs_targets)
        with undisturbed(self.net), around(self.net, self.module):
            return [function(*batch) for batch in batches(self.net, dataset)]

    def _read(self, X, y):
        return read(self.net, self.layer, self.dynamics, X, y)
