"""Basins in memory: one basin as a reader hands it over, and a record of many over the same days."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

import numpy as np

from studyhub.catalog import FORCINGS, OBSERVATIONS
from studyhub.errors import DataError
from studyhub.study.settings import Period

UNITS = FORCINGS | OBSERVATIONS
TRUTH_UNITS = {"q_true": "mm/d", "et_true": "mm/d", "baseflow_true": "mm/d"}


@dataclass(frozen=True)
class Basin:
    """One basin on contiguous days from ``start``.

    Parameters
    ----------
    name : the basin's id
    start : first day
    series : variable -> values [time], NaN where missing
    attributes : attribute -> number, NaN where missing
    facts : gauge_lat and gauge_lon in degrees, area_km2, continent, climate_group, huc_02 and the like
    truth : variable -> values [time], known for synthetic basins only
    parameters : hidden parameter -> value, known for synthetic basins only
    met : what the reader met and mended -> on how many days: "missing_days" (no row), "doubled_days" (two equal rows), "unsorted_days",
        "negative_qobs" (taken as missing), ...
    """

    name: str
    start: date
    series: Mapping[str, np.ndarray]
    attributes: Mapping[str, float]
    facts: Mapping[str, str | float | list[str]]
    truth: Mapping[str, np.ndarray] = field(default_factory=dict)
    parameters: Mapping[str, float] = field(default_factory=dict)
    met: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Record:
    """Basins over the same contiguous days.

    Parameters
    ----------
    basins : ids
    dates : days, datetime64[D] [time]
    series : variable -> float32 [basin, time], NaN where missing
    attributes : float64 [basin, attribute], NaN where missing
    attribute_names : names along the last axis of ``attributes``
    """

    basins: tuple[str, ...]
    dates: np.ndarray
    series: dict[str, np.ndarray]
    attributes: np.ndarray
    attribute_names: tuple[str, ...]

    @property
    def period(self) -> Period:
        return Period(self.dates[0].item(), self.dates[-1].item())

    def during(self, period: Period) -> "Record":
        """Return the part of the record in ``period``, which must lie inside it. Nothing is copied."""
        if period.days < 1:
            raise DataError(f"a period of at least one day is required, got {period}")
        if period.start < self.period.start or period.end > self.period.end:
            raise DataError(f"the record covers {self.period}, asked for {period}")
        first = (period.start - self.period.start).days
        days = slice(first, first + period.days)
        return replace(self, dates=self.dates[days], series={name: values[:, days] for name, values in self.series.items()})

    def select(self, basins: tuple[str, ...]) -> "Record":
        """Return these basins, in this order."""
        rows = rows_of(basins, self.basins, "basins")
        series = {name: values[rows] for name, values in self.series.items()}
        return replace(self, basins=tuple(basins), series=series, attributes=self.attributes[rows])

    def attribute(self, names: tuple[str, ...]) -> np.ndarray:
        """Attributes by name, float64 [basin, len(names)]."""
        return self.attributes[:, rows_of(names, self.attribute_names, "attributes")]

    def variable(self, name: str) -> np.ndarray:
        if name not in self.series:
            raise DataError(f"the record has no variable {name}; it has {', '.join(self.series)}")
        return self.series[name]


def period_of(basin: Basin) -> Period:
    """Days of a basin; all its variables must have the same, at least one."""
    lengths = {len(values) for values in (*basin.series.values(), *basin.truth.values())}
    if len(lengths) != 1 or lengths == {0}:
        raise DataError(f"basin {basin.name}: variables of one length, at least one day, are required, got lengths {sorted(lengths)}")
    return Period(basin.start, basin.start + timedelta(days=lengths.pop() - 1))


def cut(basin: Basin, period: Period) -> Basin | None:
    """Return the days of a basin that lie in the period; None where there are none."""
    own = period_of(basin)
    start, end = max(own.start, period.start), min(own.end, period.end)
    if end < start:
        return None
    there = slice((start - own.start).days, (end - own.start).days + 1)
    series = {name: values[there] for name, values in basin.series.items()}
    return replace(basin, start=start, series=series, truth={name: values[there] for name, values in basin.truth.items()})


def days(period: Period) -> np.ndarray:
    """All days of a period, datetime64[D]."""
    return np.arange(np.datetime64(period.start), np.datetime64(period.end) + 1)


def day_of_year(dates: np.ndarray) -> np.ndarray:
    """Day of the year, 1 on 1 January, 366 on 31 December of a leap year; int64 [time]."""
    return (dates - dates.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64) + 1


def rows_of(names: tuple[str, ...], known: tuple[str, ...], what: str) -> np.ndarray:
    """Positions of ``names`` in ``known``, int64."""
    place = {name: i for i, name in enumerate(known)}
    missing = [name for name in names if name not in place]
    if missing:
        raise DataError(f"no {what} {', '.join(missing)} in the record")
    return np.array([place[name] for name in names], dtype=np.int64)


def require_complete(record: Record, names: Sequence[str]) -> None:
    """Raise a DataError that names basin, variable and date of the first missing value."""
    for name in dict.fromkeys(names):
        wrong = ~np.isfinite(record.variable(name))
        if wrong.any():
            basin, day = np.argwhere(wrong)[0]
            raise DataError(
                f"forcing without gaps is required: basin {record.basins[basin]} has no {name} on {record.dates[day]} "
                f"({int(wrong[basin].sum())} missing days in {record.period}); leave the basin out, fill the gaps or change the period"
            )
