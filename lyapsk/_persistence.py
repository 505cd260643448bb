"""Estimators in files: plain data for exchange, and which version of lyapsk wrote them."""

import os
import re
import warnings
from copy import copy
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import get_scorer, get_scorer_names

from ._files import write_atomically
from ._message import message_of
from ._version import __version__
from .exceptions import InconsistentVersionWarning, InvalidInputError, InvalidTypeError

OWN_TYPES = (
    "lyapsk._persistence.HeldName",
    "lyapsk._persistence.HeldTensor",
    "lyapsk.aelle._autoencoder.PaperAutoencoder",
    "lyapsk.aelle._autoencoder.ResidualAutoencoders",
    "lyapsk.aelle._classifier.AeLLEClassifier",
    "lyapsk.aelle._blend.Blend",
    "lyapsk.aelle._kernel_head.KernelHead",
    "lyapsk.aelle._kernels.Exponential",
    "lyapsk.aelle._kernels.Linear",
    "lyapsk.aelle._regressor.AeLLERegressor",
    "lyapsk.aelle._scaling.WinsorizedScaler",
    "lyapsk.exceptions.ExhaustedMemoryError",
    "lyapsk.exceptions.InvalidInputError",
    "lyapsk.exceptions.InvalidTypeError",
    "lyapsk.exceptions.LyapskError",
    "lyapsk.exceptions.NotInitializedNetError",
    "lyapsk.exceptions.NumericalError",
    "lyapsk.exceptions.RecurrentLayerError",
    "lyapsk.spectrum._result.LyapunovSpectrum",
    "lyapsk.transformers._learning_curve.LearningCurveTransformer",
    "lyapsk.transformers._spectrum.LyapunovSpectrumTransformer",
    "lyapsk.transformers._statistics.SpectrumStatistics",
)
"""Data and arithmetic: none of them runs given code or opens a file as it is made or filled."""

SCIKIT_LEARN_TYPES = (
    "sklearn.metrics._scorer._PassthroughScorer",
    "sklearn.metrics._scorer._Scorer",
    "sklearn.model_selection._split.GroupKFold",
    "sklearn.model_selection._split.KFold",
    "sklearn.model_selection._split.LeaveOneOut",
    "sklearn.model_selection._split.RepeatedKFold",
    "sklearn.model_selection._split.RepeatedStratifiedKFold",
    "sklearn.model_selection._split.ShuffleSplit",
    "sklearn.model_selection._split.StratifiedKFold",
    "sklearn.model_selection._split.StratifiedShuffleSplit",
    "sklearn.utils._bunch.Bunch",
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
)
"""Parts of fitted searches and ensembles that skops does not trust by itself."""

OLDEST_SKOPS = "0.15"
"""Older ones import modules or call functions of numpy.random that a crafted file names."""

LEAVE = {"trusted": False, "memory": None}
"""Parameters that permit to unpickle, and how they are loaded whatever the file says."""

DTYPES = {str(value): value for value in vars(torch).values() if isinstance(value, torch.dtype)}

_SEAL = re.compile(rb"lyapsk ([\w.+-]{1,40}) ([0-9a-f]{64})\Z")


def save(estimator, path):
    """Save an estimator for exchange: a file that loads without trusting who wrote it.

    The file is there as a whole or not at all. It is in the format of skops and holds plain data
    only, with torch tensors as arrays, so that what was fitted on a GPU loads without one. It
    needs skops: ``pip install "lyapsk[skops]"``. For files that only you read pickle and joblib
    will do as well.

    Parameters
    ----------
    estimator : object
        An estimator or a :class:`LyapunovSpectrum` of lyapsk, fitted or not; one of scikit-learn
        that holds some, such as a pipeline or a search; or a list or dict of them.
    path : str or Path
        The file, such as ``"predictor.skops"``, replaced if it is there.

    Raises
    ------
    InvalidInputError
        If `estimator` holds anything that :func:`load` would refuse, a function of your own for
        example. Nothing is written then.
    ImportError
        If skops is missing or too old.

    See Also
    --------
    load : Load the file.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> import lyapsk
    >>> spectra = np.random.default_rng(0).normal(size=(20, 8))
    >>> aelle = lyapsk.AeLLERegressor(max_epochs=2, random_state=0).fit(spectra, spectra[:, 0])
    >>> with TemporaryDirectory() as directory:
    ...     path = Path(directory, "predictor.skops")
    ...     lyapsk.save(aelle, path)
    ...     loaded = lyapsk.load(path)
    >>> np.array_equal(loaded.predict(spectra), aelle.predict(spectra))
    True
    """
    io, path = _skops_io(), _path(path)
    try:
        content = io.dumps(estimator)
        _read(io, content)
    except Exception as error:
        raise InvalidInputError(
            f"estimator: {type(estimator).__name__} holds what is not known to be plain data. "
            "Leave that out, or keep the estimator with pickle or joblib in a file of your own. "
            f"({error})"
        ) from error
    try:
        write_atomically(path, _sealed(content))
    except (OSError, ValueError) as error:
        raise OSError(
            f"path: {path} cannot be written: {getattr(error, 'strerror', None) or error}. Give "
            "the path of a file in a directory that is there."
        ) from error


def load(path):
    """Load what :func:`save` wrote. Nothing in the file is run, whoever wrote it.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    object
        What was saved, on the CPU: it predicts and transforms to the same numbers.

    Raises
    ------
    InvalidInputError
        If the file is not one of :func:`save`, is damaged, or holds types beyond those of lyapsk,
        scikit-learn and numpy that are known to be plain data.
    ImportError
        If skops is missing or too old.

    Warns
    -----
    InconsistentVersionWarning
        If a newer lyapsk wrote the file, or one of another minor version.

    See Also
    --------
    save : Write such a file, with an example.

    Notes
    -----
    Parameters are loaded as they were saved but for two, which permit to unpickle files: `trusted`
    is False and `memory` is None until you set them yourself.
    """
    io, path = _skops_io(), _path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(
            f"path: {path} cannot be read: {error.strerror}. Pass a file that lyapsk.save wrote."
        ) from error
    warn_of_version(path, _sealed_version(content, path))
    try:
        with warnings.catch_warnings():
            # The file's own version was told.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            return _without_leave(_read(io, content))
    except io.exceptions.UntrustedTypesFoundException as error:
        raise InvalidInputError(
            f"path: {path} holds types that lyapsk.load does not trust. If you trust its author, "
            f"name them: skops.io.load({str(path)!r}, trusted=[...]). ({error})"
        ) from error
    except Exception as error:
        raise InvalidInputError(
            f"path: {path} cannot be read: {type(error).__name__}: {message_of(error)}. "
            "Save it again."
        ) from error


def _path(path):
    if not isinstance(path, str | os.PathLike):
        raise InvalidTypeError(f"path: got {path!r}. It must be the path of a file.")
    return Path(path)


def _skops_io():
    try:
        import skops.io.exceptions
    except ImportError as error:
        raise ImportError(
            'lyapsk.save and lyapsk.load work with skops: pip install "lyapsk[skops]"'
        ) from error
    if _numbers(skops.__version__) < _numbers(OLDEST_SKOPS):
        raise ImportError(
            f"skops {skops.__version__} lets crafted files run code; lyapsk.save and lyapsk.load "
            f'need {OLDEST_SKOPS} or newer: pip install --upgrade "lyapsk[skops]"'
        )
    return skops.io


def _read(io, content):
    """What a skops file holds, if all its types are trusted."""
    return io.loads(content, trusted=[*OWN_TYPES, *SCIKIT_LEARN_TYPES, *_named_metrics()])


@cache
def _named_metrics():
    """The functions of two arrays behind scikit-learn's own names for ``scoring``."""
    functions = {get_scorer(name)._score_func for name in get_scorer_names()}
    return [f"{function.__module__}.{function.__name__}" for function in functions]


def _sealed(archive):
    """A zip archive with our version and a digest of all that is before it as its comment."""
    seal = f"lyapsk {__version__} ".encode()
    # An archive ends with the length of its comment, in two bytes, and the comment.
    content = archive[:-2] + (len(seal) + 64).to_bytes(2, "little") + seal
    return content + sha256(content).hexdigest().encode()


def _sealed_version(content, path):
    """The version of lyapsk that sealed a file, which must be unbroken."""
    seal = _SEAL.search(content[-256:])
    if seal is None:
        raise InvalidInputError(
            f"path: {path} is no file that lyapsk.save wrote, or not all of it. Save the estimator "
            "with lyapsk.save; a pickle whose author you trust opens with pickle or joblib."
        )
    version, digest = (group.decode() for group in seal.groups())
    if sha256(content[:-64]).hexdigest() != digest:
        raise InvalidInputError(
            f"path: {path}, of lyapsk {version}, is damaged. Fetch or save it again."
        )
    return version


def _without_leave(loaded):
    for part in _parts(loaded):
        attributes = getattr(part, "__dict__", {})
        attributes.update({name: LEAVE[name] for name in LEAVE.keys() & attributes.keys()})
    return loaded


def _parts(whole):
    """An object and all that is in it."""
    seen, waiting = {}, [whole]
    while waiting:
        part = waiting.pop()
        if id(part) in seen or isinstance(part, type):
            continue
        seen[id(part)] = part
        waiting += getattr(part, "__dict__", {}).values()
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list | tuple | set):
            waiting += part
        elif isinstance(part, np.ndarray) and part.dtype == object:
            waiting += np.asarray(part).ravel().tolist()
    return seen.values()


def warn_of_version(source, wrote):
    """Warn of what was written by another minor version than ours, or by a newer one."""
    theirs, ours = _numbers(wrote), _numbers(__version__)
    if theirs[:2] != ours[:2] or theirs > ours:
        warnings.warn(
            f"{source} was written by lyapsk {wrote} and is read by lyapsk {__version__}: it may "
            f"give other numbers, or fail. Install lyapsk {wrote} to use it as it was, or fit and "
            "save it again.",
            InconsistentVersionWarning,
            stacklevel=3,
        )


def _numbers(version):
    return [int(number) for number in re.findall(r"\d+", version)[:3]]


class Persistent:
    """Estimators whose state, also a pickled one, holds arrays for tensors, and the version."""

    def __getstate__(self):
        state = _held(super().__getstate__())
        if "_metadata_request" in state:
            state["_metadata_request"] = _without_owner(state["_metadata_request"])
        return state | {"_lyapsk_version": __version__}

    def __setstate__(self, state):
        state = _released(state)
        warn_of_version(type(self).__name__, state.pop("_lyapsk_version", "0"))
        super().__setstate__(state)


def _without_owner(request):
    """What `set_fit_request` left, with the name of its estimator in place of the estimator."""
    request = copy(request)
    for name, method in vars(request).items():
        if hasattr(method, "owner"):
            setattr(request, name, _without_owner(method))
    if not isinstance(request.owner, str):
        request.owner = type(request.owner).__name__
    return request


@dataclass(frozen=True)
class HeldTensor:
    """A tensor as an array."""

    array: np.ndarray

    def release(self):
        return torch.from_numpy(np.array(self.array))


@dataclass(frozen=True)
class HeldName:
    """A device or dtype of torch as text."""

    name: str

    def release(self):
        return DTYPES.get(self.name) or torch.device(self.name)


def _held(value):
    """Without torch, as far as numpy has the like."""
    if isinstance(value, torch.device | torch.dtype):
        return HeldName(str(value))
    if isinstance(value, torch.Tensor):
        try:
            return HeldTensor(value.detach().cpu().numpy())
        except (TypeError, RuntimeError):
            return value
    return _each(_held, value)


def _released(value):
    return value.release() if isinstance(value, HeldTensor | HeldName) else _each(_released, value)


def _each(function, value):
    """A function of what is in a list, tuple or dict; anything else as it is."""
    if type(value) in (list, tuple):
        return type(value)(map(function, value))
    if type(value) is dict:
        return {key: function(entry) for key, entry in value.items()}
    return value
