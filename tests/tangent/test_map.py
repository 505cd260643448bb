"""Step functions: differentiated right, however they are written."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import one_step

from lyapsk import lyapunov_spectrum
from lyapsk._parallel import one_thread
from lyapsk.exceptions import InvalidInputError
from lyapsk.tangent import StepMap

WEIGHT = torch.tensor(np.random.default_rng(0).normal(size=(4, 4)))


def for_one(state, x):
    return torch.tanh(WEIGHT @ state + x)


def for_many(state, x):
    return torch.tanh(state @ WEIGHT.T + x)


def solving(state, x):
    return torch.linalg.solve(WEIGHT, state) + x * torch.linalg.det(WEIGHT + torch.diag(state))


@pytest.mark.parametrize("few_entries", [0, 1000])
@pytest.mark.parametrize("k", [1, 4])
@pytest.mark.parametrize("step", [for_one, for_many, solving])
def test_push_is_the_jacobian(step, k, few_entries, monkeypatch):
    monkeypatch.setattr("lyapsk.tangent._jacobians.FEW_ENTRIES", few_entries)
    state, x = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0)).double()
    dynamics = StepMap(step, state, x)
    new_state, push = one_step(dynamics, state[None], x[None])
    pushed = push(torch.eye(k, 4, dtype=torch.float64).expand(1, 3, -1, -1))
    for i in range(3):
        torch.testing.assert_close(new_state[0, i], step(state[i], x[i]))
        J = torch.autograd.functional.jacobian(lambda s, x=x[i]: step(s, x), state[i])
        torch.testing.assert_close(pushed[0, i].mT, J[:, :k])


def test_a_step_that_mixes_trajectories_by_chance_of_shape_is_called_one_by_one():
    state = torch.randn(2, 4, generator=torch.Generator().manual_seed(0)).double()
    weight = WEIGHT.clone()
    spectrum = lyapunov_spectrum(lambda s: weight @ s, initial_state=torch.eye(4), n_steps=300)
    moduli = np.sort(np.abs(np.linalg.eigvals(weight.numpy())))[::-1]
    np.testing.assert_allclose(spectrum.exponents, np.log(moduli), atol=0.02)
    assert state.shape == (2, 4)


def test_step_of_wrong_shape_is_refused():
    with pytest.raises(InvalidInputError, match=r"returned a state of shape \(1,\) and torch"):
        lyapunov_spectrum(lambda state: state[:1], initial_state=torch.ones(2), n_steps=3)


def test_step_of_another_type_is_refused():
    with pytest.raises(
        InvalidInputError, match=r"float32 for one of shape \(2,\) and torch.float64"
    ):
        lyapunov_spectrum(lambda state: state.float(), initial_state=torch.ones(2), n_steps=3)


def test_all_directions_of_a_step_that_forgets_everything_are_dead():
    end = torch.ones(3, dtype=torch.float64)
    spectrum = lyapunov_spectrum(lambda s, x: end, np.ones((2, 9, 1)), initial_state=torch.zeros(3))
    assert np.isneginf(spectrum.exponents).all()


def test_failing_step_is_refused_with_its_own_message():
    with pytest.raises(InvalidInputError, match="one state"):
        lyapunov_spectrum(lambda s, x: s @ x, np.ones((2, 5, 3)), initial_state=torch.ones(2))


@pytest.mark.usefixtures("two_threads")
def test_units_in_threads_do_not_disturb_each_other():
    weight = torch.randn(96, 96, generator=torch.Generator().manual_seed(0)).double() / 10
    start = torch.randn(16, 96, generator=torch.Generator().manual_seed(1)).double()

    def exponents():
        spectrum = lyapunov_spectrum(
            lambda state: torch.tanh(weight @ state), initial_state=start, n_steps=4
        )
        return spectrum.exponents

    side_by_side = exponents()
    with one_thread():
        in_turn = exponents()
    np.testing.assert_allclose(side_by_side, in_turn, atol=1e-9)


def test_a_step_that_writes_into_its_state_is_followed_as_one_that_does_not():
    def in_place(state):
        x, y = state[0].clone(), state[1].clone()
        state[0] = 1 - 1.4 * x * x + y
        state[1] = 0.3 * x
        return state

    start = torch.tensor([[0.1, 0.1]], dtype=torch.float64)
    found = lyapunov_spectrum(in_place, initial_state=start, n_steps=500)
    apart = lyapunov_spectrum(lambda s: in_place(s.clone()), initial_state=start, n_steps=500)
    np.testing.assert_allclose(found.exponents, apart.exponents, atol=1e-12)
    assert start.tolist() == [[0.1, 0.1]]


def test_a_step_that_writes_into_its_input_is_followed_as_one_that_does_not():
    def in_place(state, x):
        x *= 2
        return torch.tanh(WEIGHT @ state + x)

    X = np.random.default_rng(0).normal(size=(2, 30, 4))
    found, apart = (
        lyapunov_spectrum(step, X, initial_state=torch.zeros(4)).exponents
        for step in (in_place, lambda state, x: in_place(state, x.clone()))
    )
    np.testing.assert_allclose(found, apart, atol=1e-12)


def test_what_torch_says_of_itself_is_no_error_of_the_step():
    code = (
        "from lyapsk import lyapunov_spectrum as spectrum\n"
        "print(spectrum(lambda s: s / 2, initial_state=[1.0], n_steps=3).exponents)"
    )
    command = [sys.executable, "-W", "error::DeprecationWarning", "-c", code]
    assert subprocess.check_output(command, text=True) == "[-0.69314718]\n"


class Doubling(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x):
        return 2 * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (lambda s: torch.cat([s[:1] * 1.5, s.detach()[:1]]), "entry 1 .* step hides how"),
        (Doubling.apply, "push failed with .* forward derivative, or register a layer"),
    ],
)
def test_a_step_without_the_derivative_of_what_it_does_is_refused(step, told):
    for dtype in ("float64", "float32"):
        with pytest.raises(InvalidInputError, match=f"model: {told}"):
            lyapunov_spectrum(step, initial_state=torch.ones(2), n_steps=3, dtype=dtype)
    with pytest.raises(InvalidInputError, match=f"model: {told}"):
        lyapunov_spectrum(
            lambda s, x: step(s) + x, torch.ones(1, 3, 2), initial_state=torch.ones(1, 2)
        )


def test_a_step_that_refuses_states_which_it_never_meets_is_taken_as_it_is():
    def step(state):
        return torch.linalg.cholesky(torch.diag(state)).diagonal()

    found = lyapunov_spectrum(step, initial_state=torch.full((3,), 1e-9), n_steps=99, warmup=60)
    np.testing.assert_allclose(found.exponents, np.full(3, np.log(0.5)), atol=1e-6)


def test_a_step_at_a_kink_or_with_another_derivative_on_purpose_is_taken_as_it_is():
    def straight_through(state):
        return 0.5 * state + (torch.round(state) - state).detach()

    found = lyapunov_spectrum(straight_through, initial_state=torch.ones(2), n_steps=9)
    np.testing.assert_allclose(found.exponents, np.full(2, np.log(0.5)), atol=1e-9)
    found = lyapunov_spectrum(torch.abs, initial_state=torch.zeros(2), n_steps=9)
    assert not np.isnan(found.exponents).any()


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (lambda s: (s, s), "returned tuple. It must return one tensor"),
        (lambda s: None, "returned NoneType"),
        (lambda s: np.sin(s), "made of torch's operations, not numpy's"),
    ],
)
def test_what_a_step_must_be_is_told(step, told):
    with pytest.raises(InvalidInputError, match=f"model: the step function .*{told}"):
        lyapunov_spectrum(step, initial_state=[0.1, 0.2], n_steps=5)
