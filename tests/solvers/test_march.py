from dataclasses import replace

import pytest
import torch
from problems import IMPROVED, LINEAR_RESERVOIR, SMOOTH, parameters, smooth_problem, weather

from studyhub.errors import ResourceError
from studyhub.kernels.trace import Untraceable
from studyhub.physics.hbv import HBV
from studyhub.physics.structure import Flux, Stage
from studyhub.solvers import eager
from studyhub.solvers import march as marching
from studyhub.solvers.march import SCHEMES, Diverged, march


def caught(*problem, same_store=True, **options):
    """Basin, store and day of a divergence, the same for kernel and eager march."""
    places = []
    for backend in ("cpu", "eager"):
        with pytest.raises(Diverged) as error:
            march(*problem, backend=backend, **options)
        places.append((error.value.basin, error.value.store, error.value.day))
    assert places[0] == places[1] or not same_store and places[0][::2] == places[1][::2]
    assert all(str(x) in str(error.value) for x in places[1])
    return places[0]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_store_that_overflows_is_caught_on_the_day(scheme):
    """30 m of rain a day and hardly an outflow: 90 m after the third day, more than 100 m after the fourth."""
    forcing, rate = torch.zeros(9, 4, 1, dtype=torch.float64), torch.full((4, 3), 0.5, dtype=torch.float64)
    forcing[:, 2] = 30_000
    rate[2, 1] = 1e-6
    assert caught(LINEAR_RESERVOIR, scheme, forcing, {"K": rate}, first_day=70) == (2, "S", 73)
    fine = march(LINEAR_RESERVOIR, scheme, forcing[:3], {"K": rate})
    assert torch.isfinite(fine.outputs["qsim"]).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_missing_weather_is_caught_on_the_day(scheme, monkeypatch):
    monkeypatch.setattr(eager, "CUTS", 2)  # shorter steps are of no help
    forcing, values, start = smooth_problem(4, 11, 1)
    forcing[2, 9, 1] = torch.nan
    forcing[3, 2, 0] = torch.nan
    with torch.no_grad():
        assert caught(SMOOTH, scheme, forcing, values, stores=start) == (9, "U", 2)


@pytest.mark.parametrize("variable", range(3), ids=HBV.forcing)
@pytest.mark.parametrize(("scheme", "steps"), [("sequential", 1), ("implicit", 1), ("explicit", 4)])
def test_missing_weather_of_hbv_is_caught_on_the_day(scheme, steps, variable, monkeypatch):
    """A minimum or maximum must not hide it."""
    monkeypatch.setattr(eager, "CUTS", 2)
    forcing, values = weather(5, 10), parameters(IMPROVED, 5, 10, 1)
    forcing[3, 8, variable] = torch.nan
    with torch.no_grad():
        start, same = torch.full((10, 1, 5), 9.0, dtype=torch.float64), scheme != "implicit"  # elimination spreads it over all stores
        basin, _, day = caught(IMPROVED, scheme, forcing, values, stores=start, steps_per_day=steps, same_store=same)
    assert (basin, day) == (8, 3)


@pytest.mark.parametrize(("scheme", "rate"), [("explicit", 2.5), ("rk4", 3.2)])
def test_a_step_that_is_too_long_blows_up(scheme, rate):
    """Each day multiplies the storage by a factor beyond 1; the day follows from it."""
    factor = 1 - rate if scheme == "explicit" else 1 - rate + rate**2 / 2 - rate**3 / 6 + rate**4 / 24
    storage, day = 100.0, -1
    while abs(storage) <= 1e5:
        storage, day = storage * factor, day + 1
    forcing, rates = torch.zeros(200, 2, 1, dtype=torch.float64), torch.tensor([[0.5], [rate]], dtype=torch.float64)
    start = torch.full((2, 1, 1), 100.0, dtype=torch.float64)
    assert caught(LINEAR_RESERVOIR, scheme, forcing, {"K": rates}, stores=start, raw=True) == (1, "S", day)


def test_hbv_diverges_in_the_upper_zone_where_its_outflow_is_too_fast():
    forcing, values = weather(300, 3), {k: v.detach() for k, v in parameters(IMPROVED, 300, 3, 2).items()}
    values["K0"][1], values["K1"][1], values["UZL"][1] = 0.9, 2.2, 0.0
    values["C"][:] = 0.0
    basin, store, day = caught(IMPROVED, "explicit", forcing, values, raw=True, first_day=100)
    assert (basin, store) == (1, "UZ")
    with torch.no_grad():
        sound = march(IMPROVED, "explicit", forcing[: day - 100], values, raw=True)
    assert sound.stores.abs().max() <= 1e5


def test_discharge_does_not_know_the_future():
    values = parameters(IMPROVED, 40, 2, 2)
    past, other = weather(40, 2), weather(40, 2)
    other[25:] += 5.0
    for scheme in ("sequential", "implicit"):
        a, b = (march(IMPROVED, scheme, forcing, values).outputs["qsim"] for forcing in (past, other))
        assert torch.equal(a[:25], b[:25])
        assert not torch.equal(a[25:], b[25:])


def test_runs_begin_empty_or_with_the_small_amounts_of_the_sequential_scheme():
    forcing, values = weather(3, 2), parameters(HBV, 3, 2, 2)
    for scheme, amount in (("sequential", 0.001), ("explicit", 0.0)):
        given = torch.full((2, 2, 5), amount, dtype=torch.float64)
        found = [march(HBV, scheme, forcing, values, stores=stores, backend="eager").stores for stores in (None, given)]
        assert torch.equal(*found)


def test_reports_of_consecutive_marches_add_up():
    forcing, values, start = smooth_problem(10, 2, 2)
    whole = march(SMOOTH, "implicit", forcing, values, stores=start)
    first = march(SMOOTH, "implicit", forcing[:4], values, stores=start)
    both = first.report.then(march(SMOOTH, "implicit", forcing[4:], values, stores=first.stores).report)
    assert both.iterations == pytest.approx(whole.report.iterations)
    assert replace(both, iterations=0.0) == replace(whole.report, iterations=0.0)


def test_nothing_is_kept_for_gradients_that_nobody_wants():
    forcing, rate = torch.ones(3, 1, 1), {"K": torch.full((1, 1), 0.5)}
    assert not march(LINEAR_RESERVOIR, "sequential", forcing, rate).outputs["qsim"].requires_grad


def _outflow_cosine(S, K):
    return K * S.cos()


@pytest.fixture
def odd():
    stages = (Stage(("_inflow",)), Stage(("_outflow_cosine",)))
    return replace(
        LINEAR_RESERVOIR,
        name="odd",
        fluxes=(LINEAR_RESERVOIR.fluxes[0], Flux(_outflow_cosine, "S", None)),
        stages=stages,
        outputs=(("qsim", ("_outflow_cosine",)),),
    )


def test_an_operation_without_scalar_form_falls_back_with_a_message(odd):
    problem = (odd, "explicit", torch.ones(3, 1, 1, dtype=torch.float64), {"K": torch.full((1, 1), 0.1, dtype=torch.float64)})
    with pytest.warns(UserWarning, match=r"cos.*eager"):
        marched = march(*problem)
    assert marched.report.backend == "eager"
    assert torch.equal(marched.stores, march(*problem, backend="eager").stores)
    with pytest.raises(Untraceable, match="cos"):
        march(*problem, backend="cpu")


def test_a_gpu_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setattr(marching, "_cuda", lambda: None)
    with pytest.raises(ResourceError, match=r"numba-cuda.*NVIDIA GPU.*studyhub\[gpu\]"):
        march(LINEAR_RESERVOIR, "explicit", torch.ones(3, 1, 1), {"K": torch.full((1, 1), 0.1)}, backend="cuda")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_stores_of_every_day_are_those_of_marches_that_end_there(scheme):
    forcing, values = weather(6, 3), parameters(IMPROVED, 6, 3, 2)
    paths = {b: march(IMPROVED, scheme, forcing, values, trajectory=True, backend=b) for b in ("cpu", "eager")}
    kernel = paths["cpu"].trajectory
    assert kernel.shape == (6, 3, 2, 5) and not kernel.requires_grad
    torch.testing.assert_close(kernel, paths["eager"].trajectory, rtol=1e-10, atol=1e-10)
    assert torch.equal(kernel[-1], paths["cpu"].stores)
    assert torch.equal(kernel[3], march(IMPROVED, scheme, forcing[:4], values, backend="cpu").stores)
    assert march(IMPROVED, scheme, forcing, values, backend="cpu").trajectory is None
