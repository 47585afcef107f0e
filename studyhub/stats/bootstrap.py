"""Intervals of the shift by resampling what was drawn by chance: blocks of neighbouring basins, or seeds and then basins.

A resample's shift is its Hodges-Lehmann estimate (`pseudo_median`). Of few blocks or seeds the middle 95 % of the resamples are too narrow
an interval: so the interval is the estimate of the data, and on either side of it the resamples' standard deviation times a quantile of
Student's t, with degrees of freedom that say how few were drawn.

References
----------
Bester, C. A., Conley, T. G. and Hansen, C. B. (2011). doi:10.1016/j.jeconom.2011.01.007
Davison, A. C. and Hinkley, D. V. (1997). Bootstrap Methods and their Application. doi:10.1017/CBO9780511802843
Rao, J. N. K. and Wu, C. F. J. (1988). Resampling inference with complex survey data. doi:10.1080/01621459.1988.10478591
Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. doi:10.2307/3002019
"""

from typing import NamedTuple

import numpy as np
from scipy import stats

from studyhub.stats.blocks import Labels, Values
from studyhub.stats.correlation import Shared
from studyhub.stats.pseudo_median import CLASSES, Classes, pseudo_medians
from studyhub.stats.signed_rank import CONFIDENCE

RESAMPLES = 299


class Interval(NamedTuple):
    low: float
    high: float
    error: float  # standard error of the shift


class Spread(NamedTuple):
    """What seeds do to the shift between two arms.

    Parameters
    ----------
    better, than : standard deviation of the shift when one seed of the arm takes another's place; 0 where it has one seed
    interval : of the shift, seeds and basins drawn anew
    """

    better: float
    than: float
    interval: Interval


def of_blocks(differences: Values, blocks: Labels, estimate: float, common: Shared, rng: np.random.Generator) -> Interval:
    """95 % interval of the shift: as many blocks as there are drawn with replacement, each with all its basins.

    The variance is multiplied by what neighbouring blocks share, since drawn blocks no longer have neighbours that they depend on, and by
    B / (B - 1), since B blocks vary about their own mean.

    Parameters
    ----------
    estimate : shift of the differences
    common : what blocks have in common
    """
    classes, count = Classes(differences), int(blocks.max()) + 1
    own = np.bincount(blocks * CLASSES + classes.of(differences), minlength=count * CLASSES).reshape(count, CLASSES)
    drawn = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    variance = np.var(classes.medians(drawn.astype(np.float64) @ own), ddof=1) * common.about_mean * count / (count - 1)
    return _interval(estimate, float(variance), common.freedom)


def of_seeds(better: Values, than: Values, estimate: float, rng: np.random.Generator) -> Spread:
    """Spread between seeds, and the 95 % interval of the shift when seeds are drawn, and then basins.

    Of S seeds S - 1 are drawn with replacement: the variance of their mean is then that of the mean of S seeds of which the spread is not
    known beforehand (Rao and Wu 1988). Degrees of freedom are Satterthwaite's, of the parts that seeds of either arm and basins have in the
    variance; the parts are those of the shift of one seed, and of the standard error over basins.

    Parameters
    ----------
    better, than : scores [seed, basin] of the two arms, such that larger is better or smaller is, as for the estimate
    estimate : shift of the differences of the means over seeds
    """
    means = better.mean(axis=0), than.mean(axis=0)
    spreads = [_spread(better - means[1], 1), _spread(means[0] - than, -1)]
    basins = better.shape[1]
    drawn_better, drawn_than = (_drawn(side, rng) for side in (better, than))
    weights = rng.multinomial(basins, np.full(basins, 1 / basins), size=RESAMPLES).astype(np.float64)
    differences = drawn_better - drawn_than
    classes = Classes(differences.ravel())
    variance = float(np.var(classes.medians(classes.counts(differences, weights)), ddof=1))
    parts = [(spread**2 / len(side), len(side) - 1) for spread, side in zip(spreads, (better, than), strict=True) if len(side) > 1]
    rest = max(variance - sum(part for part, _ in parts), 0.0)
    freedom = _satterthwaite([*parts, (rest, basins - 1)])
    return Spread(spreads[0], spreads[1], _interval(estimate, variance, freedom))


def _spread(shifted: Values, sign: int) -> float:
    """Standard deviation between the shifts of each seed's differences [seed, basin]."""
    return float(np.std(sign * pseudo_medians(shifted), ddof=1)) if len(shifted) > 1 else 0.0


def _drawn(scores: Values, rng: np.random.Generator) -> Values:
    """Mean over drawn seeds, [resample, basin]."""
    seeds = len(scores)
    if seeds == 1:
        return np.broadcast_to(scores, (RESAMPLES, scores.shape[1]))
    return rng.multinomial(seeds - 1, np.full(seeds, 1 / seeds), size=RESAMPLES) / (seeds - 1) @ scores


def _satterthwaite(parts: list[tuple[float, int]]) -> float:
    """Degrees of freedom of a sum of variances, each with its own."""
    total = sum(part for part, _ in parts)
    return total**2 / sum(part**2 / freedom for part, freedom in parts) if total > 0 else float(parts[-1][1])


def _interval(estimate: float, variance: float, freedom: float) -> Interval:
    error = float(np.sqrt(variance))
    reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return Interval(estimate - reach, estimate + reach, error)
