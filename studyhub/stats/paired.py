"""Scores of two arms in the basins that both have: what every comparison starts from.

Folds and seeds are averaged within a basin first; where nearer to an ideal is better, distances from it are taken before that. A basin is
left out, and counted with the reason, where one arm has no score for it, or an infinite one, or the metric is not defined in one of its
trials.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from studyhub.catalog import IDEALS, Direction
from studyhub.stats.blocks import Labels, Values
from studyhub.stats.summary import check_one_period

LARGEST = 1e100  # beyond this a score is as good as infinite
DIGITS = 12  # significant digits of a score that are more than rounding


class Pairs(NamedTuple):
    """Scores of both arms, [basin] in one order; of each seed that has them all, [seed, basin]; and which basins were left out.

    Parameters
    ----------
    basins : their names
    dropped : how many were left out for which reason
    """

    basins: np.ndarray
    better: Values
    than: Values
    seeds_better: Values
    seeds_than: Values
    dropped: dict[str, int]


class _Side(NamedTuple):
    """One arm: mean score [basin], NaN where it has none or it is not defined, infinite where any trial's is; the same [seed, basin]."""

    there: np.ndarray
    mean: Values
    seeds: Values


class Table:
    """A long table of scores of a single period, made ready for many comparisons.

    Parameters
    ----------
    scores : columns arm, basin and metrics; a row for each fold and seed
    """

    def __init__(self, scores: pd.DataFrame):
        check_one_period(scores)
        self._scores = scores
        codes, basins = pd.factorize(scores["basin"].astype(object), sort=True)
        self._place, self.basins = codes.astype(np.int64), np.asarray(basins, dtype=object)
        seeds = pd.factorize(scores["seed"])[0] if "seed" in scores else np.zeros(len(scores))
        self._seed = np.asarray(seeds, dtype=np.int64)
        arms, names = pd.factorize(scores["arm"].astype(object))
        self._rows = {name: np.flatnonzero(arms == code) for code, name in enumerate(names)}
        self._side = cache(self._find)

    @property
    def arms(self) -> list[str]:
        return list(self._rows)

    def pairs(self, better: str, than: str, metric: str, direction: Direction, among: np.ndarray | None = None) -> Pairs:
        """Scores of two arms in all basins, or in those that ``among`` flags."""
        arms = (better, than)
        sides = [self._side(arm, metric, direction) for arm in arms]
        flags = (
            ("no score of `{}`", [~side.there for side in sides]),
            (f"{metric} of `{{}}` is infinite", [np.isinf(side.mean) for side in sides]),
            (f"{metric} of `{{}}` is not defined", [np.isnan(side.mean) for side in sides]),
        )
        keep, dropped = sides[0].there | sides[1].there, {}
        if among is not None:
            keep = keep & among
        for reason, found in flags:
            for arm, bad in zip(arms, found, strict=True):
                if count := int(np.sum(keep & bad)):  # a basin counts for the first reason that there is
                    dropped[reason.format(arm)] = count
                keep = keep & ~bad
        seeds = [side.seeds[:, keep] for side in sides]
        seeds = [own[np.isfinite(own).all(axis=1)] for own in seeds]
        return Pairs(self.basins[keep], sides[0].mean[keep], sides[1].mean[keep], *seeds, dropped)

    def means(self, arms: list[str], metric: str, direction: Direction) -> Values:
        """Scores as they are compared [basin, arm] of all basins; NaN or infinite where they cannot be."""
        return np.column_stack([self._side(arm, metric, direction).mean for arm in arms])

    def _find(self, arm: str, metric: str, direction: Direction) -> _Side:
        rows = self._rows.get(arm, np.empty(0, dtype=np.int64))
        values = self._scores[metric].to_numpy(dtype=np.float64)[rows]
        values = np.abs(values - IDEALS[direction]) if direction in IDEALS else values
        codes, seed = np.unique(self._seed[rows], return_inverse=True)
        place, count = self._place[rows], len(self.basins)
        mean = _mean(values, place, count)
        seeds = _mean(values, seed * count + place, len(codes) * count).reshape(len(codes), count)
        return _Side(np.bincount(place, minlength=count) > 0, mean, seeds)


def _mean(values: Values, place: Labels, size: int) -> Values:
    enormous = np.abs(values) > LARGEST
    infinite = np.bincount(place, weights=enormous, minlength=size) > 0
    sums = np.bincount(place, weights=np.where(enormous, 0.0, values), minlength=size)
    counts = np.bincount(place, minlength=size)
    return np.where(infinite, np.inf, np.divide(sums, counts, out=np.full(size, np.nan), where=counts > 0))


def differences(better: Values, than: Values) -> Values:
    """``better - than``, rounded to what the scores can tell: 0.3 - 0.2 and 0.2 - 0.1 are a tie, and would not be one in binary."""
    largest = np.maximum(np.abs(better), np.abs(than))
    decimals = DIGITS - np.ceil(np.log10(largest, where=largest > 0, out=np.zeros_like(largest)))
    steps = 10 ** np.clip(decimals, 0, 18).astype(np.int64)
    return np.rint((better - than) * steps) / steps + 0.0  # no negative zeros
