import pytest
import torch


@pytest.fixture(autouse=True)
def on_cpu(request, monkeypatch):
    """Without ``device=`` everything is on the CPU, but for tests that ask for a GPU."""
    if "gpu" not in request.keywords:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


@pytest.fixture
def two_threads():
    """Torch has two threads during the test, whatever the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
