"""Basins on disk: the one door to Parquet.

A shards folder holds ``basins-000.parquet``, ... (columns basin, date and the variables in float32; one row group per basin),
``attributes.parquet`` (one row per basin, float64) and ``manifest.json``. Synthetic basins also bring ``truth.parquet`` and
``parameters_true.parquet``.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studyhub.data.manifest import Entry, Manifest
from studyhub.data.record import Record, days
from studyhub.data.writer import ATTRIBUTES, PARAMETERS, TRUTH, attributes_hash, content_hash
from studyhub.data.writer import write as write
from studyhub.errors import DataError
from studyhub.study.settings import Period

# What pyarrow raises at damaged files, from footers with nonsense in them to pages that do not unpack.
BROKEN = (OSError, ValueError, TypeError, KeyError, IndexError, MemoryError, pa.ArrowException)

Place = Callable[[str], tuple[str, int]]  # basin -> file, row group


@dataclass(frozen=True)
class Shards:
    """An open shards folder: its manifest, and its numbers on request. What is read is checked against the manifest."""

    manifest: Manifest

    @classmethod
    def open(cls, folder: str | Path) -> "Shards":
        """Read the manifest of a shards folder."""
        return cls(Manifest.open(folder))

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
        series = self._series(basins, variables, period, lambda basin: (self._entry(basin).file, self._entry(basin).row_group))
        columns = [self.attribute_names.index(name) for name in names]
        return Record(basins, days(period), series, self._attributes(basins)[:, columns], names)

    def truth(self, basins: Sequence[str] | None = None, variables: Sequence[str] | None = None, period: Period | None = None) -> Record:
        """Read what is known of synthetic basins only: true variables in float32 mm/d, and the hidden parameters in place of attributes."""
        if not self.manifest.truth:
            raise DataError(f"{self.manifest.folder}: the truth is known of synthetic basins only, these come from {self.manifest.source}")
        basins = self._known(basins)
        variables = self.manifest.truth if variables is None else tuple(variables)
        self.manifest.require("true variables", variables, self.manifest.truth)
        period = self._within(period)
        groups = {basin: i for i, basin in enumerate(self.basins)}
        series = self._series(basins, variables, period, lambda basin: (TRUTH, groups[basin]))
        names, values = self._numbers(PARAMETERS, basins)
        return Record(basins, days(period), series, values, names)

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

    def _series(self, basins: tuple[str, ...], variables: tuple[str, ...], period: Period, place: Place) -> dict[str, np.ndarray]:
        """Variables in float32 [basin, time]. Every file is opened once."""
        series = {name: np.full((len(basins), period.days), np.nan, dtype=np.float32) for name in variables}
        rows_of_file: dict[str, list[int]] = {}
        for row, basin in enumerate(basins):
            rows_of_file.setdefault(place(basin)[0], []).append(row)
        for name, rows in rows_of_file.items():
            with self._file(name) as file:
                for row in rows:
                    entry = self._entry(basins[row])
                    here, there = _overlap(entry, period)
                    for variable, values in self._columns(file, name, basins[row], place(basins[row])[1], variables).items():
                        series[variable][row, here] = values[there]
        return series

    def _columns(self, file: pq.ParquetFile, name: str, basin: str, group: int, variables: tuple[str, ...]) -> dict[str, np.ndarray]:
        """All days of one basin, checked against the manifest."""
        try:
            table = file.read_row_group(group, columns=list(variables), use_threads=False)
            columns = {variable: table[variable].to_numpy() for variable in variables}
        except BROKEN as error:
            raise self._damaged(name, _first_line(error)) from None
        entry = self._entry(basin)
        for variable, values in columns.items():
            if len(values) != entry.days or content_hash(entry, values) != entry.hashes[variable]:
                raise self._damaged(name, f"{variable} of basin {basin} is not what was written")
        return columns

    def _attributes(self, basins: tuple[str, ...]) -> np.ndarray:
        """All attributes, float64 [basin, attribute], checked against the manifest."""
        names, values = self._numbers(ATTRIBUTES, basins)
        if names != self.attribute_names:
            raise self._damaged(ATTRIBUTES, "its columns are not those that were written")
        for basin, row in zip(basins, values, strict=True):
            if attributes_hash(names, row) != self._entry(basin).attributes_hash:
                raise self._damaged(ATTRIBUTES, f"the attributes of basin {basin} are not what was written")
        return values

    def _numbers(self, name: str, basins: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
        """Column names and float64 [basin, column] of a file with one row per basin."""
        try:
            with self._file(name) as file:
                table = file.read(use_threads=False)
            rows = {basin: i for i, basin in enumerate(table["basin"].to_pylist())}
            names = tuple(column for column in table.column_names if column != "basin")
            values = np.column_stack([table[column].to_numpy() for column in names]) if names else np.empty((len(rows), 0))
            return names, values[[rows[basin] for basin in basins]]
        except BROKEN as error:
            raise self._damaged(name, _first_line(error)) from None

    def _file(self, name: str) -> pq.ParquetFile:
        path, written = self.manifest.folder / name, self.manifest.sizes.get(name)
        try:
            size = path.stat().st_size
            if size != written:
                raise self._damaged(name, f"it has {size} bytes, {written} were written")
            return pq.ParquetFile(path)
        except FileNotFoundError:
            raise self._damaged(name, "it is not there") from None
        except BROKEN as error:
            raise self._damaged(name, _first_line(error)) from None

    def _damaged(self, name: str, why: str) -> DataError:
        return DataError(f"{self.manifest.folder / name}: damaged shard ({why}); ingest again")


def _overlap(entry: Entry, period: Period) -> tuple[slice, slice]:
    """Return the days that a basin and a period share, as positions in the period and in the basin's rows."""
    first = (entry.start - period.start).days
    begin, end = max(first, 0), max(min(first + entry.days, period.days), max(first, 0))
    return slice(begin, end), slice(begin - first, end - first)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
