"""Attribute tables of a user: a row per basin, in one or several files, CSV or Parquet."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from studyhub.data.manifest import shorten
from studyhub.data.shards import BROKEN
from studyhub.data.table_files import is_number, is_parquet, matching, reason, text_lines
from studyhub.data.table_ids import Ids
from studyhub.data.units import area_unit
from studyhub.errors import DataError
from studyhub.study.mapping_settings import AREA, CHOICES, RANGES, AttributeTable, FactColumn
from studyhub.study.mapping_settings import Mapping as TableMapping
from studyhub.study.wording import nearest, unknown

MISSING_CODE = -1.0
DERIVED = "clim_"  # attributes that ingest makes of forcing


@dataclass(frozen=True)
class AttributeFile:
    """One file.

    Parameters
    ----------
    path : the file, and ``table`` what the mapping says about it under ``key``
    ids : the basins that it has a row of
    columns : column -> id -> value as text, None where missing
    lines : id -> line of a text file
    """

    path: Path
    table: AttributeTable
    key: str
    ids: Ids
    columns: Mapping[str, Mapping[str, str | None]]
    lines: Mapping[str, int]

    @classmethod
    def read(cls, path: Path, table: AttributeTable, key: str) -> "AttributeFile":
        columns: dict[str, dict[str, str | None]] = {}
        lines: dict[str, int] = {}
        for line, row in _parquet_rows(path) if is_parquet(path) else text_lines(path, table.written):
            place = f"{path}:{line}" if line else str(path)
            if table.basin not in row:
                raise DataError(f"{path}: no column `{table.basin}`, which the mapping's `{key}.basin` names; {nearest(table.basin, row)}")
            basin = row.pop(table.basin).strip()
            if not basin:
                raise DataError(f"{place}: every row needs a basin in `{table.basin}`; fill it in, or leave the row out")
            if basin in lines:
                raise DataError(
                    f"{place}: basin {basin} comes twice" + (f", first on line {lines[basin]}" if line else "") + "; keep one row"
                )
            lines[basin] = line
            for name, text in row.items():
                columns.setdefault(name, {})[basin] = None if _missing(text.strip(), table) else text.strip()
        return cls(path, table, key, Ids(str(path), lines), columns, lines)

    def numbers(self, column: str) -> dict[str, float]:
        """Id -> number, NaN where missing."""
        return {basin: math.nan if text is None else self._number(column, basin, text) for basin, text in self.columns[column].items()}

    def taken(self) -> dict[str, str]:
        """Attribute -> its column."""
        table = self.table
        if not isinstance(table.columns, str):
            pairs = dict(table.columns)
        else:
            pairs = {name: name for name in self.columns if table.columns == "all" or name in table.categories or not self.is_text(name)}
        return {name: column for name, column in pairs.items() if column not in table.without and column in self.columns}

    def is_text(self, column: str) -> bool:
        """Whether the column has values and none of them is a number. Some of each are an error."""
        if column in self.table.categories:
            return True
        said = {basin: text for basin, text in self.columns[column].items() if text is not None}
        words = [basin for basin, text in said.items() if not is_number(text, self.table.written.decimal)]
        if not words or column in self.table.without:
            return bool(words)
        if len(words) < len(said):
            written = f"{said[words[0]]!r} of basin {words[0]} is none"
            advice = f"add it to `{self.key}.missing` of the mapping, or the column to `categories` or `without`"
            raise DataError(f"{self._place(words[0])}: column `{column}` holds numbers, but {written}; {advice}")
        return True

    def _place(self, basin: str) -> str:
        return f"{self.path}:{self.lines[basin]}" if self.lines[basin] else str(self.path)

    def _number(self, column: str, basin: str, text: str) -> float:
        if not is_number(text, self.table.written.decimal) or math.isinf(number := float(text.replace(self.table.written.decimal, "."))):
            raise DataError(f"{self._place(basin)}: a finite number is required in column `{column}` of basin {basin}, got {text!r}")
        return number


@dataclass(frozen=True)
class Places:
    """What is known of each basin besides its days.

    Parameters
    ----------
    files : the attribute files
    attributes : attribute -> (number of its file, id there -> number)
    codes : category -> its names in the order of their codes
    facts : fact -> (number of its file, id there -> value)
    same : facts that are the same for all basins
    """

    files: tuple[tuple[str, Ids], ...]
    attributes: Mapping[str, tuple[int, Mapping[str, float]]]
    codes: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, tuple[int, Mapping[str, str | float]]]
    same: Mapping[str, str | float]

    @classmethod
    def read(cls, folder: Path, mapping: TableMapping, elsewhere: Path | None) -> "Places":
        """Read the attribute files: by their names in the folder ``elsewhere``, else as the mapping writes them from ``folder`` on."""
        files = tuple(_files(folder, mapping, elsewhere))
        attributes: dict[str, tuple[int, dict[str, float]]] = {}
        codes: dict[str, tuple[str, ...]] = {}
        for number, file in enumerate(files):
            for name, column in file.taken().items():
                if name in attributes:
                    other = files[attributes[name][0]].path
                    raise DataError(f"{file.path}: attribute {name} stands in {other} too; take it from one, by `{file.key}.without`")
                if name.startswith(DERIVED):
                    raise DataError(f"{file.path}: attribute {name} needs another name, {DERIVED}... are made from forcing at ingest")
                if file.is_text(column):
                    codes[name] = tuple(sorted({text for text in file.columns[column].values() if text is not None}))
                    places = {text: float(code) for code, text in enumerate(codes[name])}
                    values = {basin: places.get(text or "", MISSING_CODE) for basin, text in file.columns[column].items()}
                else:
                    values = file.numbers(column)
                attributes[name] = (number, values)
        said = dict(mapping.facts)
        facts = {name: _fact(name, fact, files) for name, fact in said.items() if isinstance(fact, FactColumn)}
        same = {name: _plain(name, fact) for name, fact in said.items() if not isinstance(fact, FactColumn)}
        return cls(tuple((str(file.path), file.ids) for file in files), attributes, codes, facts, same)

    def attributes_of(self, basin: str) -> dict[str, float]:
        written = self._written(basin)
        return {name: values[written[number]] for name, (number, values) in self.attributes.items()}

    def facts_of(self, basin: str) -> dict[str, str | float]:
        """Facts that are known: a missing one is left out."""
        written = self._written(basin)
        own = {name: values[written[number]] for name, (number, values) in self.facts.items() if written[number] in values}
        return own | dict(self.same)

    def lacking(self, basin: str) -> str | None:
        """Why the basin is incomplete: a file has no row of it."""
        without = [path for path, ids in self.files if ids.find(basin) is None]
        return f"{shorten(without)}: no row of basin {basin}; complete the file or leave the basin out" if without else None

    def _written(self, basin: str) -> list[str]:
        return [ids.find(basin) or "" for _, ids in self.files]


def _files(folder: Path, mapping: TableMapping, elsewhere: Path | None) -> Iterator[AttributeFile]:
    if elsewhere is not None:
        _require_some(mapping, elsewhere)
    for number, table in enumerate(mapping.attributes):
        key = f"attributes.{number}"
        files = [AttributeFile.read(path, table, key) for path in _paths(folder, table.files, f"{key}.files", elsewhere)]
        columns = {column for file in files for column in file.columns}
        own = () if isinstance(table.columns, str) else (column for _, column in table.columns)
        for column in (*own, *table.without, *table.categories):
            if column not in columns:
                where = shorten([str(file.path) for file in files])
                raise DataError(f"{where}: no column `{column}`, which the mapping's `{key}` names; {nearest(column, sorted(columns))}")
        yield from files


def _require_some(mapping: TableMapping, elsewhere: Path) -> None:
    patterns = [Path(table.files).name for table in mapping.attributes]
    if not any(_there(elsewhere, pattern) for pattern in patterns):
        names = ", ".join(patterns) or "none"
        raise DataError(f"{elsewhere}: a folder with attribute files of the mapping ({names}) is required, it has none of them")


def _there(folder: Path, pattern: str) -> bool:
    try:
        return bool(matching(folder, pattern, ""))
    except DataError:
        return False


def _paths(folder: Path, pattern: str, key: str, elsewhere: Path | None) -> tuple[Path, ...]:
    if elsewhere is not None and _there(elsewhere, Path(pattern).name):
        return matching(elsewhere, Path(pattern).name, key)
    try:
        return matching(folder, pattern, key)
    except DataError as error:
        where = "" if elsewhere is None else f" (nor {Path(pattern).name} in {elsewhere})"
        raise DataError(f"{error}{where}; `--attributes DIR` names the folder of attribute files that lie elsewhere") from None


def _parquet_rows(path: Path) -> Iterable[tuple[int, dict[str, str]]]:
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except BROKEN as error:
        raise DataError(f"{path}: cannot be read as a table, Parquet ({reason(error)}); copy or write it again") from None
    for row in table.to_pylist():
        yield 0, {name: "" if value is None else str(value) for name, value in row.items()}


def _missing(text: str, table: AttributeTable) -> bool:
    if text in table.written.texts:
        return True
    return (
        bool(table.written.numbers)
        and is_number(text, table.written.decimal)
        and float(text.replace(table.written.decimal, ".")) in table.written.numbers
    )


def _fact(name: str, fact: FactColumn, files: tuple[AttributeFile, ...]) -> tuple[int, dict[str, str | float]]:
    candidates = [i for i, file in enumerate(files) if fact.column in file.columns and fact.file in (None, file.path.name)]
    if len(candidates) != 1:
        where = f"`facts.{name}` of the mapping names column `{fact.column}`" + (f" of {fact.file}" if fact.file else "")
        if candidates:
            raise DataError(f"{where}, which {shorten([str(files[i].path) for i in candidates])} have; add `file:` with the name of one")
        hint = nearest(fact.column, [column for file in files for column in file.columns])
        raise DataError(f"{where}, which no attribute file has ({shorten([str(file.path) for file in files])}); {hint}")
    file = files[candidates[0]]
    if name not in RANGES:
        values = {basin: text for basin, text in file.columns[fact.column].items() if text is not None}
        for basin, text in values.items():
            if name in CHOICES and text not in CHOICES[name]:
                raise DataError(f"{file.path}: basin {basin}: {unknown(name, text, CHOICES[name])}")
        return candidates[0], dict(values)
    known = {basin: number for basin, number in file.numbers(fact.column).items() if not math.isnan(number)}
    if name == AREA:
        unit = area_unit(fact.unit or "km2")
        known = {basin: unit.canonical(number) for basin, number in known.items()}
    low, high = RANGES[name]
    for basin, number in known.items():
        if not low <= number <= high:
            raise DataError(
                f"{file.path}: {name} of basin {basin} must lie from {low:g} to {high:g}, got {number:g} (column `{fact.column}`)"
            )
    return candidates[0], dict(known)


def _plain(name: str, fact: str | float) -> str | float:
    return float(fact) if name in RANGES else fact
