import numpy as np
import pytest
import torch

from studyhub.kernels.trace import Untraceable, printed
from studyhub.physics import ops

# The kernels' language for arrays of NumPy.
LANGUAGE = {
    "R": float, "spread": float, "minimum": np.minimum, "maximum": np.maximum, "size": np.abs, "select": np.where, "exp": np.exp,
    "log": np.log, "tanh": np.tanh, "sqrt": np.sqrt, "both": np.logical_and, "either": np.logical_or, "negate": np.logical_not,
}  # fmt: skip


def source(function, *names, **options):
    return printed(function, names, "found", "@inline", **options)


def check(function, *values):
    """The printed function gives what torch gives, and so does its derivative."""
    names = [f"a{i}" for i in range(len(values))]
    tensors = [torch.tensor(v, dtype=torch.float64) for v in values]

    def derivative(*a):
        return torch.func.vjp(lambda *z: function(*z)[0], *a)[1](torch.ones_like(a[0]))

    for version in (function, derivative):
        scope = {**LANGUAGE, "inline": lambda f: f}
        exec(source(version, *names), scope)
        for mine, reference in zip(scope["found"](*(t.numpy() for t in tensors)), version(*tensors), strict=True):
            np.testing.assert_allclose(np.broadcast_to(mine, (len(values[0]),)), reference.numpy(), rtol=1e-12, atol=1e-14)


A, B = [0.3, 1.0, 2.5, 7.0], [2.0, 0.7, 2.6, 0.1]


@pytest.mark.parametrize(
    "function",
    [
        lambda a, b: (a + 2 * b - a / b - (3 - a) * (1 / b),),
        lambda a, b: (a**b,),
        lambda a, b: (a**2 + b**1 + a**0 + b**3 + a**0.5,),
        lambda a, b: (ops.minimum(a, b) * ops.maximum(a, 0.5) - ops.minimum(b, 1.0),),
        lambda a, b: (ops.where(a < b, a * b, 0.0) + ops.where(a >= 1.0, 0.0, b),),
        lambda a, b: (ops.exp(-a) + ops.log(b) * ops.tanh(a) - ops.sqrt(b),),
        lambda a, b: (a.clamp(min=0.5).clamp(max=2.0) * (-b),),
        lambda a, b: (ops.minimum((a / (b * 3.0)) ** b, 1.0) * a,),
        lambda a, b: (ops.where(torch.logical_or(torch.logical_and(a > 1.0, torch.logical_not(b > 2.0)), a == 1.0), a, b),),
    ],
)
def test_every_operation_means_what_torch_means(function):
    check(function, A, B)


def test_slope_of_a_power_at_zero_is_finite():
    def slope(a, b):
        return torch.func.vjp(lambda x: x**b, a)[1](torch.ones_like(a))

    scope = {**LANGUAGE, "inline": lambda f: f}
    exec(source(slope, "a", "b"), scope)
    with np.errstate(divide="ignore"):
        assert scope["found"](np.array([0.0]), np.array([2.5]))[0] == 0.0


def test_equal_expressions_are_shared_and_idle_ones_dropped():
    text = source(lambda a, b: (torch.exp(a * b) + torch.exp(a * b) + 0.0 * torch.tanh(a) + 1.0 * (2.0 + 3.0) * a,), "a", "b")
    assert text.count("exp(") == 1
    assert "tanh" not in text
    assert "R(5.0)" in text


def test_a_power_and_its_slope_share_the_logarithm():
    def both(a, b):
        value, pull_back = torch.func.vjp(lambda x, y: x**y, a, b)
        return (value, *pull_back(torch.ones_like(a)))

    text = source(both, "a", "b")
    assert text.count("log(") == text.count("exp(") == 1


def test_scalars_and_constants_among_the_results():
    text = source(lambda a, dt: (dt * a, torch.ones_like(a)), "a", "dt", scalars=("dt",))
    assert "spread(R(1.0))" in text


def test_an_operation_without_scalar_form_is_named():
    with pytest.raises(Untraceable, match="cos"):
        source(lambda a: (torch.cos(a),), "a")
