"""Scores made ready to be drawn: one row per arm and basin, words for axes, and the part of an axis that is shown."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from studyhub.catalog import IDEALS, METRICS, Metric
from studyhub.report.drawing.names import basins_in_words, listed, plain

UNIT_NAMES = {"-": "", "%": "_percent", "mm/d": "_mm_d"}
BETTER = {
    "larger": "larger is better",
    "smaller": "smaller is better",
    "zero": "nearer to zero is better",
    "one": "nearer to one is better",
}
STARTS = (0.5, 0.0, -0.5, -1.0, -2.0, -5.0, -10.0, -20.0, -50.0, -100.0, -1000.0)  # where an axis of efficiencies may begin
UNSEEN, HALF = 0.02, 0.5  # share of scores that an axis of efficiencies may leave out above WORST, and of all
WORST = -1.0  # an axis of efficiencies begins lower only where half of all scores would not be seen


def column(name: str) -> str:
    """Name of a metric's column in a figure's data, its unit in it."""
    return name + UNIT_NAMES.get(METRICS[name].unit, "")


def heading(name: str) -> str:
    """Name of a metric at the begin of a text, in which RMSE keeps its capitals."""
    label = METRICS[name].label
    return label[:1].upper() + label[1:]


def distance(name: str) -> str:
    """Name of what arms are compared by: where the nearest to an ideal is best, how far a score is from it."""
    label, ideal = METRICS[name].label, IDEALS.get(METRICS[name].direction)
    return label if ideal is None else f"|{label}|" if ideal == 0 else f"|{label} \u2212 {ideal:g}|"


def axis(name: str) -> str:
    return f"{heading(name)} ({METRICS[name].unit})"


def tidy(per_basin: pd.DataFrame, arms: Sequence[str], metric: str) -> pd.DataFrame:
    """Rows of the arms in their order: arm, basin, score; a score that is not finite is NaN."""
    table = per_basin if "arm" in per_basin.columns else per_basin.reset_index()
    values = table[metric].to_numpy("float64")
    found = pd.DataFrame(
        {"arm": table["arm"].astype(object), "basin": table["basin"].astype(object), "score": np.where(np.isfinite(values), values, np.nan)}
    )
    order = {arm: place for place, arm in enumerate(arms)}
    found = found.loc[found["arm"].isin(list(order))]
    return found.sort_values("arm", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def limits(values: np.ndarray, metric: Metric) -> tuple[float, float]:
    """Part of the axis that shows nearly all scores, and all of them unless a few lie far off."""
    if metric.direction == "larger":
        return _start(values), max(1.0, values.max(initial=1.0))
    low, high = -_reach(-values), _reach(values)
    if metric.direction == "smaller":
        low = 0.0
    return (low, high) if high > low else (min(low, 0.0) - (metric.direction in IDEALS), 1.0)


def _start(values: np.ndarray) -> float:
    below = {start: float(np.mean(values < start)) if len(values) else 0.0 for start in STARTS}
    if below[WORST] <= HALF:
        return next(start for start in STARTS if below[start] - below[WORST] <= UNSEEN)
    return next((start for start in STARTS if below[start] <= HALF), STARTS[-1])


def _reach(values: np.ndarray) -> float:
    positive = values[values > 0]
    if not len(positive):
        return 0.0
    return min(1.03 * float(positive.max()), 1.5 * float(np.quantile(positive, 0.95)))


def count(scores: pd.DataFrame) -> str:
    """How many basins have a score, in words."""
    found = [len(set(rows["basin"])) for _, rows in scores.dropna(subset=["score"]).groupby("arm")]
    if not found:
        return "no basin"
    least, most = min(found), max(found)
    return f"{basins_in_words(most)}{'' if len(found) == 1 else ' per arm'}" if least == most else f"{least} to {most} basins per arm"


def left_out(scores: pd.DataFrame, arms: Sequence[str]) -> str:
    """A sentence on the scores that are not defined and on arms that have none; empty where there is nothing to say."""
    missing = scores.loc[scores["score"].isna()]
    there = set(scores["arm"])
    told = ""
    if len(missing):
        of = listed(f"{len(rows)} of {plain(arm)}" for arm, rows in missing.groupby("arm", sort=False))
        told += f" Not defined and left out: {'1 score' if len(missing) == 1 else f'{len(missing)} scores'} ({of})."
    if none := [arm for arm in arms if arm not in there]:
        told += f" Without scores: {listed(none)}."
    return told


def outside(scores: pd.DataFrame, low: float, high: float) -> str:
    """A sentence on the basins that an axis does not show; empty where it shows all."""
    off = set(scores.loc[(scores["score"] < low) | (scores["score"] > high), "basin"])
    if not off:
        return ""
    several = len(set(scores["arm"])) > 1
    return f" Not in view: {basins_in_words(len(off))} beyond the axis{' in at least one arm' if several else ''}."
