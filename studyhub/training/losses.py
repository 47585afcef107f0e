"""Losses over the observed days of a batch, basins pooled. NaN in the observation means not observed.

A loss over no observed day is 0, with gradient 0. A root's gradient at 0 is taken as 0, so that a perfect simulation gives no NaN.

References
----------
Kratzert, F. et al. (2019). doi:10.5194/hess-23-5089-2019
Song, Y. et al. (2024). doi:10.5194/hess-28-3051-2024
"""

import torch
from torch import Tensor

SIGMA_OFFSET = 0.1  # Kratzert et al. (2019): no basin's weight is unbounded


class NonFiniteLoss(Exception):
    """What a model simulated, its loss or the loss's gradient is not finite. The weights are still those before.

    Parameters
    ----------
    what : "discharge", "target", "observation", "loss" or "gradient of" a weight
    sample : position in the batch; None where no single one can be named
    day : scored day of the window, from 0
    """

    def __init__(self, what: str, sample: int | None = None, day: int | None = None):
        place = "" if sample is None else f" in sample {sample} of the batch, scored day {day} of its window"
        super().__init__(f"{what} is not finite{place}")
        self.what, self.sample, self.day = what, sample, day


def rmse(sim: Tensor, obs: Tensor) -> Tensor:
    """Root mean squared error, in the unit of ``sim`` and ``obs`` [time, basin]."""
    seen = ~obs.isnan()
    return _root(_mean(_error(sim, obs, seen) ** 2, seen))


def rmse_log(sim: Tensor, obs: Tensor, weight: float) -> Tensor:
    """Error of high and of low flows: (1 - a) RMSE(Q) + a RMSE(log10(sqrt(Q + 1e-6) + 0.1)).

    Song et al. (2024), Eq. 35, with 1e-6 under the root as in their program (Eq. 36 prints it outside). Discharge below 0, which an
    explicit scheme can give, counts as 0 in the logarithm; the first term pulls it up.

    Parameters
    ----------
    sim, obs : discharge [time, basin], mm/d
    weight : a, from 0 to 1
    """
    return (1 - weight) * rmse(sim, obs) + weight * rmse(_log_flow(sim), _log_flow(obs))


def nse(sim: Tensor, obs: Tensor, sigma: Tensor) -> Tensor:
    """Squared error with every basin weighted by how much its discharge varies: mean of (sim - obs)^2 / (sigma + 0.1)^2.

    Parameters
    ----------
    sim, obs : [time, basin], discharge in mm/d or on a network's scale (where Kratzert et al. (2019) compute it)
    sigma : standard deviation of each basin's discharge over the training period [basin], mm/d
    """
    seen = ~obs.isnan()
    return _mean((_error(sim, obs, seen) / (sigma + SIGMA_OFFSET)) ** 2, seen)


def _log_flow(q: Tensor) -> Tensor:
    return torch.log10(torch.sqrt(q.clamp(min=0) + 1e-6) + 0.1)


def _error(sim: Tensor, obs: Tensor, seen: Tensor) -> Tensor:
    # Masked before it is squared: the gradient of a square is the error itself, which is NaN on a day without observation.
    return torch.where(seen, sim - obs, 0.0)


def _mean(values: Tensor, seen: Tensor) -> Tensor:
    return values.sum() / seen.sum().clamp(min=1)


def _root(value: Tensor) -> Tensor:
    positive = value > 0
    return torch.where(positive, torch.where(positive, value, 1.0).sqrt(), 0.0)
