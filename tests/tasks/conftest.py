import pytest

from lyapsk.tasks import digits_by_rows


@pytest.fixture(scope="session")
def small_task():
    """179 training sequences of 8 steps."""
    return digits_by_rows(valid_size=0.9)
