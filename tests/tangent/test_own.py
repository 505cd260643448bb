"""Layers of users' own: numerics against dense automatic differentiation of the plain step."""

import copy
import importlib.util
import pickle
import sys
import types
from dataclasses import dataclass
from functools import partial

import pytest
import torch
from helpers import one_step
from torch import nn
from torch.func import jacrev
from torch.nn.utils import parametrizations, prune

from lyapsk import LayerDynamics, register_layer
from lyapsk.exceptions import InvalidTypeError, RecurrentLayerError
from lyapsk.tangent import (
    Stack,
    StepMap,
    attached_dynamics_of,
    dynamics_of,
    is_recurrent,
    kind_of,
    named_gradients,
    state_weights,
    weights_of,
)

CPU = {"dtype": torch.float64, "device": torch.device("cpu")}


class Own(nn.Module):
    """Its forward is never called here."""

    def __init__(self, n=4, leak=0.5):
        super().__init__()
        self.recurrent, self.input, self.leak = nn.Linear(n, n), nn.Linear(3, n), leak

    def forward(self, x):
        raise NotImplementedError


class Submodules(Own):
    pass


class Raw(Own):
    """Parameters of every kind, a helper method, and tensors that are no parameters."""

    def __init__(self, n=4):
        super().__init__()
        self.weight, self.gain = nn.Parameter(torch.randn(n, n)), nn.Parameter(torch.tensor(0.7))
        self.tied, self.none = self.weight, None
        self.register_parameter("bias", None)
        self.register_buffer("mask", (torch.rand(n, n) > 0.3).float())
        self.register_buffer("alive", torch.tensor([True, True, False, True]))
        self.register_buffer("order", torch.tensor([2, 0, 3, 1]))
        self.loose = torch.rand(n)

    def new(self, h, x):
        before = (self.weight * self.mask) @ h + self.gain * self.tied.T @ h
        return torch.tanh(before + self.input(x))[self.order] * self.alive + self.loose


class Wrapped(Own):
    """State (h, c) of a cell, and outputs that are not it."""

    def __init__(self, n=4):
        super().__init__()
        self.cell, self.readout = nn.LSTMCell(3, n), nn.Linear(n, 2)


class Complex(Own):
    def __init__(self, n=4):
        super().__init__()
        self.diagonal = nn.Parameter(torch.polar(*torch.rand(2, 2).double()))
        self.inlet = nn.Parameter(torch.randn(2, 3, dtype=torch.complex128))


class Sized(LayerDynamics):
    def start(self, layer):
        return torch.zeros(4)


class OfSubmodules(Sized):
    def step(self, layer, state, x):
        new = torch.tanh(layer.recurrent(state) + layer.input(x))
        return torch.lerp(state, new, layer.leak)


class OfRaw(Sized):
    def step(self, layer, state, x):
        return layer.new(state, x)


class OfWrapped(LayerDynamics):
    def start(self, layer):
        return torch.zeros(8)

    def step(self, layer, state, x):
        return torch.cat(layer.cell(x, state.chunk(2)))

    def output(self, layer, state, x):
        return layer.readout(torch.tanh(state[:4]))


class OfComplex(Sized):
    def step(self, layer, state, x):
        z = torch.view_as_complex(state.view(2, 2))
        z = layer.diagonal * z + layer.inlet @ x.to(z.dtype)
        return torch.tanh(torch.view_as_real(z)).flatten()


class Solving(Own):
    """Its step takes operations whose derivative torch gets wrong inside of ``vmap``."""


class OfSolving(OfSubmodules):
    def step(self, layer, state, x):
        x *= 2  # a step may write into what it is given
        matrix = layer.recurrent.weight + 3 * torch.eye(len(state)).to(state)
        solved = torch.linalg.solve(matrix, state + layer.input(x))
        return torch.tanh(solved) * torch.linalg.det(matrix / 3 + torch.diag(state))


DYNAMICS = {
    Submodules: OfSubmodules,
    Raw: OfRaw,
    Wrapped: OfWrapped,
    Complex: OfComplex,
    Solving: OfSolving,
}
for _layer, _dynamics in DYNAMICS.items():
    register_layer(_layer, _dynamics)

KINDS = pytest.mark.parametrize("kind", DYNAMICS)


def made(kind, seed=0, **kwargs):
    torch.manual_seed(seed)
    layer = kind(**kwargs)
    return layer._apply(lambda w: w.double() if w.is_floating_point() else w)


def plain_step(layer, state, x):
    """The step of the dynamics on the layer itself, of one sequence of one network."""
    return DYNAMICS[type(layer)]().step(layer, state, x.clone())


def point(dynamics, n_networks=1):
    generator = torch.Generator().manual_seed(1)
    state = torch.randn(n_networks, 2, dynamics.state_size, generator=generator)
    return state.double(), torch.randn(n_networks, 2, 3, generator=generator).double()


def close(found, expected):
    torch.testing.assert_close(found.detach(), expected.detach(), rtol=0, atol=1e-12)


@KINDS
@pytest.mark.parametrize("k", [1, None], ids=["one tangent", "all tangents"])
@pytest.mark.parametrize("few", [0, 2**14])
def test_step_and_push_are_those_of_the_plain_layer(kind, k, few, monkeypatch):
    monkeypatch.setattr("lyapsk.tangent._jacobians.FEW_ENTRIES", few)
    layer = made(kind)
    dynamics = dynamics_of(layer, **CPU)
    state, x = point(dynamics)
    stepped, push = one_step(dynamics, state, x)
    tangents = torch.eye(dynamics.state_size, dtype=torch.float64)[:k]
    pushed = push(tangents.expand(1, 2, -1, -1))
    outputs = dynamics.output(state, x)
    for i in range(2):
        close(stepped[0, i], plain_step(layer, state[0, i], x[0, i]))
        J = jacrev(partial(plain_step, layer))(state[0, i], x[0, i])
        close(pushed[0, i].mT, J[:, :k])
        close(outputs[0, i], DYNAMICS[kind]().output(layer, state[0, i], x[0, i]))


@KINDS
def test_steps_of_a_chunk_are_those_taken_one_by_one(kind, monkeypatch):
    monkeypatch.setattr("lyapsk.tangent._jacobians.LARGEST_ENTRIES", 300)
    dynamics = dynamics_of(made(kind), **CPU)
    state, _ = point(dynamics)
    inputs = torch.randn(9, 1, 2, 3, generator=torch.Generator().manual_seed(2)).double()
    states, push_of = dynamics.linearize(state, inputs)
    tangents = torch.eye(dynamics.state_size, dtype=torch.float64).expand(1, 2, -1, -1)
    pushes = []
    for step, x in enumerate(inputs):
        state, push = one_step(dynamics, state, x)
        close(states[step], state)
        pushes.append(push)
    for step in (*range(9), 3, 8, 0, 7):
        together = torch.empty(tangents.shape, dtype=torch.float64)
        push_of(step, tangents, together)
        close(together, pushes[step](tangents))


@KINDS
def test_networks_joined_in_a_batch_stay_themselves(kind):
    layers = [made(kind, seed) for seed in range(3)]
    for layer in layers[1:]:
        layer.load_state_dict(layers[0].state_dict() | dict(layer.named_parameters()))
    parts = [dynamics_of(layer, **CPU) for layer in layers]
    assert len({part.shape for part in parts}) == 1
    together = Stack.concatenate(parts)
    state, x = point(together, n_networks=3)
    stepped, push = one_step(together, state, x)
    tangents = torch.eye(together.state_size, dtype=torch.float64).expand(3, 2, -1, -1)
    pushed = push(tangents)
    for i, part in enumerate(parts):
        alone, push_alone = one_step(part, state[[i]], x[[i]])
        close(stepped[[i]], alone)
        close(pushed[[i]], push_alone(tangents[[i]]))
    assert (pushed[0] - pushed[1]).abs().max() > 0.01


class ByHand(OfSubmodules):
    def push(self, layer, state, x, tangent):
        new = torch.tanh(layer.recurrent(state) + layer.input(x))
        slope = layer.leak * (1 - new * new)
        return (1 - layer.leak) * tangent + slope * (layer.recurrent.weight @ tangent)


class Wrong(OfSubmodules):
    def push(self, layer, state, x, tangent):
        return 2 * tangent


class InPlace(OfSubmodules):
    def step(self, layer, state, x):
        new = torch.tanh(layer.recurrent(state) + layer.input(x))
        state *= 1 - layer.leak
        state += layer.leak * new
        return state


@dataclass(frozen=True)
class Scaled(OfSubmodules):
    """Holds what could be taken for weights of networks."""

    scale: torch.Tensor

    def step(self, layer, state, x):
        return super().step(layer, state, x) * self.scale


def with_dynamics(dynamics):
    """A layer of a class of its own, equal in weights to every other."""

    class Renamed(Submodules):
        pass

    register_layer(Renamed, dynamics)
    return made(Renamed)


@pytest.mark.parametrize("k", [1, 4])
def test_a_push_by_hand_is_taken(k, monkeypatch):
    monkeypatch.setattr("lyapsk.tangent._jacobians.FEW_ENTRIES", 0)
    expected = dynamics_of(made(Submodules), **CPU)
    state, x = point(expected)
    tangents = torch.eye(4, dtype=torch.float64)[:k].expand(1, 2, -1, -1)
    pushed = {
        dynamics: one_step(dynamics_of(with_dynamics(dynamics), **CPU), state, x)[1](tangents)
        for dynamics in (ByHand, Wrong)
    }
    close(pushed[ByHand], one_step(expected, state, x)[1](tangents))
    close(pushed[Wrong], 2 * tangents)


@pytest.mark.parametrize("dynamics", [InPlace, Scaled(torch.ones(4))])
def test_what_a_step_holds_or_writes_does_not_matter(dynamics):
    parts = [dynamics_of(with_dynamics(d), **CPU) for d in (OfSubmodules, dynamics)]
    state, x = point(parts[0])
    inputs = torch.stack([x, x + 1])
    tangents = torch.eye(4, dtype=torch.float64).expand(1, 2, -1, -1)
    (expected, push), (states, own) = (part.linearize(state, inputs) for part in parts)
    close(states, expected)
    for step in range(2):
        results = torch.empty(2, *tangents.shape, dtype=torch.float64)
        push(step, tangents, results[0])
        own(step, tangents, results[1])
        close(results[1], results[0])
    close(torch.stack(point(parts[0])[:1]), state[None])
    twice = Stack.concatenate([parts[1], parts[1]])
    close(twice.step(state.expand(2, -1, -1), x.expand(2, -1, -1))[1:], expected[0])


def shape_of(layer):
    return dynamics_of(layer, **CPU).shape


def changed(change):
    layer = made(Raw)
    change(layer)
    return layer


DIFFERENT = {
    "number": lambda layer: setattr(layer, "leak", 0.25),
    "bool buffer": lambda layer: layer.alive.logical_not_(),
    "int buffer": lambda layer: layer.order.copy_(layer.order.flip(0)),
    "list": lambda layer: setattr(layer, "sizes", [1, 2]),
    "list of tensors": lambda layer: setattr(layer, "scales", [torch.ones(2)]),
    "list of other tensors": lambda layer: setattr(layer, "scales", [torch.zeros(2)]),
    "function": lambda layer: setattr(layer, "function", torch.tanh),
    "submodule": lambda layer: setattr(layer, "function", nn.Tanh()),
    "in a submodule": lambda layer: setattr(layer.input, "scale", 2),
    "closure": lambda layer: setattr(layer, "function", lambda h: h),
    "width": lambda layer: setattr(layer, "input", nn.Linear(2, 4)),
    "class": lambda layer: setattr(layer, "__class__", Submodules),
}


def test_only_networks_that_differ_in_weights_alone_may_join():
    shapes = [shape_of(changed(change)) for change in DIFFERENT.values()]
    assert len({shape_of(made(Raw)), *shapes}) == len(DIFFERENT) + 1
    for name, change in DIFFERENT.items():
        same = {shape_of(copied) for copied in copies_of(changed(change))}
        assert len(same) == (3 if name == "closure" else 1), name


def test_equal_constants_join_also_where_they_are_not_the_same_objects():
    one, other = made(Raw), made(Raw)
    one.pairs, other.pairs = [[1.5]] * 2, [[1.5], [1.5]]
    assert shape_of(one) == shape_of(other)


def copies_of(layer):
    """The layer, a copy, and one that differs in weights and mode."""
    other = copy.deepcopy(layer).float().train()
    with torch.no_grad():
        for weight in other.parameters():
            weight.mul_(2).requires_grad_(False)
    return layer, copy.deepcopy(layer), other


def test_dynamics_of_other_code_or_constants_do_not_join():
    layer = made(Submodules)
    shapes = set()
    for dynamics in (OfSubmodules, ByHand, Scaled(torch.ones(4)), Scaled(torch.zeros(4))):
        register_layer(Submodules, dynamics)
        shapes.add(shape_of(layer))
        assert shape_of(layer) in shapes
    register_layer(Submodules, OfSubmodules)
    assert len(shapes) == 4


CODE = """
from lyapsk import LayerDynamics, register_layer
from torch import nn

def factor():
    return {}

class Base(nn.Linear):
    def moved(self, state):
        return factor() * self(state)

class Layer(Base):
    pass

class Dynamics(LayerDynamics):
    def start(self, layer):
        return layer.bias

    def step(self, layer, state, x):
        return layer.moved(state)

register_layer(Layer, Dynamics)
"""


@pytest.mark.parametrize("name", ["own_code", "code"])
def test_what_changed_in_the_code_does_not_join(name, tmp_path, monkeypatch):
    shapes = []
    for number, factor in enumerate((1, 2, 1)):
        path = tmp_path / f"version_{number}.py"
        path.write_text(CODE.format(factor))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        spec.loader.exec_module(module)
        shapes.append(shape_of(module.Layer(4, 4)))
    assert shapes[0] == shapes[2] != shapes[1]


def test_code_that_cannot_be_read_joins_within_a_process_only(monkeypatch):
    told = []
    for _ in range(2):
        module = types.ModuleType("nowhere")
        monkeypatch.setitem(sys.modules, "nowhere", module)
        exec(CODE.format(1), vars(module))
        told.append([shape_of(module.Layer(4, 4)) for _ in range(2)])
    assert told[0][0] == told[0][1] != told[1][0]


REPARAMETRIZED = {
    "orthogonal": lambda linear: parametrizations.orthogonal(linear),
    "weight_norm": lambda linear: parametrizations.weight_norm(linear),
    "spectral_norm": lambda linear: parametrizations.spectral_norm(linear).eval(),
    "pruned": lambda linear: prune.random_unstructured(linear, "weight", 0.4),
}


@pytest.mark.parametrize("name", REPARAMETRIZED)
def test_weights_are_as_the_forward_uses_them(name):
    layer = made(Submodules)
    plain = copy.deepcopy(layer)
    REPARAMETRIZED[name](layer.recurrent)
    with torch.no_grad():
        plain.recurrent.weight.copy_(layer.recurrent.weight)
    names = {n: id(w) for n, w in layer.named_parameters()}
    found, expected = (dynamics_of(own, **CPU) for own in (layer, plain))
    state, x = point(found)
    close(found.step(state, x), expected.step(state, x))
    assert "recurrent.weight" in weights_of(layer)
    assert not any("parametrizations" in own for own in weights_of(layer))
    assert names == {n: id(w) for n, w in layer.named_parameters()}
    attached_dynamics_of(layer, **CPU).step(state, x).sum().backward()
    assert all(p.grad is not None for n, p in layer.named_parameters() if "recurrent" in n)


def test_weights_of_every_kind_by_name():
    layer = made(Raw)
    layer.weight.requires_grad_(False)
    names = {"weight", "gain", "tied", "mask", "loose", "recurrent.weight", "recurrent.bias"}
    assert weights_of(layer).keys() == names | {"input.weight", "input.bias"}
    copied = dynamics_of(layer, **CPU)
    assert not any(w.requires_grad for w in copied.cells[0].weights.values())
    before = copied.step(*point(copied))
    with torch.no_grad():
        layer.weight.zero_()
    close(copied.step(*point(copied)), before)


@KINDS
def test_gradients_are_those_of_the_plain_layer(kind):
    layer = made(kind)
    dynamics = dynamics_of(layer, **CPU)
    states, x = (v[0, :, None].expand(-1, 3, -1) for v in point(dynamics))
    adjoint = torch.randn(states.shape, generator=torch.Generator().manual_seed(3)).double()
    names = state_weights(layer, states[0, 0], x[0, 0])
    assert not any("readout" in name for name in names)
    gradient = named_gradients(layer, dynamics.weight_gradient(states, x, adjoint))
    weights = {name: w for name, w in weights_of(layer).items() if name in names}
    assert weights
    leaves = [w for w in weights.values() if w.requires_grad]
    for i in range(2):
        after = plain_step(layer, states[i, 0], x[i, 0]) @ adjoint[i].sum(0)
        for own, expected in zip(leaves, torch.autograd.grad(after, leaves), strict=True):
            # A weight of two names has a share of its gradient under each.
            found = sum(gradient[name][i] for name, w in weights.items() if w is own)
            close(found, expected)


class Keeping(Own):
    pass


class OfKeeping(OfSubmodules):
    """Notes down on the layer what it makes of it."""

    def step(self, layer, state, x):
        layer.last = layer.input.last = super().step(layer, state, x)
        return layer.last


def test_a_cell_pickles_after_use_and_keeps_nothing_of_it():
    register_layer(Keeping, OfKeeping())
    layer = made(Keeping)
    dynamics = dynamics_of(layer, **CPU)
    point_of = point(dynamics)
    before = dynamics.step(*point_of)
    one_step(dynamics, *point_of)[1](torch.eye(4).double().expand(1, 2, -1, -1))
    held = dynamics.cells[0].skeleton.module
    assert not any(hasattr(m, "last") for m in (*layer.modules(), *held.modules()))
    assert held.recurrent.weight is held.input.bias is None
    close(pickle.loads(pickle.dumps(dynamics)).step(*point_of), before)


def test_failing_steps_leave_no_weights_behind():
    class Failing(OfSubmodules):
        def step(self, layer, state, x):
            raise ValueError("no")

    dynamics = dynamics_of(with_dynamics(Failing), **CPU)
    with pytest.raises(ValueError, match="no"):
        dynamics.step(*point(dynamics))
    assert dynamics.cells[0].skeleton.module.recurrent.weight is None


def held_by(layer):
    return {
        name: {key: dict(v) if isinstance(v, dict) else v for key, v in vars(m).items()}
        for name, m in layer.named_modules()
    }


def test_the_layer_is_left_alone():
    layer = made(Raw).train()
    calls = []
    layer.input.register_forward_hook(lambda *_: calls.append(1))
    parametrizations.weight_norm(layer.recurrent)
    before, weight = held_by(layer), layer.recurrent.weight.detach().clone()
    dynamics = dynamics_of(layer, **CPU)
    dynamics.step(*point(dynamics))
    assert held_by(layer) == before
    assert torch.equal(layer.recurrent.weight, weight)
    assert not calls
    assert all(w.grad is None for w in layer.parameters())


STARTS = {
    "two dimensions": (torch.zeros(1, 4), r"start gives a tensor of shape \(1, 4\)"),
    "list": ([0.0, 0.0], r"start gives list of 0.0, 0.0"),
    "nothing": (None, "start gives None"),
    "empty": (torch.zeros(0), r"start gives a tensor of shape \(0,\)"),
    "complex": (torch.zeros(4, dtype=torch.complex64), "start gives .*complex64"),
}


@pytest.mark.parametrize("case", STARTS)
def test_wrong_starts_are_refused(case):
    start, message = STARTS[case]

    class Starting(OfSubmodules):
        def start(self, layer):
            return start

    with pytest.raises(RecurrentLayerError, match=f"Starting: {message}.*must give the state"):
        dynamics_of(with_dynamics(Starting), **CPU)


def test_failing_starts_are_refused():
    class Starting(OfSubmodules):
        def start(self, layer):
            return torch.zeros(layer.hidden_size)

    with pytest.raises(RecurrentLayerError, match=r"Starting: start failed.*hidden_size"):
        dynamics_of(with_dynamics(Starting), **CPU)


@pytest.mark.parametrize(
    ("hx", "message"),
    [
        (torch.zeros(2, 3), r"a tensor of shape \(2, 3\).*made .*\(2, 3\)"),
        ((torch.zeros(2, 4), 5), "tuple of .*5.*failed with"),
        (torch.zeros(2, 5, 4), r"made a tensor of shape \(5, 8\)"),
    ],
)
def test_states_of_another_layout_are_refused(hx, message):
    layer = made(Submodules)
    with pytest.raises(RecurrentLayerError, match=rf"(?s)OfSubmodules: .*{message}.*state_of\("):
        kind_of(layer).state_of(layer, hx)


def test_states_as_torch_lays_them_out():
    layer = made(Wrapped)
    h, c = torch.randn(2, 1, 3, 4)
    full = torch.cat([h[0], c[0]], -1)
    for hx in ((h, c), (h[0], c[0]), full):
        assert torch.equal(kind_of(layer).state_of(layer, hx), full)


class Abstract(LayerDynamics):
    def start(self, layer):
        return torch.zeros(4)


@pytest.mark.parametrize(
    ("layer_class", "dynamics", "message"),
    [
        (nn.Linear(1, 1), OfSubmodules, "layer_class: got Linear.*class of torch.nn.Module"),
        (int, OfSubmodules, "layer_class: got <class 'int'>"),
        (Own, Abstract, "dynamics: got .*Abstract.*start.*step"),
        (Own, LayerDynamics, "dynamics: got .*LayerDynamics"),
        (Own, nn.Linear, "dynamics: got .*Linear"),
        (Own, lambda layer, state, x: state, "dynamics: got <function"),
        (Own, None, "dynamics: got None"),
        (nn.GRU, OfSubmodules, "layer_class: got .*GRU.*, whose dynamics are known"),
    ],
)
def test_register_layer_refuses(layer_class, dynamics, message):
    with pytest.raises(InvalidTypeError, match=message):
        register_layer(layer_class, dynamics)
    assert not is_recurrent(Own())


def test_register_layer_wants_to_know_of_cells_for_sure():
    with pytest.raises(InvalidTypeError, match="cell: got 'yes'"):
        register_layer(Own, OfSubmodules, cell="yes")


def test_subclasses_are_known_unless_they_have_a_forward_of_their_own():
    class Same(Submodules):
        pass

    class Other(Submodules):
        def forward(self, x):
            return 2 * super().forward(x)

    assert is_recurrent(Same())
    assert not is_recurrent(Other())
    register_layer(Other, OfSubmodules)
    assert is_recurrent(Other())


@pytest.mark.parametrize(
    "cell",
    [nn.RNNCell(3, 4), nn.RNNCell(3, 4, nonlinearity="relu"), nn.GRUCell(3, 4, bias=False)],
    ids=["tanh", "relu", "gru"],
)
def test_step_functions_may_use_torchs_cells(cell):
    cell = cell.double()
    state, x = torch.randn(2, 5, 4).double(), torch.randn(2, 5, 3).double()
    dynamics = StepMap(lambda h, x: cell(x, h), state[0], x[0])
    stepped, push = one_step(dynamics, state[:1], x[:1])
    pushed = push(torch.eye(4, dtype=torch.float64).expand(1, 5, -1, -1))
    close(stepped[0], cell(x[0], state[0]))
    for i in range(5):
        close(pushed[0, i].mT, jacrev(lambda h, i=i: cell(x[0, i], h))(state[0, i]))


def test_the_last_registration_holds():
    layer = with_dynamics(Wrong)
    register_layer(type(layer), ByHand())
    assert isinstance(kind_of(layer).dynamics, ByHand)
