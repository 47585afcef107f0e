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

VALUES = 240_000  # days times series that a page holds at most: some 1.3 MB
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
    drawn = set(simulation["arm"].unique())
    kept = [arm for arm in arms if arm in drawn]
    used = simulation.loc[simulation["basin"].isin(list(titles))]
    parts: dict[str, dict[str, pd.DataFrame]] = {}
    for (basin, arm), rows in used.groupby(["basin", "arm"], observed=True, sort=False):
        parts.setdefault(str(basin), {})[str(arm)] = rows
    scores = means.loc[means.index.get_level_values("basin").isin(list(parts)), metric].to_dict()
    given = [_basin(parts[basin], basin, title, kept, scores) for basin, title in titles.items() if basin in parts]
    if not given:
        return None
    looks = colours(arms)
    begin = [place for place, arm in enumerate(kept) if arm in set(shown)] or [0]
    caption = (
        f"Daily discharge, observed and of one training of each arm, over the whole test period of {len(given)} basins; to three digits. "
        "Drag along the small strip to choose a time, or over the large one to move it; Ctrl and the wheel zoom, and so do the buttons."
    )
    content = {
        "arms": [{"name": plain(arm), "colour": looks[arm]} for arm in kept],
        "metric": METRICS[metric].label,
        "basins": given,
        "shown": begin,
    }
    data = used.rename(columns={"qobs": "qobs_mm_d", "qsim": "qsim_mm_d"}).astype({"basin": object, "arm": object})
    return Interactive("hydrographs", "Hydrographs to look into", caption, {}, data, "hydrographs", content)


def _basin(
    parts: Mapping[str, pd.DataFrame], basin: str, title: str, arms: Sequence[str], scores: Mapping[tuple[str, str], float]
) -> dict[str, Any]:
    """Series of a basin from the first to the last day of any arm, each a value a day."""
    dates = {arm: rows["date"].to_numpy("datetime64[D]") for arm, rows in parts.items()}
    first, last = min(days.min() for days in dates.values()), max(days.max() for days in dates.values())
    length = int((last - first) / np.timedelta64(1, "D")) + 1
    observed = np.full(length, np.nan)
    found: list[list[float | None] | None] = []
    for arm in arms:
        if arm not in parts:
            found.append(None)
            continue
        places = ((dates[arm] - first) / np.timedelta64(1, "D")).astype("int64")
        series = np.full(length, np.nan)
        series[places] = parts[arm]["qsim"].to_numpy("float64")
        observed[places] = parts[arm]["qobs"].to_numpy("float64")
        found.append(rounded(series, DIGITS))
    of_arm = rounded(np.array([scores.get((arm, basin), np.nan) for arm in arms]))
    known = {"basin": plain(basin), "title": plain(title), "first": str(first), "scores": of_arm}
    return known | {"observed": rounded(observed, DIGITS), "simulated": found}
