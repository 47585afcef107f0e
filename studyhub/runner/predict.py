"""A trained model simulates basins and days, whether anything was observed there or not."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from studyhub.data.manifest import shorten
from studyhub.data.shards import Shards
from studyhub.errors import DataError, StoreError
from studyhub.runner import outputs, trained
from studyhub.solvers.march import Diverged
from studyhub.study.names import TRIAL
from studyhub.study.plan import trial_id
from studyhub.study.settings import Period
from studyhub.study.store import Store

BASINS_AT_ONCE = 32  # stores of every component and day are in memory
UNITS = {"qsim": "mm/d", "et": "mm/d", "baseflow": "mm/d"}  # stores are in mm


@dataclass(frozen=True)
class Predicted:
    """How many basins were simulated, the table of their parameters, and basins that lacked an attribute."""

    basins: int
    parameters: Path | None
    lacking: tuple[str, ...] = ()


def find(store: Store, name: str) -> Path:
    """Return the folder of a trained model.

    Parameters
    ----------
    name : a trial's id or an unambiguous beginning of it, or STUDY/ARM, STUDY/ARM/FOLD or STUDY/ARM/FOLD/SEED, with the first fold and seed
        where none are given

    Raises
    ------
    StoreError
        there is no such trial, or it has not finished
    """
    trial = _of_study(store, name) if "/" in name else _by_id(store, name)
    result = store.result(trial)
    if result is None or result["state"] != "finished":
        raise StoreError(f"trial {trial} is {store.state(trial)}; a finished one is required: launch its study first")
    return store.trial_folder(trial) / result["attempt"]


def _of_study(store: Store, name: str) -> str:
    study, *parts = name.split("/")
    cells = store.read_study(study).cells
    texts = {cell: (cell.arm, str(cell.fold), str(cell.seed)) for cell in cells}
    found = [cell for cell, text in texts.items() if text[: len(parts)] == tuple(parts)]
    if not found or len(parts) > 3:
        known = shorten(list(dict.fromkeys("/".join(text) for text in texts.values())))
        raise StoreError(f"a trial is named STUDY/ARM/FOLD/SEED, got {name}; {study} has {known}")
    return found[0].trial


def _by_id(store: Store, name: str) -> str:
    if TRIAL.fullmatch(name):
        return name
    ids = [path.name for path in (store.home / "store" / "trials").glob("*") if name and path.name.startswith(name)]
    if len(ids) != 1:
        why = f"begins the ids of {len(ids)} trials" if ids else "is no trial's id"
        raise StoreError(f"a trial's id (or its beginning) or STUDY/ARM is required; {name!r} {why} in {store.home / 'store' / 'trials'}")
    return ids[0]


def predict(
    folder: Path,
    shards: Shards,
    out: Path,
    *,
    basins: Sequence[str] | None = None,
    period: Period | None = None,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
) -> Predicted:
    """Simulate and write a table, CSV or Parquet: basin, date, qsim, and of a water-balance model et, baseflow (mm/d) and stores (mm).

    Parameters
    ----------
    folder : of the trained model
    basins : None means all that the data have
    period : None means all days of each basin but those that warm its stores up, as many as before the test
    progress : called with basins done and basins in all

    Returns
    -------
    basins simulated; the table of their parameters beside ``out``, if any (basin, parameter, mean, low, high over components and days,
    daily); and basins that lack an attribute, for which the training's mean was taken

    Raises
    ------
    DataError
        A forcing variable, attribute or day is missing or means something else than it learnt with, a store has diverged, or ``out`` cannot
        be written.
    """
    trial, simulator = trained.load(folder, device)
    if trial_id(trial) != folder.parent.name:
        raise StoreError(f"{folder}: trained with an earlier version of the science, which may simulate otherwise; train the trial again")
    trained.require_alike(folder, trial, shards.manifest)
    chosen = shards.basins if basins is None else tuple(dict.fromkeys(basins))
    shards.manifest.require("basins", chosen, shards.basins)
    lacking = _lacking(shards, chosen, trial.model.attributes)
    warmup = trial.split.test_warmup
    frames: list[pd.DataFrame] = []
    done = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal done
        for days, names in _together(shards, chosen, period, warmup).items():
            for record, simulation in simulator.blocks(shards, names, days, warmup, complete=True, stores=True, at_once=BASINS_AT_ONCE):
                series = {"qsim": simulation.discharge, **simulation.fluxes, **simulation.stores}
                frame = outputs.long(record, {name: outputs.rows(values) for name, values in series.items()}, chosen)
                if simulation.parameters:
                    frames.append(outputs.parameters(record.basins, simulation))
                done += len(record.basins)
                if progress is not None:
                    progress(done, len(chosen))
                yield pa.Table.from_pandas(frame, preserve_index=False)

    try:
        _write(out, tables())
    except Diverged as divergence:
        now = simulator.now
        assert now is not None
        day = np.datetime64(now[0].start) + divergence.day
        raise DataError(f"store {divergence.store} of basin {now[1][divergence.basin]} diverged on {day}; leave the basin out") from None
    if not frames:
        return Predicted(done, None, lacking)
    beside = out.with_name(f"{out.stem}_parameters{out.suffix}")
    _write(beside, iter([pa.Table.from_pandas(pd.concat(frames, ignore_index=True), preserve_index=False)]))
    return Predicted(done, beside, lacking)


def _lacking(shards: Shards, basins: Sequence[str], attributes: tuple[str, ...]) -> tuple[str, ...]:
    """Basins that lack some attribute; a DataError where one lacks all."""
    missing = np.isnan(shards.read(basins, (), attributes=attributes).attributes)
    none = [basin for basin, row in zip(basins, missing, strict=True) if len(row) and row.all()]
    if none:
        raise DataError(
            f"{shards.manifest.folder}: basin {shorten(none)} has none of the attributes that the model knows a basin by; leave it out"
        )
    return tuple(basin for basin, row in zip(basins, missing, strict=True) if row.any())


def _together(shards: Shards, basins: Sequence[str], period: Period | None, warmup: int) -> dict[Period, tuple[str, ...]]:
    """Days to simulate -> the basins that have them."""
    found: dict[Period, list[str]] = {}
    for basin in basins:
        own = shards.manifest.entries[basin].period
        days = period or Period(own.before(-warmup).start, own.end)
        whole = days.before(warmup)
        if days.days < 1 or whole.start < own.start or whole.end > own.end:
            wanted = f"{days} after a warm-up of {warmup} days needs forcing from {whole.start} on"
            raise DataError(f"{wanted}, basin {basin} has {own}; choose another --period, or other --basins")
        found.setdefault(days, []).append(basin)
    return {days: tuple(names) for days, names in found.items()}


def _write(path: Path, tables: Iterator[pa.Table]) -> None:
    """Write tables of one schema one after the other; the file appears complete or not at all."""
    partial = path.with_name(f".{path.name}.part")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        first = next(tables)
        if path.suffix == ".csv":
            names = pa.schema([field.with_type(_plain(field.type)) for field in first.schema])
            with pyarrow.csv.CSVWriter(partial, names) as writer:
                for table in _chained(first, tables):
                    writer.write_table(table.cast(names))
        else:
            with pq.ParquetWriter(partial, first.schema, compression="zstd") as writer:
                for table in _chained(first, tables):
                    writer.write_table(table)
        partial.replace(path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror or error}); name another file with --out") from None
    finally:
        partial.unlink(missing_ok=True)


def _chained(first: pa.Table, rest: Iterator[pa.Table]) -> Iterator[pa.Table]:
    yield first
    yield from rest


def _plain(kind: pa.DataType) -> pa.DataType:
    """CSV knows neither categories nor times of a day that is one."""
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.date32() if pa.types.is_timestamp(kind) else kind
