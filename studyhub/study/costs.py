"""What trials have cost, kept so that an estimate need not read ten thousand results: one file per kind of trial, a line per finished one.

It is a cache: what is lost of it, by a kill between a result and its line or by two machines that write at once, only an estimate misses.
"""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studyhub.study.names import TRIAL

FOLDER = "kinds"
ENOUGH = 100  # of the latest lines: they tell best what the next trial will cost
LINE_BYTES = 400  # at most


@dataclass(frozen=True)
class Cost:
    """What one trial took; None where it was not recorded.

    Parameters
    ----------
    seconds : from begin to end, all attempts together
    epochs, seconds_per_epoch : trials of one kind differ in how many they train
    cpus, device : what it ran on
    bytes : size of its files
    """

    seconds: float
    epochs: int | None = None
    seconds_per_epoch: float | None = None
    cpus: int | None = None
    device: str | None = None
    bytes: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Cost | None":
        """Read what a result, a calibration or a line says; None where it does not say how long the trial took."""
        seconds, epochs, cpus, size = (_count(said.get(name)) for name in ("seconds", "epochs", "cpus", "bytes"))
        if seconds is None:
            return None
        each, updates, per_update = (_count(said.get(name)) for name in ("seconds_per_epoch", "updates", "seconds_per_update"))
        if each is None and updates and per_update is not None and epochs:
            each = updates * per_update / epochs
        device = said.get("device") or (said.get("provenance") or {}).get("device")
        whole = [None if number is None else int(number) for number in (epochs, cpus, size)]
        return cls(float(seconds), whole[0], each, whole[1], device if isinstance(device, str) else None, whole[2])

    def over(self, epochs: int) -> float:
        """Seconds of a trial of this kind that trains so many epochs: what is not training stays as it is."""
        if not self.epochs or epochs == self.epochs:
            return self.seconds
        if self.seconds_per_epoch is None:
            return self.seconds * epochs / self.epochs
        return max(0.0, self.seconds - self.epochs * self.seconds_per_epoch) + epochs * self.seconds_per_epoch


def _count(value: Any) -> float | None:
    """A number that is none of JSON's truth values, and not negative."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf") else None


def note(trial_folder: Path, result: Mapping[str, Any]) -> None:
    """Add a finished trial to those of its kind, if the filesystem lets us."""
    kind, cost = result.get("kind"), Cost.of(result)
    if result.get("state") != "finished" or cost is None or not isinstance(kind, str) or not TRIAL.fullmatch(kind):
        return
    line = json.dumps({"trial": trial_folder.name} | asdict(cost)) + "\n"
    path = _path(trial_folder.parent.parent, kind)
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        # One write of a short line at the end: whole beside those of other processes.
        descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o666)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def read(store: Path, kind: str) -> list[Cost]:
    """Costs of the latest trials of a kind; lines that were broken are left out.

    Parameters
    ----------
    store : folder of trials and of this cache
    """
    path, wanted = _path(store, kind), ENOUGH * LINE_BYTES
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - wanted))
            lines = file.read(wanted).splitlines()
    except OSError:
        return []
    return [cost for cost in map(_cost, lines[-ENOUGH:]) if cost is not None]


def _cost(line: bytes) -> Cost | None:
    try:
        said = json.loads(line)
    except ValueError:
        return None
    return Cost.of(said) if isinstance(said, dict) else None


def _path(store: Path, kind: str) -> Path:
    return store / FOLDER / f"{kind}.jsonl"
