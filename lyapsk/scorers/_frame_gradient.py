"""The gradient of a net's loss, through the frames of its recurrent layer."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from .._checks import check_count
from .._message import counted
from ..spectrum import follow_adjoint, follow_frame, frame_coordinates
from ..tangent import named_gradients
from ._means import nan_mean, standard_error_of_mean
from ._readings import in_parts, joined
from ._source import Source


@dataclass(frozen=True, eq=False)
class FrameGradient:
    """The gradient of a net's loss, written in the frames of its recurrent layer.

    With the loss's own state gradients ``g_t``, the adjoint is ``delta_s = Q_s a_s``, where
    ``a_s = Q_s^T g_s + R_{s+1}^T a_{s+1}``. Steps after the end of a shorter sequence hold NaN.

    Attributes
    ----------
    weights : dict of str to ndarray of shape (n_sequences, ...)
        Gradient with respect to the layer's weights, by torch's names and in its shapes; weights
        that act on outputs beside the states are left out. Summed over the sequences of a batch it
        is the gradient of the net's own loss of that batch.
    adjoint : ndarray of shape (n_sequences, n_steps, n)
        ``delta_s``, the gradient with respect to the state after step s.
    coordinates : ndarray of shape (n_sequences, n_steps, n_directions)
        ``a_s``, from the fastest-growing direction on.
    share : ndarray of shape (n_directions,)
        Of the recurrent weights' gradient G, what the q leading directions carry:
        ``<G_q, G> / <G, G>`` with the truncated gradient ``G_q``; mean over sequences. 1 for
        all n directions; it may leave [0, 1] on the way, where directions oppose each other.
    share_error : ndarray of shape (n_directions,)
        Standard error of ``share``, from the spread over sequences; infinite for fewer than two.
    share_per_step : ndarray of shape (n_steps, n_directions)
        Of each step's adjoint, what the q leading directions carry: ``|a_s[:q]|^2 / |delta_s|^2``,
        mean over sequences.
    error : float
        Distance between the sum of ``weights`` and the gradient by autograd, relative to the
        latter. For as many directions as the state has it is rounding error: about 1e-14 for a
        net in float64 and 1e-6 in float32, growing with the gradient where a network is chaotic.
        More says that the loss reaches the layer by a way that its states do not show, such as
        outputs that are fed back as inputs, or a penalty on the weights.

    See Also
    --------
    lyapsk.frame_gradient : Computes it.
    """

    weights: dict[str, np.ndarray]
    adjoint: np.ndarray
    coordinates: np.ndarray
    share: np.ndarray
    share_error: np.ndarray
    share_per_step: np.ndarray
    error: float

    def __repr__(self):
        n_sequences, n_steps, n = self.adjoint.shape
        return (
            f"FrameGradient({self.coordinates.shape[-1]} of {n} directions carry "
            f"{self.share[-1]:.4g} of the gradient, relative distance to autograd "
            f"{self.error:.2g}, from {counted(n_sequences, 'sequence')}, {n_steps} steps each)"
        )


@torch.inference_mode(mode=False)
def frame_gradient(
    net, X, y=None, *, n_directions=None, layer=None, random_state=None, device=None
):
    """Gradient of a net's own loss from ``Q``, ``R`` and the loss's state gradients.

    The net is run in eval mode, batch by batch as its own iterator collates them, and left as it
    was.

    Parameters
    ----------
    net : initialised or fitted skorch net
        With one recurrent layer of one direction, or one that ``layer`` names.
    X, y : whatever ``net.fit`` takes
        Sequences and targets, or a torch Dataset of both. Sequences that the module packs count
        over their own steps only.
    n_directions : int, optional
        Leading directions of the frame to keep, which truncates the gradient; by default all.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    random_state : int, RandomState or None, default=None
        Seeds the initial frame. None stands for one fixed frame.
    device : str or torch.device, optional
        Where frames are followed; by default a GPU where there is one, otherwise the CPU.

    Returns
    -------
    FrameGradient

    Raises
    ------
    InvalidInputError, InvalidTypeError, RecurrentLayerError, NotInitializedNetError
        Naming the argument, its value and what is allowed.
    NumericalError
        If a gradient is not finite.

    Notes
    -----
    Everything after the net's own forward runs in float64. Frames and factors of a few sequences
    are held at once: ``16 * n_steps * n * n_directions`` bytes for each sequence, and at least one.

    References
    ----------
    R. Vogt (2023), "Interpretation and Optimization of Recurrent Neural Network Performance
    Through Lyapunov Exponents Methodology", PhD thesis, University of Washington,
    hdl.handle.net/1773/50205.

    Examples
    --------
    >>> import numpy as np
    >>> from lyapsk import frame_gradient
    >>> from lyapsk.tasks import TASKS
    >>> task = TASKS["delayed_copy"]()
    >>> net = task.net("GRU", hidden_size=8).initialize()
    >>> gradient = frame_gradient(net, task.X_valid[:4], task.y_valid[:4])
    >>> gradient.share.shape
    (8,)
    >>> gradient.error < 1e-4
    True
    """
    source = Source(net, layer, random_state=random_state, device=device)
    n = source.dynamics.state_size
    if n_directions is not None:
        of_state = f" and at most the size of the full state, {n}"
        check_count("n_directions", n_directions, most=n, also=of_state)
    readings, gradients = source.readings_and_gradients(X, y)
    return gradient_in_frames(source, readings, gradients, source.frame(n_directions or n))


def gradient_in_frames(source, readings, gradients, frame):
    """The gradient of batches of sequences.

    Parameters
    ----------
    source : Source
    readings : list of Reading
        Of each batch.
    gradients : list of dict of str to Tensor
        Of each batch, by autograd.
    frame : Tensor of shape (k, n)
        Initial frame, by its columns.

    Returns
    -------
    FrameGradient
    """
    dynamics, layer = source.dynamics, source.layer
    follow = partial(_follow, dynamics, layer, frame)
    by_batch = in_parts(follow, readings, lambda r: r.inputs.shape[1] * frame.numel())
    followed = [part for parts in by_batch for part in parts]
    total = [
        {name: sum(part.weights[name].sum(0) for part in parts) for name in gradients[0]}
        for parts in by_batch
    ]
    adjoint, coordinates, per_step = (
        joined(getattr(part, name) for part in followed).cpu().numpy()
        for name in ("adjoint", "coordinates", "share_per_step")
    )
    share = torch.cat([part.share for part in followed]).cpu().numpy()
    return FrameGradient(
        weights={
            name: torch.cat([part.weights[name] for part in followed]).cpu().numpy()
            for name in gradients[0]
        },
        adjoint=adjoint,
        coordinates=coordinates,
        share=nan_mean(share),
        share_error=standard_error_of_mean(share),
        share_per_step=nan_mean(per_step),
        error=_relative_distance(total, gradients),
    )


@dataclass(frozen=True)
class _Part:
    """Of some sequences, what ``FrameGradient`` holds; the shares are those of each."""

    weights: dict
    adjoint: Tensor
    coordinates: Tensor
    share: Tensor
    share_per_step: Tensor


def _follow(dynamics, layer, frame, reading):
    drive, g = reading.drive, reading.state_gradients
    back = follow_adjoint(dynamics, drive, g, frame[:0], reading.lengths)
    ahead = follow_frame(dynamics, drive, frame, keep=("frames", "factors"))
    Q, R = ahead.frames[0], ahead.factors[0]
    a = frame_coordinates(Q, R, g)
    adjoint = (Q @ a.unsqueeze(-1)).squeeze(-1)
    gradient = dynamics.weight_gradient(back.before, reading.inputs, adjoint)
    outside = ~reading.within.unsqueeze(-1)
    return _Part(
        weights=named_gradients(layer, gradient),
        adjoint=adjoint.masked_fill(outside, torch.nan),
        coordinates=a.masked_fill(outside, torch.nan),
        share=_share(dynamics, reading, back, Q, a),
        share_per_step=a.square().cumsum(-1) / back.adjoint.square().sum(-1, keepdim=True),
    )


def _share(dynamics, reading, back, Q, a):
    """Cumulative ``<G_q, G> / <G, G>`` of each sequence, (n_sequences, k).

    ``<G_q, G>`` is the change of the truncated loss as the weights go along G: a sum over steps
    of the coordinates of the adjoint times those of where G takes the state.
    """
    dynamics = dynamics.with_recurrent_terms()
    G = dynamics.weight_gradient(back.before, reading.inputs, back.adjoint).recurrent
    pushed = dynamics.recurrent_tangent(back.before, reading.inputs, G)
    carried = (a * (Q.mT @ pushed.unsqueeze(-1)).squeeze(-1)).sum(1).cumsum(-1)
    return carried / sum(gradient.square().sum((1, 2)) for gradient in G).unsqueeze(-1)


def _relative_distance(total, gradients):
    """Of what the frames gave from what autograd gave, all weights and batches together."""
    pairs = [(own[name], g[name]) for own, g in zip(total, gradients, strict=True) for name in g]
    squares = [((own - g.to(own)).norm() ** 2, g.to(own).norm() ** 2) for own, g in pairs]
    distance, norm = (float(sum(column)) ** 0.5 for column in zip(*squares, strict=True))
    return distance / norm if norm > 0 else distance
