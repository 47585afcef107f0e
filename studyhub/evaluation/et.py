"""How well evapotranspiration is simulated, which no model is trained on: sums over a satellite's composites of 8 days, [basin, composite].

Metrics are those of discharge on other numbers; a composite counts where both values are there.

References
----------
Feng, D. et al. (2024). Deep dive into hydrologic simulations at global scale, Fig. 7. doi:10.5194/gmd-17-7181-2024
Song, Y. et al. (2024). When ancient numerical demons meet physics-informed machine learning, Table 2. doi:10.5194/hess-28-3051-2024
"""

import numpy as np
from numpy.typing import ArrayLike

from studyhub.evaluation.metrics import kge_r, nse, rmse
from studyhub.evaluation.pairs import Pairs, Quantity, Values, nonzero

YEAR = 365.25  # d


@Quantity
def et_cv(pairs: Pairs) -> Values:
    """Coefficient of variation of the residuals, std (s - o) / mu_o, no unit. Feng et al. (2024).

    Their annual mean is taken as a rate too, so that the unit cancels; the mean residual, which is the bias, is not in it.
    """
    residual = pairs.sim - pairs.obs
    spread = pairs.mean((residual - pairs.mean(residual)[:, None]) ** 2)
    return np.sqrt(spread) / nonzero(pairs.means[1])


def score(sim: ArrayLike, obs: ArrayLike) -> dict[str, Values]:
    """NSE, correlation r, RMSE (mm per composite) and CV of the residuals, each [basin], under the names of the scores' columns.

    Parameters
    ----------
    sim, obs : [basin, composite], mm, NaN where missing
    """
    pairs = Pairs(sim, obs)
    with np.errstate(all="ignore"):
        return {"et_nse": nse.of(pairs), "et_r": kge_r.of(pairs), "et_rmse": rmse.of(pairs), "et_cv": et_cv.of(pairs)}


def mean_annual(sim: ArrayLike, obs: ArrayLike, days: ArrayLike) -> tuple[Values, Values]:
    """Mean simulated and observed evapotranspiration over the same composites, mm/yr, each [basin].

    Parameters
    ----------
    sim, obs : [basin, composite], mm, NaN where missing
    days : length of each composite [composite]; the last one of a year is shorter
    """
    pairs = Pairs(sim, obs)
    length = nonzero((pairs.there * np.asarray(days)).sum(axis=1))
    s, o = (YEAR * np.where(pairs.there, values, 0.0).sum(axis=1) / length for values in (pairs.sim, pairs.obs))
    return s, o
