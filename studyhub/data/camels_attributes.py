"""The attribute files of CAMELS-US: every number, and five categories as codes."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from studyhub.errors import DataError

CATEGORIES = ("dom_land_cover", "geol_1st_class", "geol_2nd_class", "high_prec_timing", "low_prec_timing")
TEXT = ("gauge_name", "huc_02")
MISSING = ("", "NA", "NaN", "nan")

Rows = dict[str, tuple[int, list[str]]]  # basin -> its line, and the fields behind its id


@dataclass(frozen=True)
class Attributes:
    """All ``camels_*.txt`` merged on gauge_id.

    A category's names, found in the whole file, are sorted and numbered from 0; missing is -1. So a code does not depend on which basins
    are read.

    Parameters
    ----------
    numbers : basin -> attribute -> number, NaN where missing
    text : basin -> gauge_name and huc_02
    codes : category -> names in the order of their codes
    basins : file -> the basins it has a line of
    """

    numbers: Mapping[str, Mapping[str, float]]
    text: Mapping[str, Mapping[str, str]]
    codes: Mapping[str, tuple[str, ...]]
    basins: Mapping[Path, set[str]]

    @classmethod
    def read(cls, folder: Path, wanted: Collection[str]) -> "Attributes":
        """Read the files in ``folder/camels_attributes_v2.0``, or in ``folder``; keep the numbers and text of the basins in ``wanted``.

        Raises
        ------
        DataError
            There are no files, or one cannot be read: file and line are named.
        """
        inner = folder / "camels_attributes_v2.0"
        paths = sorted((inner if inner.is_dir() else folder).glob("camels_*.txt"))
        if not paths:
            raise DataError(f"{folder}: attribute files camels_attributes_v2.0/camels_*.txt are required, there are none")
        numbers: dict[str, dict[str, float]] = {}
        text: dict[str, dict[str, str]] = {}
        codes: dict[str, tuple[str, ...]] = {}
        basins, seen, chosen = {}, {}, set(wanted)
        for path in paths:
            columns, rows = _read_file(path)
            for column in columns:
                if column in seen:
                    raise DataError(f"{path}:1: attribute {column} stands in {seen[column].name} too")
                seen[column] = path
                codes |= {column: _names(rows, columns.index(column))} if column in CATEGORIES else {}
            basins[path] = set(rows)
            for basin in (basin for basin in rows if basin in chosen):
                line, fields = rows[basin]
                row = dict(zip(columns, (field.strip() for field in fields), strict=True))
                text.setdefault(basin, {}).update({name: row[name] for name in columns if name in TEXT})
                values = {name: _value(path, line, name, row[name], codes) for name in columns if name not in TEXT}
                numbers.setdefault(basin, {}).update(values)
        return cls(numbers, text, codes, basins)


def _read_file(path: Path) -> tuple[list[str], Rows]:
    """Column names without gauge_id, and the rows."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    header = [name.strip() for name in lines[0].split(";")] if lines else []
    if not header or header[0] != "gauge_id":
        raise DataError(f"{path}:1: a header that begins with gauge_id is required")
    rows: Rows = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        basin, *fields = line.split(";")
        basin = basin.strip()
        if len(fields) != len(header) - 1:
            raise DataError(f"{path}:{number}: {len(header)} fields are required, got {len(fields) + 1}")
        if basin in rows:
            raise DataError(f"{path}:{number}: basin {basin} comes twice")
        rows[basin] = number, fields
    return header[1:], rows


def _names(rows: Rows, column: int) -> tuple[str, ...]:
    return tuple(sorted({fields[column].strip() for _, fields in rows.values()} - set(MISSING)))


def _value(path: Path, line: int, name: str, text: str, codes: Mapping[str, tuple[str, ...]]) -> float:
    if name in codes:
        return -1.0 if text in MISSING else float(codes[name].index(text))
    if text in MISSING:
        return math.nan
    try:
        number = float(text)
    except ValueError:
        number = math.inf
    if not math.isfinite(number):
        raise DataError(f"{path}:{line}: attribute {name} must be a number or NA, got {text!r}")
    return number
