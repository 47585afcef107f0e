"""SAC-SMA as it comes with CAMELS-US: files ``<basin>_<seed>_model_output.txt``, one per basin and calibration, into one long table.

Each basin was calibrated several times, from different random seeds. ``MOD_RUN`` is the simulated discharge in mm/d: ``OBS_RUN`` beside it
is the observed discharge over the area in the forcing file's header (checked with basin 13331500, to 1e-4 mm/d).

Newman et al. (2015), doi:10.5194/hess-19-209-2015.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from studyhub.data.manifest import shorten
from studyhub.data.text_table import TextTable
from studyhub.errors import DataError
from studyhub.study.settings import Period

FILE = re.compile(r"([0-9]+)_([0-9]+)_model_output\.txt")
HEADER = ("YR", "MNTH", "DY", "HR", "SWE", "PRCP", "RAIM", "TAIR", "PET", "ET", "MOD_RUN", "OBS_RUN")
SCHEMA = pa.schema([("basin", pa.string()), ("date", pa.date32()), ("qsim", pa.float32())])

Files = dict[str, dict[str, Path]]


@dataclass(frozen=True)
class Written:
    """What a table holds: its basins, the days from the first to the last of any basin, and the seeds that were averaged."""

    basins: tuple[str, ...]
    period: Period
    seeds: tuple[str, ...]


def ingest(folder: Path, out: Path, *, seed: str | None = None, progress: Callable[[int, int, str], None] | None = None) -> Written:
    """Write the simulations in ``folder`` and below it as the Parquet table ``out``: basin, date, qsim in mm/d.

    Parameters
    ----------
    seed : take this calibration, such as "05"; None takes the mean over all calibrations of a basin
    progress : called with basins done, basins in all and the basin's id

    Raises
    ------
    DataError
        There are no such files, two of one basin and seed, or none of ``seed`` for some basin; a file cannot be read or written.
    """
    files = _chosen(folder, _find(folder), seed)
    ends: list[date] = []
    with _writer(out) as writer:
        for done, (basin, of_basin) in enumerate(files.items(), start=1):
            dates, qsim = _mean(of_basin)
            ends += [dates[0].item(), dates[-1].item()]
            columns = [pa.repeat(basin, len(dates)), pa.array(dates), pa.array(qsim.astype(np.float32))]
            writer.write_table(pa.Table.from_arrays(columns, schema=SCHEMA))
            if progress is not None:
                progress(done, len(files), basin)
    seeds = sorted({seed for of_basin in files.values() for seed in of_basin})
    return Written(tuple(files), Period(min(ends), max(ends)), tuple(seeds))


@contextmanager
def _writer(out: Path) -> Iterator[pq.ParquetWriter]:
    """Yield a writer of a table that is there in full in the end, or not at all."""
    partial = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        out.absolute().parent.mkdir(parents=True, exist_ok=True)
        with pq.ParquetWriter(partial, SCHEMA, compression="zstd") as writer:
            yield writer
        os.replace(partial, out)
    except OSError as error:
        raise DataError(f"{out}: cannot be written ({error.strerror or error}); name another file with --out") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _find(folder: Path) -> Files:
    """Basin -> seed -> its file."""
    files: Files = {}
    for path in sorted(folder.rglob("*_model_output.txt")):
        match = FILE.fullmatch(path.name)
        if match is None:
            raise DataError(f"{path}: a name such as 13331500_05_model_output.txt (basin, seed) is required; move other files away")
        of_basin = files.setdefault(match[1], {})
        if match[2] in of_basin:
            message = f"basin {match[1]} has two files of seed {match[2]}, {of_basin[match[2]]} and {path}"
            raise DataError(f"{message}; name the folder of one forcing, such as .../flow_timeseries/daymet")
        of_basin[match[2]] = path
    if not files:
        raise DataError(f"{folder}: files <basin>_<seed>_model_output.txt are required in this folder or below it, there are none")
    return dict(sorted(files.items()))


def _chosen(folder: Path, files: Files, seed: str | None) -> Files:
    if seed is None:
        return files
    without = [basin for basin, of_basin in files.items() if seed not in of_basin]
    if without:
        known = sorted({seed for of_basin in files.values() for seed in of_basin})
        raise DataError(f"{folder}: no file of seed {seed!r} for basin {shorten(without)}; there are seeds {shorten(known)}")
    return {basin: {seed: of_basin[seed]} for basin, of_basin in files.items()}


def _mean(of_basin: Mapping[str, Path]) -> tuple[np.ndarray, np.ndarray]:
    """Days and the mean over seeds of the discharge, mm/d."""
    parts = {path: _read(path) for path in of_basin.values()}
    (first, (dates, _)), *others = parts.items()
    for path, (own, _) in others:
        if not np.array_equal(own, dates):
            raise DataError(f"{path}: the days {dates[0]}..{dates[-1]} of {first} are required, got {own[0]}..{own[-1]}; name one seed")
    return dates, np.mean([qsim for _, qsim in parts.values()], axis=0)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            header = file.readline().split()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if tuple(header) != HEADER:
        raise DataError(f"{path}:1: the columns {' '.join(HEADER)} are required, got {' '.join(header)[:80]!r}")
    table = TextTable.read(path, 1, len(HEADER))
    qsim = table.numbers(HEADER.index("MOD_RUN"))
    below = np.flatnonzero(qsim < 0)
    if len(below):
        raise table.error(below[0], f"MOD_RUN must be at least 0 mm/d, got {qsim[below[0]]:g}")
    return table.contiguous_days(), qsim
