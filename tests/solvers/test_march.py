import math

import numpy as np
import pytest
import torch
from problems import IMPROVED, LINEAR_RESERVOIR, parameters, weather

from studyhub.physics.hbv import HBV
from studyhub.solvers.march import Diverged, march

SCHEMES = [("sequential", 1), ("implicit", 1), ("implicit", 3), ("explicit", 4), ("rk4", 3), ("crank_nicolson", 1), ("crank_nicolson", 2)]


def functional(physics, scheme, steps, forcing, values, start, backend="auto"):
    """A number that depends on every output, day and store, unequally."""
    names = (*physics.output_names, "floor")
    marched = march(physics, scheme, forcing, values, outputs=names, stores=start, steps_per_day=steps, backend=backend)
    fluxes = torch.stack([marched.outputs[name] for name in names])
    weights = torch.linspace(0.3, 1.7, fluxes.numel(), dtype=fluxes.dtype).view_as(fluxes)
    return (fluxes * weights).sum() + (marched.stores * torch.arange(1, marched.stores.shape[-1] + 1)).sum(), marched


@pytest.mark.parametrize(
    ("physics", "scheme", "steps"),
    [(HBV, "sequential", 1), *((IMPROVED, *scheme) for scheme in SCHEMES)],
    ids=lambda x: getattr(x, "name", x),
)
def test_kernel_is_the_eager_march(physics, scheme, steps):
    forcing = weather(40, 2)
    found = {}
    for backend in ("eager", "cpu"):
        values = parameters(physics, 40, 2, 2, daily=("BETA", "FC"))
        start = torch.full((2, 2, 5), 20.0, dtype=torch.float64, requires_grad=True)
        total, marched = functional(physics, scheme, steps, forcing, values, start, backend)
        total.backward()
        found[backend] = (marched, [v.grad for v in values.values()] + [start.grad])
    eager, fused = found["eager"], found["cpu"]
    for name, flux in eager[0].outputs.items():
        torch.testing.assert_close(fused[0].outputs[name], flux, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(fused[0].stores, eager[0].stores, rtol=1e-9, atol=1e-9)
    for mine, reference in zip(fused[1], eager[1], strict=True):
        torch.testing.assert_close(mine, reference, rtol=1e-7, atol=1e-7)
    assert eager[0].report.iterations == fused[0].report.iterations


@pytest.mark.parametrize(("scheme", "steps"), SCHEMES)
def test_gradients_are_central_differences(scheme, steps):
    """Kinks (a day at exactly a threshold) spoil single differences: nearly all must agree."""
    forcing, values = weather(25, 2), parameters(IMPROVED, 25, 2, 2, daily=("BETAET",))
    start = torch.full((2, 2, 5), 20.0, dtype=torch.float64, requires_grad=True)
    functional(IMPROVED, scheme, steps, forcing, values, start)[0].backward()
    errors = []
    with torch.no_grad():
        for tensor in (*values.values(), start):
            for at in np.random.default_rng(0).integers(0, tensor.numel(), 3):
                place = tensor.view(-1)[at : at + 1]
                step = 1e-5 * max(1.0, abs(place.item()))
                ends = []
                for sign in (1, -2):
                    place += sign * step
                    ends.append(functional(IMPROVED, scheme, steps, forcing, values, start)[0].item())
                place += step
                numeric = (ends[0] - ends[1]) / (2 * step)
                errors.append(abs(numeric - tensor.grad.view(-1)[at].item()) / (1e-2 + abs(numeric)))
    assert np.quantile(errors, 0.9) < 1e-4


@pytest.mark.parametrize(("scheme", "steps"), SCHEMES)
def test_water_balance_closes(scheme, steps):
    forcing, values = weather(60, 3), parameters(IMPROVED, 60, 3, 2)
    start = torch.full((3, 2, 5), 5.0, dtype=torch.float64)
    with torch.no_grad():
        marched = march(IMPROVED, scheme, forcing, values, outputs=("qsim", "et", "floor"), stores=start, steps_per_day=steps)
    out = marched.outputs
    change = forcing[..., :1].sum(0) + out["floor"].sum(0) - out["qsim"].sum(0) - out["et"].sum(0)
    allowed = 60 * steps * 5 * 2e-6 if scheme == "implicit" else 1e-9  # Newton's tolerance, mm per store and step
    torch.testing.assert_close(marched.stores.sum(-1) - start.sum(-1), change, rtol=0, atol=allowed)


def test_sequential_step_is_the_operator_split_update():
    """One day written out by hand, in the published order of operations."""
    forcing, values = weather(1, 4), parameters(HBV, 1, 4, 3)
    start = 40 * torch.rand(4, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    v = {k: x.detach() for k, x in values.items()}
    P, T, EP = (x[:, None].expand(4, 3) for x in forcing[0].unbind(-1))
    SP, LQ, SM, UZ, LZ = start.unbind(-1)
    rain, snow = torch.where(v["TT"] > T, 0.0, P), torch.where(v["TT"] > T, P, 0.0)
    SP = SP + snow
    melt = torch.minimum((v["CFMAX"] * (T - v["TT"])).clamp(min=0), SP)
    SP, LQ = SP - melt, LQ + melt
    frozen = torch.minimum((v["CFR"] * v["CFMAX"] * (v["TT"] - T)).clamp(min=0), LQ)
    LQ, SP = LQ - frozen, SP + frozen
    soaked = (LQ - v["CWH"] * SP).clamp(min=0)
    LQ = LQ - soaked
    recharge = ((SM / v["FC"]) ** v["BETA"]).clamp(max=1) * (rain + soaked)
    SM = SM + rain + soaked - recharge
    excess = (SM - v["FC"]).clamp(min=0)
    SM = SM - excess
    et = torch.minimum(((SM / (v["LP"] * v["FC"])) ** v["BETAET"]).clamp(max=1) * EP, SM)
    SM = (SM - et).clamp(min=1e-5)
    UZ = UZ + recharge + excess
    perc = torch.minimum(v["PERC"], UZ)
    UZ = UZ - perc
    q0 = v["K0"] * (UZ - v["UZL"]).clamp(min=0)
    UZ = UZ - q0
    q1 = v["K1"] * UZ
    UZ, LZ = UZ - q1, LZ + perc
    q2 = v["K2"] * LZ
    with torch.no_grad():
        marched = march(HBV, "sequential", forcing, values, stores=start, backend="eager")
    assert torch.equal(marched.stores, torch.stack([SP, LQ, SM, UZ, LZ - q2], dim=-1))
    assert torch.equal(marched.outputs["qsim"][0], q0 + q1 + q2)


@pytest.mark.parametrize(("scheme", "order"), [("explicit", 1), ("implicit", 1), ("rk4", 4)])
def test_order_of_accuracy_on_a_recession(scheme, order):
    """S(t) = S(0) exp(-K t): the error falls with the step to the power of the order."""
    forcing, rate = torch.zeros(4, 1, 1, dtype=torch.float64), torch.full((1, 1), 0.9, dtype=torch.float64)
    start, errors = torch.full((1, 1, 1), 100.0, dtype=torch.float64), []
    counts = (8, 16, 32) if scheme == "rk4" else (16, 32, 64)
    for steps in counts:
        stores = march(LINEAR_RESERVOIR, scheme, forcing, {"K": rate}, stores=start, steps_per_day=steps).stores
        errors.append(abs(stores.item() - 100 * math.exp(-0.9 * 4)))
    slope = np.polyfit(np.log(counts), np.log(errors), 1)[0]
    assert -slope == pytest.approx(order, abs=0.15)


def test_schemes_of_the_differential_equations_approach_one_solution():
    forcing, values = weather(60, 3), parameters(IMPROVED, 60, 3, 2)
    with torch.no_grad():
        fine = march(IMPROVED, "rk4", forcing, values, steps_per_day=96).outputs["qsim"]
        for scheme in ("explicit", "implicit"):
            far, near = ((march(IMPROVED, scheme, forcing, values, steps_per_day=n).outputs["qsim"] - fine).abs().mean() for n in (8, 32))
            assert near < 0.35 * far


def test_extreme_states_converge():
    """Corners of every range: full and empty stores, cloudbursts, deep frost, parameters at their bounds."""
    rng, units, days = np.random.default_rng(3), 4000, 5
    forcing = torch.tensor(
        np.stack(
            [
                rng.choice([0, 1, 30, 500], (days, units)),
                rng.choice([-40, -1, 0, 1, 40], (days, units)),
                rng.choice([0, 3, 15], (days, units)),
            ],
            -1,
        ),
        dtype=torch.float64,
    )
    values = {}
    for p in IMPROVED.parameters:
        inside, corner = p.low + rng.random((units, 1)) * (p.high - p.low), rng.choice([p.low, p.high], (units, 1))
        values[p.name] = torch.tensor(np.where(rng.random((units, 1)) < 0.5, corner, inside))
    start = torch.tensor(rng.choice([0.0, 1e-6, 1.0, 50.0, 1000.0], (units, 1, 5)))
    for dtype in (torch.float64, torch.float32):
        cast = {k: v.to(dtype) for k, v in values.items()}
        marched = march(IMPROVED, "implicit", forcing.to(dtype), cast, outputs=("qsim", "et"), stores=start.to(dtype))
        assert marched.report.unconverged == 0
        assert marched.report.residual <= 1
        assert torch.isfinite(marched.outputs["qsim"]).all()
        assert marched.stores.min() > -1e-3


def test_a_unit_does_not_depend_on_its_batch():
    forcing, values = weather(50, 6).float(), {k: v.detach().float() for k, v in parameters(IMPROVED, 50, 6, 4).items()}
    for scheme in ("sequential", "implicit"):
        together = march(IMPROVED, scheme, forcing, values).outputs["qsim"]
        alone = march(IMPROVED, scheme, forcing[:, 4:5], {k: v[4:5, 2:3] for k, v in values.items()}).outputs["qsim"]
        assert torch.equal(together[:, 4:5, 2:3], alone)


@pytest.mark.parametrize("backend", ["eager", "cpu"])
def test_divergence_is_caught_with_basin_store_and_day(backend):
    forcing, values = weather(900, 3), parameters(HBV, 900, 3, 2)
    values = {k: v.detach() for k, v in values.items()}
    values["K0"][1], values["K1"][1], values["UZL"][1] = 0.9, 0.5, 0.0  # 1 - K0 - K1 - percolation: beyond explicit Euler's stable step
    values["K1"][1] = 2.2
    with pytest.raises(Diverged) as caught:
        march(HBV, "explicit", forcing, values, raw=True, backend=backend, first_day=100)
    assert (caught.value.basin, caught.value.store) == (1, "UZ")
    assert 100 < caught.value.day < 1000


def test_discharge_does_not_know_the_future():
    values = parameters(IMPROVED, 40, 2, 2)
    past, other = weather(40, 2), weather(40, 2)
    other[25:] += 5.0
    for scheme in ("sequential", "implicit"):
        a, b = (march(IMPROVED, scheme, forcing, values).outputs["qsim"] for forcing in (past, other))
        assert torch.equal(a[:25], b[:25])
        assert not torch.equal(a[25:], b[25:])


def test_an_operation_without_scalar_form_falls_back_with_a_message():
    from dataclasses import replace

    from studyhub.physics.structure import Flux

    def _outflow(S, K):
        return K * S.cos()

    odd = replace(LINEAR_RESERVOIR, fluxes=(LINEAR_RESERVOIR.fluxes[0], Flux(_outflow, "S", None)))
    forcing, rate = torch.ones(3, 1, 1, dtype=torch.float64), {"K": torch.full((1, 1), 0.1, dtype=torch.float64)}
    with pytest.warns(UserWarning, match=r"cos.*eager"):
        assert march(odd, "explicit", forcing, rate).report.backend == "eager"
