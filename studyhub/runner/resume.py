"""The checkpoint of an attempt: written as training goes, read by the attempt that goes on from it."""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from studyhub.errors import StoreError
from studyhub.study.files import plain
from studyhub.study.ids import trial_id
from studyhub.study.settings import Trial
from studyhub.training import checkpoint
from studyhub.training.state import Epoch, State

CHECKPOINT, EPOCHS = "checkpoint.npz", "epochs"
SHARE = 0.02  # of the time may go into checkpoints

Say = Callable[[str], None]


@dataclass(frozen=True)
class Before:
    """Where an earlier attempt was: ``seconds`` is what all attempts up to there took."""

    state: State
    seconds: float

    @property
    def epoch(self) -> int:
        return len(self.state.epochs)


class Keeper:
    """Keeps the state of a training in an attempt's checkpoint, the newest in place of the one before.

    Each epoch is kept, unless writing has taken more than 2 % of the time so far: a checkpoint of a hidden size of 256 (6 MB) takes 40 ms,
    which is 12 % of an epoch of a quarter of a second, and such an epoch is soon trained again. The one that training ends with is always
    kept.

    Parameters
    ----------
    spent : seconds that earlier attempts took
    """

    def __init__(self, folder: Path, trial: Trial, spent: float):
        self.path, self.trial, self.spent = folder / CHECKPOINT, trial_id(trial), spent
        self._begun, self._writing = time.perf_counter(), 0.0

    @property
    def seconds(self) -> float:
        """What all attempts have taken."""
        return self.spent + time.perf_counter() - self._begun

    def __call__(self, state: State, must: bool) -> None:
        begun = time.perf_counter()
        if must or self._writing <= SHARE * (begun - self._begun):
            content = {"trial": self.trial, "seconds": self.seconds, **state.plain()}
            checkpoint.save(self.path, state.arrays(), content)
            self._writing += time.perf_counter() - begun


def read(folder: Path, trial: Trial) -> Before:
    """Read the checkpoint of an attempt at this trial.

    Raises
    ------
    StoreError
        there is none, it is damaged, or it is another trial's
    """
    path = folder / CHECKPOINT
    tensors, content = checkpoint.load_with_plain(path)
    try:
        if content["trial"] != trial_id(trial):
            raise StoreError(f"{path}: it is another trial's, or from another version of the science")
        return Before(State.of(tensors, content), content["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{path}: not a checkpoint of a training ({type(error).__name__}: {error})") from None


def find(attempts: Iterable[Path], trial: Trial, until: int | None, say: Say) -> Path | None:
    """Return the attempt whose checkpoint is the farthest, the newest of equals; None where a trial must begin anew.

    Checkpoints that have become useless beside it are deleted; those that cannot be used are left. ``say`` hears of all that.

    Parameters
    ----------
    attempts : folders of all earlier ones, the newest first
    until : checkpoints behind this epoch do not serve
    """
    usable: list[tuple[int, Path]] = []
    for attempt in attempts:
        if not (attempt / CHECKPOINT).exists():
            continue
        try:
            usable.append((read(attempt, trial).epoch, attempt))
        except StoreError as error:
            say(f"ignored: {error}")
    serving = [(epoch, attempt) for epoch, attempt in usable if until is None or epoch <= until]
    if not serving:
        say("begins anew")
        return None
    best, chosen = max(serving, key=lambda one: one[0])  # the first of equals
    for epoch, attempt in usable:
        if epoch <= best and attempt != chosen:
            (attempt / CHECKPOINT).unlink(missing_ok=True)
    say(f"goes on from epoch {best} of {chosen.name}")
    return chosen


def drop(attempts: Iterable[Path]) -> None:
    """Delete the checkpoints of a trial that has ended, and what kills have left of some: nobody will go on from them."""
    for attempt in attempts:
        for name in (CHECKPOINT, checkpoint.partial(CHECKPOINT)):
            with suppress(OSError):
                (attempt / name).unlink(missing_ok=True)


def inherit(before: Path, state: State, folder: Path) -> None:
    """Give an attempt what earlier ones have told: each epoch's file, and the scores of rungs."""
    for epoch in state.epochs:
        write_epoch(folder, epoch)
    for rung in before.glob("rung-*.parquet"):
        beside = folder / f".{rung.name}.part"
        shutil.copyfile(rung, beside)
        os.replace(beside, folder / rung.name)


def write_epoch(folder: Path, epoch: Epoch) -> None:
    """Write what an epoch brought as ``epochs/0001.json``, which appears whole or not at all."""
    path = folder / EPOCHS / f"{epoch.number:04d}.json"
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(json.dumps(plain(asdict(epoch))))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def rung_name(epoch: int) -> str:
    """File with the scores that a model had after an epoch."""
    return f"rung-{epoch:04d}.parquet"
