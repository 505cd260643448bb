"""The global generators, which threads share."""

import random
from contextlib import contextmanager
from threading import RLock

import numpy as np
import torch

# A thread that draws while another has the generators lent out would disturb both.
ONE_AT_A_TIME = RLock()


@contextmanager
def same_generators():
    """Give the generators of torch, numpy and Python back as they were, whatever is drawn."""
    with ONE_AT_A_TIME:
        torch_state, cuda_states = torch.get_rng_state(), _cuda_states()
        numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
        try:
            yield
        finally:
            torch.set_rng_state(torch_state)
            if cuda_states:
                torch.cuda.set_rng_state_all(cuda_states)
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)


@contextmanager
def seeded(seed, device="cpu"):
    """Let torch draw from a seed of its own on one device, with gradients on."""
    on_gpu = torch.device(device).type == "cuda"
    if on_gpu:
        torch.cuda.init()  # until then its generators have no states to give back
    with same_generators(), torch.inference_mode(False), torch.enable_grad():
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def _cuda_states():
    return torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
