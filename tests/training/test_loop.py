import math
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from studyhub.data.windows import Inputs, Sampler
from studyhub.models.lstm import Network, StreamflowLSTM
from studyhub.models.simulation import Simulation
from studyhub.models.target import TargetScaler
from studyhub.study.settings import Training
from studyhub.training import losses
from studyhub.training.loop import Epoch, NonFiniteLoss, learning_rate, train
from studyhub.training.optimizer import KINDS

BASINS, DAYS, WARMUP, WINDOW = 4, 60, 5, 10
SETTINGS = Training(epochs=3, batch=3, window=WINDOW, updates_per_epoch=4)


@dataclass(frozen=True)
class Report:
    days: int

    def then(self, later: "Report") -> "Report":
        return Report(self.days + later.days)


class Line(nn.Module):
    """Discharge = a x + b, where a test can spoil a value."""

    def __init__(self, spoil: float = 0.0, at: int = 0):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(0.1)), nn.Parameter(torch.tensor(0.0))
        self.spoil, self.at, self.calls = spoil, at, 0

    def forward(self, x: Tensor, attributes: Tensor, forcing: Tensor | None, warmup: int) -> Simulation:
        assert self.training == torch.is_grad_enabled()
        discharge = self.a * x[warmup:, :, 0] + self.b
        self.calls += 1
        if self.spoil and self.calls > self.at:
            discharge = discharge + torch.zeros_like(discharge).index_put((torch.tensor(2), torch.tensor(1)), torch.tensor(self.spoil))
        return Simulation(discharge, solve=Report(len(discharge)))


def sampler(q: Tensor | None = None, seed: int = 0, window: int = WINDOW) -> Sampler:
    rng = np.random.default_rng(1)
    x = torch.tensor(rng.gamma(1.0, 2.0, (DAYS, BASINS, 2)), dtype=torch.float32)
    attributes = torch.tensor(rng.normal(size=(BASINS, 3)), dtype=torch.float32)
    q = 2 * x[:, :, 0] + 1 if q is None else q
    inputs = Inputs(x, attributes, None, q)
    return Sampler(inputs, WARMUP, window, 3, SETTINGS.updates_per_epoch, torch.Generator().manual_seed(seed))


def lstm(recipe: str = "feng2020", seed: int = 0) -> StreamflowLSTM:
    network = Network(2, 3, 16, 1, recipe, 0.5, torch.Generator().manual_seed(seed))
    return StreamflowLSTM(network, TargetScaler(recipe, 0.2, 0.5, 0, 3.0, 1.0))


def weights(model: nn.Module) -> list[Tensor]:
    return [value.detach().clone() for value in model.state_dict().values()]


def test_training_finds_the_line():
    model = Line()
    result = train(model, sampler(), replace(SETTINGS, epochs=40, optimizer="adam", learning_rate=((1, 0.1),), loss="rmse"))
    assert (model.a.item(), model.b.item()) == pytest.approx((2, 1), abs=0.1)
    assert result.epochs[-1].loss < 0.1 * result.epochs[0].loss
    assert not model.training


@pytest.mark.parametrize("recipe", ["feng2020", "kratzert2019"])
@pytest.mark.parametrize("loss", ["rmse_log", "rmse", "nse"])
def test_equal_seeds_give_bitwise_equal_weights(recipe, loss):
    settings = replace(SETTINGS, loss=loss, gradient_norm=1.0)
    runs = []
    for seeds in ((0, 0), (0, 0), (1, 0), (0, 1)):
        model = lstm(recipe, seeds[0])
        train(model, sampler(seed=seeds[1]), settings)
        runs.append(torch.cat([value.flatten() for value in weights(model)]))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0], runs[3])


@pytest.mark.parametrize("loss", ["rmse_log", "rmse", "nse"])
@pytest.mark.parametrize("kind", ["line", "lstm"])
def test_first_loss_is_that_of_the_settings(loss, kind):
    twin = lstm() if kind == "lstm" else Line()
    drawn, q = sampler().draw(), sampler().inputs.q
    simulation = twin(drawn.x, drawn.attributes, drawn.forcing, WARMUP)
    on_target = simulation.target is not None and loss != "rmse_log"
    sim, obs = (simulation.target, twin.scale(drawn.q, drawn.attributes)) if on_target else (simulation.discharge, drawn.q)
    expected = {
        "rmse_log": lambda: losses.rmse_log(sim, obs, 0.4),
        "rmse": lambda: losses.rmse(sim, obs),
        "nse": lambda: losses.nse(sim, obs, q.std(0, correction=0)[drawn.basin]),
    }[loss]()
    source = sampler()
    source.updates_per_epoch = 1
    result = train(lstm() if kind == "lstm" else Line(), source, replace(SETTINGS, epochs=1, loss=loss, loss_weight=0.4))
    assert result.epochs[0].loss == pytest.approx(expected.item(), rel=1e-5)


def test_epochs_are_told_as_they_end():
    told: list[Epoch] = []
    result = train(Line(), sampler(), SETTINGS, on_epoch=told.append, validate=lambda: 0.5)
    assert result.epochs == tuple(told)
    assert [(epoch.number, epoch.of, epoch.updates, epoch.validation) for epoch in told] == [(n, 3, 4, 0.5) for n in (1, 2, 3)]
    assert all(epoch.solve == Report(4 * WINDOW) and epoch.seconds > 0 for epoch in told)
    assert (result.kept, result.stopped) == (3, False)


def test_listener_stops_the_training():
    result = train(Line(), sampler(), SETTINGS, on_epoch=lambda epoch: epoch.number == 2)
    assert (len(result.epochs), result.kept, result.stopped) == (2, 2, True)
    assert not train(Line(), sampler(), SETTINGS, on_epoch=lambda epoch: epoch.number == 3).stopped


def test_learning_rate_takes_steps():
    steps = ((1, 1e-3), (11, 5e-4), (21, 1e-4))
    assert [learning_rate(steps, epoch) for epoch in (1, 10, 11, 20, 21, 99)] == [1e-3, 1e-3, 5e-4, 5e-4, 1e-4, 1e-4]


def test_learning_rate_reaches_the_optimiser():
    model, seen = Line(), []
    settings = replace(SETTINGS, optimizer="adam", learning_rate=((1, 0.1), (2, 0.0)))
    train(model, sampler(), settings, on_epoch=lambda _: seen.append(model.a.item()))
    assert seen[0] != pytest.approx(0.1)
    assert seen[0] == seen[1] == seen[2]


def test_adadelta_is_that_of_the_papers():
    model, twin, source = Line(), Line(), sampler()
    source.updates_per_epoch = 1
    train(model, source, replace(SETTINGS, epochs=1, loss="rmse"))
    drawn = sampler().draw()
    losses.rmse(twin(drawn.x, drawn.attributes, None, WARMUP).discharge, drawn.q).backward()
    rho, eps = 0.9, 1e-6
    for value in (twin.a, twin.b):
        assert value.grad is not None
        step = math.sqrt(eps) / torch.sqrt((1 - rho) * value.grad**2 + eps) * value.grad
        torch.testing.assert_close(dict(model.named_parameters())["a" if value is twin.a else "b"].data, value.data - step)


@pytest.mark.parametrize("limit", [None, 1e-3, 1e6])
def test_gradients_are_clipped_to_the_norm(limit, monkeypatch):
    norms = []

    class Spy(torch.optim.Adam):
        def step(self, closure=None):
            norms.append(torch.nn.utils.get_total_norm([p.grad for group in self.param_groups for p in group["params"]]).item())
            return super().step(closure)

    monkeypatch.setitem(KINDS, "adam", Spy)
    train(Line(), sampler(), replace(SETTINGS, optimizer="adam", gradient_norm=limit))
    assert len(norms) == 12
    if limit == 1e-3:
        assert max(norms) == pytest.approx(1e-3, rel=1e-2)
    else:
        assert min(norms) > 1e-3


@dataclass
class Scores:
    """A validation that has seen these weights."""

    values: list[float]
    model: Line
    seen: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        assert not self.model.training
        assert not torch.is_grad_enabled()
        self.seen.append(self.model.a.item())
        return self.values[len(self.seen) - 1]


@pytest.mark.parametrize(
    ("values", "kept"), [([0.1, 0.7, 0.3], 2), ([0.7, 0.7, 0.2], 1), ([math.nan, -5.0, math.nan], 2), ([math.nan] * 3, 3)]
)
def test_best_weights_are_put_back(values, kept):
    model = Line()
    scores = Scores(values, model)
    result = train(model, sampler(), replace(SETTINGS, checkpoint="best"), validate=scores)
    assert len(set(scores.seen)) == 3
    assert (result.kept, model.a.item()) == (kept, scores.seen[kept - 1])


def test_last_weights_are_kept_whatever_the_validation_says():
    model = Line()
    scores = Scores([0.9, 0.5, 0.1], model)
    assert train(model, sampler(), SETTINGS, validate=scores).kept == 3
    assert model.a.item() == scores.seen[2]


def test_best_needs_a_validation():
    with pytest.raises(ValueError, match="needs a validation score"):
        train(Line(), sampler(), replace(SETTINGS, checkpoint="best"))


@pytest.mark.parametrize("spoil", [math.nan, math.inf])
@pytest.mark.parametrize("loss", ["rmse_log", "rmse", "nse"])
def test_non_finite_simulation_never_reaches_the_weights(spoil, loss):
    model, source = Line(spoil, at=2), sampler()
    stepped = Line()
    short = sampler()
    short.updates_per_epoch = 2
    train(stepped, short, replace(SETTINGS, epochs=1, loss=loss))
    with pytest.raises(NonFiniteLoss) as caught:
        train(model, source, replace(SETTINGS, loss=loss))
    assert (caught.value.what, caught.value.sample, caught.value.day) == ("discharge", 1, 2)
    assert all(torch.equal(*pair) for pair in zip(weights(model), weights(stepped), strict=True))


def test_non_finite_simulation_on_an_unobserved_day_is_found_too():
    with pytest.raises(NonFiniteLoss, match="discharge"):
        train(Line(math.nan), sampler(torch.full((DAYS, BASINS), torch.nan)), SETTINGS)


def test_infinite_observation_is_named():
    q = torch.ones(DAYS, BASINS)
    q[:, 2] = torch.inf
    source = sampler(q)
    with pytest.raises(NonFiniteLoss) as caught:
        train(Line(), source, SETTINGS)
    assert (caught.value.what, int(source.last.basin[caught.value.sample])) == ("observation", 2)


def test_overflowing_loss_is_named():
    with pytest.raises(NonFiniteLoss) as caught:
        train(Line(1e30), sampler(), SETTINGS)  # finite, its square is not
    assert (caught.value.what, caught.value.sample) == ("loss", None)


class Kink(Line):
    def forward(self, x: Tensor, attributes: Tensor, forcing: Tensor | None, warmup: int) -> Simulation:
        return Simulation(x[warmup:, :, 0] + (0 * self.a).sqrt())  # finite value, infinite slope


def test_non_finite_gradient_never_reaches_the_weights():
    model = Kink()
    before = weights(model)
    with pytest.raises(NonFiniteLoss, match="gradient of a is not finite"):
        train(model, sampler(), SETTINGS)
    assert all(torch.equal(*pair) for pair in zip(weights(model), before, strict=True))


class Fault(Exception):
    pass


class Faulty(Line):
    def forward(self, x: Tensor, attributes: Tensor, forcing: Tensor | None, warmup: int) -> Simulation:
        raise self.fault


def test_exceptions_of_the_model_pass_untouched():
    model = Faulty()
    model.fault = Fault()
    with pytest.raises(Fault) as caught:
        train(model, sampler(), SETTINGS)
    assert caught.value is model.fault


@pytest.mark.parametrize("optimizer", ["adam", "adadelta"])
def test_batches_without_observation_take_no_step(optimizer):
    model = Line()
    before = weights(model)
    result = train(model, sampler(torch.full((DAYS, BASINS), torch.nan)), replace(SETTINGS, optimizer=optimizer))
    assert all(torch.equal(*pair) for pair in zip(weights(model), before, strict=True))
    assert all(epoch.updates == 0 and math.isnan(epoch.loss) for epoch in result.epochs)


def test_sigma_is_of_the_observed_days():
    q = torch.tensor(np.random.default_rng(3).gamma(1.0, 2.0, (DAYS, BASINS)), dtype=torch.float32)
    q[::3, 0] = torch.nan
    q[:, 1] = torch.nan
    source = sampler(q)
    source.updates_per_epoch = 1
    drawn = sampler(q).draw()
    sigma = torch.tensor(np.nan_to_num([np.nanstd(q[:, i]) if not q[:, i].isnan().all() else 0.0 for i in range(BASINS)]))
    expected = losses.nse(Line()(drawn.x, drawn.attributes, None, WARMUP).discharge, drawn.q, sigma[drawn.basin])
    result = train(Line(), source, replace(SETTINGS, epochs=1, loss="nse"))
    assert result.epochs[0].loss == pytest.approx(expected.item(), rel=1e-5)


def test_one_day_windows_train():
    model = lstm("kratzert2019")
    result = train(model, sampler(window=1), replace(SETTINGS, window=1, loss="nse", optimizer="adam", learning_rate=((1, 1e-3),)))
    assert all(math.isfinite(epoch.loss) for epoch in result.epochs)
