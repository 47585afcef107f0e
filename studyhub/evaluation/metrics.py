"""How well discharge is simulated: one function per metric, from sim and obs [basin, day] in mm/d to one value per basin.

Days on which either value is NaN are left out first. A metric that is not defined (nothing observed, constant observations, ...) is NaN.

Low and peak flows are slices of the simulated and of the observed values *sorted independently*: they compare flow duration curves, not
days. Of n values, low are the first round(0.3 n), peak those from number round(0.98 n) on, counted from 0 and rounded half to even. Below,
s and o stand for such sorted values too, mu for a mean, sigma for a standard deviation, r for the correlation.

References
----------
Gupta, H. V. et al. (2009). Decomposition of the mean squared error and NSE performance criteria. doi:10.1016/j.jhydrol.2009.08.003
Kling, H. et al. (2012). Runoff conditions in the upper Danube basin under an ensemble of climate change scenarios.
    doi:10.1016/j.jhydrol.2012.01.011
Nash, J. E. and Sutcliffe, J. V. (1970). River flow forecasting through conceptual models part I. doi:10.1016/0022-1694(70)90255-6
Song, Y. et al. (2024). When ancient numerical demons meet physics-informed machine learning. doi:10.5194/hess-28-3051-2024
"""

from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
Slice = tuple[Values, Values, Values]

LOW_SHARE, PEAK_BEGIN = 0.3, 0.98
LOW_OFFSET = 1e-4  # mm/d; keeps the bias of a river that runs dry finite


class Pairs:
    """Simulated and observed values of the days that have both, and what several metrics make of them (computed once).

    Parameters
    ----------
    sim, obs : [basin, day], mm/d, NaN where missing
    """

    def __init__(self, sim: ArrayLike, obs: ArrayLike):
        s, o = np.asarray(sim, dtype=np.float64), np.asarray(obs, dtype=np.float64)
        if s.shape != o.shape or s.ndim != 2:
            raise ValueError(f"simulation and observation need one shape (basin, day), got {s.shape} and {o.shape}")
        self.there = ~(np.isnan(s) | np.isnan(o))
        self.sim, self.obs = np.where(self.there, s, np.nan), np.where(self.there, o, np.nan)
        self.days = self.there.sum(axis=1)

    @cached_property
    def means(self) -> tuple[Values, Values]:
        return self._mean(self.sim), self._mean(self.obs)

    @cached_property
    def deviations(self) -> tuple[Values, Values]:
        """Standard deviations; exactly 0 where all values are equal, which a mean's rounding would hide."""
        s, o = (np.sqrt(self._mean(anomaly**2)) for anomaly in self.anomalies)
        return np.where(_constant(self.sim), 0.0, s), np.where(_constant(self.obs), 0.0, o)

    @property
    def anomalies(self) -> tuple[Values, Values]:
        s, o = self.means
        return self.sim - s[:, None], self.obs - o[:, None]

    @cached_property
    def correlation(self) -> Values:
        s, o = self.anomalies
        sigma_s, sigma_o = self.deviations
        return self._mean(s * o) / _nonzero(sigma_s * sigma_o)

    @cached_property
    def squared_error(self) -> Values:
        """Mean squared error, mm2/d2."""
        return self._mean((self.sim - self.obs) ** 2)

    @cached_property
    def low(self) -> Slice:
        return self._sorted(np.zeros_like(self.days), np.rint(LOW_SHARE * self.days))

    @cached_property
    def peak(self) -> Slice:
        return self._sorted(np.rint(PEAK_BEGIN * self.days), self.days)

    @cached_property
    def _ascending(self) -> tuple[Values, Values]:
        return np.sort(self.sim, axis=1), np.sort(self.obs, axis=1)  # NaN last

    def _mean(self, values: Values) -> Values:
        return np.where(self.there, values, 0.0).sum(axis=1) / _nonzero(self.days)

    def _sorted(self, begin: NDArray, end: NDArray) -> Slice:
        """Values number ``begin`` to ``end`` of each basin, simulated and observed, 0 where a basin has fewer; and how many there are."""
        count = (end - begin).astype(np.int64)
        place = np.arange(count.max(initial=0))
        column = np.minimum(begin.astype(np.int64)[:, None] + place, self.sim.shape[1] - 1)
        inside = place < count[:, None]
        s, o = (np.where(inside, np.take_along_axis(values, column, axis=1), 0.0) for values in self._ascending)
        return s, o, _nonzero(count)


Formula = Callable[[Pairs], Values]
FORMULAS: dict[str, Formula] = {}


def _metric(formula: Formula) -> Callable[[ArrayLike, ArrayLike], Values]:
    """Make a formula a function of sim and obs, and one of ``FORMULAS`` (in the order of the scores' columns)."""
    FORMULAS[formula.__name__] = formula

    def metric(sim: ArrayLike, obs: ArrayLike) -> Values:
        with np.errstate(all="ignore"):  # what is undefined is NaN, without a word
            return formula(Pairs(sim, obs))

    metric.__name__, metric.__doc__ = formula.__name__, formula.__doc__
    return metric


@_metric
def nse(pairs: Pairs) -> Values:
    """Nash-Sutcliffe efficiency, 1 - sum (s - o)^2 / sum (o - mu_o)^2, no unit. Nash and Sutcliffe (1970)."""
    return 1 - pairs.squared_error / _nonzero(pairs.deviations[1] ** 2)


@_metric
def kge(pairs: Pairs) -> Values:
    """Kling-Gupta efficiency, 1 - sqrt((r - 1)^2 + (sigma_s / sigma_o - 1)^2 + (mu_s / mu_o - 1)^2), no unit. Gupta et al. (2009)."""
    (sigma_s, sigma_o), (mu_s, mu_o) = pairs.deviations, pairs.means
    return _distance(pairs.correlation, sigma_s / _nonzero(sigma_o), mu_s / _nonzero(mu_o))


@_metric
def kge_2012(pairs: Pairs) -> Values:
    """Kling-Gupta efficiency with (sigma_s / mu_s) / (sigma_o / mu_o) in the place of sigma_s / sigma_o, no unit. Kling et al. (2012)."""
    (sigma_s, sigma_o), (mu_s, mu_o) = pairs.deviations, pairs.means
    variation = (sigma_s / _nonzero(mu_s)) / _nonzero(sigma_o / _nonzero(mu_o))
    return _distance(pairs.correlation, variation, mu_s / _nonzero(mu_o))


@_metric
def flv(pairs: Pairs) -> Values:
    """Bias of the low flows, 100 sum (s - o) / (sum o + 1e-4), %. Song et al. (2024); not the logarithmic one of Yilmaz et al. (2008)."""
    s, o, count = pairs.low
    return np.where(count > 0, 100 * (s - o).sum(axis=1) / (o.sum(axis=1) + LOW_OFFSET), np.nan)


@_metric
def abs_flv(pairs: Pairs) -> Values:
    """Absolute difference of the low flows, 100 sum |s - o| / sum (o + 1e-4), %. Song et al. (2024)."""
    s, o, count = pairs.low
    return 100 * np.abs(s - o).sum(axis=1) / (o.sum(axis=1) + LOW_OFFSET * count)


@_metric
def fhv(pairs: Pairs) -> Values:
    """Bias of the peak flows, 100 sum (s - o) / sum o, %. Song et al. (2024)."""
    s, o, _ = pairs.peak
    return 100 * (s - o).sum(axis=1) / _nonzero(o.sum(axis=1))


@_metric
def abs_fhv(pairs: Pairs) -> Values:
    """Absolute difference of the peak flows, 100 sum |s - o| / sum o, %. Song et al. (2024)."""
    s, o, _ = pairs.peak
    return 100 * np.abs(s - o).sum(axis=1) / _nonzero(o.sum(axis=1))


@_metric
def low_rmse(pairs: Pairs) -> Values:
    """Root mean squared difference of the low flows, mm/d. Song et al. (2024)."""
    s, o, count = pairs.low
    return np.sqrt(((s - o) ** 2).sum(axis=1) / count)


@_metric
def peak_rmse(pairs: Pairs) -> Values:
    """Root mean squared difference of the peak flows, mm/d. Song et al. (2024)."""
    s, o, count = pairs.peak
    return np.sqrt(((s - o) ** 2).sum(axis=1) / count)


def days(sim: ArrayLike, obs: ArrayLike) -> NDArray[np.int64]:
    """How many days of each basin have both values."""
    return Pairs(sim, obs).days


def score(sim: ArrayLike, obs: ArrayLike) -> dict[str, NDArray]:
    """All metrics and ``days``, each [basin], in the order of the scores' columns."""
    pairs = Pairs(sim, obs)
    with np.errstate(all="ignore"):
        return {name: formula(pairs) for name, formula in FORMULAS.items()} | {"days": pairs.days}


def _distance(r: Values, variability: Values, bias: Values) -> Values:
    return 1 - np.sqrt((r - 1) ** 2 + (variability - 1) ** 2 + (bias - 1) ** 2)


def _nonzero(values: NDArray) -> Values:
    """NaN for 0: nothing is divided by it."""
    return np.where(values == 0, np.nan, values)


def _constant(values: Values) -> NDArray[np.bool_]:
    return np.fmax.reduce(values, axis=1) == np.fmin.reduce(values, axis=1)
