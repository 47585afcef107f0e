"""Trials that come from an object store to the copy of a home on this machine."""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studyhub.object_store import Listed
from studyhub.study import costs
from studyhub.study.files import write_json
from studyhub.study.leases import ENDS, FAILURE, RESULT, STOPPED, attempt_name, is_live, latest, lease_path, read_lease, usable_result
from studyhub.study.remote.copies import Copy, apart, attempt_at, lease_at, local_name

EPOCHS, EPOCHS_FILE = "epochs", "epochs.json"
# In the result.json of a trial that is in the object store: its attempt's files that stay as they are, and their bytes.
FILES = "files"
LOG, CHECKPOINT = "log.txt", "checkpoint.npz"
PASSING = (LOG, CHECKPOINT, FAILURE, STOPPED)  # may change, or go
THREADS = 16
FEW = 64  # trials that are listed one by one
FRESH = 5.0  # s in which a file may be written again at the same time, in whole seconds

Wanted = Callable[[str, str], bool]  # id of a trial and name of a file -> whether it is to be fetched


def fetch(copy: Copy, trials: Iterable[str], wanted: Wanted) -> list[str]:
    """Bring trials up to date here, their results last; return what is wrong with results that cannot be used.

    What runs on this copy just now, and what it has made itself, stays as it is.
    """
    open_trials = [trial for trial in dict.fromkeys(trials) if not _complete(copy, trial, wanted)]
    if not open_trials:
        return []
    with copy.reaching(), ThreadPoolExecutor(THREADS, "fetch") as pool:
        listed = _listed(copy, open_trials, pool)
        jobs = [Incoming(copy, trial, listed[trial], wanted) for trial in open_trials if listed.get(trial)]
        return [damage for damage in pool.map(Incoming.fetch, jobs) if damage]


def lacking(copy: Copy, trials: list[str]) -> list[str]:
    """Those of the trials that have no result in the object store that can be used."""
    with copy.reaching(), ThreadPoolExecutor(THREADS, "fetch") as pool:
        listed = _listed(copy, trials, pool)
        return [trial for trial in trials if remote_result(copy, trial, listed.get(trial, {}))[0] is None]


def remote_result(copy: Copy, trial: str, files: Mapping[str, Listed]) -> tuple[dict[str, Any] | None, str | None]:
    """Result of a trial in the object store, if there is one that can be used, and what is wrong with one that cannot.

    Its ``FILES`` are those that are there.

    Parameters
    ----------
    files : what there is of the trial, by names in its folder
    """
    where = f"store/trials/{trial}"
    if RESULT not in files:
        return None, None
    told = f"{copy.uri}/{where}"
    try:
        result = json.loads(copy.store.read(f"{where}/{RESULT}"))
        if result["state"] not in ENDS or not re.fullmatch(r"attempt-\d{3,}", result["attempt"]):
            raise ValueError
        written = dict(result.get(FILES) or {})
    except (ValueError, KeyError, TypeError):
        return None, f"{told}/{RESULT}: incomplete or damaged"
    there = {name: listed.size for its, listed in files.items() if (name := its.removeprefix(f"{result['attempt']}/")) != its}
    for name, size in written.items():
        if there.get(name) != size:
            state = f"{there[name]} bytes, {size} were written" if name in there else "missing"
            return None, f"{told}/{result['attempt']}/{name}: damaged ({state})"
    return result | {FILES: {name: size for name, size in there.items() if name not in PASSING}}, None


def is_ours(folder: Path, number: int) -> bool:
    """Tell whether an attempt was made on this copy; leases that were fetched say where they come from."""
    lease = read_lease(folder, number)
    return lease is not None and "origin" not in lease[0]


def _complete(copy: Copy, trial: str, wanted: Wanted) -> bool:
    """Tell whether all that is wanted of a finished trial is here: it never changes."""
    folder = copy.trial_folder(trial)
    result = usable_result(folder)
    if result is None or FILES not in result:
        return False
    attempt = folder / result["attempt"]
    return all(_there(attempt, name, size) for name, size in result[FILES].items() if wanted(trial, name))


def _there(attempt: Path, name: str, size: int) -> bool:
    try:
        return (attempt / EPOCHS).is_dir() if name == EPOCHS_FILE else (attempt / name).stat().st_size == size
    except FileNotFoundError:
        return False


def _listed(copy: Copy, trials: list[str], pool: ThreadPoolExecutor) -> dict[str, dict[str, Listed]]:
    """Files of each trial, by their names in its folder."""
    store, base = copy.store, "store/trials"
    if len(trials) <= FEW:
        parts = pool.map(lambda trial: store.walk(f"{base}/{trial}"), trials)
        found = {name: listed for part in parts for name, listed in part.items()}
    else:
        found = store.walk(base)
    trees: dict[str, dict[str, Listed]] = {}
    for name, listed in found.items():
        trial, _, rest = name.removeprefix(f"{base}/").partition("/")
        trees.setdefault(trial, {})[rest] = listed
    return trees


@dataclass(frozen=True)
class Incoming:
    """What comes of one trial; ``files`` are those in the object store, by names in its folder. ``gently``: not while it runs here."""

    copy: Copy
    trial: str
    files: Mapping[str, Listed]
    wanted: Wanted
    gently: bool = True

    @property
    def folder(self) -> Path:
        return self.copy.trial_folder(self.trial)

    def fetch(self) -> str | None:
        running = latest(self.folder)
        if self.gently and running and is_ours(self.folder, running) and is_live(self.folder, running):
            return None  # its process would take its lease for lost
        result, damage = remote_result(self.copy, self.trial, self.files)
        chosen = self._chosen(None if result is None else result["attempt"].partition("-")[2])
        for number, digits in sorted(chosen.items()):
            self._fetch_attempt(number, digits)
        if result is not None:
            self._keep(result)
        return damage

    def _chosen(self, finished: str | None) -> dict[int, str]:
        """Number of each attempt to be fetched, and what it is called in the object store."""
        found: dict[int, str] = {}
        written: dict[str, float] = {}
        for name, listed in self.files.items():
            digits = (attempt_at(name) or (lease_at(name),))[0]
            if digits is not None:
                written[digits] = max(written.get(digits, 0.0), listed.written)
        # Two copies may have given the same number, while one of them did not reach the object store: the later stands.
        for digits in sorted(written, key=lambda digits: (digits == finished, written[digits])):
            number, token = apart(digits)
            if digits == finished or token == self.copy.token or not is_ours(self.folder, number):
                found[number] = digits
        return found

    def _fetch_attempt(self, number: int, digits: str) -> None:
        attempt, here = self.folder / attempt_name(number), read_lease(self.folder, number)
        ours = apart(digits)[1] == self.copy.token
        if not ours and here is not None and here[0].get("origin") != digits:  # another one's, of which this takes the place
            shutil.rmtree(attempt, ignore_errors=True)
            lease_path(self.folder, number).unlink(missing_ok=True)
        attempt.mkdir(parents=True, exist_ok=True)
        for name, listed in self.files.items():
            its, file = attempt_at(name) or ("", "")
            if its == digits and self.wanted(self.trial, file):
                path = attempt / (EPOCHS if file == EPOCHS_FILE else file)
                if not (path.exists() if ours else is_current(path, listed)):
                    with suppress(FileNotFoundError):  # a checkpoint that was replaced by the result meanwhile
                        self._fetch_file(name, path, listed)
        lease = self.files.get(f"lease-{digits}.json")
        path = lease_path(self.folder, number)
        if lease is not None and not (path.exists() if ours else is_current(path, lease)):
            self._fetch_lease(path, digits, lease)

    def _fetch_file(self, name: str, path: Path, listed: Listed) -> None:
        remote = f"store/trials/{self.trial}/{name}"
        if path.name == EPOCHS:
            path.mkdir(exist_ok=True)
            for epoch, (content, written) in self._epochs(remote).items():
                if re.fullmatch(r"\d+\.json", epoch) and (not (path / epoch).exists()):
                    _write(path / epoch, content, written)
        else:
            self.copy.store.fetch(remote, path)
        date_as(path, listed)

    def _epochs(self, remote: str) -> dict[str, tuple[str, float]]:
        try:
            return dict(json.loads(self.copy.store.read(remote)))
        except ValueError:  # damaged. Scores do without
            return {}

    def _fetch_lease(self, path: Path, digits: str, listed: Listed) -> None:
        try:
            said = json.loads(self.copy.store.read(f"store/trials/{self.trial}/lease-{digits}.json"))
        except (FileNotFoundError, ValueError):
            return
        write_json(path, said if apart(digits)[1] == self.copy.token else {**said, "origin": digits})
        os.utime(path, (listed.written, listed.written))

    def _keep(self, result: dict[str, Any]) -> None:
        attempt = local_name(result["attempt"].partition("-")[2])
        (self.folder / attempt).mkdir(parents=True, exist_ok=True)
        known = usable_result(self.folder)
        content = {**result, "attempt": attempt}
        if known != content:
            write_json(self.folder / RESULT, content)
            if known is None:
                costs.note(self.folder, content)


def is_current(path: Path, listed: Listed) -> bool:
    """Tell whether a file here is the one that was listed, or was written after it."""
    try:
        return path.stat().st_mtime >= listed.written
    except FileNotFoundError:
        return False


def date_as(path: Path, listed: Listed) -> None:
    """Give what was fetched the time of its writing; what may change once more within that second is fetched again."""
    fresh = time.time() - listed.written < FRESH
    when = listed.written - 1 if fresh else listed.written
    os.utime(path, (when, when))


def _write(path: Path, content: str, written: float) -> None:
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(content, encoding="utf-8")
    os.utime(partial, (written, written))
    os.replace(partial, path)
