"""Metrics of the flow duration curve: simulated and observed values are sorted *independently*, so that curves are compared, not days.

Of n values, low are the first round(0.3 n), peak those from number round(0.98 n) on, counted from 0 and rounded half to even. Below, s and
o are such sorted values, in mm/d.

References
----------
Song, Y. et al. (2024). When ancient numerical demons meet physics-informed machine learning. doi:10.5194/hess-28-3051-2024
Yilmaz, K. K., Gupta, H. V. and Wagener, T. (2008). A process-based diagnostic approach to model evaluation. doi:10.1029/2007WR006716
"""

import numpy as np

from studyhub.evaluation.pairs import Pairs, Quantity, Values, nonzero

LOW_OFFSET = 1e-4  # mm/d; keeps the bias of a river that runs dry finite
MIDDLE = 0.2, 0.7  # exceedance probabilities between which the flow duration curve is straight in most rivers


@Quantity
def flv(pairs: Pairs) -> Values:
    """Bias of the low flows, 100 sum (s - o) / (sum o + 1e-4), %. Song et al. (2024); not the logarithmic one of Yilmaz et al. (2008)."""
    s, o, count = pairs.low
    return np.where(count > 0, 100 * (s - o).sum(axis=1) / (o.sum(axis=1) + LOW_OFFSET), np.nan)


@Quantity
def abs_flv(pairs: Pairs) -> Values:
    """Absolute difference of the low flows, 100 sum |s - o| / sum (o + 1e-4), %. Song et al. (2024)."""
    s, o, count = pairs.low
    return 100 * np.abs(s - o).sum(axis=1) / (o.sum(axis=1) + LOW_OFFSET * count)


@Quantity
def fhv(pairs: Pairs) -> Values:
    """Bias of the peak flows, 100 sum (s - o) / sum o, %. Song et al. (2024)."""
    s, o, _ = pairs.peak
    return 100 * (s - o).sum(axis=1) / nonzero(o.sum(axis=1))


@Quantity
def abs_fhv(pairs: Pairs) -> Values:
    """Absolute difference of the peak flows, 100 sum |s - o| / sum o, %. Song et al. (2024)."""
    s, o, _ = pairs.peak
    return 100 * np.abs(s - o).sum(axis=1) / nonzero(o.sum(axis=1))


@Quantity
def low_rmse(pairs: Pairs) -> Values:
    """Root mean squared difference of the low flows, mm/d. Song et al. (2024)."""
    s, o, count = pairs.low
    return np.sqrt(((s - o) ** 2).sum(axis=1) / count)


@Quantity
def peak_rmse(pairs: Pairs) -> Values:
    """Root mean squared difference of the peak flows, mm/d. Song et al. (2024)."""
    s, o, count = pairs.peak
    return np.sqrt(((s - o) ** 2).sum(axis=1) / count)


@Quantity
def fms(pairs: Pairs) -> Values:
    """Bias of the slope of the middle of the flow duration curve, %. Yilmaz et al. (2008), Eq. A3.

    100 (S - O) / O with S = ln s_20 - ln s_70 and O = ln o_20 - ln o_70, where o_p is the discharge that p % of the days exceed. It is not
    defined where one of the four is 0.
    """
    steep, flat = (pairs.quantiles(1 - exceedance) for exceedance in MIDDLE)
    s, o = (np.log(nonzero(high)) - np.log(nonzero(low)) for high, low in zip(steep, flat, strict=True))
    return 100 * (s - o) / nonzero(o)
