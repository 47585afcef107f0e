"""A study in one file: what was asked, what came out, and what made it. It can be read without studyhub, and taken in by another home.

A zip file::

    archive.json                 which study this is, what made it, and the SHA-256 of every other file
    study/spec.yaml, ...         the study's files
    trials/<id>/result.json      how a trial ended; failure.json or stopped.json where it has no result
    trials/<id>/scores.parquet, weights.npz, scales.json, trial.json, parameters.parquet, log.txt, ...
    trials/<id>/epochs.json      its epochs, over all attempts

Simulated discharge is in it on request: it is most of the bytes. Checkpoints are not: a trial that has not ended begins anew elsewhere.
"""

import os
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from studyhub.errors import StoreError
from studyhub.study.archive_file import PLAIN, Packing
from studyhub.study.epochs import read_epochs
from studyhub.study.files import make_folder, name_once, read_json, temporary_name, writing
from studyhub.study.leases import RESULT, STOPPED, attempt_name
from studyhub.study.provenance import provenance
from studyhub.study.restore import EPOCHS, Restored, restore
from studyhub.study.standing import STATES, Standing
from studyhub.study.status import told, tried
from studyhub.study.store import Store
from studyhub.study.wording import size

__all__ = ["Exported", "Restored", "export", "restore"]

SIMULATION = "simulation.parquet"
# What belongs to a launch or a place, and means nothing elsewhere.
STUDY_LEFT = ("launch.json", "launch.log", "mirror.json", "mirror.lock")
TRIAL_LEFT = ("checkpoint.npz", f"damaged-{RESULT}")
ADVICE = "name another file with --out"


@dataclass(frozen=True)
class Exported:
    """What an archive holds: ``states`` are those of the trials in it, ``open`` counts those that had not ended."""

    path: Path
    study: str
    states: dict[str, int]
    open: int
    bytes: int
    simulations: bool

    def __str__(self) -> str:
        """In words, one line."""
        without = "" if self.simulations else "; without simulated discharge (--simulations adds it)"
        left = f"; {self.open} that have not ended are not in it" if self.open else ""
        return f"{self.path}: study {self.study}, trials: {told(self.states) or 'none'}, {size(self.bytes)}{left}{without}"


def export(store: Store, name: str, out: Path, simulations: bool = False, progress: Callable[[int, int], None] | None = None) -> Exported:
    """Write a study's archive, whole or not at all. A study that runs is exported as it stands.

    Parameters
    ----------
    out : the file, which must not be there yet
    simulations : with the simulated days of the test period
    progress : called with trials done and trials in all

    Raises
    ------
    StoreError
        there is no such study, ``out`` is there already or cannot be written, or a file of the store cannot be read
    """
    cells = store.read_study(name).cells
    stands = store.look_at([*(cell.trial for cell in cells), *(member.trial for member in tried(store.searches(name)))])
    chosen = {trial: standing for trial, standing in stands.items() if _has_ended(store, trial, standing)}
    if out.exists():
        raise StoreError(f"{out}: is there already, and is not written over; {ADVICE}")
    make_folder(out.absolute().parent, ADVICE)
    partial = out.with_name(temporary_name(out.name))
    try:
        with writing(out, ADVICE):
            with partial.open("xb") as file:
                packing = Packing(file)
                _pack_study(packing, store.study_folder(name))
                for done, (trial, standing) in enumerate(chosen.items(), 1):
                    _pack_trial(packing, store.trial_folder(trial), standing, simulations)
                    if progress is not None:
                        progress(done, len(chosen))
                made = {"exported": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "made_with": provenance(device="-", dtype="-")}
                packing.close({"study": name, "simulations": simulations, **made})
                file.flush()
                os.fsync(file.fileno())
            if not name_once(partial, out):
                raise StoreError(f"{out}: is there already, and is not written over; {ADVICE}")
    finally:
        with suppress(OSError):
            partial.unlink()
    counts = Counter(standing.state for standing in chosen.values())
    states = {state: counts[state] for state in STATES if counts[state]}
    return Exported(out, name, states, len(stands) - len(chosen), out.stat().st_size, simulations)


def _has_ended(store: Store, trial: str, standing: Standing) -> bool:
    """Whether there is something of a trial to tell: an end, or scores of the rung of a search that it was stopped at."""
    if standing.state != "stopped":
        return bool(standing.result or standing.failure)
    with suppress(ValueError):
        return "rung" in (read_json(store.trial_folder(trial) / attempt_name(standing.attempt) / STOPPED) or {})
    return False


def _pack_study(packing: Packing, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.name not in STUDY_LEFT and _is_ours(path):
            packing.add(f"study/{path.name}", path)


def _pack_trial(packing: Packing, folder: Path, standing: Standing, simulations: bool) -> None:
    attempt, inside = folder / attempt_name(standing.attempt), f"trials/{folder.name}"
    left = TRIAL_LEFT if simulations else (*TRIAL_LEFT, SIMULATION)
    for path in sorted(attempt.iterdir()):
        if path.name not in left and _is_ours(path):
            packing.add(f"{inside}/{path.name}", path)
    epochs = read_epochs(folder, standing.attempt)
    if epochs:
        packing.add_json(f"{inside}/{EPOCHS}", [[epoch.number, epoch.at, dict(epoch.content)] for epoch in epochs], epochs[-1].at)
    if standing.result:
        packing.add(f"{inside}/{RESULT}", folder / RESULT)


def _is_ours(path: Path) -> bool:
    """Whether a file has a name that studyhub gives; those that begin with a dot are just being written."""
    return PLAIN.fullmatch(path.name) is not None and path.is_file() and not path.is_symlink()
