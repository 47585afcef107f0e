"""Simulated and observed days of many basins, and what metrics make of them.

Days on which either value is NaN are left out first. Whatever is not defined (nothing observed, constant observations, ...) is NaN.
"""

from collections.abc import Callable
from functools import cached_property, update_wrapper

import numpy as np
from numpy.typing import ArrayLike, NDArray

Values = NDArray[np.float64]
Slice = tuple[Values, Values, Values]

LOW_SHARE, PEAK_BEGIN = 0.3, 0.98


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
        return self.mean(self.sim), self.mean(self.obs)

    @cached_property
    def deviations(self) -> tuple[Values, Values]:
        """Standard deviations; exactly 0 where all values are equal, which a mean's rounding would hide."""
        s, o = (np.sqrt(self.mean(anomaly**2)) for anomaly in self.anomalies)
        return np.where(_constant(self.sim), 0.0, s), np.where(_constant(self.obs), 0.0, o)

    @property
    def anomalies(self) -> tuple[Values, Values]:
        s, o = self.means
        return self.sim - s[:, None], self.obs - o[:, None]

    @cached_property
    def correlation(self) -> Values:
        s, o = self.anomalies
        sigma_s, sigma_o = self.deviations
        return self.mean(s * o) / nonzero(sigma_s * sigma_o)

    @cached_property
    def squared_error(self) -> Values:
        """Mean squared error, mm2/d2."""
        return self.mean((self.sim - self.obs) ** 2)

    @cached_property
    def low(self) -> Slice:
        return self._sorted(np.zeros_like(self.days), np.rint(LOW_SHARE * self.days))

    @cached_property
    def peak(self) -> Slice:
        return self._sorted(np.rint(PEAK_BEGIN * self.days), self.days)

    @cached_property
    def _ascending(self) -> tuple[Values, Values]:
        return np.sort(self.sim, axis=1), np.sort(self.obs, axis=1)  # NaN last

    def quantiles(self, share: float) -> tuple[Values, Values]:
        """Values that a share of the days stays below, linear between neighbours (type 7 of Hyndman and Fan, 1996)."""
        s, o = self._ascending
        return quantile(s, self.days, share), quantile(o, self.days, share)

    def mean(self, values: Values) -> Values:
        """Mean over the days that have both values."""
        return np.where(self.there, values, 0.0).sum(axis=1) / nonzero(self.days)

    def _sorted(self, begin: NDArray, end: NDArray) -> Slice:
        """Values number ``begin`` to ``end`` of each basin, simulated and observed, 0 where a basin has fewer; and how many there are."""
        count = (end - begin).astype(np.int64)
        place = np.arange(count.max(initial=0))
        column = np.minimum(begin.astype(np.int64)[:, None] + place, self.sim.shape[1] - 1)
        inside = place < count[:, None]
        s, o = (np.where(inside, np.take_along_axis(values, column, axis=1), 0.0) for values in self._ascending)
        return s, o, nonzero(count)


class Quantity:
    """A formula as a function of sim and obs, both [basin, day]: one value per basin."""

    def __init__(self, of: Callable[[Pairs], Values]):
        self.of, self.name = of, of.__name__
        update_wrapper(self, of)

    def __call__(self, sim: ArrayLike, obs: ArrayLike) -> Values:
        with np.errstate(all="ignore"):  # what is undefined is NaN, without a word
            return self.of(Pairs(sim, obs))


def quantile(ascending: Values, days: NDArray, share: float) -> Values:
    """Quantile of each basin's first ``days`` values, linear between neighbours; NaN where there are none.

    Parameters
    ----------
    ascending : [basin, day], sorted
    """
    place = share * np.maximum(days - 1, 0)
    below = np.floor(place).astype(np.int64)
    low, high = (np.take_along_axis(ascending, np.minimum(at, np.maximum(days - 1, 0))[:, None], axis=1)[:, 0] for at in (below, below + 1))
    return np.where(days > 0, low + (place - below) * (high - low), np.nan)


def nonzero(values: NDArray) -> Values:
    """NaN for 0: nothing is divided by it."""
    return np.where(values == 0, np.nan, values)


def _constant(values: Values) -> NDArray[np.bool_]:
    return np.fmax.reduce(values, axis=1) == np.fmin.reduce(values, axis=1)
