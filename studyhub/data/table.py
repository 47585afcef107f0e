"""A user's table of days, or folder of tables, as a mapping describes it: CSV or Parquet."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from studyhub.catalog import TARGET
from studyhub.data.manifest import shorten
from studyhub.data.record import Basin
from studyhub.data.table_attributes import Places
from studyhub.data.table_days import Days, Rows, contiguous, merged, on_days, rows_of, sorted_days
from studyhub.data.table_files import TableFile, basin_of, matching
from studyhub.data.table_ids import Ids, full_names
from studyhub.data.units import canonical_unit, unit_of
from studyhub.errors import DataError
from studyhub.study.mapping_settings import AREA, DailyTable, Variable
from studyhub.study.mapping_settings import Mapping as TableMapping

READER = "table"
TOGETHER = 64  # basins whose rows are in memory at once
# What no day has, in canonical units: a mark that the mapping does not know, or another unit than it says.
LOWEST = {"prcp": 0, "srad": 0, "vp": 0, "dayl": 0, "swe_obs": 0, "et_obs": -5, "pet": -5, "tmin": -100, "tmax": -100, "tmean": -100}


@dataclass(frozen=True)
class DailyFiles:
    """Files of one table of days.

    Parameters
    ----------
    table : what the mapping says about it, under ``key``
    paths : all files, or basin -> its own file
    ids : the basins as this table writes them
    """

    table: DailyTable
    key: str
    paths: tuple[Path, ...] | Mapping[str, Path]
    ids: Ids

    @classmethod
    def find(cls, place: Path, folder: Path, table: DailyTable, key: str) -> "DailyFiles":
        """Find the files of a table; each is opened, and its columns are looked for."""
        if key == "daily" and place.is_file():
            paths, pattern = (place,), table.files
        elif table.files is None:
            raise DataError(f'{place}: is a folder: the mapping must say which files in it are meant, such as `{key}.files: "*.csv"`')
        else:
            paths, pattern = matching(folder, table.files, f"{key}.files"), table.files
        opened = [TableFile(path, table, key) for path in paths]
        if table.basin is not None:
            return cls(table, key, paths, Ids(shorten([str(path) for path in paths]), (id for file in opened for id in file.basins())))
        own: dict[str, Path] = {}
        for path in paths:
            basin = basin_of(path, folder, pattern)
            if basin in own:
                raise DataError(
                    f"{path}: is basin {basin}, as {own[basin]} is; the mapping's `{key}.files` must tell files apart, or `{key}.basin`"
                )
            own[basin] = path
        return cls(table, key, own, Ids(str(folder), own))

    def read(self, basins: Sequence[str]) -> dict[str, Rows]:
        """Rows of the basins that are here, in the order of the files."""
        written = {found: basin for basin in basins if (found := self.ids.find(basin)) is not None}
        days = Days()
        if isinstance(self.paths, Mapping):
            files = {basin: TableFile(self.paths[found], self.table, self.key) for found, basin in written.items()}
            return {basin: rows_of(file, file.rows(None), days) for basin, file in files.items()}
        parts: dict[str, list[Rows]] = {}
        for path in self.paths if written else ():
            file = TableFile(path, self.table, self.key)
            table = file.rows(tuple(written))
            rows = rows_of(file, table, days)
            for found, part in _by_basin(table.column(str(self.table.basin)), rows):
                parts.setdefault(written[found], []).append(part)
        return {basin: merged(some) for basin, some in parts.items()}


def _by_basin(names: pa.ChunkedArray, rows: Rows) -> Iterator[tuple[str, Rows]]:
    """Rows of each basin, in the order of the file."""
    if not len(names):
        return
    coded = names.combine_chunks().dictionary_encode()
    codes = coded.indices.to_numpy()
    order = np.argsort(codes, kind="stable")
    begins = np.searchsorted(codes[order], np.arange(len(coded.dictionary) + 1))
    for code, name in enumerate(coded.dictionary.to_pylist()):
        yield str(name), rows.take(order[begins[code] : begins[code + 1]])


@dataclass(frozen=True)
class Table:
    """Basins of a user's table: a `studyhub.data.source.Source`.

    ``incomplete`` says of basins that cannot be read why; ``names`` how the main table writes each.
    """

    mapping: TableMapping
    daily: DailyFiles
    also: tuple[DailyFiles, ...]
    places: Places
    names: Mapping[str, str]
    incomplete: Mapping[str, str]

    @property
    def reader(self) -> str:
        return READER

    @property
    def settings(self) -> Mapping[str, Any]:
        return self.mapping.plain()

    @property
    def basins(self) -> tuple[str, ...]:
        return tuple(self.names)

    @property
    def units(self) -> Mapping[str, str]:
        return {variable.name: canonical_unit(variable.name, variable.unit) for variable in self.mapping.variables}

    @property
    def codes(self) -> Mapping[str, Sequence[str]]:
        return self.places.codes

    def read(self, basins: Sequence[str]) -> Iterator[Basin]:
        """Read basins as `Source.read` says.

        Rows may stand in any order and a day may stand twice with the same values; both are counted. Discharge below 0 is missing, and
        potential evapotranspiration a little below 0 (dew) is 0; both are counted too. Days of a further table outside those of the main
        one are counted and left out.
        """
        for basin in basins:
            if basin not in self.names:
                raise DataError(f"no basin {basin} among the {len(self.names)} of the table ({shorten(self.basins)})")
            if basin in self.incomplete:
                raise DataError(self.incomplete[basin])
        for first in range(0, len(basins), TOGETHER):
            yield from self._block(basins[first : first + TOGETHER])

    def _block(self, basins: Sequence[str]) -> Iterator[Basin]:
        main = self.daily.read([self.names[basin] for basin in basins])
        further = [files.read(basins) for files in self.also]
        for basin in basins:
            yield self._basin(basin, main[self.names[basin]], [rows.get(basin) for rows in further])

    def _basin(self, basin: str, rows: Rows, further: Sequence[Rows | None]) -> Basin:
        met: Counter[str] = Counter()
        facts = self.places.facts_of(basin)
        area = facts.get(AREA)
        main = contiguous(basin, sorted_days(basin, rows, met), met)
        series = self._series(basin, main, self.daily, area, met)
        for files, found in zip(self.also, further, strict=True):
            if found is None:
                series |= {variable.name: np.full(len(main.days), np.nan) for variable in files.table.variables}
                continue
            once = sorted_days(basin, found, met)
            met["days_outside"] += int(((once.days < main.days[0]) | (once.days > main.days[-1])).sum())
            series |= self._series(basin, on_days(once, main.days), files, area, met)
        counts = {name: count for name, count in met.items() if count}
        return Basin(basin, main.days[0].item(), series, self.places.attributes_of(basin), facts, met=counts)

    def _series(self, basin: str, rows: Rows, files: DailyFiles, area: Any, met: Counter[str]) -> dict[str, np.ndarray]:
        return {variable.name: _possible(basin, rows, variable, area, files, met) for variable in files.table.variables}


def find(path: str | Path, mapping: TableMapping, attributes: str | Path | None = None) -> Table:
    """Find the basins of a table, or of a folder of tables.

    Parameters
    ----------
    path : one CSV or Parquet file, or the folder from which the mapping's patterns of file names start
    mapping : what it holds
    attributes : folder where attribute files are looked for by their names, before they are looked for as the mapping says

    Raises
    ------
    DataError
        A file or a column that the mapping names is missing, a file is damaged, attributes cannot be understood, ids are ambiguous, or
        discharge is a volume and no area is given.
    """
    place = Path(path)
    if not place.exists():
        raise DataError(f"{place}: a table or a folder of tables is required, there is none")
    folder = place if place.is_dir() else place.parent
    _require_area(mapping)
    tables = [DailyFiles.find(place, folder, table, key) for key, table in mapping.tables.items()]
    places = Places.read(folder, mapping, None if attributes is None else Path(attributes))
    daily, *also = tables
    names = full_names(daily.ids.where, sorted(daily.ids.ids), (ids for _, ids in places.files))
    if not names:
        raise DataError(f"{place}: at least one basin is required, the table has none")
    reasons = {basin: places.lacking(basin) or _without_area(basin, mapping, places) for basin in names}
    return Table(mapping, daily, tuple(also), places, names, {basin: why for basin, why in reasons.items() if why is not None})


def _volumes(mapping: TableMapping) -> list[str]:
    """Variables that need the basin's area, with their units."""
    return [f"{variable.name} in {variable.unit}" for variable in mapping.variables if unit_of(variable.name, variable.unit).areal]


def _require_area(mapping: TableMapping) -> None:
    if _volumes(mapping) and AREA not in dict(mapping.facts):
        advice = f"add `facts.{AREA}: {{column: ..., unit: km2}}` to the mapping"
        raise DataError(f"{mapping.file}: {_volumes(mapping)[0]} becomes mm/d by the basin's area, which no fact gives; {advice}")


def _without_area(basin: str, mapping: TableMapping, places: Places) -> str | None:
    volumes = _volumes(mapping)
    if not volumes or AREA in places.facts_of(basin):
        return None
    advice = f"add it to the column that `facts.{AREA}` of the mapping names, or leave the basin out"
    return f"basin {basin}: {volumes[0]} becomes mm/d by the basin's area, which is missing; {advice}"


def _possible(basin: str, rows: Rows, variable: Variable, area: Any, files: DailyFiles, met: Counter[str]) -> np.ndarray:
    """Values of a variable in its canonical unit, NaN where missing."""
    name, unit, given = variable.name, unit_of(variable.name, variable.unit), rows.values[variable.name]
    if unit.fill is not None:
        given = np.where((given >= unit.fill[0]) & (given <= unit.fill[1]), np.nan, given)
    values = unit.canonical(given, area)
    wrong = np.flatnonzero(np.isinf(values) | (values < LOWEST.get(name, -np.inf)))
    if len(wrong):
        advice = f"if that stands for missing, add it to `{files.key}.missing` of the mapping; else mend the value or the unit there"
        where = f"{shorten(rows.paths)}: basin {basin} on {rows.days[wrong[0]]}"
        raise DataError(f"{where}: {name} cannot be {given[wrong[0]]:g} {variable.unit} (column `{variable.column}`); {advice}")
    below = values < 0
    if name in (TARGET, "pet") and below.any():
        met[f"negative_{name}"] += int(below.sum())
        values = np.where(below, np.nan if name == TARGET else 0.0, values)
    return values
