"""What the epochs of a trial brought, over all its attempts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studyhub.study.files import read_json
from studyhub.study.leases import attempt_name

FOLDER = "epochs"
SAID = {"number", "loss", "validation", "solve"}


@dataclass(frozen=True)
class Epoch:
    """One epoch: its number, the time of its file (ns since 1970, the same whenever it is read), and what that says."""

    number: int
    at: int
    content: Mapping[str, Any]


def read_epochs(folder: Path, attempt: int, known: dict[Path, Epoch] | None = None) -> list[Epoch]:
    """Epochs of a trial up to an attempt, in their order; one that is being written is left for next time.

    An attempt goes on where the one before it ended, and may repeat some of its epochs, which then stand for both. Where it brings another
    loss (on another machine, say), what was before it counts no more from that epoch on.

    Parameters
    ----------
    folder : of the trial
    attempt : number of its latest attempt
    known : gets the epochs that are read, and need not be read again
    """
    known, kept = {} if known is None else known, {}
    for number in range(1, attempt + 1):
        its = _of_attempt(folder / attempt_name(number) / FOLDER, known)
        if any(n in kept and kept[n].content["loss"] != epoch.content["loss"] for n, epoch in its.items()):
            kept = {n: epoch for n, epoch in kept.items() if n < min(its)}
        kept = its | kept
    return [kept[number] for number in sorted(kept)]


def _of_attempt(folder: Path, known: dict[Path, Epoch]) -> dict[int, Epoch]:
    found = {}
    for name in _names(folder):
        path = folder / name
        epoch = known.get(path) or _read(path)
        if epoch is not None:
            known[path] = found[epoch.number] = epoch
    return found


def _names(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if name.endswith(".json") and name[:-5].isdecimal()]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _read(path: Path) -> Epoch | None:
    """Read an epoch; None while it is being written."""
    try:
        content, at = read_json(path), path.stat().st_mtime_ns
    except (OSError, ValueError):
        return None
    return Epoch(int(path.stem), at, content) if content is not None and SAID <= content.keys() else None


def latest_epochs(folder: Path, attempt: int, most: int = 5) -> list[Epoch]:
    """The latest epochs of one attempt alone, in their order: for those who look at many trials."""
    where = folder / attempt_name(attempt) / FOLDER
    found = (_read(where / name) for name in sorted(_names(where))[-most:])
    return [epoch for epoch in found if epoch is not None]
