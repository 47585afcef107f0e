"""Schemes on reservoirs whose storage can be written down."""

import numpy as np
import pytest
import torch
from problems import LINEAR_RESERVOIR, RECESSION

from studyhub.solvers.march import march

DAYS = 4
FACTORS = {
    "sequential": lambda z: 1 - z,
    "explicit": lambda z: 1 - z,
    "implicit": lambda z: 1 / (1 + z),
    "crank_nicolson": lambda z: (1 - z / 2) / (1 + z / 2),
    "rk4": lambda z: 1 - z + z**2 / 2 - z**3 / 6 + z**4 / 24,
}


def drained(physics, scheme, rate, steps, backend="auto"):
    """Storage after ``DAYS`` days without rain, from 100 mm."""
    forcing, start = torch.zeros(DAYS, 1, 1, dtype=torch.float64), torch.full((1, 1, 1), 100.0, dtype=torch.float64)
    marched = march(physics, scheme, forcing, {"K": torch.full((1, 1), rate).double()}, stores=start, steps_per_day=steps, backend=backend)
    assert marched.outputs["qsim"].sum().item() == pytest.approx(100 - marched.stores.item(), rel=1e-10)
    return marched.stores.item()


@pytest.mark.parametrize("backend", ["cpu", "eager"])
@pytest.mark.parametrize(("scheme", "steps"), [("sequential", 1), *((s, n) for s in FACTORS if s != "sequential" for n in (1, 3))])
def test_linear_reservoir(scheme, steps, backend):
    for rate in (0.01, 0.3, 0.9):
        expected = 100 * FACTORS[scheme](torch.tensor(rate).double().item() / steps) ** (DAYS * steps)
        assert drained(LINEAR_RESERVOIR, scheme, rate, steps, backend) == pytest.approx(expected, rel=1e-7)


def test_implicit_step_of_a_quadratic_recession_is_the_root_of_a_quadratic():
    storage, z = 100.0, torch.tensor(0.02).double().item() / 2
    for _ in range(2 * DAYS):
        storage = (np.sqrt(1 + 4 * z * storage) - 1) / (2 * z)
    assert drained(RECESSION, "implicit", 0.02, 2, "eager") == pytest.approx(storage, rel=1e-10)


@pytest.mark.parametrize(("scheme", "order"), [("explicit", 1), ("implicit", 1), ("crank_nicolson", 2), ("rk4", 4)])
def test_quadratic_recession_approaches_a_hyperbola(scheme, order):
    rate = torch.tensor(0.02).double().item()
    errors = [abs(drained(RECESSION, scheme, 0.02, n, "eager") - 100 / (1 + rate * 100 * DAYS)) for n in (32, 64)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)
    assert errors[1] < 0.2
