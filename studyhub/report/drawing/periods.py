"""When discharge was observed: years of many basins, days of a few."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import date2num
from matplotlib.ticker import MaxNLocator

from studyhub.report.drawing.canvas import BELOW, LEFT, RIGHT, TOP, WIDTH, Figure, Key, canvas, legend_height
from studyhub.report.drawing.names import basins_in_words, labels, measure

PLOT = 150.0  # points, height of axes
FULL = 90.0  # % of a year's days from which it counts as observed
WHOLE, PART = "#0072B2", "#9cc7e4"
NAMED, LINE, THIN = 40, 11.0, 3.6  # basins up to which each has its name; points for each, with a name and without
YEAR = 365.25  # days
STEPS = (1, 2, 5, 10)  # between ticks, times a power of ten


@dataclass(frozen=True)
class Observed:
    """Discharge of a basin.

    Parameters
    ----------
    start, end : days of its data
    first, last : days of its first and last observed discharge
    days : calendar year -> days with observed discharge
    """

    basin: str
    start: date
    end: date
    first: date
    last: date
    days: dict[int, int]

    @property
    def years(self) -> range:
        return range(self.first.year, self.last.year + 1)

    def share(self, year: int) -> float:
        """Observed days of a year, in % of those that the data have of it."""
        first, last = max(self.start, date(year, 1, 1)), min(self.end, date(year, 12, 31))
        return 100 * self.days.get(year, 0) / ((last - first).days + 1)


def years_observed(basins: Sequence[Observed]) -> Figure:
    """Number of basins with observed discharge in each year."""
    years = np.arange(min(b.first.year for b in basins), max(b.last.year for b in basins) + 1)
    shares = np.zeros((len(basins), len(years)))
    for row, basin in enumerate(basins):
        shares[row, [year - years[0] for year in basin.years]] = [basin.share(year) for year in basin.years]
    data = pd.DataFrame({"year": years, "basins": (shares > 0).sum(0), "basins_observed_on_90_percent_of_days": (shares >= FULL).sum(0)})
    keys = [Key(f"at least {FULL:.0f} % of the days", WHOLE, width=6), Key("fewer days", PART, width=6)]
    with canvas(TOP + PLOT + BELOW + legend_height(keys)) as sheet:
        axes = sheet.axes(LEFT, TOP, WIDTH - LEFT - RIGHT, PLOT)
        axes.set(xlim=(years[0] - 0.5, years[-1] + 0.5), ylim=(0, 1.05 * max(1, data["basins"].max())), xlabel="Year", ylabel="Basins")
        axes.grid(False, axis="x")
        told = [f"{year}: {basins_in_words(some)}, {full} on at least {FULL:.0f} % of the days" for year, some, full in data.to_numpy()]
        for column, key in (("basins", keys[1]), ("basins_observed_on_90_percent_of_days", keys[0])):
            # As marks of one collection, bars can say what they are.
            bars = axes.vlines(years, 0, data[column], colors=key.colour, linewidth=max(0.5, 0.8 * (WIDTH - LEFT - RIGHT) / len(years)))
            bars.set_capstyle("butt")
            sheet.explain(bars, told)
        for side in (axes.xaxis, axes.yaxis):
            side.set_major_locator(MaxNLocator(7, steps=STEPS, integer=True, min_n_ticks=1))
        sheet.legend(keys, TOP + PLOT + BELOW)
        caption = f"Of {basins_in_words(len(basins))}; shares are of the days of a year that a basin's data have."
        return sheet.figure("observed_by_year", "Basins with observed discharge", caption, data)


def spans(basins: Sequence[Observed]) -> Figure:
    """A bar for each basin from its first to its last observed day, pale in years of which few days were observed."""
    order = sorted(basins, key=lambda basin: (basin.first, basin.last))
    step = LINE if len(order) <= NAMED else THIN
    short = labels([basin.basin for basin in order], 100.0) if len(order) <= NAMED else {}
    left = 10 + max(map(measure, short.values()), default=8.0)
    parts = [part for basin in order for part in _parts(basin)]
    data = pd.DataFrame(parts, columns=["basin", "first", "last", "observed"])
    keys = [Key("years observed on at least half of their days", WHOLE, width=6), Key("years of fewer days", PART, width=6)]
    height = max(40.0, step * len(order))
    with canvas(TOP + height + BELOW - 12 + legend_height(keys)) as sheet:
        axes = sheet.axes(left, TOP, WIDTH - left - RIGHT, height)
        place = {basin.basin: row for row, basin in enumerate(order)}
        for whole, key in ((True, keys[0]), (False, keys[1])):
            some = [part for part in parts if (part[3] == "most days") is whole]
            if not some:
                continue
            ends = date2num([[first, last + timedelta(days=1)] for _, first, last, _ in some])
            lines = axes.hlines([place[part[0]] for part in some], ends[:, 0], ends[:, 1], colors=key.colour, linewidth=0.72 * step)
            lines.set_capstyle("butt")
            sheet.explain(lines, [f"basin {basin}: {first} to {last}, {often}" for basin, first, last, often in some])
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.grid(False, axis="y")
        axes.tick_params(axis="y", length=0)
        axes.set_yticks(range(len(order)) if short else [], [short[basin.basin] for basin in order] if short else [])
        _years(axes, min(b.first for b in order), max(b.last for b in order))
        sheet.legend(keys, TOP + height + BELOW - 12)
        caption = f"From the first to the last day of observed discharge: {basins_in_words(len(order))}, ordered by the first day."
        return sheet.figure("observed_periods", "Periods of observed discharge", caption, data)


def _years(axes: Axes, first: date, last: date) -> None:
    """Label an axis of days by years."""
    axes.set_xlim(*date2num([first, last + timedelta(days=1)]))
    ticks = MaxNLocator(6, steps=STEPS, integer=True).tick_values(first.year, last.year + 1)
    begins = [date(int(year), 1, 1) for year in ticks if first <= date(int(year), 1, 1) <= last] or [first]
    axes.set_xticks(date2num(begins), [str(day.year) if len(begins) > 1 else str(day) for day in begins])


def lengths(years: Sequence[float]) -> Figure:
    """How many basins have how many observed years."""
    values = np.asarray(years, dtype="float64")
    edges = np.asarray(MaxNLocator(nbins=20, integer=True, min_n_ticks=1).tick_values(0, max(values.max(), 1.0)))
    counts, _ = np.histogram(values, edges)
    data = pd.DataFrame({"from_years": edges[:-1], "to_years": edges[1:], "basins": counts})
    with canvas(TOP + PLOT + BELOW) as sheet:
        axes = sheet.axes(LEFT, TOP, WIDTH - LEFT - RIGHT, PLOT)
        axes.set(xlim=(0, edges[-1]), ylim=(0, 1.05 * max(1, counts.max())), xlabel="Observed years (yr)", ylabel="Basins")
        axes.grid(False, axis="x")
        wide = 0.92 * (WIDTH - LEFT - RIGHT) / len(counts)
        bars = axes.vlines((edges[:-1] + edges[1:]) / 2, 0, counts, colors=WHOLE, linewidth=wide)
        bars.set_capstyle("butt")
        sheet.explain(bars, [f"{low:g} to {high:g} years: {basins_in_words(int(count))}" for low, high, count in data.to_numpy()])
        for side in (axes.xaxis, axes.yaxis):
            side.set_major_locator(MaxNLocator(7, steps=STEPS, integer=True, min_n_ticks=1))
        reach = f"{values.min():.1f} to {values.max():.1f}, median {np.median(values):.1f}"
        caption = f"Days of observed discharge, in years of {YEAR} days, in {basins_in_words(len(values))}: {reach}. Gaps do not count."
        return sheet.figure("observed_years", "Length of the records", caption, data)


def _parts(basin: Observed) -> list[tuple[str, date, date, str]]:
    """Runs of years, those at the ends cut to the first and the last observed day."""

    def often(year: int) -> bool:
        first, last = max(basin.first, date(year, 1, 1)), min(basin.last, date(year, 12, 31))
        return basin.days.get(year, 0) >= 0.5 * ((last - first).days + 1)

    found = []
    for whole, years in groupby(basin.years, key=often):
        run = list(years)
        first, last = max(basin.first, date(run[0], 1, 1)), min(basin.last, date(run[-1], 12, 31))
        found.append((basin.basin, first, last, "most days" if whole else "few days"))
    return found
