"""What has finished, what is running and what has failed: one folder per trial, shared by all studies.

::

    studies/<name>/spec.yaml, cells.json
    studies/<name>/data.json            what is known of the data: source, content hash, facts of each basin
    studies/<name>/basins.parquet       place, climate and attributes of each basin, for strata and blocks
    studies/<name>/searches.json        what each search has tried and chosen
    studies/<name>/claims.json          each claim as it was first declared: when, and whether its arms had results by then
    store/trials/<id>/lease-001.json    who runs attempt 1; its modification time is the heartbeat
    store/trials/<id>/attempt-001/      the attempt's files; failure.json or stopped.json where it ended without a result
    store/trials/<id>/result.json       written last: that it exists is being finished
    store/format.json                   by which rules all of this is written
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

from studyhub.errors import StoreError
from studyhub.study.cells import Cell
from studyhub.study.files import check_writable, make_folder, now_on, read_json, write_json, write_json_once, write_texts
from studyhub.study.leases import RESULT, Lease, attempt_name, take, usable_result
from studyhub.study.names import TRIAL, check_study
from studyhub.study.standing import STATES, Standing, look
from studyhub.study.wording import listed

__all__ = ["STATES", "Lease", "Standing", "Store", "StoredStudy", "claim_text", "settings_hash"]

FORMAT, FORMAT_FILE, SEARCHES = 1, "format.json", "searches.json"


@dataclass(frozen=True)
class StoredStudy:
    """A study as it was last launched: its resolved YAML, which trial answers each cell, and what is known of the data, if anything."""

    name: str
    spec_text: str
    cells: tuple[Cell, ...]
    data: Mapping[str, Any] = field(default_factory=dict)


class Store:
    """The folder ``home``, with studies and trials in it. Any number of processes may use it at once.

    Raises
    ------
    StoreError
        A newer version of studyhub has written it.
    """

    def __init__(self, home: str | Path):
        self.home = Path(home)
        require_known(self.home / "store" / FORMAT_FILE)

    def check_writable(self) -> None:
        """Raise a StoreError before any work is done, if results could not be kept."""
        for folder in (self.home / "studies", self.home / "store" / "trials"):
            check_writable(folder)
        write_json_once(self.home / "store" / FORMAT_FILE, {"format": FORMAT})

    # Trials

    def trial_folder(self, trial: str) -> Path:
        if not TRIAL.fullmatch(trial):
            raise StoreError(f"a trial's id is 16 hexadecimal digits, got {trial!r}")
        return self.home / "store" / "trials" / trial

    def look(self, trial: str) -> Standing:
        """How a trial stands. A damaged result counts as none."""
        return look(self.trial_folder(trial))

    def look_at(self, trials: Iterable[str]) -> dict[str, Standing]:
        """How each of many trials stands: ten thousand take a second or two."""
        folder = self.home / "store" / "trials"
        there, now = _names(folder), cache(partial(now_on, folder))
        return {trial: look(folder / trial, now) if trial in there else Standing("pending") for trial in dict.fromkeys(trials)}

    def with_result(self, trials: Iterable[str]) -> frozenset[str]:
        """Those of many trials that have a result, found at once; whether it can be used is not looked at."""
        folder = self.home / "store" / "trials"
        there = _names(folder)
        return frozenset(trial for trial in trials if trial in there and os.path.exists(f"{folder}/{trial}/{RESULT}"))

    def result(self, trial: str) -> dict[str, Any] | None:
        """What result.json says; None unless the trial has finished or diverged. A damaged result counts as none: see ``damage``."""
        return usable_result(self.trial_folder(trial))

    def damage(self, trial: str) -> str | None:
        """What is wrong with a result that cannot be used, and so will be made again; None where nothing is."""
        return self.look(trial).damage

    def state(self, trial: str) -> str:
        """One of ``STATES``, though never "blocked": see `studyhub.study.status`."""
        return self.look(trial).state

    def latest_attempt(self, trial: str) -> Path | None:
        """Folder of the attempt that gave the result; without a result, of the latest one; None where there was none."""
        number = self.look(trial).attempt
        return self.trial_folder(trial) / attempt_name(number) if number else None

    def failure(self, trial: str) -> dict[str, Any] | None:
        """What the latest attempt failed of; None unless the trial's state is "failed"."""
        standing = self.look(trial)
        return dict(standing.failure) if standing.state == "failed" else None

    def claim(self, trial: str, device: str | None = None) -> Lease | None:
        """Take a trial to run it on a device. None where a live process holds it, or where it has finished already."""
        folder = make_folder(self.trial_folder(trial))
        if self.result(trial) is not None:
            return None
        lease = take(folder, device)
        # Whoever held it may have finished between the look at the result and the claim.
        if lease is not None and self.result(trial) is not None:
            lease.release()
            return None
        return lease

    # Studies

    def study_folder(self, name: str) -> Path:
        return self.home / "studies" / check_study(name, source=str(self.home / "studies"))

    def write_study(self, name: str, spec_text: str, cells: Iterable[Cell], data: Mapping[str, Any] | None = None) -> Path:
        """Keep what a study will run, in place of what it ran before. All files are written, or none; without ``data`` its file stays."""
        folder = self.study_folder(name)
        self.check_writable()
        make_folder(folder)
        rows = ",\n".join(json.dumps(asdict(cell)) for cell in cells)
        facts = {} if data is None else {folder / "data.json": json.dumps(data, indent=1, allow_nan=False) + "\n"}
        write_texts({folder / "spec.yaml": spec_text, folder / "cells.json": f"[\n{rows}\n]\n"} | facts)
        return folder

    def read_study(self, name: str) -> StoredStudy:
        folder = self.study_folder(name)
        if not (folder / "cells.json").is_file():
            raise StoreError(f"there is no study {name!r} in {self.home / 'studies'}; there are: {listed(self.studies())}")
        try:
            cells = tuple(Cell(**row) for row in json.loads((folder / "cells.json").read_text(encoding="utf-8")))
            text = (folder / "spec.yaml").read_text(encoding="utf-8")
            return StoredStudy(name, text, cells, read_json(folder / "data.json") or {})
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"{folder}: cannot be read ({error}); launch the study again to write it anew") from None

    def searches(self, name: str) -> list[dict[str, Any]]:
        """What each search of a study has tried and chosen so far, as `studyhub.runner.search` writes it; none where there is none."""
        try:
            found = json.loads((self.study_folder(name) / SEARCHES).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return []
        return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []

    def studies(self) -> tuple[str, ...]:
        """Names of all studies, sorted."""
        return tuple(sorted(path.parent.name for path in (self.home / "studies").glob("*/cells.json")))

    def declare(self, name: str, claims: Iterable[str]) -> None:
        """Keep of each claim whether it came before the results: a study's file can be changed at any time.

        A claim is ``better > than: metric``. What is kept of it at first is never changed, even where the study drops the claim and takes
        it up again.
        """
        known = self.declared(name)
        scored = {cell.arm for cell in self.read_study(name).cells if self.state(cell.trial) == "finished"}
        new = {claim: {"first": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", "after_results": _arms(claim) <= scored} for claim in claims}
        write_json(self.study_folder(name) / "claims.json", new | known)

    def declared(self, name: str) -> dict[str, Any]:
        """What is kept of each claim: ``first`` and ``after_results``."""
        try:
            return read_json(self.study_folder(name) / "claims.json") or {}
        except ValueError:
            return {}


def require_known(path: Path) -> None:
    """Refuse what a newer version of studyhub has written, by the file that says so. No file: written before there was one.

    Raises
    ------
    StoreError
        both formats, and what to do
    """
    why = f"{path}: "
    try:
        said = read_json(path)
    except ValueError as error:
        said, why = {}, f"{error}; "
    given = FORMAT if said is None else said.get("format")
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise StoreError(f'{why}{{"format": {FORMAT}}} is required; write that into it, if this version of studyhub made the store')
    if given > FORMAT:
        message = f"{path}: written by a newer studyhub in format {given}, this one knows formats up to {FORMAT}"
        raise StoreError(f"{message}; update studyhub, or choose another folder with --home DIR or STUDYHUB_HOME")


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return frozenset()


def settings_hash(spec_text: str) -> str:
    """Hash of a study's resolved settings, 16 hex digits; the remarks on where it was read from are no part of it."""
    lines = [line for line in spec_text.splitlines() if not line.startswith("#")]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def claim_text(better: str, than: str, metric: str) -> str:
    return f"{better} > {than}: {metric}"


def _arms(claim: str) -> set[str]:
    return set(claim.rpartition(":")[0].split(" > "))
