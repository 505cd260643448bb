"""Products of matrices in single precision, as exact as their numbers are."""

from contextlib import contextmanager

import torch

OF_EACH_BACKEND = hasattr(torch.backends.cuda.matmul, "fp32_precision")
"""Whether torch has settings for each backend; older ones have one for all."""


@contextmanager
def full_precision():
    """Within the block multiply float32 matrices in float32, whatever less is allowed outside.

    Where less is, torch rounds them to TF32 on a GPU, and to bfloat16 on some CPUs, before it
    multiplies: exponents would be off by hundredths of a nat.
    """
    before = _precisions()
    _set(["ieee", "ieee"] if OF_EACH_BACKEND else ["highest"])
    try:
        yield
    finally:
        _set(before)


def _precisions():
    if OF_EACH_BACKEND:
        return [
            torch.backends.cuda.matmul.fp32_precision,
            torch.backends.mkldnn.matmul.fp32_precision,
        ]
    return [torch.get_float32_matmul_precision()]


def _set(precisions):
    if OF_EACH_BACKEND:
        torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision = (
            precisions
        )
    else:
        torch.set_float32_matmul_precision(*precisions)
