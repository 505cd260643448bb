import pytest

collect_ignore_glob = ["*.py", "_build/*", "examples/*", "gallery/*", "generated/*"]


@pytest.fixture(autouse=True)
def _no_figure_is_left():
    """The pages draw figures as a reader would, without closing them."""
    yield
    from matplotlib import pyplot

    pyplot.close("all")
