"""Tables in plain text, fields apart by blanks: CAMELS-US is distributed so. What is wrong in one is named by file and line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from studyhub.errors import DataError


@dataclass(frozen=True)
class TextTable:
    """Fields [row, field] of a file; row i stands on line ``skip + 1 + i``."""

    path: Path
    skip: int
    fields: pd.DataFrame

    @classmethod
    def read(cls, path: Path, skip: int, fields: int, text: Sequence[int] = ()) -> "TextTable":
        """Read all lines after the first ``skip``, of ``fields`` fields each; those in ``text`` stay as they are written."""
        options: dict[str, Any] = {"header": None, "keep_default_na": False, "skip_blank_lines": False, "low_memory": False}
        options["dtype"] = dict.fromkeys(text, str)
        try:
            table = pd.read_csv(path, sep=r"\s+", skiprows=skip, encoding="ascii", **options)
        except pd.errors.EmptyDataError:
            _require_fields(path, skip, fields)
            raise DataError(f"{path}: at least one day is required, the file holds none") from None
        except (pd.errors.ParserError, UnicodeDecodeError):
            _require_fields(path, skip, fields)
            raise DataError(f"{path}: plain text is required") from None
        if table.shape[1] != fields or table.isna().to_numpy().any() or (table == "").to_numpy().any():
            _require_fields(path, skip, fields)
        return cls(path, skip, table)

    def text(self, field: int) -> np.ndarray:
        """Return a field as it is written."""
        return self.fields[field].to_numpy()

    def numbers(self, field: int) -> np.ndarray:
        """Return a field as float64; every value must be a finite number."""
        values = np.asarray(pd.to_numeric(self.fields[field], errors="coerce"), dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            given = str(self.fields[field].iloc[wrong[0]])
            raise self.error(wrong[0], f"a number is required in field {field + 1}, got {given!r}")
        return values

    def days(self, first: int = 0) -> np.ndarray:
        """Days datetime64[D] from three fields year, month, day."""
        year, month, day = (self.numbers(first + i) for i in range(3))
        parts = pd.DataFrame({"year": year, "month": month, "day": day})
        found = pd.to_datetime(parts, errors="coerce")
        if found.isna().any():
            row = int(np.flatnonzero(found.isna())[0])
            raise self.error(row, f"a date is required, got {' '.join(f'{x:g}' for x in parts.iloc[row])}")
        return found.to_numpy().astype("datetime64[D]")

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


def _require_fields(path: Path, skip: int, fields: int) -> None:
    """Raise a DataError that names the first line without ``fields`` fields."""
    lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    for number, line in enumerate(lines[skip:], start=skip + 1):
        if len(line.split()) != fields:
            raise DataError(f"{path}:{number}: {fields} fields are required, got {len(line.split())}: {line.strip()[:80]!r}")
