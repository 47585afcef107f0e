"""A study comes out of an archive into a home. A trial that has a result there keeps it; each comes whole or not at all."""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from studyhub.errors import StoreError
from studyhub.study.archive_file import Unpacking, damaged, unpacking
from studyhub.study.cells import Cell
from studyhub.study.epochs import FOLDER as EPOCH_FOLDER
from studyhub.study.files import make_folder, temporary_name, writing
from studyhub.study.leases import ENDS, FAILURE, RESULT, STOPPED, Lease, attempt_name
from studyhub.study.names import TRIAL, check_study
from studyhub.study.standing import Standing
from studyhub.study.store import Store, settings_hash
from studyhub.study.wording import listed, size

EPOCHS = "epochs.json"
SPEC, CELLS = "spec.yaml", "cells.json"
# What tells two results of one trial apart, by its first file that both have.
TELLING = ("weights.npz", "scores.parquet")


@dataclass(frozen=True)
class Restored:
    """What became of an archive: trials by their ids.

    Parameters
    ----------
    taken : came from the archive
    equal : had the same result here already
    other : have another result here, which stays
    left : a launch is at them here, or they have been tried here, and what the archive has of them is no result
    """

    study: str
    taken: tuple[str, ...]
    equal: tuple[str, ...]
    other: tuple[str, ...]
    left: tuple[str, ...]

    def __str__(self) -> str:
        """In words, a line for each thing that there is to say."""
        said = [f"study {self.study}: {len(self.taken)} trials taken from the archive"]
        if self.equal:
            said.append(f"{len(self.equal)} were here already, with the same results")
        if self.other:
            said.append(f"{len(self.other)} have other results here, which stay: {listed(self.other, 5)}")
        if self.left:
            said.append(f"{len(self.left)} were left as they are here: {listed(self.left, 5)}")
        return "\n".join(said)


def restore(path: Path, store: Store, name: str | None = None, progress: Callable[[int, int], None] | None = None) -> Restored:
    """Take in a study. All of the archive is checked before anything is written; what was cut off goes on where it is repeated.

    Parameters
    ----------
    name : of the study here; None: as in the archive
    progress : called with trials done and trials in all

    Raises
    ------
    StoreError
        the archive cannot be used (see `studyhub.study.archive_file.unpacking`), does not fit on the disk, or another study has its name
    """
    if name is not None:
        check_study(name)
    with unpacking(path) as archive:
        study = name or archive.study
        spec, cells = _study(archive)
        _require_same(store, study, spec, cells)
        store.check_writable()
        _require_room(store.home, archive)
        outcomes: dict[str, list[str]] = {"taken": [], "equal": [], "other": [], "left": []}
        trials = archive.of_trials()
        for done, (trial, files) in enumerate(trials.items(), 1):
            outcomes[_restore_trial(store, trial, files, archive)].append(trial)
            if progress is not None:
                progress(done, len(trials))
        _restore_study(store.study_folder(study), archive)
    return Restored(study, **{outcome: tuple(found) for outcome, found in outcomes.items()})


def _study(archive: Unpacking) -> tuple[str, tuple[Cell, ...]]:
    """Text of the study and its cells; an error where they are none."""
    files = archive.of_study()
    absent = [file for file in (SPEC, CELLS) if file not in files]
    if absent:
        raise damaged(archive.path, f"it holds no {absent[0]}")
    try:
        spec = archive.read(files[SPEC]).decode()
        cells = tuple(Cell(**row) for row in archive.json(files[CELLS]))
        known = all(TRIAL.fullmatch(trial) for cell in cells for trial in (cell.trial, cell.parent or cell.trial))
    except (ValueError, TypeError):
        known, spec, cells = False, "", ()
    if not known:
        raise damaged(archive.path, f"its {SPEC} and {CELLS} are no study's")
    return spec, cells


def _require_same(store: Store, study: str, spec: str, cells: tuple[Cell, ...]) -> None:
    """Refuse to put one study in another's place."""
    if study in store.studies():
        here = store.read_study(study)
        if settings_hash(here.spec_text) != settings_hash(spec) or here.cells != cells:
            raise StoreError(
                f"{store.study_folder(study)}: another study of this name is here; give the archive's another with --name NAME"
            )


def _require_room(home: Path, archive: Unpacking) -> None:
    with suppress(OSError):
        free = shutil.disk_usage(home).free
        if archive.size > free:
            raise StoreError(
                f"{home}: {size(archive.size)} are required, {size(free)} are free; make room, or choose another with --home DIR"
            )


def _restore_trial(store: Store, trial: str, files: Mapping[str, str], archive: Unpacking) -> str:
    """Bring in one trial, and return what became of it: a name of a field of ``Restored``."""
    end = next((file for file in (RESULT, FAILURE, STOPPED) if file in files), None)
    if end is None:
        raise damaged(archive.path, f"trial {trial} has no {RESULT}")
    said = archive.json(files[end])
    if not isinstance(said, dict) or (end == RESULT and said.get("state") not in ENDS):
        raise damaged(archive.path, f"{files[end]} is incomplete")
    standing = store.look(trial)
    if standing.result:
        return "left" if end != RESULT else "equal" if _is_equal(store, trial, standing, said, files, archive) else "other"
    if end != RESULT and standing.state != "pending":
        return "left"
    lease = store.claim(trial)
    if lease is None:
        return "left"
    with lease.beating():
        try:
            _unpack(lease.folder, files, archive)
        except BaseException:
            with suppress(StoreError):
                lease.release()
            raise
        return "taken" if _end(lease, end, said, archive.at(files[end])) else "left"


def _end(lease: Lease, end: str, said: Mapping[str, Any], at: int) -> bool:
    """End the attempt as the archive's has ended, at the same time."""
    if end == RESULT:
        if not lease.finish(said):
            return False
        written = lease.trial_folder / RESULT
    else:
        lease.fail(said) if end == FAILURE else lease.release(said)
        written = lease.folder / end
    os.utime(written, ns=(at, at))
    return True


def _unpack(folder: Path, files: Mapping[str, str], archive: Unpacking) -> None:
    """Write an attempt's files, all but the one that says how it ended."""
    for file, name in files.items():
        if file not in (RESULT, FAILURE, STOPPED, EPOCHS):
            _write(folder / file, archive.chunks(name), archive.at(name))
    if EPOCHS in files:
        for number, at, content in _epochs(files[EPOCHS], archive):
            _write(make_folder(folder / EPOCH_FOLDER) / f"{number:04}.json", [json.dumps(content).encode()], at)


def _epochs(name: str, archive: Unpacking) -> list[tuple[int, int, dict[str, Any]]]:
    found = archive.json(name)
    try:
        epochs = [(number, at, content) for number, at, content in found]
        known = all(type(number) is type(at) is int and 0 < number < 10**9 and 0 <= at < 2**63 for number, at, _ in epochs)
    except (TypeError, ValueError):
        known, epochs = False, []
    if not known:
        raise damaged(archive.path, f"{name} holds no epochs")
    return epochs


def _is_equal(store: Store, trial: str, standing: Standing, said: Mapping[str, Any], files: Mapping[str, str], archive: Unpacking) -> bool:
    """Tell whether the result here is the archive's."""
    if standing.state != said["state"]:
        return False
    folder = store.trial_folder(trial) / attempt_name(standing.attempt)
    for file in TELLING:
        if file in files:
            with suppress(OSError):
                return sha256((folder / file).read_bytes()).hexdigest() == archive.files[files[file]]["sha256"]
    return standing.result.get("cause") == said.get("cause")


def _restore_study(folder: Path, archive: Unpacking) -> None:
    """Write the study's files that are not there; the table of its cells last, since it makes a folder a study."""
    make_folder(folder)
    for file, name in sorted(archive.of_study().items(), key=lambda item: item[0] == CELLS):
        if not (folder / file).exists():
            _write(folder / file, archive.chunks(name), archive.at(name))


def _write(path: Path, chunks: Iterable[bytes], at: int) -> None:
    """Write a file, whole or not at all."""
    partial = path.with_name(temporary_name(path.name))
    try:
        with writing(path):
            with partial.open("xb") as file:
                for chunk in chunks:
                    file.write(chunk)
            os.utime(partial, ns=(at, at))
            os.replace(partial, path)
    finally:
        with suppress(OSError):
            partial.unlink()
