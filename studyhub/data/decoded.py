"""Basins decoded once per machine, and mapped into memory by every trial that reads them.

Parquet has to be unpacked by each reader anew; a plain array does not, and its pages are in memory once, however many processes map it.
A file of the cache holds one variable of all basins of a study (NumPy's format, then a checksum). It is named by a hash of what it follows
from, made by one process while others wait, and made again where it is damaged. Where the cache cannot be used, the shards are read.
"""

import os
import secrets
import shutil
import time
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from filelock import FileLock, Timeout

from studyhub.catalog import variables
from studyhub.data.manifest import digest
from studyhub.data.shards import BASINS_AT_ONCE, Shards
from studyhub.errors import ResourceError
from studyhub.scratch import scratch
from studyhub.study.settings import Period, Trial
from studyhub.study.versions import SCIENCE_VERSION

FOLDER, BOUND = "basins", "STUDYHUB_CACHE_GB"
SHARE = 0.1  # of the disk
PATIENCE = 600.0  # s for another process to decode
LEFT_BEHIND = 3600.0  # s after which an unfinished file is of a process that was killed
FORMAT = 1
CHECKSUM = 4  # bytes


@dataclass(frozen=True)
class Decoded:
    """Variables of some basins in memory that processes share: variable -> float32 [basin, time], rows as ``basins`` says."""

    basins: Mapping[str, int]
    period: Period
    arrays: Mapping[str, np.ndarray]

    def series(self, basins: Sequence[str], names: Sequence[str], period: Period) -> dict[str, np.ndarray] | None:
        """Return variables in float32 [basin, time], without a copy where the basins lie together; None where any of it is not here."""
        within = self.period.start <= period.start and period.end <= self.period.end
        if not within or not all(basin in self.basins for basin in basins) or not all(name in self.arrays for name in names):
            return None
        first = (period.start - self.period.start).days
        rows: slice | list[int] = [self.basins[basin] for basin in basins]
        if rows and rows == list(range(rows[0], rows[0] + len(rows))):
            rows = slice(rows[0], rows[0] + len(rows))
        return {name: self.arrays[name][:, first : first + period.days][rows] for name in names}


def share(shards: Shards, trial: Trial) -> Shards:
    """Return shards that read what this trial needs from memory that it shares with other trials on this machine."""
    wanted, split = {*trial.train_basins, *trial.test_basins}, trial.split
    judged = [period.before(split.test_warmup) for period in (split.validation, split.test) if period is not None]
    starts, ends = zip(*((period.start, period.end) for period in (split.train, *judged)), strict=True)
    # Sorted as in the files, and of all days of the split: so that one file serves all folds and seeds.
    basins = tuple(basin for basin in shards.basins if basin in wanted)
    period = Period(max(min(starts), shards.period.start), min(max(ends), shards.period.end))
    names = tuple(name for name in variables(trial.model) if name in shards.variables)
    if not basins or period.days < 1:
        return shards
    return replace(shards, decoded=decoded(shards, basins, names, period))


def decoded(shards: Shards, basins: tuple[str, ...], names: tuple[str, ...], period: Period) -> Decoded | None:
    """Map what is in the cache, and decode what is not; None where there is no room, or no cache."""
    if _bound() == 0:
        return None
    try:
        folder, shape = scratch(FOLDER), (len(basins), period.days)
        paths = {name: folder / f"{_key(shards, basins, name, period)}.npy" for name in names}
        arrays = {name: values for name, path in paths.items() if (values := _mapped(path, shape)) is not None}
        missing = {name: path for name, path in paths.items() if name not in arrays}
        if missing:
            with ExitStack() as locks:
                for path in sorted(missing.values()):
                    locks.enter_context(FileLock(path.with_suffix(".lock"), timeout=PATIENCE))
                arrays |= _made(shards, basins, missing, period)
    except (OSError, Timeout):
        return None
    return Decoded({basin: row for row, basin in enumerate(basins)}, period, arrays) if len(arrays) == len(names) else None


def _key(shards: Shards, basins: tuple[str, ...], name: str, period: Period) -> str:
    content = shards.hash(basins, (name,))
    return digest([FORMAT, SCIENCE_VERSION["data"], content, name, list(basins), str(period), shards.fill])


def _mapped(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """Map a file of the cache; None where there is none, or it is not what was written."""
    try:
        # Copy on write: shared until a process writes into it, which torch asks of an array that it takes.
        values = np.load(path, mmap_mode="c", allow_pickle=False)
        with path.open("rb") as file:
            file.seek(-CHECKSUM, os.SEEK_END)
            checksum = int.from_bytes(file.read(), "little")
        if values.shape != shape or values.dtype != np.float32 or zlib.crc32(values.data) != checksum:
            return None
        os.utime(path)  # what was not used for longest goes first
        return np.asarray(values)
    except (OSError, ValueError, EOFError):
        return None


def _made(shards: Shards, basins: tuple[str, ...], missing: Mapping[str, Path], period: Period) -> dict[str, np.ndarray]:
    """Decode into the cache what another process has not made meanwhile, and map it."""
    shape = (len(basins), period.days)
    arrays = {name: values for name, path in missing.items() if (values := _mapped(path, shape)) is not None}
    missing = {name: path for name, path in missing.items() if name not in arrays}
    if not missing:
        return arrays
    (folder,) = {path.parent for path in missing.values()}
    if not _make_room(folder, len(missing) * shape[0] * shape[1] * 4):
        return {}
    with ExitStack() as opened:
        files = {name: opened.enter_context(_File(path, shape)) for name, path in missing.items()}
        for first in range(0, len(basins), BASINS_AT_ONCE):
            record = shards.read(basins[first : first + BASINS_AT_ONCE], tuple(files), period, ())
            for name, file in files.items():
                file.append(record.series[name])
        for file in files.values():
            file.finish()
    return arrays | {name: values for name, path in missing.items() if (values := _mapped(path, shape)) is not None}


class _File:
    """A file of the cache while it is written. It is written, not mapped: on a full disk that is an error, the other kills the process."""

    def __init__(self, path: Path, shape: tuple[int, int]):
        self.path, self.shape, self._checksum = path, shape, 0
        self._partial = path.with_name(f"{path.stem}.{secrets.token_hex(4)}.part")
        self._file: BinaryIO

    def __enter__(self) -> "_File":
        self._file = self._partial.open("xb")
        np.lib.format.write_array_header_1_0(self._file, {"descr": "<f4", "fortran_order": False, "shape": self.shape})
        return self

    def append(self, values: np.ndarray) -> None:
        content = np.ascontiguousarray(values, dtype="<f4")
        self._checksum = zlib.crc32(content.data, self._checksum)
        self._file.write(content.data)

    def finish(self) -> None:
        self._file.write(self._checksum.to_bytes(CHECKSUM, "little"))
        self._file.flush()
        os.fsync(self._file.fileno())
        os.replace(self._partial, self.path)

    def __exit__(self, *raised: object) -> None:
        self._file.close()
        self._partial.unlink(missing_ok=True)


def _make_room(folder: Path, bytes_needed: int) -> bool:
    """Remove what was not used for longest until there is room; False where there cannot be. Who has mapped a removed file keeps it."""
    files = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process makes room too
            found = path.stat()
            if path.suffix == ".npy":
                files.append((found.st_mtime, found.st_size, path))
            elif path.suffix == ".part" and time.time() - found.st_mtime > LEFT_BEHIND:
                path.unlink()
    held, disk = sum(size for _, size, _ in files), shutil.disk_usage(folder)
    # Never more than half of what is free, for the disk has other users.
    bound = _bound()
    most = min(SHARE * disk.total if bound is None else bound, held + disk.free / 2)
    if bytes_needed > most:
        return False
    for _, size, path in sorted(files):
        if held + bytes_needed <= most:
            break
        path.unlink(missing_ok=True)
        path.with_suffix(".lock").unlink(missing_ok=True)
        held -= size
    return True


def _bound() -> float | None:
    """Bytes that the cache may take, where the user says so."""
    given = os.environ.get(BOUND)
    try:
        return float(given) * 1e9 if given else None
    except ValueError:
        raise ResourceError(f"{BOUND}: a number of gigabytes is required (0 for no cache of decoded basins), got {given!r}") from None
