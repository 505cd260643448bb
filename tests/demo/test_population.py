import numpy as np
import pytest
import torch

from lyapsk.demo._parallel import in_parallel, one_thread
from lyapsk.demo._population import ARCHITECTURES, draw_recipes, make_network, train_network
from lyapsk.tasks import digits_by_pixels


@pytest.fixture(scope="module")
def task():
    return digits_by_pixels(valid_size=0.9)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_recipes_cover_the_ranges_that_the_demo_promises():
    recipes = draw_recipes(600, seed=0)
    sizes = [recipe.hidden_size for recipe in recipes]
    half_widths = np.log([recipe.half_width for recipe in recipes])
    assert (min(sizes), max(sizes)) == (8, 48)
    np.testing.assert_allclose(half_widths.min(), np.log(0.03), atol=0.05)
    np.testing.assert_allclose(half_widths.max(), np.log(2), atol=0.05)
    np.testing.assert_allclose(np.median(half_widths), np.log(0.03 * 2) / 2, atol=0.2)
    for architecture in ARCHITECTURES:
        assert sum(recipe.architecture == architecture for recipe in recipes) == 200


def test_recipes_follow_the_seed_and_not_the_number():
    assert draw_recipes(5, seed=1) == draw_recipes(9, seed=1)[:5] != draw_recipes(5, seed=2)


def test_network_is_as_its_recipe_says(task):
    recipe = draw_recipes(3, seed=0)[2]
    recurrent = make_network(recipe, task).module_.recurrent
    largest = recurrent.weight_hh_l0.abs().max().item()
    assert type(recurrent).__name__ == recipe.architecture
    assert recurrent.hidden_size == recipe.hidden_size
    assert 0.95 * recipe.half_width < largest <= recipe.half_width


def test_training_continues_from_the_measured_weights_and_lowers_the_loss(task):
    recipe = draw_recipes(1, seed=0)[0]
    net = make_network(recipe, task, max_epochs=0)
    weights = net.module_.recurrent.weight_hh_l0.detach().clone()
    before, after = train_network(net, task, recipe.seed)
    assert before == after
    torch.testing.assert_close(net.module_.recurrent.weight_hh_l0.detach(), weights)
    net.set_params(max_epochs=4)
    assert train_network(net, task, recipe.seed)[1] < before


def test_seeds_decide_alone(task):
    recipe = draw_recipes(1, seed=0)[0]
    losses = []
    for global_seed in (0, 1):
        torch.manual_seed(global_seed)
        losses.append(train_network(make_network(recipe, task, 1), task, recipe.seed))
    assert losses[0] == losses[1]
    assert losses[0] != train_network(make_network(recipe, task, 1), task, recipe.seed + 1)


@pytest.mark.usefixtures("two_threads")
def test_global_generator_and_threads_are_left_alone(task):
    state = torch.get_rng_state()
    recipe = draw_recipes(1, seed=0)[0]
    train_network(make_network(recipe, task, 1), task, recipe.seed)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == 2


def test_diverged_network_is_a_loss_that_is_not_finite(task):
    net = make_network(draw_recipes(1, seed=0)[0], task, 1)
    net.set_params(lr=1e37)
    before, after = train_network(net, task, 0)
    assert np.isfinite(before)
    assert not np.isfinite(after)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_parallel_keeps_the_order_and_shows_progress(n_jobs, capsys):
    assert in_parallel(divmod, [(7, 2), (9, 4)], n_jobs, "dividing") == [(3, 1), (2, 1)]
    assert "dividing: 100%" in capsys.readouterr().err


@pytest.mark.usefixtures("two_threads")
def test_one_thread_ends_with_an_error_too():
    seen = []

    @one_thread()
    def fail():
        seen.append(torch.get_num_threads())
        raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert (seen, torch.get_num_threads()) == ([1], 2)
