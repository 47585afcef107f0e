"""The attribute files of Caravan: all sub-datasets and families in one table, text as codes."""

import csv
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studyhub.data.manifest import shorten
from studyhub.errors import DataError

FAMILIES = ("caravan", "hydroatlas", "other")
NUMERIC = ("caravan", "hydroatlas")  # numbers throughout
PLACE = ("gauge_lat", "gauge_lon", "area")
FACTS = ("gauge_name", "country")
MISSING = ("", "NA", "NaN", "nan")


@dataclass(frozen=True)
class Attributes:
    """All families of all sub-datasets, merged on gauge_id.

    Where a family or a column is missing, its attributes are NaN (-1 where they are codes). A column is text if it holds any, outside the
    families caravan and hydroatlas. Its names, found in all files, are sorted and numbered from 0: a code does not depend on which basins
    are read. A name in two families with different values keeps those of the first, in the order of ``FAMILIES``.

    Parameters
    ----------
    rows : basin -> its row in ``values``
    names : attributes
    values : float64 [basin, attribute]
    codes : attribute that is text -> its names in the order of their codes
    facts : basin -> name, gauge_lat, gauge_lon, country, area_km2, as far as known
    incomplete : basin -> why its attributes are not enough
    differing : names that two families have with different values
    """

    rows: Mapping[str, int]
    names: tuple[str, ...]
    values: np.ndarray
    codes: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Mapping[str, str | float]]
    incomplete: Mapping[str, str]
    differing: tuple[str, ...]

    def of(self, basin: str) -> dict[str, float]:
        return dict(zip(self.names, self.values[self.rows[basin]].tolist(), strict=True))

    @classmethod
    def read(cls, folder: Path, basins: Mapping[str, str]) -> "Attributes":
        """Read the attributes of some basins.

        Parameters
        ----------
        folder : the data set
        basins : basin -> its sub-dataset

        Raises
        ------
        DataError
            A file cannot be understood; file and line are named.
        """
        tables = [_Table.read(path) for name in sorted(set(basins.values())) for path in _files(folder, name)]
        if not tables:
            layout = "attributes/<sub-dataset>/attributes_<family>_<sub-dataset>.csv"
            raise DataError(f"{folder}: attribute files {layout} are required, there are none")
        codes = _codes(tables)
        rows = {basin: row for row, basin in enumerate(sorted(basins))}
        columns, differing = _merge(tables, codes, rows)
        for name in codes:
            columns[name] = np.nan_to_num(columns[name], nan=-1.0)
        facts = _facts(tables, columns, rows)
        values = np.column_stack(list(columns.values()))
        return cls(rows, tuple(columns), values, codes, facts, _incomplete(tables, basins, facts), differing)


@dataclass(frozen=True)
class _Table:
    """One file. ``numbers`` are the columns that hold nothing else, ``texts`` all columns, as written, of a family that may hold text."""

    path: Path
    basins: list[str]
    numbers: dict[str, np.ndarray]
    texts: dict[str, list[str]]

    @property
    def subdataset(self) -> str:
        return self.path.parent.name

    @property
    def family(self) -> str:
        return _family(self.path)

    @classmethod
    def read(cls, path: Path) -> "_Table":
        header, lines, rows = _read_rows(path)
        table = cls(path, [row[0] for row in rows], {}, {})
        for place, name in enumerate(header[1:], start=1):
            column = [row[place].strip() for row in rows]
            values = np.array([_number(text) for text in column])
            must = table.family in NUMERIC or name in PLACE
            wrong = np.flatnonzero(np.isinf(values))
            if must and len(wrong):
                line, given = lines[wrong[0]], column[wrong[0]]
                raise DataError(
                    f"{path}:{line}: attribute {name} must be a number or empty, got {given!r}; mend the line or fetch the file again"
                )
            if not len(wrong):
                table.numbers[name] = values
            if not must:
                table.texts[name] = column
        return table


def _files(folder: Path, subdataset: str) -> Iterator[Path]:
    """Attribute files of a sub-dataset, the families of Caravan itself first."""
    paths = {_family(path): path for path in (folder / "attributes" / subdataset).glob(f"attributes_*_{subdataset}.csv")}
    for family in sorted(paths, key=lambda name: (FAMILIES.index(name) if name in FAMILIES else len(FAMILIES), name)):
        yield paths[family]


def _family(path: Path) -> str:
    return path.stem.removeprefix("attributes_").removesuffix(f"_{path.parent.name}")


def _read_rows(path: Path) -> tuple[list[str], list[int], list[list[str]]]:
    """Header, and the lines that follow: their numbers and fields."""
    try:
        # A name in another encoding does no harm; a number with such bytes is none.
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            reader = csv.reader(line.replace("\0", "\ufffd") for line in file)
            header = [name.strip() for name in next(reader, [])]
            content = [(reader.line_num, row) for row in reader if row]
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}); fetch it again") from None
    if header[:1] != ["gauge_id"] or len(set(header)) < len(header):
        raise DataError(f"{path}:1: a header that begins with gauge_id is required, with each name once, got {shorten(header)}")
    seen = set()
    for line, row in content:
        if len(row) != len(header):
            raise DataError(f"{path}:{line}: {len(header)} fields are required, got {len(row)}; mend the line or fetch the file again")
        if row[0] in seen:
            raise DataError(f"{path}:{line}: basin {row[0]} comes twice; remove one of its lines")
        seen.add(row[0])
    return header, [line for line, _ in content], [row for _, row in content]


def _number(text: str) -> float:
    """Return a number, NaN where missing and infinity where it is none."""
    if text in MISSING:
        return math.nan
    try:
        return float(text)
    except ValueError:
        return math.inf


def _codes(tables: Sequence[_Table]) -> dict[str, tuple[str, ...]]:
    names = sorted({name for table in tables for name in table.texts if name not in table.numbers} - set(FACTS))
    return {name: tuple(sorted({text for table in tables for text in table.texts.get(name, ())} - set(MISSING))) for name in names}


def _merge(
    tables: Sequence[_Table], codes: Mapping[str, tuple[str, ...]], rows: Mapping[str, int]
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Attribute -> values [basin], and the names whose values differ from one family to another."""
    columns: dict[str, np.ndarray] = {}
    differing = set()
    for table in tables:
        here = np.array([basin in rows for basin in table.basins], dtype=bool)
        places = np.array([rows[basin] for basin in table.basins if basin in rows], dtype=np.int64)
        for name, values in _values(table, codes):
            column = columns.setdefault(name, np.full(len(rows), np.nan))
            known, new = column[places], values[here]
            if (~np.isnan(known) & ~np.isnan(new) & ~np.isclose(known, new, rtol=1e-6)).any():
                differing.add(name)
            column[places] = np.where(np.isnan(known), new, known)
    return columns, tuple(sorted(differing))


def _values(table: _Table, codes: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[str, np.ndarray]]:
    """Numbers of a file, and its texts as codes, NaN where missing."""
    for name in dict.fromkeys((*table.numbers, *table.texts)):
        if name in codes and name in table.texts:
            code = {text: float(i) for i, text in enumerate(codes[name])}
            yield name, np.array([code.get(text, math.nan) for text in table.texts[name]])
        elif name not in codes and name not in FACTS:
            yield name, table.numbers[name]


def _facts(tables: Sequence[_Table], columns: Mapping[str, np.ndarray], rows: Mapping[str, int]) -> dict[str, dict[str, str | float]]:
    facts: dict[str, dict[str, str | float]] = {basin: {} for basin in rows}
    for key, column in (("name", "gauge_name"), ("country", "country")):
        for table in tables:
            for basin, text in zip(table.basins, table.texts.get(column, ()), strict=False):
                if basin in facts and text not in MISSING:
                    facts[basin].setdefault(key, text)
    for key, column, fits in (
        ("gauge_lat", "gauge_lat", lambda value: abs(value) <= 90),
        ("gauge_lon", "gauge_lon", lambda value: abs(value) <= 180),
        ("area_km2", "area", lambda value: value > 0),
    ):
        for basin, row in rows.items():
            if column in columns and fits(columns[column][row]):
                facts[basin][key] = float(columns[column][row])
    return facts


def _incomplete(tables: Sequence[_Table], basins: Mapping[str, str], facts: Mapping[str, Mapping[str, str | float]]) -> dict[str, str]:
    known = [(table, set(table.basins)) for table in tables if table.family in FAMILIES]
    reasons = {}
    for basin, subdataset in basins.items():
        lacking = [table.path for table, there in known if table.subdataset == subdataset and basin not in there]
        unknown = [key for key in ("gauge_lat", "gauge_lon") if key not in facts[basin]]
        if lacking:
            reasons[basin] = f"{lacking[0]}: no line of basin {basin}; complete the file or leave the basin out"
        elif unknown:
            where = f"the attribute files of {subdataset}"
            reasons[basin] = (
                f"basin {basin}: {unknown[0]} in degrees is required, {where} have none that is one; complete them or leave the basin out"
            )
    return reasons
