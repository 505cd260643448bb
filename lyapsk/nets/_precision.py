"""Products of matrices in single precision, as exact as their numbers are."""

import torch

from .._process_setting import ProcessSetting

OF_EACH_BACKEND = hasattr(torch.backends.cuda.matmul, "fp32_precision")
"""Whether torch has settings for each backend; older ones have one for all."""


def full_precision():
    """Within the block multiply float32 matrices in float32, whatever less is allowed outside.

    Where less is, torch rounds them to TF32 on a GPU, and to bfloat16 on some CPUs, before it
    multiplies: exponents would be off by hundredths of a nat.
    """
    return _PRECISION.changed()


def _read():
    if OF_EACH_BACKEND:
        matmuls = torch.backends.cuda.matmul, torch.backends.mkldnn.matmul
        return [matmul.fp32_precision for matmul in matmuls]
    return torch.get_float32_matmul_precision()


def _write(precision):
    if OF_EACH_BACKEND:
        of_cuda, of_mkldnn = precision
        torch.backends.cuda.matmul.fp32_precision = of_cuda
        torch.backends.mkldnn.matmul.fp32_precision = of_mkldnn
    else:
        torch.set_float32_matmul_precision(precision)


def _full(_):
    return ["ieee", "ieee"] if OF_EACH_BACKEND else "highest"


_PRECISION = ProcessSetting(_read, _write, _full)
