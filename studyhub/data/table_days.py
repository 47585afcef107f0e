"""Rows of a table become days in a row: sorted, each once, gaps as NaN; what was mended is counted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from studyhub.data.table_files import TableFile
from studyhub.errors import DataError

LONGEST = 366 * 500  # days: a longer series is a mistyped year


@dataclass(frozen=True)
class Rows:
    """Rows of one basin and one table.

    Parameters
    ----------
    days : datetime64[D] [row]
    values : variable -> float64 [row], in the table's unit, NaN where missing
    paths : files, and ``file`` the one that holds each row [row]
    """

    days: np.ndarray
    values: Mapping[str, np.ndarray]
    paths: tuple[str, ...]
    file: np.ndarray

    def take(self, rows: np.ndarray) -> "Rows":
        return replace(self, days=self.days[rows], values={name: given[rows] for name, given in self.values.items()}, file=self.file[rows])


class Days:
    """Reads days from columns; a day that it has seen before costs nothing."""

    def __init__(self) -> None:
        self.known: dict[tuple[str | None, Any], np.datetime64] = {}

    def of(self, file: TableFile, column: pa.ChunkedArray) -> np.ndarray:
        """Days datetime64[D] [row]."""
        if column.null_count:
            raise DataError(f"{file.path}: every row needs a day in `{file.table.date}`, some have none; fill it in, or leave the row out")
        if pa.types.is_date32(column.type):
            return column.to_numpy().astype("datetime64[D]")
        if not len(column):
            return np.empty(0, "datetime64[D]")
        coded = column.combine_chunks().dictionary_encode()
        distinct = [self._day(file, value) for value in coded.dictionary.to_pylist()]
        return np.array(distinct, dtype="datetime64[D]")[coded.indices.to_numpy()]

    def _day(self, file: TableFile, value: Any) -> np.datetime64:
        key = (file.table.date_format, value)
        if key not in self.known:
            self.known[key] = np.datetime64(_read_day(file, value), "D")
        return self.known[key]


def _read_day(file: TableFile, value: Any) -> date:
    column, form = file.table.date, file.table.date_format
    text = str(value)
    if isinstance(value, str | int):
        try:
            value = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
        except ValueError:
            required = f"a day written as {form}" if form else "a day such as 2000-01-31"
            advice = f"`{file.key}.date_format` of the mapping says how days are written"
            line = file.line_of(column, lambda field: field == text)
            raise DataError(f"{line}: `{column}` needs {required}, got {text!r}; {advice}") from None
    if isinstance(value, datetime):
        if value.tzinfo is not None or value.time() != time.min:
            line = file.line_of(column, lambda field: field == text)
            advice = "sum or average over the day, or write the date without a time"
            raise DataError(f"{line}: `{column}` needs days, one row for each, got {value}; {advice}")
        return value.date()
    return value


def rows_of(file: TableFile, table: pa.Table, days: Days) -> Rows:
    """Turn columns of a file into rows; marks of missing values become NaN."""
    found = days.of(file, table.column(file.table.date))
    values = {variable.name: _numbers(file, table.column(variable.column)) for variable in file.table.variables}
    return Rows(found, values, (str(file.path),), np.zeros(len(found), dtype=np.int32))


def _numbers(file: TableFile, column: pa.ChunkedArray) -> np.ndarray:
    exact = column.type if pa.types.is_float32(column.type) else pa.float64()
    values = pc.cast(column, pa.float64()).to_numpy().copy()
    for mark in file.table.written.numbers:
        # A mark such as -999.9 is another number in single precision.
        values[values == pa.scalar(mark, exact).as_py()] = np.nan
    return values


def merged(parts: Sequence[Rows]) -> Rows:
    """Rows of several files, one after the other; each part comes from one file."""
    if len(parts) == 1:
        return parts[0]
    values = {name: np.concatenate([part.values[name] for part in parts]) for name in parts[0].values}
    paths = tuple(part.paths[0] for part in parts)
    return Rows(
        np.concatenate([part.days for part in parts]), values, paths, np.repeat(np.arange(len(parts)), [len(part.days) for part in parts])
    )


def sorted_days(basin: str, rows: Rows, met: Counter[str]) -> Rows:
    """Rows in the order of their days, each day once. Rows after a later day and doubled rows are counted in ``met``.

    Raises
    ------
    DataError
        Two rows of a day differ: file, basin, day and both values are named.
    """
    if len(rows.days) < 2 or (np.diff(rows.days) > np.timedelta64(0)).all():
        return rows
    latest = np.maximum.accumulate(rows.days)
    met["unsorted_days"] += int((rows.days[1:] < latest[:-1]).sum())
    rows = rows.take(np.argsort(rows.days, kind="stable"))
    again = np.flatnonzero(rows.days[1:] == rows.days[:-1]) + 1
    for name, values in rows.values.items():
        one, other = values[again - 1], values[again]
        differ = np.flatnonzero((one != other) & ~(np.isnan(one) & np.isnan(other)))
        if len(differ):
            row = int(again[differ[0]])
            raise _doubled(basin, rows, name, row)
    met["doubled_days"] += len(again)
    return rows.take(np.delete(np.arange(len(rows.days)), again))


def _doubled(basin: str, rows: Rows, name: str, row: int) -> DataError:
    one, other = (f"{value:g}" if np.isfinite(value) else "nothing" for value in rows.values[name][[row - 1, row]])
    paths = " and ".join(dict.fromkeys(rows.paths[file] for file in rows.file[[row - 1, row]]))
    message = f"one row per basin and day is required, basin {basin} has two of {rows.days[row]}"
    return DataError(f"{paths}: {message}, with {name} {one} and {other}; keep the right one")


def contiguous(basin: str, rows: Rows, met: Counter[str]) -> Rows:
    """Rows of sorted days with none between them left out; those that were are NaN, and counted in ``met``."""
    if not len(rows.days):
        raise DataError(f"basin {basin}: at least one day is required, its table has none")
    first, last = rows.days[0], rows.days[-1]
    if (last - first).astype(int) >= LONGEST:
        raise DataError(f"{rows.paths[0]}: basin {basin} has days from {first} to {last}; mend the year of the wrong one")
    days = np.arange(first, last + 1)
    met["missing_days"] += len(days) - len(rows.days)
    return on_days(rows, days)


def on_days(rows: Rows, days: np.ndarray) -> Rows:
    """Values on ``days`` [time], which are contiguous; NaN where there is no row."""
    if len(days) == len(rows.days) and days[0] == rows.days[0]:
        return rows
    place = (rows.days - days[0]).astype(int)
    inside = (place >= 0) & (place < len(days))
    spread = {name: np.full(len(days), np.nan) for name in rows.values}
    for name, values in rows.values.items():
        spread[name][place[inside]] = values[inside]
    return replace(rows, days=days, values=spread)
