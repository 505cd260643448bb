"""What users pass as numbers, as tensors."""

import numpy as np
import torch

from .._message import message_of, shortened
from ..exceptions import InvalidInputError


def as_tensor(data, name):
    """Real numbers of any container as a tensor of their own.

    Parameters
    ----------
    data : array-like or Tensor
    name : str
        The argument that it is, for the error.

    Raises
    ------
    InvalidInputError
        If it does not hold real numbers in the shape of an array.
    """
    if isinstance(data, torch.Tensor) and not data.is_complex():
        if data.is_nested or data.is_meta:
            kind = "nested" if data.is_nested else "on the device 'meta', without values"
            raise InvalidInputError(
                f"{name}: got a tensor that is {kind}. Pass an array of real numbers; of sequences "
                "of unequal lengths a list, as data.unbind() gives it."
            )
        return data.detach().to_dense().clone()
    if isinstance(data, np.ma.MaskedArray) and data.mask.any():
        raise InvalidInputError(
            f"{name}: got a masked array, whose masked numbers would be taken for others. Fill or "
            "drop them, for example with data.filled(0)."
        )
    try:
        array = np.asarray(data)
    except (ValueError, TypeError, RuntimeError) as error:
        raise InvalidInputError(
            f"{name}: got {shortened(data)}, which is no array: {message_of(error)}. Pass an "
            "array of real numbers."
        ) from error
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(
            f"{name}: got {shortened(data)} of dtype {array.dtype}. Pass an array of real numbers."
        )
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), order="C"))
