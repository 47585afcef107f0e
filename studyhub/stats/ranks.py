"""All arms at once: Friedman's test over basins, and by how much mean ranks must differ.

In each basin the arms are ranked, 1 the best; ties get their mean rank. Friedman's statistic asks whether mean ranks differ more than they
would by chance. Two arms are told apart where their mean ranks differ by the critical difference of Nemenyi's test,
``CD = q_alpha sqrt(k (k + 1) / (6 n))``, with q the quantile of the studentised range over sqrt(2). Basins are taken as independent: an
overview, to which claims and their blocked tests are the answer.

References
----------
Demsar, J. (2006). Statistical comparisons of classifiers over multiple data sets. Journal of Machine Learning Research 7, 1-30.
Friedman, M. (1937). The use of ranks to avoid the assumption of normality. doi:10.1080/01621459.1937.10503522
Nemenyi, P. B. (1963). Distribution-free multiple comparisons. PhD thesis, Princeton University.
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from studyhub.stats.blocks import Values

LEVEL = 0.05


class Ranks(NamedTuple):
    """``mean`` rank of each arm, Friedman's ``statistic`` with its ``p``, and the ``critical`` difference at 5 %."""

    mean: Values
    statistic: float
    p: float
    critical: float


def friedman(losses: Values) -> Ranks:
    """Rank the arms of scores [basin, arm], of which smaller is better; at least 2 of each.

    The statistic is corrected for ties, and compared with chi squared of k - 1 degrees of freedom.
    """
    basins, arms = losses.shape
    ranks = stats.rankdata(losses, axis=1)
    mean = ranks.mean(axis=0)
    spread = np.sum((ranks - (arms + 1) / 2) ** 2) / (arms - 1)  # of all ranks; less where there are ties
    statistic = float(basins**2 * np.sum((mean - (arms + 1) / 2) ** 2) / spread) if spread else 0.0
    quantile = float(stats.studentized_range.ppf(1 - LEVEL, arms, np.inf)) / np.sqrt(2)
    critical = float(quantile * np.sqrt(arms * (arms + 1) / (6 * basins)))
    return Ranks(mean, statistic, float(stats.chi2.sf(statistic, arms - 1)), critical)


def cliques(mean: Values, critical: float) -> list[tuple[int, ...]]:
    """Sets of arms, best first, that the critical difference does not tell apart; none lies within another, and none is of one arm."""
    order = np.argsort(mean, kind="stable")
    found: list[tuple[int, ...]] = []
    last_end = 0
    for begin in range(order.size):
        end = begin + int(np.count_nonzero(mean[order[begin:]] - mean[order[begin]] < critical))
        if end - begin > 1 and end > last_end:
            found.append(tuple(order[begin:end].tolist()))
            last_end = end
    return found
