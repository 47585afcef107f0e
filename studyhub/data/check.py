"""Do the data hold what the trials need? Asked once, before anything is scheduled."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from studyhub.catalog import forcing_of
from studyhub.data.manifest import shorten
from studyhub.data.record import Record, require_complete
from studyhub.data.shards import Shards
from studyhub.errors import DataError, ResourceError
from studyhub.study.settings import Period, Trial

BASINS_AT_ONCE = 64
NUMBER_BYTES, MEMORY_SHARE = 4, 0.8


def check(shards: Shards, trials: Iterable[Trial], progress: Callable[[int, int], None] | None = None) -> None:
    """Read, once, all that the trials will read, and compare it with what was written; trials of several folds share most of it.

    Parameters
    ----------
    progress : called with basins done and basins in all

    Raises
    ------
    DataError
        A forcing variable, attribute or basin is not in the data; a period with its warm-up is not; a day of forcing is missing; a training
        basin has no observed discharge to train on; none has any to choose or judge by; or a file is damaged. The first fault found.
    ResourceError
        The training basins do not fit into this machine's memory.
    """
    needs = list(dict.fromkeys(_Needs.of(trial) for trial in trials))
    for need in needs:
        _require_columns(shards, need)
        _require_periods(shards, need)
        _require_memory(need)
    judged: dict[_Needs, set[str]] = {need: set() for need in needs}
    strict = replace(shards, verify=True)
    basins = sorted({basin for need in needs for basin in need.train_basins + need.test_basins})
    variables = [*dict.fromkeys(name for need in needs for name in need.forcing), "qobs"]
    attributes = tuple(dict.fromkeys(name for need in needs for name in need.attributes))
    for first in range(0, len(basins), BASINS_AT_ONCE):
        record = strict.read(basins[first : first + BASINS_AT_ONCE], variables, attributes=attributes)
        for need in needs:
            judged[need] |= _require_values(record, need)
        if progress is not None:
            progress(first + len(record.basins), len(basins))
    for need in needs:
        for name, period, _, its in need.spans()[1:]:
            if name not in judged[need]:
                told = f"none of the {len(its)} {'test' if name == 'test' else 'training'} basins has any"
                raise DataError(f"observed discharge in the {name} period {period} is required, {told}")


@dataclass(frozen=True)
class _Needs:
    """What a trial needs of the data; many trials share one."""

    forcing: tuple[str, ...]
    attributes: tuple[str, ...]
    train_basins: tuple[str, ...]
    test_basins: tuple[str, ...]
    train: Period
    validation: Period | None
    test: Period
    warmup: int
    test_warmup: int
    window: int
    resident: int | None
    scaled: int  # variables that the network sees, beside those that the physics reads

    @classmethod
    def of(cls, trial: Trial) -> "_Needs":
        split = trial.split
        return cls(
            forcing_of(trial.model),
            trial.model.attributes,
            trial.train_basins,
            trial.test_basins,
            split.train,
            split.validation,
            split.test,
            split.warmup,
            split.test_warmup,
            trial.training.window,
            trial.training.resident,
            len(trial.model.forcing),
        )

    def spans(self) -> list[tuple[str, Period, int, tuple[str, ...]]]:
        """Period, warm-up before it and basins of each use of the data."""
        validation = [] if self.validation is None else [("validation", self.validation, self.test_warmup, self.train_basins)]
        return [("train", self.train, 0, self.train_basins), *validation, ("test", self.test, self.test_warmup, self.test_basins)]


def _require_columns(shards: Shards, need: _Needs) -> None:
    where = shards.manifest.folder
    for what, names, known in (
        ("forcing", need.forcing, [name for name in shards.variables if name != "qobs"]),
        ("observed discharge", ("qobs",), shards.variables),
        ("attribute", need.attributes, shards.attribute_names),
        ("basin", need.train_basins + need.test_basins, shards.basins),
    ):
        missing = sorted(set(names) - set(known))
        if missing:
            raise DataError(f"{where}: the study needs {what} {shorten(missing)}; the data have {shorten(known, most=60)}")
    for what, basins in (("training", need.train_basins), ("test", need.test_basins)):
        if not basins:
            raise DataError(f"at least one {what} basin is required, there is none")


def _require_periods(shards: Shards, need: _Needs) -> None:
    have = shards.period
    for name, period, warmup, _ in need.spans():
        whole = period.before(warmup)
        if period.days < 1:
            raise DataError(f"the {name} period {period} is empty; its end must not come before its start")
        if whole.start < have.start or whole.end > have.end:
            extra = f" with its warm-up of {warmup} days begins {whole.start} and" if warmup else ""
            raise DataError(f"the {name} period {period}{extra} must lie within the data's {have}")
    if need.train.days < need.warmup + need.window:
        raise DataError(
            f"the training period {need.train} has {need.train.days} days; a warm-up of {need.warmup} and a window of {need.window} days "
            f"need {need.warmup + need.window}"
        )


def _require_memory(need: _Needs) -> None:
    """Training basins stay in memory, as they were read and as tensors."""
    basins = len(need.train_basins) if need.resident is None else min(2 * need.resident, len(need.train_basins))
    a_basin = NUMBER_BYTES * need.train.days * (2 * (len(need.forcing) + 1) + need.scaled)
    room = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * MEMORY_SHARE
    if basins * a_basin > room:
        fits = max(1, int(room / a_basin / 2))
        message = f"the {basins} training basins take {basins * a_basin / 1e9:.1f} GB in memory, {room / 1e9:.1f} GB may be used"
        raise ResourceError(f"{message}; write `training: {{resident: {fits}}}` and they are read some at a time")


def _require_values(record: Record, need: _Needs) -> set[str]:
    """Check the basins of ``record`` that the trial uses; return the names of the periods in which any of them was observed."""
    for _, period, warmup, basins in need.spans():
        chosen = _among(basins, record)
        if chosen:
            require_complete(record.during(period.before(warmup)).select(chosen), need.forcing)
    for what, names in (("training", need.train_basins), ("test", need.test_basins)):
        chosen = _among(names, record) if need.attributes else ()
        known = np.isfinite(record.select(chosen).attribute(need.attributes))
        bare = [basin for basin, row in zip(chosen, known, strict=True) if not row.any()]
        if bare:
            raise DataError(f"{what} basin {shorten(bare)} has none of the attributes {shorten(need.attributes)}; leave the basin out")
    trained = _among(need.train_basins, record)
    if trained:
        scored = Period(need.train.before(-need.warmup).start, need.train.end)
        silent = [basin for basin, any_day in zip(trained, _observed(record, trained, scored), strict=True) if not any_day]
        if silent:
            required = f"observed discharge in the training period {scored} is required"
            advice = "leave it out, or every basin with little of it: `split.min_years: {train: 1}`"
            raise DataError(f"{required}, basin {shorten(silent)} has none; {advice}")
    return {name for name, period, _, basins in need.spans() if _observed(record, _among(basins, record), period).any()}


def _among(basins: Sequence[str], record: Record) -> tuple[str, ...]:
    here = set(record.basins)
    return tuple(basin for basin in basins if basin in here)


def _observed(record: Record, basins: tuple[str, ...], period: Period) -> np.ndarray:
    """Whether each basin has an observed day in the period, bool [basin]."""
    return np.asarray(np.isfinite(record.during(period).select(basins).variable("qobs")).any(axis=1))
