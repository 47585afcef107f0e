"""Scores per basin, and their medians over basins. Folds and seeds are averaged within a basin first: basins are what differs by chance."""

from collections.abc import Sequence

import pandas as pd

from studyhub.catalog import IDEALS, METRICS


def per_basin(scores: pd.DataFrame, metrics: Sequence[str]) -> pd.DataFrame:
    """Mean of each metric over folds and seeds, indexed (arm, basin); NaN where it is not defined in any one of these trials.

    Parameters
    ----------
    scores : long table with columns arm, basin and the metrics, of a single period
    """
    check_one_period(scores)
    return _means(scores, ["arm", "basin"], metrics)


def judged(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores as comparisons see them: distances from the ideal, of the metrics of which those nearer to it are better."""
    near = {name: IDEALS[metric.direction] for name, metric in METRICS.items() if metric.direction in IDEALS}
    return scores.assign(**{name: (scores[name] - ideal).abs() for name, ideal in near.items()})


def medians(scores: pd.DataFrame) -> pd.DataFrame:
    """Median of each metric over basins, per arm and period; seeds and folds are averaged within a basin first.

    The index is (arm, period); besides the metrics there is a column ``basins``, their number, and for each metric ``<metric>_basins``, the
    number of those that have a value: a metric is not defined where the simulation or the observation is constant.
    """
    by_arm = _means(scores, ["arm", "period", "basin"], list(METRICS)).groupby(["arm", "period"], sort=False)
    return by_arm.median().join(by_arm.count().add_suffix("_basins")).assign(basins=by_arm.size())


def check_one_period(scores: pd.DataFrame) -> None:
    """Refuse to mix the scores of several periods."""
    periods = scores["period"].unique().tolist() if "period" in scores else []
    if len(periods) > 1:
        raise ValueError(f"scores of one period are required, got those of {periods}")


def _means(scores: pd.DataFrame, keys: list[str], metrics: Sequence[str]) -> pd.DataFrame:
    groups = scores.groupby(keys, sort=False, observed=True)[list(metrics)]
    return pd.DataFrame(groups.agg("mean").where(groups.agg("count").eq(groups.size(), axis=0)))
