import numpy as np
import pytest
import torch
from torch import Tensor, nn

from studyhub.errors import DataError
from studyhub.models.lstm import DroppedLSTM, Network, StreamflowLSTM
from studyhub.models.target import TargetScaler

RECIPES = ("feng2020", "kratzert2019")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(recipe: str, *, dropout: float = 0.5, seed: int = 0, outputs: int = 2) -> Network:
    return Network(3, 4, 8, outputs, recipe, dropout, generator(seed))


def inputs(days: int = 12, basins: int = 5, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(1)
    return torch.tensor(rng.normal(size=(days, basins, 3)), dtype=dtype), torch.tensor(rng.normal(size=(basins, 4)), dtype=dtype)


def by_hand(lstm: DroppedLSTM, x: Tensor, weights: Tensor) -> Tensor:
    """Run the recurrence as written in the docstring."""
    w_ih, w_hh, b_ih, b_hh = lstm.split(weights)
    h = c = x.new_zeros(x.shape[1], lstm.hidden_size)
    states = []
    for day in x:
        i, f, g, o = (day @ w_ih.T + b_ih + h @ w_hh.T + b_hh).chunk(4, dim=1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        states.append(h)
    return torch.stack(states)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])  # float32 takes oneDNN's path
def test_lstm_values_and_gradients_are_those_of_the_equations(dtype):
    lstm = DroppedLSTM(3, 8, 0.5, generator()).to(dtype).eval()
    x, _ = inputs(dtype=dtype)
    x.requires_grad_()
    sides = []
    for states in (lstm(x), by_hand(lstm, x, lstm.weights)):
        sides.append((states, *torch.autograd.grad((states * states.detach().cos()).sum(), (x, lstm.weights))))
    tolerance = 1e-12 if dtype == torch.float64 else 2e-5
    for ours, reference in zip(*sides, strict=True):
        torch.testing.assert_close(ours, reference, rtol=tolerance, atol=tolerance)


def test_lstm_equals_the_layer_of_torch():
    lstm = DroppedLSTM(3, 8, 0.0, generator()).double()
    layer = nn.LSTM(3, 8).double()
    with torch.no_grad():
        for ours, theirs in zip(lstm.split(lstm.weights), layer.parameters(), strict=True):
            theirs.copy_(ours)
    x, _ = inputs()
    torch.testing.assert_close(lstm(x), layer(x)[0], rtol=0, atol=1e-14)


def test_dropout_takes_weights_not_biases_and_scales_the_rest():
    lstm = DroppedLSTM(3, 8, 0.5, generator(3)).double()
    x, _ = inputs()
    state = lstm._generator.get_state()
    states = lstm(x)
    matrices = 4 * 8 * (3 + 8)
    mask = torch.ones_like(lstm.weights)
    mask[:matrices].bernoulli_(0.5, generator=torch.Generator().set_state(state)).mul_(2)
    assert 0.4 < (mask[:matrices] == 0).double().mean() < 0.6
    torch.testing.assert_close(states, by_hand(lstm, x, lstm.weights * mask), rtol=0, atol=1e-13)
    (gradient,) = torch.autograd.grad(states.sum(), lstm.weights)
    assert (gradient[mask == 0] == 0).all()
    assert (gradient[mask != 0] != 0).all()


def test_masks_are_new_at_each_training_pass_and_absent_in_evaluation():
    net, (x, a) = network("feng2020").double(), inputs()
    assert not torch.equal(net(x, a), net(x, a))
    net.eval()
    assert torch.equal(net(x, a), net(x, a))


@pytest.mark.parametrize("recipe", RECIPES)
def test_generator_is_the_only_source_of_chance(recipe):
    x, a = inputs()
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = network(recipe).double()
    result = first(x, a)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert torch.equal(network(recipe).double()(x, a), result)
    assert not torch.equal(network(recipe, seed=1).double()(x, a), result)


@pytest.mark.parametrize("recipe", RECIPES)
def test_saved_generator_state_repeats_the_masks(recipe):
    source = generator()
    net, (x, a) = Network(3, 4, 8, 1, recipe, 0.5, source).double(), inputs()
    state = source.get_state()
    passes = [net(x, a), net(x, a)]
    source.set_state(state)
    assert all(torch.equal(net(x, a), seen) for seen in passes)


@pytest.mark.parametrize("recipe", RECIPES)
def test_weights_begin_uniform_and_the_forget_gate_as_the_recipe_says(recipe):
    hidden = 64
    net = Network(3, 4, hidden, 2, recipe, 0.5, generator())
    bound = 1 / hidden**0.5
    forget = slice(hidden, 2 * hidden)
    *matrices, b_ih, b_hh = net.lstm.split(net.lstm.weights.detach())
    total = (b_ih + b_hh)[forget]
    if recipe == "kratzert2019":
        assert (total == 5).all()
    else:
        assert total.abs().max() < 2 * bound
    free = [
        b_ih[:hidden],
        b_hh[2 * hidden :],
        *matrices,
        net.head.weight,
        net.head.bias,
        *([] if net.input is None else net.input.parameters()),
    ]
    for values in free:
        assert values.abs().max() <= bound
    spread = torch.cat([values.detach().flatten() for values in free])
    assert spread.mean().abs() < 0.02 * bound
    assert abs(spread.std() / (bound / 3**0.5) - 1) < 0.02


def test_input_layer_sees_forcing_and_attributes():
    net, (x, a) = network("feng2020").double().eval(), inputs()
    assert net.input is not None
    seen = torch.relu(net.input(torch.cat([x, a.expand(len(x), -1, -1)], dim=-1)))
    torch.testing.assert_close(net.features(x, a), net.lstm(seen), rtol=0, atol=1e-14)


@pytest.mark.parametrize("recipe", RECIPES)
def test_gradients_agree_with_finite_differences(recipe):
    net, (x, a) = network(recipe).double().eval(), inputs(days=5, basins=2)
    weights = {name: value.detach().requires_grad_() for name, value in net.named_parameters()}

    def loss(x: Tensor, a: Tensor, *values: Tensor) -> Tensor:
        return torch.func.functional_call(net, dict(zip(weights, values, strict=True)), (x, a)).square().sum()

    assert torch.autograd.gradcheck(loss, (x.requires_grad_(), a.requires_grad_(), *weights.values()))


@pytest.mark.parametrize("recipe", RECIPES)
def test_first_day_only_cuts(recipe):
    net, (x, a) = network(recipe).double().eval(), inputs()
    assert torch.equal(net(x, a, 7), net(x, a)[7:])


@pytest.mark.parametrize("recipe", RECIPES)
def test_later_weather_and_other_basins_change_nothing(recipe):
    net, (x, a) = network(recipe).double().eval(), inputs()
    changed = x.clone()
    changed[8:] += 1
    assert torch.equal(net(changed, a)[:8], net(x, a)[:8])
    torch.testing.assert_close(net(x[:, 1:3], a[1:3]), net(x, a)[:, 1:3], rtol=0, atol=1e-14)


def test_output_dropout_takes_states_before_the_head():
    net, (x, a) = network("kratzert2019", dropout=0.4).double(), inputs(days=200)
    kept = net.features(x, a)
    net.eval()
    whole = net.features(x, a)
    taken = kept == 0
    assert abs(taken.double().mean() - 0.4) < 0.02
    torch.testing.assert_close(kept[~taken], whole[~taken] / 0.6, rtol=1e-12, atol=0)


def streamflow(recipe: str, context: int | None = None) -> StreamflowLSTM:
    target = TargetScaler(recipe, mean=0.3, std=0.4, column=1, attribute_mean=3.0, attribute_std=0.5)
    return StreamflowLSTM(network(recipe, outputs=1), target, context).double()


@pytest.mark.parametrize("recipe", RECIPES)
def test_streamflow_is_the_unscaled_target_of_the_days_after_the_warmup(recipe):
    model, (x, a) = streamflow(recipe).eval(), inputs()
    simulation = model(x, a, None, 5)
    assert simulation.target is not None
    assert simulation.discharge.shape == simulation.target.shape == (7, 5)
    # Not equal: how many days a matrix product has may decide how the BLAS of a machine rounds it.
    torch.testing.assert_close(simulation.target, model.network(x, a)[5:, :, 0], rtol=1e-12, atol=1e-15)
    assert (simulation.discharge >= 0).all()
    positive = simulation.discharge > 0
    assert positive.any()
    torch.testing.assert_close(model.scale(simulation.discharge, a)[positive], simulation.target[positive])


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("basins", [1, 5])
def test_one_day_windows_forget_what_came_before_them(recipe, basins, monkeypatch):
    monkeypatch.setattr("studyhub.models.lstm.SAMPLES_AT_ONCE", 12)  # several parts, the last one smaller
    model, (x, a) = streamflow(recipe, context=4).eval(), inputs(days=12, basins=basins)
    simulated = model(x, a, None, 5).target
    assert simulated is not None
    for day in range(5, 12):
        alone = model.network(x[day - 3 : day + 1], a)[-1, :, 0]
        torch.testing.assert_close(simulated[day - 5], alone, rtol=0, atol=1e-14)


def test_one_day_windows_need_a_warmup_to_begin_in():
    model, (x, a) = streamflow("kratzert2019", context=7).eval(), inputs()
    with pytest.raises(DataError, match=r"warm-up of at least 6, got 5"):
        model(x, a, None, 5)


def test_training_runs_through_the_window_whatever_the_context():
    model, (x, a) = streamflow("feng2020", context=4), inputs()
    assert model(x, a, None, 11).discharge.shape == (1, 5)
    assert model(x, a, None, 5).discharge.shape == (7, 5)
