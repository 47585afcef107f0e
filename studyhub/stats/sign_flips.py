"""Permutation of whole blocks of basins: the signed-rank test for basins that are neighbours.

If the arms are alike, every block of basins might as well have come out the other way round. So the signs of all differences of a block are
turned at once, block by block, in all ways (up to 14 blocks) or in 99 999 ways by chance, and p is the share of the ways in which the sum
of the signed ranks is as extreme as it is. Ranks and zeros are those of `signed_rank`: Pratt's.

Turning whole blocks keeps what basins of a block have in common, and loses what neighbouring blocks have. The sum is therefore divided by
the square root of the leakage (`correlation.Shared`): the variance of the sum over the part of it that blocks keep. Without this the
test finds a difference between identical arms too often; how often with and without, stands in this room's README.

References
----------
Canay, I. A., Romano, J. P. and Shaikh, A. M. (2017). Randomization tests under an approximate symmetry assumption. doi:10.3982/ECTA13081
Winkler, A. M. et al. (2014). Permutation inference for the general linear model. doi:10.1016/j.neuroimage.2014.01.060
"""

from functools import cache

import numpy as np
from scipy import stats

from studyhub.stats.blocks import Labels, Values, sums
from studyhub.stats.signed_rank import Alternative

ALL_UP_TO = 14  # blocks
FLIPS = 99_999
FEWEST = 6  # blocks: of 5, not even all together would make a two-sided p below 5 %
_SLACK = 1e-9  # sums of ranks in another order differ by rounding


def signed_ranks(differences: Values) -> Values:
    """Ranks of the absolute differences with the differences' signs, 0 where they are 0; ties get their mean rank."""
    return stats.rankdata(np.abs(differences)) * np.sign(differences)


def p_value(differences: Values, blocks: Labels, alternative: Alternative, leakage: float = 1.0, seed: int = 0) -> float:
    """Test whether blocks of differences are symmetric about zero.

    Parameters
    ----------
    differences : finite [basin]
    blocks : number of the block of each basin
    leakage : by how much the variance of the sum is more than blocks keep
    """
    return p_of_sums(sums(signed_ranks(differences), blocks)[None], alternative, np.array([leakage]), seed)[0]


def p_of_sums(of_blocks: Values, alternative: Alternative, leakage: Values, seed: int = 0) -> list[float]:
    """As `p_value`, for many sums of signed ranks [set, block]."""
    count = of_blocks.shape[1]
    flips = _flips(count, seed)
    found = []
    for own, leaked in zip(of_blocks, leakage, strict=True):
        times = _extreme(flips @ own, own.sum() / np.sqrt(leaked), _SLACK * np.abs(own).sum(), alternative)
        found.append(times / len(flips) if count <= ALL_UP_TO else (times + 1) / (len(flips) + 1))
    return found


def _extreme(turned: Values, seen: float, slack: float, alternative: Alternative) -> int:
    """In how many of the ways the sum is as extreme as the one that was seen."""
    if alternative == "greater":
        return int(np.count_nonzero(turned >= seen - slack))
    if alternative == "less":
        return int(np.count_nonzero(turned <= seen + slack))
    return int(np.count_nonzero(np.abs(turned) >= abs(seen) - slack))


@cache
def _flips(count: int, seed: int) -> Values:
    """Signs [way, block]: all ways, or some by chance."""
    if count <= ALL_UP_TO:
        return np.where(np.arange(2**count)[:, None] >> np.arange(count) & 1, -1.0, 1.0)
    return np.random.default_rng([seed, count]).choice((-1.0, 1.0), size=(FLIPS, count))
