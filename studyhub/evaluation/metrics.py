"""How well discharge is simulated: one function per metric, from sim and obs [basin, day] in mm/d to one value per basin.

Days on which either value is NaN are left out first. A metric that is not defined (nothing observed, constant observations, ...) is NaN.
Below, s and o are simulated and observed values, mu is a mean, sigma a standard deviation, r the correlation.

References
----------
Gupta, H. V. et al. (2009). Decomposition of the mean squared error and NSE performance criteria. doi:10.1016/j.jhydrol.2009.08.003
Kling, H. et al. (2012). Runoff conditions in the upper Danube basin under an ensemble of climate change scenarios.
    doi:10.1016/j.jhydrol.2012.01.011
Nash, J. E. and Sutcliffe, J. V. (1970). River flow forecasting through conceptual models part I. doi:10.1016/0022-1694(70)90255-6
Pushpalatha, R. et al. (2012). A review of efficiency criteria suitable for evaluating low-flow simulations.
    doi:10.1016/j.jhydrol.2011.11.055
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from studyhub.evaluation.duration import abs_fhv as abs_fhv
from studyhub.evaluation.duration import abs_flv as abs_flv
from studyhub.evaluation.duration import fhv as fhv
from studyhub.evaluation.duration import flv as flv
from studyhub.evaluation.duration import fms as fms
from studyhub.evaluation.duration import low_rmse as low_rmse
from studyhub.evaluation.duration import peak_rmse as peak_rmse
from studyhub.evaluation.pairs import Pairs, Quantity, Values, nonzero
from studyhub.evaluation.timing import peak_timing as peak_timing

LOG_OFFSET = 0.01  # of the observed mean


@Quantity
def nse(pairs: Pairs) -> Values:
    """Nash-Sutcliffe efficiency, 1 - sum (s - o)^2 / sum (o - mu_o)^2, no unit. Nash and Sutcliffe (1970)."""
    return 1 - pairs.squared_error / nonzero(pairs.deviations[1] ** 2)


@Quantity
def kge(pairs: Pairs) -> Values:
    """Kling-Gupta efficiency, 1 - sqrt((r - 1)^2 + (alpha - 1)^2 + (beta - 1)^2), no unit. Gupta et al. (2009)."""
    return _distance(pairs.correlation, kge_alpha.of(pairs), kge_beta.of(pairs))


@Quantity
def kge_2012(pairs: Pairs) -> Values:
    """Kling-Gupta efficiency with gamma in the place of alpha, no unit. Kling et al. (2012)."""
    return _distance(pairs.correlation, kge_gamma.of(pairs), kge_beta.of(pairs))


@Quantity
def kge_r(pairs: Pairs) -> Values:
    """Pearson's correlation r, of both Kling-Gupta efficiencies, no unit. Gupta et al. (2009)."""
    return pairs.correlation


@Quantity
def kge_alpha(pairs: Pairs) -> Values:
    """Ratio of the standard deviations, alpha = sigma_s / sigma_o, no unit. Gupta et al. (2009)."""
    sigma_s, sigma_o = pairs.deviations
    return sigma_s / nonzero(sigma_o)


@Quantity
def kge_beta(pairs: Pairs) -> Values:
    """Ratio of the means, beta = mu_s / mu_o, of both Kling-Gupta efficiencies, no unit. Gupta et al. (2009)."""
    mu_s, mu_o = pairs.means
    return mu_s / nonzero(mu_o)


@Quantity
def kge_gamma(pairs: Pairs) -> Values:
    """Ratio of the coefficients of variation, gamma = (sigma_s / mu_s) / (sigma_o / mu_o), no unit. Kling et al. (2012)."""
    (sigma_s, sigma_o), (mu_s, mu_o) = pairs.deviations, pairs.means
    return (sigma_s / nonzero(mu_s)) / nonzero(sigma_o / nonzero(mu_o))


@Quantity
def log_nse(pairs: Pairs) -> Values:
    """NSE of ln(Q + epsilon) with epsilon = mu_o / 100, simulated values below 0 taken as 0, no unit. Pushpalatha et al. (2012)."""
    offset = nonzero(LOG_OFFSET * pairs.means[1])[:, None]
    return nse.of(Pairs(np.log(np.maximum(pairs.sim, 0.0) + offset), np.log(pairs.obs + offset)))


@Quantity
def rmse(pairs: Pairs) -> Values:
    """Root mean squared error, sqrt(mean (s - o)^2), mm/d."""
    return np.sqrt(pairs.squared_error)


@Quantity
def bias(pairs: Pairs) -> Values:
    """Bias of the volume, 100 sum (s - o) / sum o = 100 (beta - 1), %."""
    mu_s, mu_o = pairs.means
    return 100 * (mu_s - mu_o) / nonzero(mu_o)


# In the order of the scores' columns.
DISCHARGE = (nse, kge, kge_2012, flv, abs_flv, fhv, abs_fhv, low_rmse, peak_rmse)
DISCHARGE += (kge_r, kge_alpha, kge_beta, kge_gamma, log_nse, rmse, bias, fms, peak_timing)


def days(sim: ArrayLike, obs: ArrayLike) -> NDArray[np.int64]:
    """How many days of each basin have both values."""
    return Pairs(sim, obs).days


def score(sim: ArrayLike, obs: ArrayLike) -> dict[str, NDArray]:
    """All metrics of discharge and ``days``, each [basin], in the order of the scores' columns."""
    pairs = Pairs(sim, obs)
    with np.errstate(all="ignore"):
        return {quantity.name: quantity.of(pairs) for quantity in DISCHARGE} | {"days": pairs.days}


def _distance(r: Values, variability: Values, bias: Values) -> Values:
    return 1 - np.sqrt((r - 1) ** 2 + (variability - 1) ** 2 + (bias - 1) ** 2)
