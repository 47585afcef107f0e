"""How basins behave: one function per signature, from discharge [basin, day] in mm/d to one value per basin.

Days without a value are left out, and end a spell; a signature that is not defined is NaN. All but the rising-limb density and the
logarithmic slope are those of CAMELS (Addor et al. 2017, Table 3): they reproduce its numbers.

References
----------
Addor, N. et al. (2017). The CAMELS data set: catchment attributes and meteorology for large-sample studies. doi:10.5194/hess-21-5293-2017
Clausen, B. and Biggs, B. J. F. (2000). Flow variables for ecological studies in temperate streams. doi:10.1016/S0022-1694(00)00306-1
Olden, J. D. and Poff, N. L. (2003). Redundancy and the choice of hydrologic indices. doi:10.1002/rra.700
Sawicz, K. et al. (2011). Catchment classification: empirical analysis of hydrologic similarity. doi:10.5194/hess-15-2895-2011
Shamir, E. et al. (2005). The role of hydrograph indices in parameter estimation of rainfall-runoff models. doi:10.1002/hyp.5676
Westerberg, I. K. and McMillan, H. K. (2015). Uncertainty in hydrological signatures. doi:10.5194/hess-19-3951-2015
Yadav, M., Wagener, T. and Gupta, H. (2007). Regionalization of constraints on expected watershed response behavior.
    doi:10.1016/j.advwatres.2007.01.005
"""

from functools import cached_property, update_wrapper
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studyhub.evaluation.baseflow import baseflow_index
from studyhub.evaluation.pairs import Values, nonzero, quantile

YEAR = 365.25  # d
HIGH, LOW = 9.0, 0.2  # times the median and the mean discharge
FLAT, STEEP = 0.33, 0.66  # shares of days between which the slope of the flow duration curve is taken


class Flow:
    """Discharge of many basins, and what several signatures make of it (computed once).

    Parameters
    ----------
    q : [basin, day], mm/d, NaN where missing
    prcp : precipitation of the same days, mm/d, if it is known
    """

    def __init__(self, q: ArrayLike, prcp: ArrayLike | None = None):
        self.q = np.asarray(q, dtype=np.float64)
        self.prcp = np.full(self.q.shape, np.nan) if prcp is None else np.asarray(prcp, dtype=np.float64)
        if self.q.ndim != 2 or self.prcp.shape != self.q.shape:
            raise ValueError(f"discharge and precipitation need one shape (basin, day), got {self.q.shape} and {self.prcp.shape}")
        self.there = ~np.isnan(self.q)
        self.days = self.there.sum(axis=1)

    @cached_property
    def mean(self) -> Values:
        return np.where(self.there, self.q, 0.0).sum(axis=1) / nonzero(self.days)

    @cached_property
    def _ascending(self) -> Values:
        return np.sort(self.q, axis=1)  # NaN last

    def quantile(self, share: float) -> Values:
        """Discharge that a share of the days stays below, linear between neighbours."""
        return quantile(self._ascending, self.days, share)

    @cached_property
    def high(self) -> NDArray[np.bool_]:
        """Days with more than 9 times the median discharge."""
        return self.q > HIGH * self.quantile(0.5)[:, None]

    @cached_property
    def low(self) -> NDArray[np.bool_]:
        """Days with less than 0.2 times the mean discharge."""
        return self.q < LOW * self.mean[:, None]

    def share(self, days: NDArray[np.bool_]) -> Values:
        return days.sum(axis=1) / nonzero(self.days)

    def spell(self, days: NDArray[np.bool_]) -> Values:
        """Mean length of runs of such days, d; 0 where there are none."""
        begins = days & ~np.pad(days[:, :-1], ((0, 0), (1, 0)))
        return np.where(self.days > 0, days.sum(axis=1) / np.maximum(begins.sum(axis=1), 1), np.nan)


class Signature:
    """A formula as a function of discharge and, where it needs it, precipitation."""

    def __init__(self, of: Any):
        self.of, self.name = of, of.__name__
        update_wrapper(self, of)

    def __call__(self, q: ArrayLike, prcp: ArrayLike | None = None) -> Values:
        with np.errstate(all="ignore"):  # what is undefined is NaN, without a word
            return self.of(Flow(q, prcp))


@Signature
def q_mean(flow: Flow) -> Values:
    """Mean discharge, mm/d."""
    return flow.mean


@Signature
def runoff_ratio(flow: Flow) -> Values:
    """Mean discharge over mean precipitation, of the days that have both, no unit. Sawicz et al. (2011), Eq. 1."""
    both = flow.there & ~np.isnan(flow.prcp)
    return np.where(both, flow.q, 0.0).sum(axis=1) / nonzero(np.where(both, flow.prcp, 0.0).sum(axis=1))


@Signature
def slope_fdc(flow: Flow) -> Values:
    """Slope of the flow duration curve over the mean, (q_66 - q_33) / (0.66 - 0.33) / mean q, no unit. Yadav et al. (2007).

    Below q_p stay p % of the days. The paper on CAMELS describes the logarithmic slope; the numbers it comes with are this one.
    """
    return (flow.quantile(STEEP) - flow.quantile(FLAT)) / (STEEP - FLAT) / nonzero(flow.mean)


@Signature
def slope_fdc_log(flow: Flow) -> Values:
    """Slope of the logarithmic flow duration curve, (ln q_66 - ln q_33) / (0.66 - 0.33), no unit. Sawicz et al. (2011), Eq. 3.

    Not defined where q_33 is 0.
    """
    return (np.log(nonzero(flow.quantile(STEEP))) - np.log(nonzero(flow.quantile(FLAT)))) / (STEEP - FLAT)


@Signature
def q5(flow: Flow) -> Values:
    """Discharge that 5 % of the days stay below, mm/d."""
    return flow.quantile(0.05)


@Signature
def q95(flow: Flow) -> Values:
    """Discharge that 95 % of the days stay below, mm/d."""
    return flow.quantile(0.95)


@Signature
def high_q_freq(flow: Flow) -> Values:
    """Days with more than 9 times the median discharge, d/yr. Clausen and Biggs (2000), Westerberg and McMillan (2015)."""
    return YEAR * flow.share(flow.high)


@Signature
def high_q_dur(flow: Flow) -> Values:
    """Mean length of spells of days with more than 9 times the median discharge, d; 0 without any. Clausen and Biggs (2000)."""
    return flow.spell(flow.high)


@Signature
def low_q_freq(flow: Flow) -> Values:
    """Days with less than 0.2 times the mean discharge, d/yr. Olden and Poff (2003), Westerberg and McMillan (2015)."""
    return YEAR * flow.share(flow.low)


@Signature
def low_q_dur(flow: Flow) -> Values:
    """Mean length of spells of days with less than 0.2 times the mean discharge, d; 0 without any. Olden and Poff (2003)."""
    return flow.spell(flow.low)


@Signature
def zero_q_freq(flow: Flow) -> Values:
    """Share of days on which discharge is exactly 0, no unit. Linear stores never run dry: a model may have no such day."""
    return flow.share(flow.q == 0)


@Signature
def rising_limb_density(flow: Flow) -> Values:
    """Number of rising limbs over the days on which discharge rises, 1/d. Shamir et al. (2005).

    Discharge rises on a day if it is larger than on the day before; a limb is a run of such days.
    """
    rises = np.pad(np.diff(flow.q, axis=1) > 0, ((0, 0), (1, 0)))
    begins = rises & ~np.pad(rises[:, :-1], ((0, 0), (1, 0)))
    return begins.sum(axis=1) / nonzero(rises.sum(axis=1))


@Signature
def bfi(flow: Flow) -> Values:
    """Baseflow index by the filter of Lyne and Hollick; see `baseflow.baseflow_index`."""
    return baseflow_index(flow.q)


DISCHARGE = (
    q_mean,
    runoff_ratio,
    slope_fdc,
    slope_fdc_log,
    q5,
    q95,
    high_q_freq,
    high_q_dur,
    low_q_freq,
    low_q_dur,
    zero_q_freq,
    rising_limb_density,
    bfi,
)


def signatures(q: ArrayLike, prcp: ArrayLike | None = None) -> dict[str, Values]:
    """All signatures of discharge, each [basin], in the order of `catalog.SIGNATURES`."""
    flow = Flow(q, prcp)
    with np.errstate(all="ignore"):
        return {signature.name: signature.of(flow) for signature in DISCHARGE}
