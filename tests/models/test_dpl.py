import numpy as np
import pytest
import torch
from problems import IMPROVED, weather

from studyhub.models.dpl import DifferentiableModel, Solver
from studyhub.models.lstm import Network
from studyhub.physics.hbv import HBV
from studyhub.physics.routing import MEMORY, route
from studyhub.solvers.march import march

WARMUP, DAYS, BASINS, COMPONENTS = 20, 50, 3, 2


def small(physics=HBV, scheme="sequential", dropout=0.0, fixed=(), **options):
    generator = torch.Generator().manual_seed(0)
    outputs = DifferentiableModel.outputs(physics, COMPONENTS, fixed)
    network = Network(3, 4, 8, outputs, "feng2020", dropout, generator)
    return DifferentiableModel(network, physics, Solver(scheme), components=COMPONENTS, fixed=fixed, **options).double()


def inputs(seed=0):
    forcing = weather(DAYS, BASINS, seed)
    x = (forcing - forcing.mean((0, 1))) / forcing.std((0, 1))
    return x, torch.randn(BASINS, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), forcing


def test_parameters_are_daily_or_static_and_within_their_ranges():
    model = small(IMPROVED, "implicit", dynamic=("BETA",), fixed=(("NDC", 1.0),)).eval()
    simulation = model(*inputs(), WARMUP, ("et",), parameters=True)
    assert simulation.discharge.shape == (DAYS - WARMUP, BASINS)
    assert simulation.fluxes["et"].shape == (DAYS - WARMUP, BASINS)
    assert simulation.parameters["BETA"].shape == (DAYS - WARMUP, BASINS, COMPONENTS)
    assert simulation.parameters["FC"].shape == (BASINS, COMPONENTS)
    assert (simulation.parameters["NDC"] == 1.0).all()
    for table in IMPROVED.parameters[:-1]:
        values = simulation.parameters[table.name]
        assert table.low <= values.min()
        assert values.max() <= table.high


def test_simulation_is_march_mean_and_routing():
    model = small(dynamic=("BETAET",)).eval()
    x, attributes, forcing = inputs()
    simulation = model(x, attributes, forcing, WARMUP, ("baseflow",), parameters=True)
    a, b = simulation.parameters["route_a"], simulation.parameters["route_b"]
    hidden = model.network.features(x, attributes)
    values = model._values(model.network.head(hidden[WARMUP - 1]), hidden)
    torch.testing.assert_close(simulation.parameters["BETAET"], values["BETAET"][WARMUP:])
    marched = march(HBV, "sequential", forcing, values, outputs=("qsim", "baseflow"), backend="eager")
    routed = route(marched.outputs["qsim"].mean(-1)[WARMUP - MEMORY :], a, b)[MEMORY:]
    torch.testing.assert_close(simulation.discharge, routed)
    torch.testing.assert_close(simulation.fluxes["baseflow"], marched.outputs["baseflow"].mean(-1)[WARMUP:])


@pytest.mark.parametrize("dynamic", [(), ("BETA", "BETAET")])
def test_no_simulated_day_knows_later_weather(dynamic):
    model = small(dynamic=dynamic).eval()
    x, attributes, forcing = inputs()
    later_x, later_forcing = x.clone(), forcing.clone()
    later_x[35:] += 1.0
    later_forcing[35:] += 3.0
    before, after = (model(a, attributes, f, WARMUP).discharge for a, f in ((x, forcing), (later_x, later_forcing)))
    assert torch.equal(before[: 35 - WARMUP], after[: 35 - WARMUP])
    assert not torch.equal(before[35 - WARMUP :], after[35 - WARMUP :])


def test_static_parameters_of_the_last_test_day_know_it():
    model = small(static_from="last_test_day").eval()
    x, attributes, forcing = inputs()
    later = x.clone()
    later[-1] += 1.0
    first, second = (model(a, attributes, forcing, WARMUP).discharge for a in (x, later))
    assert not torch.equal(first[:1], second[:1])


def test_training_reads_static_parameters_on_the_last_day_of_the_window():
    x, attributes, forcing = inputs()
    model = small().train()
    later = x.clone()
    later[-1] += 1.0
    assert not torch.equal(model(x, attributes, forcing, WARMUP).discharge, model(later, attributes, forcing, WARMUP).discharge)


@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
@pytest.mark.parametrize("warmup_gradients", [False, True])
def test_gradients_are_central_differences(scheme, warmup_gradients):
    """Without gradients through the warm-up, central differences of a run whose warm-up keeps the old weights are what they must be."""
    model = small(IMPROVED, scheme, dynamic=("BETA",), warmup_gradients=warmup_gradients).train()
    x, attributes, forcing = inputs()
    window = 30  # days scored; the others fill the stores

    def loss():
        return model(x, attributes, forcing, WARMUP).discharge[-window:].square().mean()

    value = loss()
    value.backward()
    weight = model.network.head.weight
    gradient = weight.grad.clone()
    rng, errors = np.random.default_rng(1), []
    for _ in range(12):
        i, j = rng.integers(weight.shape[0]), rng.integers(weight.shape[1])
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                weight[i, j] += sign * 1e-5
                ends.append(loss().item())
                weight[i, j] -= sign * 1e-5
        numeric = (ends[0] - ends[1]) / 2e-5
        errors.append(abs(numeric - gradient[i, j].item()) / (1e-4 + abs(numeric)))
    if warmup_gradients:
        assert np.quantile(errors, 0.8) < 1e-3
    else:
        assert max(errors) > 1e-3  # the warm-up's share is left out


def test_every_weight_learns():
    model = small(dropout=0.3, dynamic=("BETA",)).train()
    model(*inputs(), WARMUP).discharge.sum().backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in model.parameters())


@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
def test_evaluation_says_how_well_water_is_conserved(scheme):
    model = small(IMPROVED, scheme).eval()
    balance = model(*inputs(), WARMUP).solve.balance
    assert balance is not None and balance < 1e-9
    assert model.train()(*inputs(), WARMUP).solve.balance is None
