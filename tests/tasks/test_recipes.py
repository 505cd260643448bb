import numpy as np
import pytest

from lyapsk.exceptions import InvalidInputError
from lyapsk.tasks._recipes import draw_recipes

KINDS = ("RNN", "GRU", "LSTM")
DEFAULTS = {
    "kinds": KINDS,
    "hidden_sizes": (8, 48),
    "half_widths": (0.03, 2.0),
    "learning_rates": 0.005,
    "random_state": 0,
}


def draw(n_networks, **options):
    return draw_recipes(n_networks, **(DEFAULTS | options))


def test_recipes_cover_the_ranges():
    recipes = draw(600, learning_rates=(1e-4, 1e-2))
    sizes = [recipe.hidden_size for recipe in recipes]
    assert (min(sizes), max(sizes)) == (8, 48)
    for name, low, high in [("half_width", 0.03, 2), ("learning_rate", 1e-4, 1e-2)]:
        logs = np.log([getattr(recipe, name) for recipe in recipes])
        np.testing.assert_allclose([logs.min(), logs.max()], np.log([low, high]), atol=0.05)
        np.testing.assert_allclose(np.median(logs), np.log(low * high) / 2, atol=0.3)
    for kind in KINDS:
        assert sum(recipe.kind == kind for recipe in recipes) == 200


def test_recipes_follow_the_seed_and_not_the_number():
    rates = {"learning_rates": (1e-4, 1e-2)}
    assert draw(5, **rates) == draw(9, **rates)[:5]
    assert draw(5) != draw(5, random_state=1)


def test_one_number_stands_for_both_bounds():
    for recipe in draw(20, kinds="GRU", hidden_sizes=5, half_widths=0.3, learning_rates=0.01):
        assert (recipe.kind, recipe.hidden_size) == ("GRU", 5)
        assert (recipe.half_width, recipe.learning_rate) == (0.3, 0.01)


def test_recipes_of_the_demo_stay_what_they_were():
    """Results that were published rest on them."""
    first = draw(1)[0]
    assert (first.kind, first.hidden_size, first.seed) == ("RNN", 42, 1367864807)
    assert first.half_width == pytest.approx(0.0931510168638529)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_networks": 0}, "n_networks: got 0. It must be a whole number of at least 1"),
        ({"n_networks": 2.0}, "n_networks: got 2.0"),
        ({"n_networks": True}, "n_networks: got True"),
        ({"kinds": ()}, "kinds: got none"),
        ({"kinds": ("RNN", "rnn")}, "kinds: got 'rnn'. It must be 'RNN' or 'GRU'"),
        ({"kinds": 3}, "kinds: got 3"),
        ({"hidden_sizes": (48, 8)}, r"hidden_sizes: got \(48, 8\). The low bound must come first"),
        ({"hidden_sizes": (0, 8)}, "hidden_sizes: got 0. It must be a whole number of at least 1"),
        ({"hidden_sizes": (8.0, 9.0)}, "hidden_sizes: got 8.0"),
        ({"half_widths": (0, 1)}, "half_widths: got 0. It must be a finite number above 0"),
        ({"half_widths": (1, 2, 3)}, r"half_widths: got \(1, 2, 3\). It must be a number or"),
        ({"half_widths": None}, "half_widths: got None"),
        ({"learning_rates": float("inf")}, "learning_rates: got inf"),
        ({"random_state": -1}, "random_state: got -1. It must be a whole number of at least 0"),
        ({"random_state": None}, "random_state: got None"),
    ],
)
def test_impossible_populations_are_refused(options, message):
    with pytest.raises(InvalidInputError, match=message):
        draw(**({"n_networks": 3} | options))
