"""A long table of scores per basin as someone brings it: `basin, arm, [fold, seed, period], metric...`, as CSV or Parquet.

Ids are text, so that basin 01013500 keeps its zero. Names of columns may differ in capitals.
"""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from studyhub.catalog import METRICS, Direction
from studyhub.errors import DataError
from studyhub.study.wording import listed, shown, unknown

REPEATS = ("fold", "seed", "period")
MISSING = {"", "-", "na", "n/a", "nan", "none", "null", "<na>"}
DELIMITERS = (",", ";", "\t")
NAMES = {"lat": ("lat", "latitude", "gauge_lat"), "lon": ("lon", "lng", "longitude", "gauge_lon")}  # of places in tables

Column = NDArray[Any]
Flags = NDArray[np.bool_]


class Scores(NamedTuple):
    """What a comparison needs.

    Parameters
    ----------
    table : columns basin, arm, the metric, and fold and seed where there are any
    metric : what the table calls it
    basins : what the table says of each basin: its columns that say one thing of each
    """

    table: pd.DataFrame
    metric: str
    basins: pd.DataFrame


def read_scores(path: Path, metric: str, arms: tuple[str, str] | None, period: str | None = None) -> Scores:
    """Read the scores of two arms, or of all, in one metric and one period; an infinite score stays, a missing one is NaN.

    Parameters
    ----------
    path : a file ending in .csv or .parquet
    period : which one, where the table has several

    Raises
    ------
    DataError
        The table cannot be read, lacks a column, arm or period, holds a score that is no number, or one score twice.
    """
    table = read_table(path)
    metric = _required(path, table, metric)
    keys = {name: _text(table[_required(path, table, name)].to_numpy()) for name in ("basin", "arm")}
    keys |= {name: _text(table[column].to_numpy()) for name in REPEATS if (column := _find(table, name)) is not None}
    _check_named(path, keys)
    rows = _rows(path, keys, arms, period)
    keys = {name: column[rows] for name, column in keys.items()}
    _check_single(path, keys)
    values = _numbers(path, metric, table[metric].to_numpy()[rows], keys)
    kept = {name: column for name, column in keys.items() if name != "period"}
    used = {*(_find(table, name) for name in ("basin", "arm", *REPEATS)), metric}
    others = table.loc[rows, [name for name in table.columns if name and name not in used]]
    return Scores(pd.DataFrame(kept | {metric: values}), metric, _of_basins(others.assign(basin=keys["basin"])))


def read_basins(path: Path) -> pd.DataFrame:
    """Read a table of basins: column basin, and lat, lon, regions or whatever is known of each.

    Raises
    ------
    DataError
        The table cannot be read, has no column basin, or a basin twice.
    """
    table = read_table(path)
    ids = _text(table[_required(path, table, "basin")].to_numpy())
    seen = set()
    for basin in ids:
        if basin in seen:
            raise DataError(f"{path}: basin {basin} stands twice; keep one row for each basin")
        seen.add(basin)
    others = table.drop(columns=[_required(path, table, "basin")])
    return places(path, others.assign(basin=ids))


def places(path: Path, basins: pd.DataFrame) -> pd.DataFrame:
    """Return a table of basins with lat and lon as numbers, degrees, NaN where they are missing.

    Raises
    ------
    DataError
        A place is no number, or none on the Earth.
    """
    for name, limit in (("lat", 90.0), ("lon", 360.0)):
        column = next((found for asked in NAMES[name] if (found := _find(basins, asked)) is not None), None)
        if column is None:
            continue
        keys = {"basin": basins["basin"].to_numpy(dtype=object), "arm": np.full(len(basins), "-", dtype=object)}
        values = _numbers(path, column, basins[column].to_numpy(), keys)
        beyond = np.abs(values) > limit
        if beyond.any():
            at = int(np.argmax(beyond))
            raise DataError(f"{path}: {column} of basin {basins['basin'].iloc[at]} must lie within {limit:g} degrees, got {values[at]:g}")
        basins = basins.drop(columns=column).assign(**{name: values})
    return basins


def _of_basins(rows: pd.DataFrame) -> pd.DataFrame:
    """Columns that say one thing of each basin, one row for each."""
    once = rows.groupby("basin", sort=False).nunique(dropna=False).le(1).all(axis=0)
    kept = [name for name in rows.columns if name == "basin" or bool(once.get(name, False))]
    return rows.loc[~rows["basin"].duplicated(), kept].reset_index(drop=True)


def direction_of(metric: str, given: Direction | None) -> Direction:
    """What is better: as given, else as the catalog says.

    Raises
    ------
    DataError
        Nothing is given for a metric that the catalog does not have.
    """
    if given is not None:
        return given
    if metric.lower() in METRICS:
        return METRICS[metric.lower()].direction
    known = listed(METRICS)
    raise DataError(f"{metric} is none of {known}; say with --direction whether larger, smaller, zero or one (nearest to it) is better")


def read_table(path: Path) -> pd.DataFrame:
    table = _read(path)
    if table.empty:
        raise DataError(f"{path}: the table has no rows")
    return table


def _read(path: Path) -> pd.DataFrame:
    if path.is_dir():
        hint = f", such as {path / 'scores.parquet'}" if (path / "scores.parquet").exists() else ""
        raise DataError(f"{path} is a folder; a table is required{hint}")
    readers = {".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path}: a table in a file ending in {' or '.join(readers)} is required")
    if not path.exists():
        raise DataError(f"{path}: there is no such file")
    try:
        table = readers[path.suffix.lower()](path)
    except (OSError, ValueError, csv.Error) as error:  # pyarrow's errors and UnicodeDecodeError are among these
        first = (str(error).splitlines() or [""])[0]
        raise DataError(f"{path}: cannot be read as a table ({first})") from None
    names = [str(name).strip() for name in table.columns]
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise DataError(f"{path}: column {twice[0]!r} stands twice; rename or remove one")
    return table.set_axis(names, axis="columns")


def _read_csv(path: Path) -> pd.DataFrame:
    """Read every cell as text. Rows must be as long as the header: pandas would shift or cut others in silence."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        first = file.readline()
        file.seek(0)
        lines = csv.reader(file, delimiter=max(DELIMITERS, key=first.count), strict=True)
        header = next(lines, [])
        rows = list(_complete(path, lines, len(header)))
    return pd.DataFrame(rows, columns=header, dtype=object)


def _complete(path: Path, lines: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    for number, row in enumerate(lines, start=1):
        if len(row) == width:
            yield row
        elif any(cell.strip() for cell in row):
            raise DataError(f"{path}: row {number} below the header has {len(row)} cells, the header {width}")


def _read_parquet(path: Path) -> pd.DataFrame:
    table = pd.read_parquet(path)
    named = [name for name in table.index.names if name is not None]
    return table.reset_index(level=named) if named else table


def _find(table: pd.DataFrame, name: str) -> str | None:
    """Column of that name, or the only one that differs from it in capitals alone."""
    if name in table:
        return name
    close = [column for column in table.columns if column.lower() == name.lower()]
    return close[0] if len(close) == 1 else None


def _required(path: Path, table: pd.DataFrame, name: str) -> str:
    found = _find(table, name)
    if found is None:
        raise DataError(f"{path}: {unknown('column', name, filter(None, table.columns))}")
    return found


def _text(column: Column) -> Column:
    """Ids as text, whole numbers without a decimal point; empty where there is none."""
    if column.dtype.kind == "f" and np.all(np.isnan(column) | (column % 1 == 0)):  # a missing one has made all of them floats
        return np.array(["" if np.isnan(value) else f"{value:.0f}" for value in column], dtype=object)
    return np.array(["" if value is None or pd.isna(value) else str(value).strip() for value in column], dtype=object)


def _check_named(path: Path, keys: dict[str, Column]) -> None:
    for name in ("basin", "arm"):
        empty = keys[name] == ""
        if empty.any():
            raise DataError(f"{path}: every row must name its {name}; row {np.argmax(empty) + 1} below the header does not")


def _rows(path: Path, keys: dict[str, Column], arms: tuple[str, str] | None, period: str | None) -> Flags:
    """Flag the rows of the two arms and the period."""
    names = list(dict.fromkeys(keys["arm"]))
    for arm in arms or ():
        if arm not in names:
            raise DataError(f"{path}: {unknown('arm', arm, names)}")
    if arms is not None and arms[0] == arms[1]:
        raise DataError(f"an arm cannot be better than itself: {arms[0]!r}; name two arms of {listed(names)}")
    rows = np.isin(keys["arm"], names if arms is None else arms)
    if "period" not in keys:
        if period is not None:
            raise DataError(f"{path}: period {period!r} is asked for, but there is no column 'period'")
        return rows
    periods = list(dict.fromkeys(keys["period"][rows]))
    if period is None and len(periods) > 1:
        raise DataError(f"{path}: these scores are of several periods; choose one with --period: {listed(periods)}")
    if period is not None and period not in periods:
        raise DataError(f"{path}: {unknown('period', period, periods)}")
    return rows & (keys["period"] == (period or periods[0]))


def _check_single(path: Path, keys: dict[str, Column]) -> None:
    seen = set()
    for key in zip(*keys.values(), strict=True):
        if key in seen:
            which = ", ".join(f"{name} {value}" for name, value in zip(keys, key, strict=True))
            raise DataError(f"{path}: the score of {which} stands twice; keep one, or tell repeats apart by columns fold and seed")
        seen.add(key)


def _numbers(path: Path, metric: str, values: Column, keys: dict[str, Column]) -> NDArray[np.float64]:
    if values.dtype.kind in "iuf":
        return values.astype(np.float64)
    text = _text(values)
    found = np.empty(len(text))
    for row, cell in enumerate(text):
        try:
            found[row] = np.nan if cell.lower() in MISSING else float(cell.replace("_", "?"))  # Python alone reads 1_0 as ten
        except ValueError:
            where = f"basin {keys['basin'][row]}, arm {keys['arm'][row]}"
            raise DataError(f"{path}: {metric} must be a number, got {shown(cell)} ({where})") from None
    return found
