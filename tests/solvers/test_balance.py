"""Water: none is lost, none is made but by a sequential sweep's floors, and no store falls below zero where a scheme promises so."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import IMPROVED, SCHEMES, extremes, parameters, weather

from studyhub.solvers.march import march

OUTPUTS = ("qsim", "et", "boundary", "floor")


def day_by_day(scheme, steps, forcing, values, stores):
    """March one day at a time; check every unit's balance and return all stores [day, basin, component, store]."""
    passed = []
    for day in forcing:
        with torch.no_grad():
            marched = march(IMPROVED, scheme, day[None], values, outputs=OUTPUTS, stores=stores, steps_per_day=steps)
        out = {name: flux[0] for name, flux in marched.outputs.items()}
        change = marched.stores.sum(-1) - stores.sum(-1)
        torch.testing.assert_close(change, out["boundary"] + out["floor"], rtol=0, atol=1e-9)
        torch.testing.assert_close(out["boundary"], day[:, :1] - out["qsim"] - out["et"], rtol=0, atol=1e-9)
        assert (out["floor"] >= 0).all() and (scheme == "sequential" or (out["floor"] == 0).all())
        stores = marched.stores
        passed.append(stores)
    return torch.stack(passed)


@pytest.mark.parametrize(("scheme", "steps"), [*SCHEMES, ("explicit", 6)])
def test_balance_closes_every_day(scheme, steps):
    forcing, values = weather(40, 3), parameters(IMPROVED, 40, 3, 4)
    stores = day_by_day(scheme, steps, forcing, values, torch.full((3, 4, 5), 5.0, dtype=torch.float64))
    if (scheme, steps) in [("sequential", 1), ("implicit", 1), ("implicit", 3), ("explicit", 6)]:
        assert stores.min() >= -1e-9


def test_balance_of_a_march_is_the_sum_of_its_days():
    forcing, values = weather(60, 3), parameters(IMPROVED, 60, 3, 2, daily=("FC", "BETA"))
    start = torch.full((3, 2, 5), 5.0, dtype=torch.float64)
    for scheme, steps in SCHEMES:
        with torch.no_grad():
            marched = march(IMPROVED, scheme, forcing, values, outputs=OUTPUTS, stores=start, steps_per_day=steps)
        gained = (marched.outputs["boundary"] + marched.outputs["floor"]).sum(0)
        torch.testing.assert_close(marched.stores.sum(-1) - start.sum(-1), gained, rtol=0, atol=60e-9)


@pytest.mark.parametrize(("scheme", "steps"), [("sequential", 1), ("implicit", 1), ("explicit", 6)])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_balance_closes_at_the_corners_of_every_range(scheme, steps, seed):
    forcing, values, start = extremes(IMPROVED, 4, 24, seed=seed)
    stores = day_by_day(scheme, steps, forcing, values, start)
    # Soil that has dried out is evaporated from as if it still held 1e-8 mm.
    assert stores.min() >= (-1e-9 if scheme == "sequential" else -1.1e-8 * len(forcing))
    assert np.isfinite(stores.numpy()).all()
