"""Tables in plain text, fields apart by blanks: CAMELS-US is distributed so. What is wrong in one is named by file and line."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from studyhub.data.scan import compare, count_days, count_lines, scan
from studyhub.errors import DataError

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


@dataclass(frozen=True)
class TextTable:
    """Fields [row, field] of a file; row i stands on line ``skip + 1 + i``.

    Parameters
    ----------
    path : the file
    skip : lines before the first row
    content : the file, its lines ended by a newline each
    begins : where each field begins in ``content`` [row, field]
    values : the numbers, NaN where a field is not a plain decimal [field, row]
    """

    path: Path
    skip: int
    content: bytes
    begins: np.ndarray
    values: np.ndarray

    @classmethod
    def read(cls, path: Path, skip: int, fields: int) -> "TextTable":
        """Read all lines after the first ``skip``, of ``fields`` fields each.

        Raises
        ------
        DataError
            The file cannot be read, is not plain text, holds no row, or has a line of more or fewer fields.
        """
        content, first = _rows(path, skip)
        characters = np.frombuffer(content, np.uint8)
        rows = count_lines(characters, first)
        if not rows:
            raise DataError(f"{path}: at least one day is required, the file holds none")
        table = cls(path, skip, content, np.empty((rows, fields), np.int32), np.empty((fields, rows)))
        row = scan(characters, first, table.begins, table.values)
        if row >= 0:
            line = content[first:].split(b"\n")[row]
            raise table.error(row, f"{fields} fields are required, got {len(line.split())}: {line.decode().strip()[:80]!r}")
        return table

    def text(self, row: int, field: int) -> str:
        """Return a field as it is written."""
        begin = int(self.begins[row, field])
        return self.content[begin : self.content.index(b"\n", begin)].split(maxsplit=1)[0].decode()

    def is_text(self, field: int, text: str) -> np.ndarray:
        """Return where a field is written as ``text``, bool [row]."""
        same = np.empty(len(self.begins), bool)
        compare(np.frombuffer(self.content, np.uint8), self.begins[:, field], np.frombuffer(text.encode(), np.uint8), same)
        return same

    def numbers(self, field: int) -> np.ndarray:
        """Return a field as float64; every value must be a finite number."""
        values = self.values[field]
        for row in np.flatnonzero(np.isnan(values)).tolist():
            text = self.text(row, field)
            values[row] = float(text) if NUMBER.fullmatch(text) else np.nan
            if not np.isfinite(values[row]):
                raise self.error(row, f"a number is required in field {field + 1}, got {text!r}")
        return values

    def days(self, first: int = 0) -> np.ndarray:
        """Days datetime64[D] from three fields year, month, day."""
        parts = [self.numbers(first + i) for i in range(3)]
        found = np.empty(len(self.begins), np.int64)
        row = count_days(*parts, found)
        if row >= 0:
            raise self.error(row, f"a date is required, got {' '.join(f'{part[row]:g}' for part in parts)}")
        return found.view("datetime64[D]")

    def contiguous_days(self, first: int = 0) -> np.ndarray:
        """As `days`, each the one after that of the line before."""
        days = self.days(first)
        gaps = np.flatnonzero(np.diff(days).astype(int) != 1)
        if len(gaps):
            row = int(gaps[0]) + 1
            raise self.error(row, f"the day after that of the line before is required, got {days[row]}")
        return days

    def error(self, row: int, message: str) -> DataError:
        """Return the error that points at a row."""
        return DataError(f"{self.path}:{self.skip + 1 + int(row)}: {message}")


def read_head(path: Path, lines: int) -> list[str]:
    """Return the first lines of a file, stripped; those that it lacks are empty.

    Raises
    ------
    DataError
        The file cannot be read.
    """
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            return [file.readline().strip() for _ in range(lines)]
    except OSError as error:
        raise _unreadable(path, error) from None


def _rows(path: Path, skip: int) -> tuple[bytes, int]:
    """Content, lines ended by a newline each, and where the line after the first ``skip`` begins."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error) from None
    if not content.isascii() or b"\0" in content:
        line = next(i for i, line in enumerate(content.splitlines(), start=1) if not line.isascii() or b"\0" in line)
        raise DataError(f"{path}:{line}: plain text is required; the file may be damaged, take it from the archive again")
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if content and not content.endswith(b"\n"):
        content += b"\n"
    first = 0
    for _ in range(skip):
        first = content.find(b"\n", first) + 1 or len(content)
    return content, first


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot be read ({error.strerror or error})")
