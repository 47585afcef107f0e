"""Functions of vectors against NumPy in extended precision."""

import numpy as np
import pytest
from numba import njit

from studyhub.kernels import lanes
from studyhub.kernels.lanes import gather, load, maximum, minimum, select, somewhere, spread, store

REALS = ("float32", "float64")
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0]


def mapped(name):
    """The function of all numbers in an array, a vector at a time."""
    function = getattr(lanes, name)

    @njit(error_model="numpy")
    def run(x, y, width):
        for i in range(0, len(x), width):
            store(y, i, function(load(x, i)))

    def call(x):
        width = lanes.width(str(x.dtype))
        padded = np.concatenate([x, np.ones(-len(x) % width, x.dtype)])
        found = np.empty_like(padded)
        run(padded, found, width)
        return found[: len(x)]

    return call


FUNCTIONS = {name: mapped(name) for name in ("exp", "log", "tanh", "sqrt", "size")}


def samples(real, low, high, count=200_000):
    return np.random.default_rng(0).uniform(low, high, count).astype(real)


def powers(real):
    """Numbers of every size above the subnormal ones."""
    info = np.finfo(real)
    return np.exp2(np.random.default_rng(1).uniform(info.minexp, info.maxexp - 1e-3, 200_000)).astype(real)


def ulps(found, exact):
    return float(np.max(np.abs(found.astype(np.longdouble) - exact) / np.spacing(np.abs(exact).astype(found.dtype)).astype(np.longdouble)))


@pytest.mark.parametrize("real", REALS)
def test_exp(real):
    edge = (-87.0, 88.0) if real == "float32" else (-708.0, 709.0)
    for x in (samples(real, *edge), samples(real, -1, 1), np.array([*edge, 1e-30, -1e-30], real)):
        assert ulps(FUNCTIONS["exp"](x), np.exp(x.astype(np.longdouble))) <= 1.1
    beyond = np.array([edge[1] + 1, np.inf, edge[0] - 1, -np.inf, 0.0, -0.0, np.nan, np.finfo(real).tiny, np.finfo(real).max], real)
    np.testing.assert_array_equal(FUNCTIONS["exp"](beyond), np.array([np.inf, np.inf, 0, 0, 1, 1, np.nan, 1, np.inf], real))


@pytest.mark.parametrize("real", REALS)
def test_log(real):
    near_one = (1 + samples("float64", -1, 1) ** 5 * 0.4).astype(real)
    for x in (powers(real), samples(real, 0.1, 20), near_one[near_one != 1]):
        assert ulps(FUNCTIONS["log"](x), np.log(x.astype(np.longdouble))) <= 1
    subnormal = np.finfo(real).smallest_subnormal  # taken for zero, as exp never makes one
    beyond = np.array([0.0, -0.0, np.inf, -np.inf, -1.0, np.nan, 1.0, subnormal], real)
    expected = np.array([-np.inf, -np.inf, np.inf, np.nan, np.nan, np.nan, 0.0, -np.inf], real)
    np.testing.assert_array_equal(FUNCTIONS["log"](beyond), expected)


@pytest.mark.parametrize("real", REALS)
def test_tanh(real):
    small = np.concatenate([powers(real), -powers(real)])
    for x in (samples(real, -25, 25), samples(real, -1, 1), small[np.abs(small) < 0.1]):
        assert ulps(FUNCTIONS["tanh"](x), np.tanh(x.astype(np.longdouble))) <= 2.6
    beyond = np.array([*SPECIAL[:5], 1e30, -1e30], real)
    found = FUNCTIONS["tanh"](beyond)
    np.testing.assert_array_equal(found, np.array([0.0, -0.0, 1, -1, np.nan, 1, -1], real))
    assert np.signbit(found[1])


@pytest.mark.parametrize("real", REALS)
def test_sqrt_and_size_are_exact(real):
    x = np.concatenate([powers(real), np.array([*SPECIAL, np.finfo(real).smallest_subnormal], real)])
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(FUNCTIONS["sqrt"](x), np.sqrt(x))
    np.testing.assert_array_equal(FUNCTIONS["size"](x), np.abs(x))


@njit(error_model="numpy")
def _together(x, y, places, out, n):
    a, b = load(x, 0), load(y, 0)
    store(out, 0 * n, minimum(a, b))
    store(out, 1 * n, maximum(a, b))
    store(out, 2 * n, select(a < b, a + b, a * b))
    store(out, 3 * n, (a - b) / (1.0 - -a))
    store(out, 4 * n, gather(x, 1, places, 0))
    store(out, 5 * n, spread(x[2]))
    return somewhere(a > 1e3), somewhere(a > 3.0), somewhere(a != a)


@pytest.mark.parametrize("real", REALS)
def test_every_lane_is_its_own(real):
    n = lanes.width(real)
    x, y = np.linspace(-2, 4, n).astype(real), np.linspace(3, -1, n).astype(real)
    places = np.arange(n)[::-1].copy() // 2
    out = np.empty(6 * n, real)
    flags = _together(x, y, places, out, n)
    expected = [np.minimum(x, y), np.maximum(x, y), np.where(x < y, x + y, x * y), (x - y) / (1 + x), x[1 + places], np.full(n, x[2])]
    np.testing.assert_allclose(out.reshape(6, n), np.stack(expected), rtol=4 * np.finfo(real).eps)
    assert flags == (False, True, False)
    x[n // 2] = np.nan
    assert _together(x, y, places, out, n) == (False, True, True)
