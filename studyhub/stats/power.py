"""How many basins would show a difference as large as the one that is seen.

Noether's formula for the signed-rank test: ``n = (z_alpha + z_power)^2 / (3 (p - 1/2)^2)``, with p the chance that two basins together
favour one arm, P(d_i + d_j > 0), as it is in the data. It takes basins as independent, and what is seen as true: a plan, not a finding.

References
----------
Noether, G. E. (1987). Sample size determination for some common nonparametric tests. doi:10.1080/01621459.1987.10478478
"""

import math

import numpy as np
from scipy import stats

from studyhub.stats.blocks import Values
from studyhub.stats.signed_rank import Alternative

LEVEL, POWER = 0.05, 0.8
MOST = 1_000_000  # basins; more are nowhere to be had


def needed(gains: Values, alternative: Alternative) -> int | None:
    """Basins for a test at 5 % to show the difference in 80 % of studies; None where it is none, or not on the side that is asked for."""
    if gains.size < 2:
        return None
    beyond = together_positive(gains) - 0.5
    if alternative == "less":
        beyond = -beyond
    elif alternative == "two-sided":
        beyond = abs(beyond)
    sides = 2 if alternative == "two-sided" else 1
    z = stats.norm.isf(LEVEL / sides) + stats.norm.ppf(POWER)
    if beyond <= 0 or z**2 / (3 * beyond**2) > MOST:
        return None
    fewest = math.ceil(math.log2(sides / LEVEL))  # of fewer, not even all together would do
    return max(fewest, math.ceil(z**2 / (3 * beyond**2)))


def together_positive(gains: Values) -> float:
    """Share of the pairs of two basins whose gains have a positive sum; half of those that sum to zero count."""
    ordered = np.sort(gains)
    above = gains.size - np.searchsorted(ordered, -gains, side="right")  # partners, itself among them where it is positive
    level = gains.size - np.searchsorted(ordered, -gains, side="left") - above
    own = np.sum(gains > 0) + np.sum(gains == 0) / 2
    return float((above.sum() + level.sum() / 2 - own) / (gains.size * (gains.size - 1)))
