import numpy as np
import pytest
import torch
from problems import parameters, weather

from studyhub.models.dpl import DifferentiableModel, Solver
from studyhub.models.lstm import Network
from studyhub.physics.gr4j import DAYS, GR4J, PARTS
from studyhub.solvers.march import SCHEMES, march

SETS = [(350.0, 0.0, 90.0, 1.7), (50.0, -10.0, 10.0, 0.5), (350.0, -3.0, 60.0, 1.1), (200.0, 5.0, 10.0, 2.9), (2000.0, 2.0, 300.0, 4.0)]


def rain_and_demand(days, basins, seed=0):
    """Precipitation and potential evapotranspiration [mm/d]; [time, basin, 2]."""
    return weather(days, basins, seed)[..., [0, 2]]


def values(*sets):
    """Parameter sets as basins of one component, in double precision."""
    return dict(zip(GR4J.parameter_names, torch.tensor(sets, dtype=torch.float64).T[..., None], strict=True))


def ordinates(X4):
    def sh1(t):
        return (t / X4) ** 2.5 if t < X4 else 1.0

    def sh2(t):
        if t <= X4:
            return 0.5 * (t / X4) ** 2.5
        return 1 - 0.5 * (2 - t / X4) ** 2.5 if t < 2 * X4 else 1.0

    return np.diff([sh1(t) for t in range(5)]), np.diff([sh2(t) for t in range(9)])


def published(rain, demand, X1, X2, X3, X4):
    """Perrin et al. (2003), day by day, with empty stores at first: discharge, evapotranspiration, outflow of the routing store, S, R."""
    uh1, uh2 = ordinates(X4)
    due9, due1, S, R, rows = np.zeros(4), np.zeros(8), 0.0, 0.0, []
    for P, E in zip(rain, demand, strict=True):
        Pn, En = (P - E, 0.0) if P >= E else (0.0, E - P)
        wet, dry = np.tanh(Pn / X1), np.tanh(En / X1)
        Ps = X1 * (1 - (S / X1) ** 2) * wet / (1 + S / X1 * wet)
        Es = S * (2 - S / X1) * dry / (1 + (1 - S / X1) * dry)
        S = S - Es + Ps
        Perc = S * (1 - (1 + (4 * S / (9 * X1)) ** 4) ** -0.25)
        S = S - Perc
        Pr = Perc + (Pn - Ps)
        due9, due1 = np.append(due9[1:], 0) + 0.9 * Pr * uh1, np.append(due1[1:], 0) + 0.1 * Pr * uh2
        F = X2 * (R / X3) ** 3.5
        R = max(0, R + due9[0] + F)
        Qr = R * (1 - (1 + (R / X3) ** 4) ** -0.25)
        R = R - Qr
        Qd = max(0, due1[0] + F)
        rows.append((Qr + Qd, Es + min(P, E), Qr, S, R))
    return np.array(rows).T


@pytest.mark.parametrize("given", [*SETS, (100.0, -40.0, 10.0, 1.3)], ids=str)  # the last: what R loses goes beyond what it has
def test_the_sequential_scheme_is_the_published_model(given):
    forcing = rain_and_demand(400, 1)
    with torch.no_grad():
        marched = march(GR4J, "sequential", forcing, values(given), outputs=("qsim", "et", "baseflow", "floor"), backend="eager")
    discharge, et, slow, S, R = published(*forcing[:, 0].T.numpy(), *given)
    for name, expected in (("qsim", discharge), ("et", et), ("baseflow", slow)):
        np.testing.assert_allclose(marched.outputs[name][:, 0, 0], expected, rtol=0, atol=1e-10)
    np.testing.assert_allclose(marched.stores[0, 0, [0, -1]], [S[-1], R[-1]], rtol=0, atol=1e-10)
    assert (marched.outputs["qsim"] >= 0).all()
    assert (marched.outputs["floor"].sum() > 0) == (given[1] == -40)


@pytest.mark.parametrize("X4", [0.5, 0.8, 1.0, 1.1, 2.0, 2.9, 4.0])
def test_entries_are_the_ordinates(X4):
    for line, expected in zip(PARTS, ordinates(X4), strict=True):
        shares = [
            GR4J.flux(f"{line}_in_{day}").rate(torch.tensor(1.0), torch.tensor(X4, dtype=torch.float64)) for day in range(1, DAYS[line] + 1)
        ]
        np.testing.assert_allclose(torch.stack(shares), PARTS[line] * expected, atol=1e-15)
        assert sum(shares).item() == pytest.approx(PARTS[line], abs=1e-15)


@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
def test_chains_of_reservoirs_delay_water_as_the_published_lines_do_in_the_mean(scheme):
    """What store 5 of UH2 holds leaves after five moves of a day each, the first of which is today's in the sequential scheme."""
    forcing, start = torch.zeros(60, 1, 2, dtype=torch.float64), torch.zeros(1, 1, 12, dtype=torch.float64)
    at = GR4J.store_names.index("UH2_5")
    start[..., at] = 7.0
    with torch.no_grad():
        arriving = march(GR4J, scheme, forcing, values((350, 0, 90, 1.7)), stores=start, backend="eager").outputs["qsim"].flatten()
    assert arriving.sum().item() == pytest.approx(7)
    assert (arriving * torch.arange(60)).sum().item() / 7 == pytest.approx(4 if scheme == "sequential" else 5)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_water_balance_closes_on_every_day(scheme):
    forcing, start, steps = rain_and_demand(15, 5), torch.full((5, 1, 12), 5.0, dtype=torch.float64), 1 if scheme == "sequential" else 2
    given, names = values(*SETS), ("boundary", "floor", "qsim", "et")
    with torch.no_grad():
        for day in forcing:
            marched = march(GR4J, scheme, day[None], given, outputs=names, stores=start, steps_per_day=steps, backend="eager")
            change = (marched.stores - start).sum(-1)
            made = marched.outputs["boundary"] + marched.outputs["floor"]
            torch.testing.assert_close(change, made[0], rtol=0, atol=1e-9)
            closed = day[0, 0] - marched.outputs["qsim"] - marched.outputs["et"]  # without exchange: all rain is found again
            torch.testing.assert_close(change[0], closed[0, 0], rtol=0, atol=1e-9)
            start = marched.stores


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
def test_kernel_is_the_eager_march(scheme):
    forcing, found = rain_and_demand(40, 3), {}
    for backend in ("eager", "cpu"):
        given = parameters(GR4J, 40, 3, 2, daily=("X1", "X4"))
        start = torch.full((3, 2, 12), 4.0, dtype=torch.float64, requires_grad=True)
        marched = march(
            GR4J, scheme, forcing, given, outputs=("qsim", "et", "baseflow", "floor", "boundary"), stores=start, backend=backend
        )
        fluxes = torch.stack(list(marched.outputs.values()))
        weights = torch.linspace(0.3, 1.7, fluxes.numel(), dtype=fluxes.dtype).view_as(fluxes)
        ((fluxes * weights).sum() + (marched.stores * torch.arange(1, 13)).sum()).backward()
        found[backend] = ([fluxes, marched.stores], [x.grad for x in (*given.values(), start)])
    for kind, tolerance in ((0, 1e-10), (1, 1e-8)):
        for mine, reference in zip(found["cpu"][kind], found["eager"][kind], strict=True):
            torch.testing.assert_close(mine, reference, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_extreme_states_converge(dtype):
    """Corners of every range, stores fuller than their capacity, cloudbursts."""
    rng, units, days = np.random.default_rng(3), 4000, 5
    forcing = torch.tensor(np.stack([rng.choice([0, 1, 30, 500], (days, units)), rng.choice([0, 3, 15], (days, units))], -1), dtype=dtype)
    given = {}
    for p in GR4J.parameters:
        inside, corner = p.low + rng.random((units, 1)) * (p.high - p.low), rng.choice([p.low, p.high], (units, 1))
        given[p.name] = torch.tensor(np.where(rng.random((units, 1)) < 0.5, corner, inside), dtype=dtype, requires_grad=True)
    start = torch.tensor(rng.choice([0.0, 1e-6, 1.0, 50.0, 1000.0], (units, 1, 12)), dtype=dtype)
    for scheme in ("sequential", "implicit"):
        marched = march(GR4J, scheme, forcing, given, outputs=("qsim", "et"), stores=start)
        assert marched.report.unconverged == 0
        assert marched.stores.min() > -1e-3
        assert marched.outputs["qsim"].min() > -1e-3
        gradients = torch.autograd.grad(marched.outputs["qsim"].sum(), list(given.values()))
        assert all(torch.isfinite(x).all() for x in gradients)


def small():
    outputs = DifferentiableModel.outputs(GR4J, 2, ())
    network = Network(2, 4, 8, outputs, "feng2020", 0.0, torch.Generator().manual_seed(0))
    return DifferentiableModel(network, GR4J, Solver("sequential"), components=2).double().eval()


def test_a_hybrid_model_leaves_routing_to_it():
    model, forcing = small(), rain_and_demand(50, 3)
    assert model.network.head.out_features == 4 * 2
    simulation = model(
        forcing - forcing.mean((0, 1)), torch.zeros(3, 4, dtype=torch.float64), forcing, 20, ("et", "baseflow"), parameters=True
    )
    assert tuple(simulation.parameters) == GR4J.parameter_names
    marched = march(GR4J, "sequential", forcing, simulation.parameters, backend="eager")
    torch.testing.assert_close(simulation.discharge, marched.outputs["qsim"][20:].mean(-1))
