"""Baseflow and its share in discharge, by the recursive filter of Lyne and Hollick.

References
----------
Ladson, A. R. et al. (2013). A standard approach to baseflow separation using the Lyne and Hollick filter. doi:10.7158/W12-028.2013.17.1
Lyne, V. and Hollick, M. (1979). Stochastic time-variable rainfall-runoff modelling. Institution of Engineers Australia, 79/10, 89-93.
"""

import numpy as np
from numpy.typing import ArrayLike

from studyhub.evaluation.pairs import Values, nonzero

ALPHA, PASSES, PAD = 0.925, 3, 30  # those of CAMELS' baseflow_index (Addor et al. 2017, doi:10.5194/hess-21-5293-2017)


def baseflow_index(q: ArrayLike, alpha: float = ALPHA) -> Values:
    """Share of baseflow in discharge, sum of baseflow / sum q over the days that have a value, no unit; one per basin.

    Parameters
    ----------
    q : [basin, day], mm/d, NaN where missing
    """
    flow = np.asarray(q, dtype=np.float64)
    there = ~np.isnan(flow)
    base = np.where(there, lyne_hollick(flow, alpha), 0.0).sum(axis=1)
    return base / nonzero(np.where(there, flow, 0.0).sum(axis=1))


def lyne_hollick(q: ArrayLike, alpha: float = ALPHA) -> Values:
    """Baseflow, mm/d, [basin, day]. Ladson et al. (2013), Eq. 1.

    Quick flow f_t = alpha f_(t-1) + (1 + alpha) / 2 (q_t - q_(t-1)) begins with f_0 = q_0; baseflow is q - f where f > 0, else q. There are
    three passes, forward, backward and forward, each over what the one before has left, and 30 days mirrored at both ends of the record.
    Gaps are drawn straight before, so that the filter has a value to go on from; gaps at the ends take the nearest value.

    Parameters
    ----------
    q : [basin, day], mm/d, NaN where missing
    """
    flow = _whole(np.asarray(q, dtype=np.float64))
    pad = min(PAD, flow.shape[1] - 1)
    base = np.pad(flow, ((0, 0), (pad, pad)), mode="reflect").T if flow.shape[1] else flow.T
    for number in range(PASSES):
        base = _passed(base, alpha) if number % 2 == 0 else _passed(base[::-1], alpha)[::-1]
    return base.T[:, pad : pad + flow.shape[1]]


def _passed(q: Values, alpha: float) -> Values:
    """One pass forward over [day, basin]: a step of all basins at a time."""
    rise = (1 + alpha) / 2 * np.diff(q, axis=0)
    quick = np.empty_like(q)
    quick[:1] = q[:1]
    for day in range(1, len(q)):
        np.add(alpha * quick[day - 1], rise[day - 1], out=quick[day])
    return np.where(quick > 0, q - quick, q)


def _whole(q: Values) -> Values:
    """Draw gaps straight."""
    missing = np.isnan(q)
    if not missing.any():
        return q
    whole, days = q.copy(), np.arange(q.shape[1])
    for row in np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1)):
        there = ~missing[row]
        whole[row] = np.interp(days, days[there], q[row, there])
    return whole
