"""Errors and warnings of lyapsk. Each error is also a built-in kind."""


class LyapskError(Exception):
    """Base of every error that lyapsk raises."""


class InvalidInputError(LyapskError, ValueError):
    """An argument has a value that is not allowed; the message names the remedy."""


class InvalidTypeError(LyapskError, TypeError):
    """An argument is of a kind that lyapsk cannot use; the message lists what it takes."""


class RecurrentLayerError(LyapskError, ValueError):
    """No recurrent layer, or more than one, was found where exactly one is needed."""


class NotInitializedNetError(LyapskError, ValueError, AttributeError):
    """A skorch net was passed before ``net.initialize()`` or ``net.fit()``."""


class NumericalError(LyapskError, ArithmeticError):
    """The computation met numbers that are not finite; the message names where."""


class ExhaustedMemoryError(LyapskError, MemoryError):
    """A network alone takes more memory than there is; the message says how to need less."""


class LyapskWarning(UserWarning):
    """Base of every warning that lyapsk issues."""


class FailedNetworkWarning(LyapskWarning):
    """Some networks of a list could not be processed; their rows hold ``error_score``."""


class InconsistentVersionWarning(LyapskWarning):
    """An estimator was written by a version of lyapsk that may give other numbers."""
