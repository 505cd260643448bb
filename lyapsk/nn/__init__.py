"""Recurrent layers that torch lacks, with torch's conventions and exact tangents."""

from ._antisymmetric import AntisymmetricRNN
from ._base import RecurrentLayer
from ._coupled_oscillatory import CoRNN
from ._independent import IndRNN
from ._linear_recurrent_unit import LRU
from ._lipschitz import LipschitzRNN
from ._long_expressive_memory import LEM
from ._minimal import MinGRU, MinLSTM
from ._orthogonal import OrthogonalRNN
from ._rate import RateRNN

__all__ = [
    "LEM",
    "LRU",
    "AntisymmetricRNN",
    "CoRNN",
    "IndRNN",
    "LipschitzRNN",
    "MinGRU",
    "MinLSTM",
    "OrthogonalRNN",
    "RateRNN",
    "RecurrentLayer",
]
