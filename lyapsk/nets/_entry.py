"""The function that users call."""

import torch

from ..exceptions import LyapskError
from ._options import Options
from ._problem import is_function, pose
from ._progress import progress_bar, telling
from ._sequences import Sequences
from ._solve import solve


@torch.inference_mode(mode=False)
def lyapunov_spectrum(
    model,
    sequences=None,
    *,
    layer=None,
    initial_state=None,
    n_steps=None,
    n_exponents=None,
    warmup=0,
    method="auto",
    dtype="float64",
    device=None,
    keep=(),
    random_state=None,
    coupling="auto",
    tol=None,
    verbose=0,
):
    """Lyapunov exponents of a recurrent network along driving sequences.

    The network's own forward is run on ``sequences`` in eval mode, and what reaches its recurrent
    layer (after embedding, scaling and padding, with the initial state that the module passes in)
    drives the layer's full state: ``h`` of all layers, for LSTM ``(h, c)`` of all layers. An
    orthonormal frame is pushed along, ``J_t Q_{t-1} = Q_t R_t``; the exponents are the means of
    ``log abs diag R_t`` over steps and sequences. The model is left as it was.

    Parameters
    ----------
    model : skorch net, torch.nn.Module, recurrent layer, or callable
        An initialised or fitted net; a module with a ``torch.nn.RNN``, ``GRU`` or ``LSTM``, with
        one of their cells that its forward loops over the steps, with a layer of
        :mod:`lyapsk.nn`, or with one of your own (:func:`register_layer`); such a layer or cell
        itself; or a function ``step(state, x) -> state`` of torch operations that takes
        one state (n,) and one input (n_inputs,), for maps without inputs ``step(state)``.
    sequences : array-like or whatever the model's forward takes
        The driving sequences. For a bare layer or a step function always (n_sequences, n_steps,
        n_inputs), or a list of (n_steps, n_inputs) of unequal lengths, or packed. Sequences that
        are packed, or that come in a list, are each followed over their own steps only. A forward
        of several inputs takes them from a dict by their names, or a module's from a tuple; a
        list is one input.
    layer : str, optional
        Name of the recurrent layer, where the module has several.
    initial_state : array-like of shape (n_sequences, n) or (n,), optional
        Full states to start from: for each layer ``h``, for LSTM ``h`` then ``c``. By default
        where the model's own forward starts.
    n_steps : int, optional
        Length of the trajectories. Shorter than the sequences, it cuts them; longer, it joins as
        many sequences end to end as each trajectory needs and leaves out those that remain; where
        all together are too short, they start over, which takes nothing off the standard error
        that comes of their length. By default the sequences' own length.
    n_exponents : int, optional
        Number ``k`` of leading exponents; by default all ``n``. They are the first of all once the
        frame is aligned: over few steps later directions may grow more, see ``warmup``.
    warmup : int, default=0
        Steps at the start of each trajectory that align state and frame and are left out of the
        mean.
    method : {"auto", "lu", "qr"}, default="auto"
        How the frame is kept from collapsing. ``"qr"``, the reference, factors at every step.
        ``"lu"`` factors by elimination, as rarely as the frame's condition allows; it gives the
        same exponents faster, and more exactly where directions shrink by many orders of
        magnitude. ``"auto"`` takes ``"lu"`` unless growth or frames are kept or only a few
        exponents are asked for; of a single layer whose Jacobians are diagonal, as that of
        :class:`lyapsk.nn.LRU`, it reads the exponents off them, without any frame.
    dtype : {"float64", "float32"} or torch.dtype, default="float64"
        Of the whole computation, whatever the type of the weights. Directions that shrink within
        a step by more than about ``exp(-30)`` in float64, ``exp(-13)`` in float32, beside those
        that lead them are not told from dead ones: their exponent is minus infinity.
    device : str or torch.device, optional
        By default a GPU where there is one, otherwise the CPU; of a step function, which may hold
        tensors of its own, where its ``initial_state`` is.
    keep : collection of {"growth", "frames"}, default=()
        What to keep of every step.
    random_state : int, RandomState or None, default=None
        Seeds the initial frame. None stands for one fixed frame.
    coupling : {"auto", "full", "layers"}, default="auto"
        Whether stacked layers share one frame, or each has its own, driven by the layer below:
        several times cheaper, and tells which exponents belong to which layer. The exponents are
        the same in the long run. ``"auto"`` is ``"full"`` for layers of one direction and
        ``"layers"`` for bidirectional ones.
    tol : float, optional
        End as soon as the standard errors of all exponents are at most ``tol`` nats per step,
        after ``n_steps`` at the latest.
    verbose : int, default=0
        Above 0, progress is shown of what takes longer than two seconds.

    Returns
    -------
    LyapunovSpectrum

    Raises
    ------
    InvalidInputError, InvalidTypeError, RecurrentLayerError, NotInitializedNetError
        Before any long computation, naming the argument, its value and what is allowed.
    NumericalError
        If the network's state overflows, naming sequence and step.
    ExhaustedMemoryError
        If memory does not suffice even for one sequence at a time.

    See Also
    --------
    LyapunovSpectrumTransformer : The same for many networks, as features.

    Notes
    -----
    What reaches the layer is taken as given. Of a module that feeds its outputs back, as decoders
    do, these are the exponents of the layer driven by those inputs, and not of the closed loop: for
    that, pass the loop as a step function. Sequences are told, and ``initial_state`` is read, in
    the order in which they reach the layer. A step function must depend on what it is given alone.

    References
    ----------
    Benettin, Galgani, Giorgilli, Strelcyn (1980), Meccanica 15, 9.
    Vogt, Puelma Touzel, Shlizerman, Lajoie (2022), "On Lyapunov Exponents for RNNs",
    arXiv 2006.14123.

    Examples
    --------
    >>> import torch
    >>> from lyapsk import lyapunov_spectrum
    >>> _ = torch.manual_seed(0)
    >>> layer = torch.nn.LSTM(input_size=2, hidden_size=3)
    >>> spectrum = lyapunov_spectrum(layer, torch.randn(4, 50, 2))
    >>> spectrum.exponents.shape
    (6,)
    >>> spectrum.n_positive
    0
    """
    if device is None and is_function(model):
        device = initial_state.device if torch.is_tensor(initial_state) else "cpu"
    options = Options.checked(
        n_exponents=n_exponents,
        n_steps=n_steps,
        warmup=warmup,
        method=method,
        dtype=dtype,
        device=device,
        keep=keep,
        random_state=random_state,
        coupling=coupling,
        tol=tol,
    )
    problem = pose(model, Sequences(sequences), options, layer=layer, initial_state=initial_state)
    with progress_bar(1, verbose) as bar:
        (result,) = solve([problem], options, telling(bar))
        bar.update(1 - bar.n)  # an early end is an end
    if isinstance(result, LyapskError):
        raise result
    return result
