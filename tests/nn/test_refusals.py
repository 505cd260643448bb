"""What the layers of ``lyapsk.nn`` refuse, and how they say so."""

import pytest
import torch

from lyapsk import nn as lnn
from lyapsk.exceptions import InvalidInputError

NAMES = [name for name in lnn.__all__ if name != "RecurrentLayer"]


def states(layer, dtype):
    parts = (torch.zeros(1, 2, 4, dtype=dtype),) * layer.n_parts
    return parts[0] if layer.n_parts == 1 else parts


SIZES = [0, -1, 2.0, True, "3", None, float("nan")]
NUMBERS = [0, -1.0, float("inf"), float("nan"), "1", None, True]
WRONG = {name: {"input_size": SIZES, "hidden_size": SIZES, "num_layers": SIZES} for name in NAMES}
for name in ("AntisymmetricRNN", "CoRNN", "LipschitzRNN", "LEM", "RateRNN"):
    WRONG[name]["step_size"] = NUMBERS
WRONG["AntisymmetricRNN"]["diffusion"] = NUMBERS[1:]
WRONG["CoRNN"] |= {"stiffness": NUMBERS, "damping": NUMBERS[1:]}
WRONG["LipschitzRNN"] |= {"shift": NUMBERS[1:], "antisymmetric": [*NUMBERS[1:], 1.1]}
WRONG["RateRNN"]["gain"] = NUMBERS
for name in ("IndRNN", "OrthogonalRNN"):
    WRONG[name]["nonlinearity"] = ["selu", None, torch.tanh]
WRONG["LRU"]["radius"] = [0, 1, -0.5, 1.5, float("nan"), (0.9, 0.1), (0.1, 0.2, 0.3), "ring", None]


def test_every_constant_is_in_the_table_of_wrong_ones():
    for name in NAMES:
        assert {*getattr(lnn, name)(3, 4)._constants} < {*WRONG[name]}


@pytest.mark.parametrize(
    ("name", "argument"), [(name, argument) for name in NAMES for argument in WRONG[name]]
)
def test_wrong_arguments_are_told(name, argument):
    for value in WRONG[name][argument]:
        with pytest.raises(InvalidInputError, match=rf"^{argument}: got .*must") as error:
            getattr(lnn, name)(**{"input_size": 3, "hidden_size": 4, argument: value})
        assert repr(value) in str(error.value)


@pytest.mark.parametrize("name", NAMES)
def test_unknown_arguments_are_refused(name):
    with pytest.raises(TypeError, match="dropout"):
        getattr(lnn, name)(3, 4, dropout=0.5)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((3,), r"\(3,\).*two or three dimensions"),
        ((7, 2, 1, 3), r"\(7, 2, 1, 3\).*two or three dimensions"),
        ((7, 2, 4), r"\(7, 2, 4\).*3 inputs"),
        ((7, 4), r"\(7, 1, 4\).*3 inputs"),
        ((0, 2, 3), r"\(0, 2, 3\).*at least one step"),
    ],
)
def test_wrong_inputs_are_told(name, shape, told):
    with pytest.raises(InvalidInputError, match=rf"^input: got shape {told}"):
        getattr(lnn, name)(3, 4)(torch.zeros(shape))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("input", "hx", "allowed"),
    [
        ((7, 2, 3), (1, 2, 5), "(1, 2, 4)"),
        ((7, 2, 3), (2, 2, 4), "(1, 2, 4)"),
        ((7, 2, 3), (1, 7, 4), "(1, 2, 4)"),
        ((7, 2, 3), (2, 4), "(1, 2, 4)"),
        ((7, 3), (1, 1, 4), "(1, 4)"),
        ((7, 3), (4,), "(1, 4)"),
        ((7, 3), (), "(1, 4)"),
    ],
)
def test_wrong_states_are_told(name, input, hx, allowed):
    layer = getattr(lnn, name)(3, 4)
    with pytest.raises(InvalidInputError, match=r"^hx: got ") as error:
        layer(torch.zeros(input), (torch.zeros(hx),) * layer.n_parts)
    message = str(error.value)
    assert str(hx) in message.split(". ")[0]
    assert allowed in message.split(". ")[1]
    with pytest.raises(InvalidInputError, match=f"must be {layer.n_parts} "):
        layer(torch.zeros(7, 2, 3), (torch.zeros(1, 2, 4),) * (3 - layer.n_parts))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.bfloat16], ids=str)
def test_other_types_of_numbers_are_told(name, dtype):
    layer = getattr(lnn, name)(3, 4)
    x = torch.zeros(7, 2, 3)
    with pytest.raises(InvalidInputError, match=rf"^input: got {dtype}.*torch\.float32"):
        layer(x.to(dtype))
    with pytest.raises(InvalidInputError, match=rf"^hx: got {dtype}.*torch\.float32"):
        layer(x, states(layer, dtype))
