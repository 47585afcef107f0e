import numpy as np
import pytest
import torch
from torch import Tensor

from studyhub.training import losses
from studyhub.training.losses import NonFiniteLoss

SIGMA = torch.tensor([0.4, 0.9, 1.9], dtype=torch.float64)
LOSSES = {
    "rmse": losses.rmse,
    "rmse_log": lambda sim, obs: losses.rmse_log(sim, obs, 0.25),
    "nse": lambda sim, obs: losses.nse(sim, obs, SIGMA),
}


def pair(gaps: bool = True) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(0)
    sim, obs = (torch.tensor(rng.gamma(0.5, 2.0, (20, 3))) for _ in range(2))
    if gaps:
        obs[3:9, 0] = torch.nan
        obs[:, 2] = torch.nan
    return sim.requires_grad_(), obs


def test_rmse_by_hand():
    sim = torch.tensor([[1.0, 5.0], [2.0, 9.0]], dtype=torch.float64)
    obs = torch.tensor([[2.0, 3.0], [4.0, torch.nan]], dtype=torch.float64)
    assert losses.rmse(sim, obs).item() == pytest.approx(3**0.5, rel=1e-14)  # errors 1, 2, 2 over three days


def test_rmse_log_is_the_equation_over_pooled_observed_days():
    sim, obs = pair()
    s, o = sim.detach().numpy(), obs.numpy()
    seen = ~np.isnan(o)

    def flow(q):
        return np.log10(np.sqrt(q + 1e-6) + 0.1)

    high = np.sqrt(np.mean((s - o)[seen] ** 2))
    low = np.sqrt(np.mean((flow(s) - flow(o))[seen] ** 2))
    assert losses.rmse_log(sim, obs, 0.25).item() == pytest.approx(0.75 * high + 0.25 * low, rel=1e-12)
    assert losses.rmse_log(sim, obs, 0.0).item() == pytest.approx(high, rel=1e-12)
    assert losses.rmse_log(sim, obs, 1.0).item() == pytest.approx(low, rel=1e-12)


def test_nse_weights_basins_by_their_spread():
    sim = torch.tensor([[1.0, 1.0, 1.0]], dtype=torch.float64)
    obs = torch.tensor([[2.0, 3.0, torch.nan]], dtype=torch.float64)
    assert losses.nse(sim, obs, SIGMA).item() == pytest.approx((1 / 0.5**2 + 4 / 1.0**2) / 2, rel=1e-14)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_agree_with_finite_differences(name):
    sim, obs = pair()
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, obs), sim)


@pytest.mark.parametrize("name", LOSSES)
def test_missing_days_have_no_part(name):
    sim, obs = pair()
    (gradient,) = torch.autograd.grad(LOSSES[name](sim, obs), sim)
    assert (gradient[obs.isnan()] == 0).all()
    assert (gradient[~obs.isnan()] != 0).all()
    changed = torch.where(obs.isnan(), 77.0, sim)
    assert torch.equal(LOSSES[name](changed, obs), LOSSES[name](sim, obs))


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("what", ["nothing observed", "perfect"])
def test_loss_and_gradient_of_nothing_to_learn_are_zero(name, what):
    sim, obs = pair(gaps=False)
    obs = torch.full_like(obs, torch.nan) if what == "nothing observed" else sim.detach().clone()
    loss = LOSSES[name](sim, obs)
    (gradient,) = torch.autograd.grad(loss, sim)
    assert loss.item() == 0
    assert (gradient == 0).all()


def test_discharge_below_zero_is_pulled_up_not_undefined():
    sim = torch.tensor([[-2.0, 1.0, 1.0]], dtype=torch.float64, requires_grad=True)
    loss = losses.rmse_log(sim, torch.ones(1, 3, dtype=torch.float64), 0.25)
    (gradient,) = torch.autograd.grad(loss, sim)
    assert loss.isfinite()
    assert gradient[0, 0] < 0


def test_error_says_what_and_where():
    assert str(NonFiniteLoss("loss")) == "loss is not finite"
    assert str(NonFiniteLoss("discharge", 3, 17)) == "discharge is not finite in sample 3 of the batch, scored day 17 of its window"
