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
ENOUGH = 500  # of the latest lines: they tell best what the next trial will cost
LINE_BYTES = 400  # at most


@dataclass(frozen=True)
class Cost:
    """What one trial took: ``seconds``, ``cpus`` and its ``device``, and ``bytes`` of its files; None where it was not recorded."""

    seconds: float
    cpus: int | None = None
    device: str | None = None
    bytes: int | None = None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> "Cost | None":
        """Read what a result, a calibration or a line says; None where it does not say how long it took."""
        device = said.get("device") or (said.get("provenance") or {}).get("device")
        seconds, cpus, size = (said.get(name) for name in ("seconds", "cpus", "bytes"))
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < float("inf"):
            return None
        known = isinstance(cpus, int), isinstance(device, str), isinstance(size, int)
        return cls(float(seconds), *(value if there else None for value, there in zip((cpus, device, size), known, strict=True)))


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
