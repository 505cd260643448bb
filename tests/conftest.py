import pytest
import torch


@pytest.fixture
def two_threads():
    """Torch has two threads during the test, whatever the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)
