"""The time series of Caravan, one file per basin: CSV or NetCDF-4 with a dimension ``date``, the same columns in both."""

import csv
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from studyhub.data.manifest import shorten
from studyhub.errors import DataError

DATE = ("date", "time")
MISSING = ("", "NaN", "nan", "NA")
MAGIC = b"\x89HDF\r\n\x1a\n"
HEAP = b"GCOL\x01\0\0\0"  # begin of a list of texts in HDF5, then its length in 8 bytes
EARLIEST, LATEST = np.datetime64("1850-01-01"), np.datetime64("2149-12-31")
# What h5py raises for damaged files, depending on which bytes they are.
DAMAGE = (AttributeError, KeyError, MemoryError, OSError, OverflowError, RuntimeError, TypeError, ValueError)


def columns_of(path: Path) -> tuple[str, ...]:
    """Names of the columns of a file, the one of the dates among them."""
    names = _header(path) if path.suffix == ".csv" else _variables(path)
    if not set(DATE) & set(names):
        raise DataError(f"{path}: a column {' or '.join(DATE)} is required; there are {shorten(names)}")
    return names


def read_series(path: Path, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Read some columns, in the order of the file's rows.

    Returns
    -------
    dates : datetime64[D] [row]
    values : float32 [column, row], NaN where missing

    Raises
    ------
    DataError
        A column is missing, or something is no date or number: file and line are named (of NetCDF, file and variable).
    """
    there = columns_of(path)
    missing = [name for name in columns if name not in there]
    if missing:
        raise DataError(f"{path}: no column {shorten(missing)}; it has {shorten(there)}; fetch the file again or leave the basin out")
    name = next(name for name in DATE if name in there)
    dates, values = (_read_csv if path.suffix == ".csv" else _read_netcdf)(path, name, columns)
    if not len(dates):
        raise DataError(f"{path}: at least one day is required, the file holds none")
    strange = np.flatnonzero((dates < EARLIEST) | (dates > LATEST))
    if len(strange):
        raise DataError(f"{path}: dates from {EARLIEST} to {LATEST} are required, got {dates[strange[0]]} in row {strange[0] + 1}")
    return dates, values


def contiguous(path: Path, basin: str, dates: np.ndarray, values: np.ndarray) -> tuple[date, np.ndarray, dict[str, int]]:
    """Sort rows, drop those that come twice and put NaN where days are missing.

    Parameters
    ----------
    path, basin : for messages
    dates, values : as from `read_series`

    Returns
    -------
    first day, values [column, day], and how many days were unsorted, doubled and missing

    Raises
    ------
    DataError
        A day has two rows that differ.
    """
    met = {}
    late = dates < np.maximum.accumulate(dates)
    if late.any():
        met["unsorted_days"] = int(late.sum())
        order = np.argsort(dates, kind="stable")
        dates, values = dates[order], values[:, order]
    again = np.flatnonzero(dates[1:] == dates[:-1]) + 1
    if len(again):
        met["doubled_days"] = len(again)
        one, other = values[:, again - 1], values[:, again]
        differ = ((one != other) & ~(np.isnan(one) & np.isnan(other))).any(axis=0)
        if differ.any():
            day = dates[again[np.flatnonzero(differ)[0]]]
            raise DataError(f"{path}: basin {basin} has two rows of {day} that differ; remove the wrong one or leave the basin out")
        dates, values = np.delete(dates, again), np.delete(values, again, axis=1)
    days = int((dates[-1] - dates[0]).astype(int)) + 1
    if days > len(dates):
        met["missing_days"] = days - len(dates)
        filled = np.full((len(values), days), np.nan, dtype=values.dtype)
        filled[:, (dates - dates[0]).astype(int)] = values
        values = filled
    return dates[0].item(), values, met


def _header(path: Path) -> tuple[str, ...]:
    try:
        with path.open(encoding="utf-8-sig") as file:
            names = tuple(next(csv.reader([file.readline()]), []))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: a table in plain text is required, it cannot be read ({error}); fetch it again") from None
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not names:
        raise DataError(f"{path}:1: column names are required, {f'{shorten(twice)} comes twice' if twice else 'the file is empty'}")
    return names


def _read_csv(path: Path, day: str, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    with path.open("rb") as file:
        file.seek(-1, 2)
        cut = file.read() != b"\n"
    types = {day: pa.date32()} | dict.fromkeys(columns, pa.float32())
    wanted = pa_csv.ConvertOptions(column_types=types, include_columns=list(types), null_values=list(MISSING))
    try:
        # One thread: basins are read in parallel as they are.
        table = pa_csv.read_csv(path, pa_csv.ReadOptions(use_threads=False), convert_options=wanted)
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise _fault(path, day, columns) or DataError(f"{path}: cannot be read ({error}); fetch it again") from None
    if cut or table[day].null_count:
        end = f"{path}: the file ends in the middle of a line, it has been cut; fetch it again"
        raise _fault(path, day, columns) or DataError(end)
    values = np.empty((len(columns), len(table)), dtype=np.float32)
    for row, name in zip(values, columns, strict=True):
        row[:] = table[name].to_numpy()
    return table[day].to_numpy().astype("datetime64[D]"), values


def _fault(path: Path, day: str, columns: Sequence[str]) -> DataError | None:
    """What is wrong with the first line that cannot be understood."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        lines = csv.reader(line.replace("\0", "\ufffd") for line in file)
        header = next(lines)
        for line in filter(None, lines):
            place = f"{path}:{lines.line_num}"
            if len(line) != len(header):
                return DataError(f"{place}: {len(header)} fields are required, got {len(line)}; mend the line or fetch the file again")
            fields = dict(zip(header, line, strict=True))
            if not _is(date.fromisoformat, fields[day]):
                return DataError(
                    f"{place}: a date such as 1981-01-31 is required, got {fields[day]!r}; mend the line or fetch the file again"
                )
            wrong = [name for name in columns if fields[name] not in MISSING and not _is(float, fields[name])]
            if wrong:
                given = f"got {fields[wrong[0]]!r} on {fields[day]}"
                return DataError(f"{place}: a number is required in column {wrong[0]}, {given}; mend the line or fetch the file again")
    return None


def _is(kind: Any, text: str) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True


def _open(path: Path) -> h5py.File:
    with path.open("rb") as file:
        magic = file.read(len(MAGIC))
    if magic != MAGIC:
        kind = "a NetCDF-3 file (`nccopy -k nc4` turns it into one)" if magic[:3] == b"CDF" else "another file"
        raise DataError(f"{path}: a NetCDF-4 file is required, this is {kind if magic else 'empty'}; fetch it again")
    return h5py.File(path, "r", locking=False)


def _variables(path: Path) -> tuple[str, ...]:
    try:
        with _open(path) as file:
            return tuple(file)
    except DAMAGE as error:
        raise _damaged(path, error) from None


def _read_netcdf(path: Path, day: str, columns: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    name = day
    try:
        with _open(path) as file:
            dates = _decode_days(path, file[day])
            values = np.empty((len(columns), len(dates)), dtype=np.float32)
            for row, name in zip(values, columns, strict=True):
                row[:] = _numbers(path, file[name], len(dates))
    except DAMAGE as error:
        raise _damaged(path, error, name) from None
    return dates, values


def _damaged(path: Path, error: Exception, name: str = "") -> DataError:
    what = f"its variable {name} cannot be read" if name else "it cannot be opened"
    return DataError(f"{path}: a whole NetCDF-4 file is required, {what} ({str(error)[:120]}); fetch it again")


def _numbers(path: Path, variable: Any, days: int) -> np.ndarray:
    name = variable.name.strip("/")
    if variable.shape != (days,) or variable.dtype.kind not in "fiu":
        raise DataError(f"{path}: variable {name} must be {days} numbers, one a day; it is {variable.dtype} of shape {variable.shape}")
    values, kept = variable[...], variable.attrs
    missing = [kept[key] for key in ("_FillValue", "missing_value") if key in kept]
    if {"scale_factor", "add_offset"} & set(kept):
        scaled = values.astype(np.float64) * kept.get("scale_factor", 1) + kept.get("add_offset", 0)
    else:
        scaled = values.astype(np.float32)
    scaled[np.isin(values, np.ravel(missing))] = np.nan
    return scaled


def _decode_days(path: Path, variable: Any) -> np.ndarray:
    _require_sound_heaps(path)
    units, calendar = (_text(variable.attrs.get(key, "")) for key in ("units", "calendar"))
    what, _, since = units.partition(" since ")
    if what != "days" or not _is(date.fromisoformat, since[:10]) or calendar not in ("", "standard", "gregorian", "proleptic_gregorian"):
        given = f"units {units!r}, calendar {calendar!r}"
        raise DataError(f"{path}: dates in units 'days since YYYY-MM-DD' of the usual calendar are required, got {given}")
    offsets = variable[...]
    if offsets.ndim != 1 or offsets.dtype.kind not in "fiu" or not (np.isfinite(offsets) & (np.abs(offsets) < 1e6)).all():
        raise DataError(f"{path}: variable {variable.name.strip('/')} must be days since {since}, as numbers below a million")
    return np.datetime64(since[:10], "D") + np.floor(offsets).astype(np.int64)


def _require_sound_heaps(path: Path) -> None:
    """Walk the lists of texts of any length as HDF5 does, which would go round for ever in one whose lengths are damaged."""
    content = path.read_bytes()
    start = content.find(HEAP)
    while start >= 0:
        end = start + int.from_bytes(content[start + 8 : start + 16], "little")
        start += 16
        while end - start >= 16:
            length = int.from_bytes(content[start + 8 : start + 16], "little")
            free = content[start : start + 2] == b"\0\0"
            step = length if free else 16 + (length + 7) // 8 * 8
            if step < 16 or start + step > min(end, len(content)):
                raise ValueError(f"its list of texts is damaged at byte {start}")
            start += step
        start = content.find(HEAP, start)


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
