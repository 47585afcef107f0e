"""Simulated discharge from a long table, CSV or Parquet: a row per basin and day, in any order.

The table is read a piece at a time, and only the rows of the basins and days that are asked for are kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds

from studyhub.data.manifest import shorten
from studyhub.data.shards import BROKEN
from studyhub.errors import DataError
from studyhub.study.settings import Columns, Period
from studyhub.study.wording import nearest

PARQUET = b"PAR1"  # the first bytes of every such file
OUTSIDE = -1
TOLD = 5  # names that a message gives of each side


@dataclass(frozen=True)
class Simulated:
    """What a table holds of some basins and days.

    Parameters
    ----------
    qsim : float64 [basin, time], mm/d, NaN where the table has no value
    there : bool [basin], has the table any row of this basin
    renamed : basin -> the name under which the table holds it, where that is the same number without its leading zeros
    """

    qsim: np.ndarray
    there: np.ndarray
    renamed: dict[str, str]


def read(path: Path, columns: Columns, basins: Sequence[str], period: Period) -> Simulated:
    """Read the simulated discharge of ``basins`` in ``period``.

    A basin is found by its name. Where the table holds a number in place of a name (1013500 for 01013500, as programs write that take an
    id for a number), it is found by that number, if no other of the basins has it.

    Raises
    ------
    DataError
        The table cannot be read, lacks a column, has none of the basins, or holds in the rows of these basins a date that is none, a time
        of day, two rows of one day, or a discharge below 0 or without end.
    """
    reader = _Reader(path, columns, basins, period)
    for batch in _batches(path, columns):
        reader.add(batch)
    if not reader.there.any():
        theirs = shorten([str(name) for name in reader.rows], TOLD)
        raise DataError(f"{path}: has none of the study's basins, {shorten(basins, TOLD)}; its own are {theirs or 'none'}")
    return Simulated(reader.qsim, reader.there, reader.renamed)


class _Reader:
    """Takes the rows of one batch after the other."""

    def __init__(self, path: Path, columns: Columns, basins: Sequence[str], period: Period):
        self.path, self.columns, self.basins, self.period = path, columns, tuple(basins), period
        self.qsim = np.full((len(self.basins), period.days), np.nan)
        self.filled = np.zeros(self.qsim.size, dtype=bool)
        self.there = np.zeros(len(self.basins), dtype=bool)
        self.known = {basin: row for row, basin in enumerate(self.basins)}
        self.numbers: dict[str, list[int]] = {}
        for basin, row in self.known.items():
            if basin.isdecimal():
                self.numbers.setdefault(basin.lstrip("0"), []).append(row)
        self.renamed: dict[str, str] = {}
        self.rows: dict[Any, int] = {}
        self.days: dict[Any, int] = {}

    def add(self, batch: pa.RecordBatch) -> None:
        names, dates, qsim = batch.columns
        rows = self._coded(self.columns.basin, names, self.rows, self._row)
        wanted = np.flatnonzero(rows != OUTSIDE)
        if not len(wanted):
            return
        rows = rows[wanted]
        self.there[rows] = True
        days = self._coded(self.columns.date, dates.take(pa.array(wanted)), self.days, self._day)
        inside = days != OUTSIDE
        place = rows[inside] * self.period.days + days[inside]
        values = pc.cast(qsim, pa.float64()).to_numpy(zero_copy_only=False)[wanted[inside]]
        self._require_once(place)
        self._require_possible(place, values)
        self.qsim.flat[place] = values

    def _coded(self, column: str, values: pa.Array, known: dict[Any, int], code: Callable[[Any], int]) -> np.ndarray:
        """Code of each value; every distinct one is looked at once."""
        if values.null_count:
            raise self._empty(column)
        coded = values if isinstance(values, pa.DictionaryArray) else values.dictionary_encode()
        distinct = coded.dictionary.to_pylist()
        for value in distinct:
            if value not in known:
                known[value] = code(value)
        return np.array([known[value] for value in distinct], dtype=np.int64)[coded.indices.to_numpy()]

    def _empty(self, column: str) -> DataError:
        return DataError(f"{self.path}: every row needs a value of `{column}`, some have none; fill it in, or leave the row out")

    def _row(self, name: Any) -> int:
        if name == "":
            raise self._empty(self.columns.basin)
        if name in self.known:
            return self.known[name]
        text = str(name)
        rows = self.numbers.get(text.lstrip("0"), []) if text.isdecimal() else []
        if len(rows) > 1:
            alike = shorten([self.basins[row] for row in rows])
            raise DataError(f"{self.path}: basin {text} may be any of {alike}; write the ids as text, with their leading zeros")
        if not rows:
            return OUTSIDE
        if text != self.basins[rows[0]]:
            self.renamed[self.basins[rows[0]]] = text
        return rows[0]

    def _day(self, value: Any) -> int:
        if isinstance(value, str):
            try:
                value = datetime.fromisoformat(value)
            except ValueError:
                raise DataError(f"{self.path}: `{self.columns.date}` needs a day such as 2000-01-31, got {value!r}") from None
        if isinstance(value, datetime):
            if value.tzinfo is not None or value.time() != time.min:
                required = f"`{self.columns.date}` needs days, one row for each"
                raise DataError(f"{self.path}: {required}, got {value}; average over the day, or write the date without a time")
            value = value.date()
        assert isinstance(value, date)
        day = (value - self.period.start).days
        return day if 0 <= day < self.period.days else OUTSIDE

    def _require_once(self, place: np.ndarray) -> None:
        ordered = np.sort(place)
        twice = np.concatenate([place[self.filled[place]], ordered[1:][ordered[1:] == ordered[:-1]]])
        if len(twice):
            raise DataError(f"{self.path}: one row per basin and day is required, {self._where(int(twice[0]))} has two or more")
        self.filled[place] = True

    def _require_possible(self, place: np.ndarray, values: np.ndarray) -> None:
        wrong = np.flatnonzero((values < 0) | np.isinf(values))
        if len(wrong):
            required = f"`{self.columns.qsim}` needs discharge of at least 0 mm/d"
            advice = "leave a missing value empty; a model that goes below 0 must be cut off there by whoever knows it"
            raise DataError(f"{self.path}: {required}, {self._where(int(place[wrong[0]]))} has {values[wrong[0]]:g}; {advice}")

    def _where(self, place: int) -> str:
        row, day = divmod(place, self.period.days)
        return f"basin {self.basins[row]} on {np.datetime64(self.period.start) + day}"


def _batches(path: Path, columns: Columns) -> Iterator[pa.RecordBatch]:
    """Columns basin, date and qsim of the table, a batch of rows at a time."""
    names = [columns.basin, columns.date, columns.qsim]
    try:
        table = ds.dataset(str(path), format=_format(path, columns))
        for name in names:
            if name not in table.schema.names:
                hint = nearest(name, table.schema.names)
                raise DataError(f"{path}: no column `{name}`; {hint}; `columns` in the arm says what it is called")
        _require_types(path, columns, table.schema)
        yield from table.scanner(columns=names).to_batches()
    except BROKEN as error:
        raise DataError(f"{path}: cannot be read as a table, CSV or Parquet ({_reason(error)})") from None


def _reason(error: Exception) -> str:
    """Return the end of what pyarrow says: it begins with how it came to try."""
    said = " ".join(str(error).split())
    if " input source " in said:
        said = said.rpartition(" input source ")[2].partition(": ")[2].removeprefix("Invalid: ")
    return "".join(letter if letter.isprintable() and letter != "\ufffd" else "?" for letter in said)[:160] or type(error).__name__


def _format(path: Path, columns: Columns) -> str | ds.FileFormat:
    with path.open("rb") as file:
        if file.read(len(PARQUET)) == PARQUET:
            return "parquet"
    # As text: 01013500 must not become a number, and dates have better words for what is wrong with them here.
    types = {columns.basin: pa.string(), columns.date: pa.string(), columns.qsim: pa.float64()}
    return ds.CsvFileFormat(convert_options=pyarrow.csv.ConvertOptions(column_types=types))


def _require_types(path: Path, columns: Columns, schema: pa.Schema) -> None:
    types = pa.types
    for name, what, fits in (
        (columns.basin, "basin ids as text", (types.is_string, types.is_large_string, types.is_string_view, types.is_integer)),
        (columns.date, "days", (types.is_date, types.is_timestamp, types.is_string, types.is_large_string, types.is_string_view)),
        (columns.qsim, "numbers", (types.is_floating, types.is_integer, types.is_decimal)),
    ):
        kind = schema.field(name).type
        plain = kind.value_type if types.is_dictionary(kind) else kind
        if not any(fit(plain) for fit in fits):
            raise DataError(f"{path}: column `{name}` must hold {what}, it holds {kind}")
