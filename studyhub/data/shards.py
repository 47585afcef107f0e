"""Basins on disk: the one door to Parquet.

A shards folder holds ``basins-000.parquet``, ... (columns basin, date and the variables in float32; a row group per basin),
``attributes.parquet`` (one row per basin, float64), ``quality.parquet`` (what each check found in each basin) and ``manifest.json``.
Synthetic basins also bring ``truth-000.parquet``, ... and ``parameters_true.parquet``. A folder may lie in an object store, and several
may be read as one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studyhub.catalog import OBSERVATIONS
from studyhub.data.entries import Entry
from studyhub.data.fill import Fill
from studyhub.data.manifest import Manifest, Where
from studyhub.data.parquet import attributes_hash, content_hash
from studyhub.data.record import Record, days
from studyhub.data.writer import ATTRIBUTES, PARAMETERS, QUALITY
from studyhub.data.writer import write as write
from studyhub.errors import DataError
from studyhub.storage import folder, is_remote
from studyhub.study.settings import Period

if TYPE_CHECKING:
    from studyhub.data.decoded import Decoded

# What pyarrow raises at damaged files, from footers with nonsense in them to pages that do not unpack.
BROKEN = (OSError, ValueError, TypeError, KeyError, IndexError, MemoryError, pa.ArrowException)

BASINS_AT_ONCE = 64

FileOf = Callable[[Entry], str]


@dataclass(frozen=True)
class Shards:
    """An open shards folder, or several: the manifest, and the numbers on request.

    Parameters
    ----------
    fill : how gaps in forcing are filled on reading, as `Fill.parse` takes it; None: not at all
    verify : compare the hash of all that is read with the manifest's. Else a file is known as damaged by its size, or where it cannot be
        unpacked
    decoded : some of the numbers, where they are in memory already; see `studyhub.data.decoded.share`
    """

    manifest: Manifest
    fill: str | None = None
    verify: bool = False
    decoded: "Decoded | None" = None

    @classmethod
    def open(cls, where: Where, fill: str | None = None, *, verify: bool = False) -> "Shards":
        """Read the manifest of a shards folder, or of several; see `Manifest.open`."""
        return cls(Manifest.open(where), fill, verify)

    @classmethod
    def known(cls, where: Where, identity: str) -> "Shards | None":
        """Open shards whose content has this identity; None where there are others, or none."""
        try:
            manifest = Manifest.open(where)
        except DataError:
            return None
        return cls(manifest) if manifest.identity == identity else None

    @property
    def basins(self) -> tuple[str, ...]:
        return self.manifest.basins

    @property
    def period(self) -> Period:
        return self.manifest.period

    @property
    def variables(self) -> tuple[str, ...]:
        return self.manifest.variables

    @property
    def attribute_names(self) -> tuple[str, ...]:
        return self.manifest.attribute_names

    def hash(self, basins: Iterable[str], variables: Iterable[str]) -> str:
        """As `Manifest.hash`."""
        return self.manifest.hash(basins, variables)

    def read(
        self,
        basins: Sequence[str] | None = None,
        variables: Sequence[str] | None = None,
        period: Period | None = None,
        attributes: Sequence[str] | None = None,
    ) -> Record:
        """Read basins, variables, days and attributes; None means all. Days on which a basin has no row are NaN.

        Raises
        ------
        DataError
            What is asked for is not there, or a file is not what was written (the message names it).
        """
        basins = self._known(basins)
        variables = self.variables if variables is None else tuple(variables)
        names = self.attribute_names if attributes is None else tuple(attributes)
        self.manifest.require("variables", variables, self.variables)
        self.manifest.require("attributes", names, self.attribute_names)
        period = self._within(period)
        series = self.decoded.series(basins, variables, period) if self.decoded else None
        if series is None:
            series = self._series(basins, variables, period, lambda entry: entry.file)
        return Record(basins, days(period), series, self._attributes(basins, names), names)

    def truth(self, basins: Sequence[str] | None = None, variables: Sequence[str] | None = None, period: Period | None = None) -> Record:
        """Read what is known of synthetic basins only: true variables in float32 mm/d, and the hidden parameters in place of attributes."""
        if not self.manifest.truth:
            raise DataError(f"{self.manifest.folder}: the truth is known of synthetic basins only, these come from {self.manifest.source}")
        basins = self._known(basins)
        variables = self.manifest.truth if variables is None else tuple(variables)
        self.manifest.require("true variables", variables, self.manifest.truth)
        period = self._within(period)
        series = self._series(basins, variables, period, lambda entry: entry.file.replace("basins-", "truth-"))
        (home,) = self.manifest.where
        parameters = self._numbers(home, PARAMETERS)
        names = tuple(name for name in parameters.column_names if name != "basin")
        return Record(basins, days(period), series, self._rows(parameters, home, PARAMETERS, basins, names), names)

    def findings(self) -> pa.Table:
        """What each quality check found in each basin: basin, check, variable, value, unit, threshold, verdict, note."""
        return pa.concat_tables([self._numbers(home, QUALITY) for home in self.manifest.where])

    def require_unaltered(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Read everything once, and raise a DataError that names what is not as it was written."""
        strict = replace(self, fill=None, verify=True, decoded=None)
        for first in range(0, len(self.basins), BASINS_AT_ONCE):
            some = self.basins[first : first + BASINS_AT_ONCE]
            strict.read(some)
            if self.manifest.truth:
                strict.truth(some)
            if progress is not None:
                progress(first + len(some), len(self.basins))
        self.findings()

    def _entry(self, basin: str) -> Entry:
        return self.manifest.entries[basin]

    def _known(self, basins: Sequence[str] | None) -> tuple[str, ...]:
        chosen = self.basins if basins is None else tuple(basins)
        self.manifest.require("basins", chosen, self.basins)
        return chosen

    def _within(self, period: Period | None) -> Period:
        if period is None:
            return self.period
        if period.days < 1:
            raise DataError(f"a period of at least one day is required, got {period}")
        if period.start < self.period.start or period.end > self.period.end:
            raise DataError(f"{self.manifest.folder}: the data cover {self.period}, asked for {period}")
        return period

    def _series(self, basins: tuple[str, ...], variables: tuple[str, ...], period: Period, file_of: FileOf) -> dict[str, np.ndarray]:
        """Variables in float32 [basin, time]. Every file is opened once."""
        series = {name: np.empty((len(basins), period.days), dtype=np.float32) for name in variables}
        rows_of_file: dict[tuple[str, str], list[int]] = {}
        for row, basin in enumerate(basins):
            entry = self._entry(basin)
            rows_of_file.setdefault((entry.home, file_of(entry)), []).append(row)
        for (home, name), rows in rows_of_file.items() if variables else ():
            entries = [self._entry(basins[row]) for row in rows]
            columns = self._columns(home, name, entries, variables)
            ends = list(accumulate(entry.days for entry in entries))
            places = [_overlap(entry, period) for entry in entries]
            for variable, values in columns.items():
                for row, entry, last, (here, there) in zip(rows, entries, ends, places, strict=True):
                    own = values[last - entry.days : last]
                    if self.verify and content_hash(entry.start, own) != entry.hashes[variable]:
                        raise self._damaged(f"{home}/{name}", f"{variable} of basin {basins[row]} is not what was written")
                    into = series[variable][row]
                    into[: here.start] = into[here.stop :] = np.nan
                    into[here] = self._filled(entry, variable, own)[there]
        return series

    def _columns(self, home: str, name: str, entries: list[Entry], variables: tuple[str, ...]) -> dict[str, np.ndarray]:
        """All days of some basins of a file, one basin after the other: variable -> float32 [day]."""
        try:
            with self._file(home, name) as file:
                table = file.read_row_groups([entry.row_group for entry in entries], columns=list(variables))
            columns = {variable: _array(table[variable]) for variable in variables}
        except BROKEN as error:
            raise self._damaged(f"{home}/{name}", _first_line(error)) from None
        due = sum(entry.days for entry in entries)
        if table.num_rows != due:
            raise self._damaged(f"{home}/{name}", f"it has {table.num_rows} days of {len(entries)} basins, {due} were written")
        return columns

    def _filled(self, entry: Entry, variable: str, values: np.ndarray) -> np.ndarray:
        """Fill over the basin's whole record, so that a value does not depend on which days are asked for."""
        if self.fill is None or variable in OBSERVATIONS or not entry.missing.get(variable):
            return values
        return Fill.parse(self.fill).apply(variable, values, days(entry.period))

    def _attributes(self, basins: tuple[str, ...], names: tuple[str, ...]) -> np.ndarray:
        """Attributes, float64 [basin, attribute], checked against the manifest."""
        values = np.empty((len(basins), len(names)))
        homes = [self._entry(basin).home for basin in basins]
        for home in dict.fromkeys(homes) if names else ():
            here = [row for row, its in enumerate(homes) if its == home]
            chosen = tuple(basins[row] for row in here)
            table = self._tables[home]
            every = tuple(name for name in table.column_names if name != "basin")
            numbers = self._rows(table, home, ATTRIBUTES, chosen, every)
            for basin, row in zip(chosen, numbers, strict=True) if self.verify else ():
                if attributes_hash(every, row) != self._entry(basin).attributes_hash:
                    raise self._damaged(f"{home}/{ATTRIBUTES}", f"the attributes of basin {basin} are not what was written")
            values[here] = numbers[:, [every.index(name) for name in names]]
        return values

    @cached_property
    def _tables(self) -> dict[str, pa.Table]:
        """Attributes of each folder."""
        return {home: self._numbers(home, ATTRIBUTES) for home in self.manifest.where}

    def _numbers(self, home: str, name: str) -> pa.Table:
        """A table that is read at once."""
        try:
            with self._file(home, name) as file:
                return file.read(use_threads=False)
        except BROKEN as error:
            raise self._damaged(f"{home}/{name}", _first_line(error)) from None

    def _rows(self, table: pa.Table, home: str, name: str, basins: tuple[str, ...], columns: tuple[str, ...]) -> np.ndarray:
        """Float64 [basin, column] of a table with one row per basin."""
        try:
            rows = {basin: i for i, basin in enumerate(table["basin"].to_pylist())}
            there = [rows[basin] for basin in basins]
            values = np.column_stack([table[column].to_numpy() for column in columns]) if columns else np.empty((len(rows), 0))
            return values[there]
        except BROKEN as error:
            raise self._damaged(f"{home}/{name}", _first_line(error)) from None

    def _file(self, home: str, name: str) -> pq.ParquetFile:
        place, written = folder(home), self.manifest.sizes.get(f"{home}/{name}")
        try:
            size = place.size(name)
            if size != written:
                raise self._damaged(f"{home}/{name}", f"it has {size} bytes, {written} were written")
            return pq.ParquetFile(place.source(name), pre_buffer=is_remote(home), memory_map=not is_remote(home))
        except FileNotFoundError:
            raise self._damaged(f"{home}/{name}", "it is not there") from None
        except BROKEN as error:
            raise self._damaged(f"{home}/{name}", _first_line(error)) from None

    @staticmethod
    def _damaged(path: str, why: str) -> DataError:
        return DataError(f"{path}: damaged shard ({why}); ingest again")


def _overlap(entry: Entry, period: Period) -> tuple[slice, slice]:
    """Return the days that a basin and a period share, as positions in the period and in the basin's rows."""
    first = (entry.start - period.start).days
    begin, end = max(first, 0), max(min(first + entry.days, period.days), max(first, 0))
    return slice(begin, end), slice(begin - first, end - first)


def _array(column: pa.ChunkedArray) -> np.ndarray:
    """Return its memory where it lies in one piece; `to_numpy` of a chunked array copies it."""
    return (column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()).to_numpy(zero_copy_only=False)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
