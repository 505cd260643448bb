"""A net's recurrent layer, and what its data and its loss make of it."""

from ..nets import around, refresh_weights, undisturbed
from ..tangent import dynamics_of
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
    options : Options

    Attributes
    ----------
    net : skorch net
    module : nn.Module
        Its plain module.
    layer : recurrent layer or cell
        Of one direction, with finite weights.
    dynamics : Stack
        Of ``layer``.
    """

    def __init__(self, net, layer, options):
        self.net = net
        self.module, self.layer = module_and_layer(net, layer)
        with undisturbed(net):
            refresh_weights(self.layer)
            self.dynamics = dynamics_of(self.layer, dtype=options.dtype, device=options.device)

    def readings(self, X, y):
        """List the ``Reading`` of each batch of the net's own iterator."""
        return self.over_batches(self._read, X, y)

    def readings_and_gradients(self, X, y):
        """The same, and the gradient of each batch by autograd."""
        both = self.over_batches(lambda *batch: (self._read(*batch), self._gradient(*batch)), X, y)
        return tuple(map(list, zip(*both, strict=True)))

    def over_batches(self, function, X, y, *, needs_targets=True):
        """List ``function(X, y)`` of each batch, with the net in eval mode and left as it was."""
        dataset = dataset_of(self.net, X, y, needs_targets=needs_targets)
        with undisturbed(self.net), around(self.net, self.module):
            return [function(*batch) for batch in batches(self.net, dataset)]

    def _read(self, X, y):
        return read(self.net, self.layer, self.dynamics, X, y)

    def _gradient(self, X, y):
        return autograd_gradient(self.net, self.layer, self.dynamics, X, y)
