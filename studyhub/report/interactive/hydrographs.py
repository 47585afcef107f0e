"""Hydrographs to look into: the whole test period of some basins, of the arms that the reader chooses."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from studyhub.catalog import METRICS
from studyhub.report.drawing.names import plain
from studyhub.report.figures import colours
from studyhub.report.interactive.chart import Interactive
from studyhub.report.interactive.script import rounded

VALUES = 400_000  # days times series that a page holds at most: some 2 MB
MOST_ARMS = 12
MOST_BASINS = 12
DIGITS = 3


def basins_to_show(table: pd.DataFrame, first: Sequence[str], days: int, arms: int) -> list[str]:
    """Basins that a page has room for: those that stand on it anyway, then by turns those in which arms differ most and evenly spread ones.

    Parameters
    ----------
    table : score by basin (rows) and arm, of basins that every arm has
    first : basins to show in any case
    days : of the test period
    arms : to be shown
    """
    room = int(np.clip(VALUES // max(1, days * (1 + min(arms, MOST_ARMS))), len(first), max(MOST_BASINS, len(first))))
    differ = (table.max(axis=1) - table.min(axis=1)).sort_values(ascending=False, kind="stable").index.tolist()
    by_score = table.mean(axis=1).sort_values(kind="stable").index.tolist()
    spread = [by_score[i] for i in np.linspace(0, len(by_score) - 1, min(len(by_score), MOST_BASINS)).astype(int)]
    turns = [basin for pair in zip(differ[: len(spread)], spread, strict=True) for basin in pair]
    return [str(basin) for basin in dict.fromkeys((*first, *turns))][:room]


def hydrographs(
    simulation: pd.DataFrame, arms: Sequence[str], titles: Mapping[str, str], means: pd.DataFrame, metric: str, shown: Sequence[str]
) -> Interactive | None:
    """None where no day of any basin is known.

    Parameters
    ----------
    simulation : one row per arm and day: arm, basin, date, qobs, qsim (mm/d), as `Results.simulation` gives it
    arms : all arms of the study
    titles : basin -> what it is called to be chosen, in their order
    means : score of each arm (index level) and basin
    metric : whose score stands beside the arm's name
    shown : arms to begin with
    """
    there = [arm for arm in arms if arm in set(simulation["arm"])]
    kept = [arm for arm in dict.fromkeys((*shown, *there)) if arm in set(there)][:MOST_ARMS]
    kept = [arm for arm in there if arm in set(kept)]
    by_basin = dict(list(simulation.loc[simulation["arm"].isin(kept)].groupby("basin", observed=True, sort=False)))
    scores = means[metric].to_dict()
    given = [_basin(by_basin[basin], basin, title, kept, scores) for basin, title in titles.items() if basin in by_basin]
    if not given:
        return None
    looks = colours(arms)
    begin = [place for place, arm in enumerate(kept) if arm in set(shown)] or [0]
    caption = (
        f"Daily discharge, observed and of one training of each arm, over the whole test period of {len(given)} basins; to three digits. "
        "Drag along the small strip to choose a time, or over the large one to move it; Ctrl and the wheel zoom, and so do the buttons."
    )
    if len(kept) < len(there):
        caption += f" To keep the page small it has {len(kept)} of {len(there)} arms here."
    content = {
        "arms": [{"name": plain(arm), "colour": looks[arm]} for arm in kept],
        "metric": METRICS[metric].label,
        "basins": given,
        "shown": begin,
    }
    used = simulation.loc[simulation["arm"].isin(kept) & simulation["basin"].isin(list(titles))]
    data = used.rename(columns={"qobs": "qobs_mm_d", "qsim": "qsim_mm_d"}).astype({"basin": object, "arm": object})
    return Interactive("hydrographs", "Hydrographs to look into", caption, {}, data, "hydrographs", content)


def _basin(rows: pd.DataFrame, basin: str, title: str, arms: Sequence[str], scores: Mapping[tuple[str, str], float]) -> dict[str, Any]:
    dates = rows["date"].to_numpy("datetime64[D]")
    first, last = dates.min(), dates.max()
    days = (dates - first).astype("int64")
    length = int((last - first).astype("int64")) + 1
    arm = rows["arm"].to_numpy(object)
    observed = np.full(length, np.nan)
    observed[days] = rows["qobs"].to_numpy("float64")
    found = []
    for name in arms:
        of = arm == name
        series = np.full(length, np.nan)
        series[days[of]] = rows["qsim"].to_numpy("float64")[of]
        found.append(rounded(series, DIGITS) if of.any() else None)
    of_arm = [rounded(np.array([scores.get((name, basin), np.nan)]))[0] for name in arms]
    known = {"basin": plain(basin), "title": plain(title), "first": str(first), "scores": of_arm}
    return known | {"observed": rounded(observed, DIGITS), "simulated": found}
