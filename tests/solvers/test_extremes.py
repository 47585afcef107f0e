"""A million random days, half of all values at a corner of their range: every one is solved, and gradients stay finite."""

import pytest
import torch
from problems import IMPROVED, extremes

from studyhub.physics.hbv import HBV
from studyhub.solvers.march import march
from studyhub.solvers.scheme import TOLERANCE

UNITS = 1_000_000
OUTPUTS = ("qsim", "et", "boundary")


@pytest.fixture(scope="module")
def units():
    return extremes(IMPROVED, 1, UNITS)


def solved(physics, scheme, dtype, forcing, values, start):
    values = {name: values[name].to(dtype) for name in physics.parameter_names}
    with torch.no_grad():
        marched = march(physics, scheme, forcing.to(dtype), values, outputs=OUTPUTS, stores=start.to(dtype))
    for tensor in (*marched.outputs.values(), marched.stores):
        assert torch.isfinite(tensor).all()
    assert marched.report.residual <= 1
    assert marched.report.unconverged == 0
    return marched


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
@pytest.mark.parametrize("physics", [HBV, IMPROVED], ids=["plain", "capillary rise"])
def test_implicit_days_converge(physics, dtype, units):
    marched = solved(physics, "implicit", dtype, *units)
    rounding = 1.1 * (TOLERANCE[str(dtype).removeprefix("torch.")] + 8 * torch.finfo(dtype).eps * marched.stores.abs().amax(-1))
    assert (marched.stores.amin(-1) > -1e-8 - rounding).all()
    assert marched.report.iterations < 5
    assert marched.report.cut_days < 1e-3 * UNITS


def test_crank_nicolson_days_converge(units):
    solved(IMPROVED, "crank_nicolson", torch.float32, *units)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["double", "single"])
def test_a_hundred_nasty_days_converge(dtype):
    """A million unit-days again, each from where the day before has led."""
    solved(IMPROVED, "implicit", dtype, *extremes(IMPROVED, 100, UNITS // 100, seed=1))


def test_single_and_double_precision_agree():
    """Shorter steps have another root: days that only rounding has cut would stand out."""
    forcing, values, start = extremes(IMPROVED, 1, 20_000, seed=2)
    found = [solved(IMPROVED, "implicit", real, forcing, values, start).stores.double() for real in (torch.float32, torch.float64)]
    assert ((found[0] - found[1]).abs() > 1e-2 * (1 + found[1].abs())).any(-1).double().mean() < 2e-3


@pytest.mark.parametrize("scheme", ["implicit", "crank_nicolson"])
def test_gradients_are_finite(scheme, units):
    forcing, values, start = (units[0][:, :100_000], {k: v[:100_000] for k, v in units[1].items()}, units[2][:100_000])
    values = {k: v.float().requires_grad_() for k, v in values.items()}
    start = start.float().requires_grad_()
    marched = march(IMPROVED, scheme, forcing.float(), values, outputs=OUTPUTS, stores=start)
    (sum(flux.sum() for flux in marched.outputs.values()) + (marched.stores * torch.arange(1, 6)).sum()).backward()
    for tensor in (*values.values(), start):
        assert torch.isfinite(tensor.grad).all()
        assert tensor.grad.abs().max() > 0
