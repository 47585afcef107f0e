"""Files of a user's table, CSV or Parquet: which there are, which basins they hold, and their columns as they stand."""

import csv
import glob
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import translate
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.dataset as ds

from studyhub.data.manifest import shorten
from studyhub.data.shards import BROKEN
from studyhub.errors import DataError
from studyhub.study.mapping_settings import BASIN, DailyTable, Written
from studyhub.study.wording import nearest

PARQUET = b"PAR1"  # the first bytes of every such file, and the last
SUFFIXES = (".parquet", ".pq")
MARK = "\ue000"  # a letter that no pattern holds and that `fnmatch` leaves alone
TEXTS = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
DAYS = (pa.types.is_date, pa.types.is_timestamp, pa.types.is_integer, *TEXTS)
NUMBERS = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal)


def matching(folder: Path, pattern: str, key: str) -> tuple[Path, ...]:
    """Files of a pattern from ``folder`` on, sorted; ``key`` of the mapping names the pattern."""
    paths = sorted(Path(path) for path in glob.glob(os.path.join(glob.escape(str(folder)), pattern.replace(BASIN, "*")), recursive=True))
    files = tuple(path for path in paths if path.is_file())
    if not files:
        raise DataError(f"{folder}: no file {pattern}, which the mapping's `{key}` requires; mend the pattern or name another folder")
    return files


def basin_of(path: Path, folder: Path, pattern: str | None) -> str:
    """Id in a file's name: what stands at {basin} in the pattern, else the name without its suffix."""
    if pattern is None or BASIN not in pattern:
        return path.stem
    expression = translate(pattern.replace(BASIN, MARK, 1)).replace(MARK, "(?P<basin>[^/]+?)").replace(BASIN, "(?P=basin)")
    found = re.fullmatch(expression, Path(os.path.relpath(path, folder)).as_posix()) or re.fullmatch(expression, path.as_posix())
    if found is None:
        raise DataError(f"{path}: no basin's id can be read from this name with the pattern {pattern}; write {BASIN} for it once")
    return found["basin"]


def is_parquet(path: Path) -> bool:
    """Whether this is a Parquet file, by its first bytes. One that is called so must be."""
    try:
        with path.open("rb") as file:
            begin = file.read(len(PARQUET))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    if begin != PARQUET and path.suffix.lower() in SUFFIXES:
        raise DataError(f"{path}: a Parquet file begins with {PARQUET.decode()}, this one with {begin!r}; copy it again or rename it")
    return begin == PARQUET


class TableFile:
    """One file of a table of days. ``key`` is the table's in the mapping."""

    def __init__(self, path: Path, table: DailyTable, key: str):
        self.path, self.table, self.key = path, table, key
        self.parquet = is_parquet(path)
        self.columns = tuple(dict.fromkeys((*filter(None, [table.basin]), table.date, *(variable.column for variable in table.variables))))
        try:
            self.data = self._open()
        except BROKEN as error:
            raise self._unreadable(error) from None

    def basins(self) -> tuple[str, ...]:
        """Return the distinct ids in the column of the basin, as text."""
        assert self.table.basin is not None
        found: dict[Any, None] = {}
        # Ids, thousands of times the same, are kept as Parquet stores them: once each.
        once = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(dictionary_columns={self.table.basin}))
        data = ds.dataset(str(self.path), format=once) if self.parquet else self.data
        for batch in self._batches(data, [self.table.basin], None):
            column = batch.column(0)
            if column.null_count:
                raise self._empty()
            found |= dict.fromkeys(column.unique().to_pylist())
        if "" in found:
            raise self._empty()
        return tuple(sorted(str(name) for name in found))

    def rows(self, basins: Sequence[str] | None) -> pa.Table:
        """All rows of some basins, in the order of the file: columns as in ``columns``."""
        wanted = None
        if basins is not None:
            column, ids = pc.field(str(self.table.basin)), pa.array(basins).cast(self.data.schema.field(str(self.table.basin)).type)
            # Between their ends: pieces of a Parquet file that have none of them are not read.
            wanted = (column >= min(ids.to_pylist())) & (column <= max(ids.to_pylist())) & column.isin(ids)
        batches = list(self._batches(self.data, list(self.columns), wanted))
        return pa.Table.from_batches(batches, schema=pa.schema([self.data.schema.field(name) for name in self.columns]))

    def line_of(self, column: str, fits: Callable[[str], bool]) -> str:
        """Path, and of a text file the first line whose field fits: `path:line`."""
        if not self.parquet:
            for line, fields in text_lines(self.path, self.table.written):
                if fits(fields.get(column, "")):
                    return f"{self.path}:{line}"
        return str(self.path)

    def _batches(self, data: ds.Dataset, columns: list[str], wanted: pc.Expression | None) -> Iterator[pa.RecordBatch]:
        try:
            yield from data.scanner(columns=columns, filter=wanted).to_batches()
        except BROKEN as error:
            raise self._unreadable(error) from None

    def _open(self) -> ds.Dataset:
        if self.parquet:
            checked = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
            form = ds.ParquetFileFormat(default_fragment_scan_options=checked)
            given = ds.dataset(str(self.path), format=form).schema
            self._require_columns(given.names)
            return ds.dataset(str(self.path), format=form, schema=self._plain(given))
        names = header(self.path, self.table.written)
        self._require_columns(names)
        numbers = {variable.column for variable in self.table.variables}
        # As text: 01013500 must not become a number, and dates have better words for what is wrong with them here.
        types = pa.schema([(name, pa.float64() if name in numbers else pa.string()) for name in self.columns])
        return ds.dataset(str(self.path), format=self._text(names, types), schema=types)

    def _require_columns(self, names: Sequence[str]) -> None:
        for column, said in self._said().items():
            if column not in names:
                raise DataError(f"{self.path}: no column `{column}`, which the mapping's `{said}` names; {nearest(column, names)}")
            if names.count(column) > 1:
                raise DataError(f"{self.path}: column `{column}` stands {names.count(column)} times; keep one")

    def _said(self) -> dict[str, str]:
        """Column -> the key of the mapping that names it."""
        columns = {self.table.date: f"{self.key}.date"}
        columns |= {} if self.table.basin is None else {self.table.basin: f"{self.key}.basin"}
        return columns | {variable.column: f"{self.key}.variables.{variable.name}.column" for variable in self.table.variables}

    def _plain(self, schema: pa.Schema) -> pa.Schema:
        """The columns read, each of a type that fits; values of a dictionary stand for themselves."""
        variables = {variable.column for variable in self.table.variables}
        fields = []
        for name in self.columns:
            kind = schema.field(name).type
            kind = kind.value_type if pa.types.is_dictionary(kind) else kind
            what, fits = ("numbers", NUMBERS) if name in variables else ("days", DAYS)
            if name == self.table.basin:
                what, fits = "basin ids as text or whole numbers", (*TEXTS, pa.types.is_integer)
            if not any(fit(kind) for fit in fits):
                raise DataError(f"{self.path}: column `{name}` must hold {what}, it holds {kind}")
            fields.append(pa.field(name, kind))
        return pa.schema(fields)

    def _text(self, names: Sequence[str], types: pa.Schema) -> ds.CsvFileFormat:
        written = self.table.written
        return ds.CsvFileFormat(
            pyarrow.csv.ParseOptions(delimiter=written.separator),
            read_options=pyarrow.csv.ReadOptions(column_names=names, skip_rows=1),
            convert_options=pyarrow.csv.ConvertOptions(column_types=types, null_values=list(written.texts), decimal_point=written.decimal),
        )

    def _empty(self) -> DataError:
        return DataError(f"{self.path}: every row needs a basin in `{self.table.basin}`, some have none; fill it in, or leave the row out")

    def _unreadable(self, error: BaseException) -> DataError:
        if not self.parquet:
            self._require_text()
        kind = "Parquet" if self.parquet else "CSV"
        return DataError(f"{self.path}: cannot be read as a table, {kind} ({reason(error)}); copy or write it again")

    def _require_text(self) -> None:
        """Name the first line of a text file that cannot be understood."""
        variables = [variable.column for variable in self.table.variables]
        for line, fields in text_lines(self.path, self.table.written):
            for column in variables:
                text = fields.get(column, "")
                if text not in self.table.written.texts and not is_number(text, self.table.written.decimal):
                    advice = f"if it stands for missing, add it to `{self.key}.missing` of the mapping"
                    raise DataError(f"{self.path}:{line}: a number is required in column `{column}`, got {text!r}; {advice}")


def is_number(text: str, decimal: str) -> bool:
    """Whether this is a number, with its decimals after ``decimal``."""
    text = text.strip()
    if decimal != "." and "." in text:
        return False
    try:
        float(text.replace(decimal, "."))
    except ValueError:
        return False
    return "_" not in text


def header(path: Path, written: Written) -> tuple[str, ...]:
    """Names of the columns of a text file."""
    with _text_rows(path, written) as rows:
        names = tuple(name.strip() for name in next(rows, []))
    if not names:
        raise DataError(f"{path}: a first line with the names of the columns is required, the file is empty")
    return names


def text_lines(path: Path, written: Written) -> Iterator[tuple[int, dict[str, str]]]:
    """Line and fields by column of each row of a text file. Empty lines are none.

    Raises
    ------
    DataError
        The file is no text in UTF-8, has no header, or a line has more or fewer fields than the header.
    """
    names = header(path, written)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}:1: each column may stand once, {shorten(twice)} stands more often")
    with _text_rows(path, written) as rows:
        next(rows)
        for fields in rows:
            if not fields or fields == [""]:
                continue
            if len(fields) != len(names):
                line = f"{path}:{rows.line_num}"
                advice = f"fields stand apart by {written.separator!r}, or as the mapping's `separator` says"
                raise DataError(f"{line}: {len(names)} fields are required, as in the header, got {len(fields)}; {advice}")
            yield rows.line_num, dict(zip(names, fields, strict=True))


@contextmanager
def _text_rows(path: Path, written: Written) -> Iterator[Any]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield csv.reader(file, delimiter=written.separator)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: text in UTF-8 is required, byte {error.start} of it is not; save the file as UTF-8") from None
    except (OSError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from None


def reason(error: BaseException) -> str:
    """Return the end of what pyarrow says: it begins with how it came to try."""
    said = " ".join(str(error).split())
    if " input source " in said:
        said = said.rpartition(" input source ")[2].partition(": ")[2].removeprefix("Invalid: ")
    return "".join(letter if letter.isprintable() and letter != "\ufffd" else "?" for letter in said)[:160] or type(error).__name__
