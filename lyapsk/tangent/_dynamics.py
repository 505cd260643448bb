"""What the frame iteration asks of a one-step map."""

from abc import ABC, abstractmethod


class Dynamics(ABC):
    """One-step map ``s_t = F(s_{t-1}, x_t)`` of ``n_networks`` networks of one shape.

    Arrays carry the networks in front: states are (n_networks, n_sequences, n), inputs are
    (n_networks, n_sequences, n_inputs), and a frame ``Q`` (n, k) is held by its columns as
    tangent vectors (n_networks, n_sequences, k, n), so that each is one run of memory.

    Attributes
    ----------
    state_size : int
        The number ``n`` of entries of the full state.
    """

    by_autograd = False
    """Whether steps are differentiated by torch.func, for which torch 2.6 gives zeros in inference
    mode."""

    is_diagonal = False
    """Whether ``log_growth`` tells the growth of every direction without a frame."""

    @property
    @abstractmethod
    def shape(self):
        """Hashable; dynamics of equal shape may be joined by ``concatenate``."""

    @classmethod
    @abstractmethod
    def concatenate(cls, parts):
        """Join the networks of dynamics of one ``shape``."""

    @abstractmethod
    def linearize(self, state, inputs):
        """Take several steps and return them with their derivatives.

        Parameters
        ----------
        state : Tensor of shape (n_networks, n_sequences, n)
            ``s_{t-1}``.
        inputs : Tensor of shape (n_steps, n_networks, n_sequences, n_inputs), or list of None
            What drives each step.

        Returns
        -------
        states : Tensor of shape (n_steps, n_networks, n_sequences, n)
            The state after each step.
        push : callable
            ``push(step, v, out)`` writes ``J v`` of one of these steps, the first being 0, for
            tangents ``v`` to ``out``, both (n_networks, n_sequences, k, n).
        """
