"""When simulated peaks come.

References
----------
Kratzert, F. et al. (2021). A note on leveraging synergy in multiple meteorological data sets with deep learning for rainfall-runoff
    modeling. doi:10.5194/hess-25-2685-2021
"""

import numpy as np

from studyhub.evaluation.pairs import Pairs, Quantity, Values

APART, AROUND = 100, 3  # days


@Quantity
def peak_timing(pairs: Pairs) -> Values:
    """Mean distance in time between observed peaks and the simulated ones around them, d. Kratzert et al. (2021), Appendix D.

    Observed peaks are at least 100 days apart and stand out by at least a standard deviation (prominence). The simulated peak is on the
    same day if that is a maximum there too, else on the day of the largest simulated value within 3 days. A peak counts where all of these
    7 days have both values, and the simulated ones differ; to find peaks, observations are drawn straight across gaps.
    """
    sigma = pairs.deviations[1]
    return np.array([_distance(*basin) for basin in zip(pairs.sim, pairs.obs, pairs.there, sigma, strict=True)], dtype=np.float64)


def _distance(sim: Values, obs: Values, there: np.ndarray, sigma: float) -> float:
    from scipy.signal import find_peaks  # takes a second to load, which a report of scored trials need not wait for

    if not sigma > 0:
        return np.nan
    days = np.flatnonzero(there)
    whole = obs if len(days) == len(obs) else np.interp(np.arange(len(obs)), days, obs[days])
    peaks, _ = find_peaks(whole, distance=APART, prominence=sigma)
    peaks = peaks[(peaks >= AROUND) & (peaks < len(obs) - AROUND)]
    around = peaks[:, None] + np.arange(-AROUND, AROUND + 1)
    around = around[there[around].all(axis=1)]
    near = sim[around]
    near = near[near.max(axis=1) > near.min(axis=1)]
    if not len(near):
        return np.nan
    before, at, after = near[:, AROUND - 1], near[:, AROUND], near[:, AROUND + 1]
    largest = np.abs(near.argmax(axis=1) - AROUND)
    return float(np.where((at > before) & (at > after), 0, largest).mean())
