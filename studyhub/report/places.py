"""Which basins and which days a report shows as hydrographs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from studyhub.catalog import METRICS
from studyhub.study.settings import Period


@dataclass(frozen=True)
class Place:
    """A basin to show, and why."""

    basin: str
    name: str
    title: str


def places(means: pd.DataFrame, arms: Sequence[str], metric: str) -> list[Place]:
    """The best, the median and the most disagreeing basin among those that every arm has simulated; each basin once.

    Parameters
    ----------
    means : scores indexed by (arm, basin), as `stats.summary.per_basin` gives them of judged ones
    arms : arms to look at
    metric : what basins are judged by
    """
    table = means.reset_index().pivot(index="basin", columns="arm", values=metric).reindex(columns=list(arms)).dropna()
    if table.empty:
        return []
    direction, label = METRICS[metric].direction, METRICS[metric].label
    good = {"larger": table, "zero": -table.abs()}.get(direction, -table).mean(axis=1).sort_values(ascending=False, kind="stable")
    spread = (table.max(axis=1) - table.min(axis=1)).sort_values(ascending=False, kind="stable")
    wanted = [("best", "Best basin", good.index), ("median", "Median basin", _from_middle(good.index))]
    if len(arms) > 1:
        wanted.append(("disagreeing", "Basin where arms disagree most", spread.index))
    found: list[Place] = []
    for name, title, order in wanted:
        basin = next((basin for basin in order if basin not in {place.basin for place in found}), None)
        if basin is not None:
            found.append(Place(str(basin), f"hydrograph_{name}", f"{title} by {label}: {basin}"))
    return found


def _from_middle(order: pd.Index) -> list[str]:
    """The middle first, then outwards."""
    middle = (len(order) - 1) // 2
    return [order[i] for i in sorted(range(len(order)), key=lambda i: abs(i - middle))]


def shown_days(simulation: pd.DataFrame, basin: str, test: Period) -> Period:
    """The last water year (October to September) of the test period with the most observed days; the whole period where it holds none."""
    observed = simulation.loc[(simulation["basin"] == basin) & simulation["qobs"].notna(), "date"].drop_duplicates()
    years = [Period(date(y, 10, 1), date(y + 1, 9, 30)) for y in range(test.start.year - 1, test.end.year + 1)]
    whole = [year for year in years if test.start <= year.start and year.end <= test.end]
    if not whole:
        return test
    count = {year: int(observed.between(pd.Timestamp(year.start), pd.Timestamp(year.end)).sum()) for year in whole}
    return max(reversed(whole), key=lambda year: count[year])
