"""The attribute files of CAMELS-US: every number, and five categories as codes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studyhub.errors import DataError

CATEGORIES = ("dom_land_cover", "geol_1st_class", "geol_2nd_class", "high_prec_timing", "low_prec_timing")
TEXT = ("gauge_name", "huc_02")
MISSING = ("", "NA", "NaN", "nan")


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
    def read(cls, folder: Path) -> "Attributes":
        """Read the files in ``folder/camels_attributes_v2.0``, or in ``folder``."""
        inner = folder / "camels_attributes_v2.0"
        paths = sorted((inner if inner.is_dir() else folder).glob("camels_*.txt"))
        if not paths:
            raise DataError(f"{folder}: attribute files camels_attributes_v2.0/camels_*.txt are required, there are none")
        numbers: dict[str, dict[str, float]] = {}
        text: dict[str, dict[str, str]] = {}
        codes: dict[str, tuple[str, ...]] = {}
        basins, seen = {}, {}
        for path in paths:
            columns, rows = _read_file(path)
            for column in columns:
                if column in seen:
                    raise DataError(f"{path}:1: attribute {column} stands in {seen[column].name} too")
                seen[column] = path
                codes |= {column: _names(rows, column)} if column in CATEGORIES else {}
            basins[path] = set(rows)
            for basin, (line, row) in rows.items():
                text.setdefault(basin, {}).update({name: row[name] for name in columns if name in TEXT})
                values = {name: _value(path, line, name, row[name], codes) for name in columns if name not in TEXT}
                numbers.setdefault(basin, {}).update(values)
        return cls(numbers, text, codes, basins)


def _read_file(path: Path) -> tuple[list[str], dict[str, tuple[int, dict[str, str]]]]:
    """Column names without gauge_id, and basin -> (line, column -> stripped text)."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    header = [name.strip() for name in lines[0].split(";")] if lines else []
    if not header or header[0] != "gauge_id":
        raise DataError(f"{path}:1: a header that begins with gauge_id is required")
    rows: dict[str, tuple[int, dict[str, str]]] = {}
    for number, line in enumerate(lines[1:], start=2):
        fields = [field.strip() for field in line.split(";")]
        if fields == [""]:
            continue
        if len(fields) != len(header):
            raise DataError(f"{path}:{number}: {len(header)} fields are required, got {len(fields)}")
        if fields[0] in rows:
            raise DataError(f"{path}:{number}: basin {fields[0]} comes twice")
        rows[fields[0]] = (number, dict(zip(header[1:], fields[1:], strict=True)))
    return header[1:], rows


def _names(rows: Mapping[str, tuple[int, dict[str, str]]], column: str) -> tuple[str, ...]:
    return tuple(sorted({row[column] for _, row in rows.values()} - set(MISSING)))


def _value(path: Path, line: int, name: str, text: str, codes: Mapping[str, tuple[str, ...]]) -> float:
    if name in codes:
        return -1.0 if text in MISSING else float(codes[name].index(text))
    try:
        return float("nan") if text in MISSING else float(text)
    except ValueError:
        raise DataError(f"{path}:{line}: attribute {name} must be a number or NA, got {text!r}") from None
