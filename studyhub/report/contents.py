"""What was compared, and what of it is missing: tables made from a study's results."""

import pandas as pd

from studyhub.catalog import METRICS
from studyhub.report.collect import Results
from studyhub.report.tables import Column, Table, decimals, frame, whole
from studyhub.study.describe import differences
from studyhub.study.status import told

ARROWS = {"larger": "↑", "smaller": "↓", "zero": "→\u00a00", "one": "→\u00a01"}
DECIMALS = {"%": 1}
MAIN = tuple(name for name, metric in METRICS.items() if metric.main)


def metric_column(name: str) -> Column:
    metric = METRICS[name]
    return Column(name, f"{metric.label}\u00a0{ARROWS[metric.direction]}", metric.unit.strip("-"), decimals(DECIMALS.get(metric.unit, 3)))


def arms(results: Results) -> Table:
    """What differs between the arms, and how far their trials are."""
    keys, rows = differences(results.spec.arms)
    counts = results.states()
    columns = (Column("arm", "arm"), *(Column(key, key) for key in keys), Column("trials", "trials"))
    found = [dict(zip(("arm", *keys), row, strict=True)) | {"trials": told(counts.get(row[0], {}))} for row in rows]
    caption = "Only the settings in which arms differ; all others are the same and stand in the study file at the end of this page."
    return Table("arms", "Arms", caption if len(found) > 1 else "One arm: nothing differs.", columns, frame(found, columns))


def medians(means: pd.DataFrame) -> pd.DataFrame:
    """Median of each metric over basins, by arm; ``<metric>_basins``: how many have a value.

    Parameters
    ----------
    means : scores indexed by (arm, basin), as `stats.summary.per_basin` gives them
    """
    if means.empty:
        return pd.DataFrame()
    groups = means.groupby(level="arm", sort=False)
    return pd.DataFrame(groups.median()).join(groups.count().add_suffix("_basins"))


def common_basins(scores: pd.DataFrame) -> set[str]:
    """Basins in which every arm that has scores has any."""
    scored = scores.dropna(subset=list(METRICS), how="all")
    return set.intersection(*(set(group["basin"]) for _, group in scored.groupby("arm"))) if len(scored) else set()


def unscored(results: Results) -> Table:
    """Basins for which an arm's simulation from elsewhere could not be scored, and why."""
    columns = (Column("arm", "arm"), Column("count", "basins", "", whole), Column("reason", "why"), Column("basins", "which"))
    rows = [
        {"arm": run.cell.arm, "count": len(basins), "reason": reason, "basins": ", ".join(basins)}
        for run in results.runs
        for reason, basins in (run.result.get("dropped") or {}).items()
    ]
    caption = "Arms that were not trained here are scored on the same days as all others, or not at all."
    return Table("unscored", "Basins without a score", caption, columns, frame(rows, columns))


def troubles(results: Results) -> Table:
    """Trials that have not finished."""
    columns = (Column("arm", "arm"), Column("fold", "fold"), Column("seed", "seed"), Column("state", "state"), Column("cause", "why"))
    rows = [
        {"arm": run.cell.arm, "fold": run.cell.fold, "seed": run.cell.seed, "state": run.state, "cause": run.cause}
        for run in results.runs
        if run.state != "finished"
    ]
    caption = "They have no scores: the medians and tests of this page are without them."
    return Table("unfinished", "Trials that have not finished", caption, columns, frame(rows, columns))
