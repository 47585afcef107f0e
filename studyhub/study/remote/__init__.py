"""Homes in an object store (s3://, gs://): every process works on a copy on its machine, and what it makes goes to the store.

For a home that is a folder nothing here does anything, so that nobody who works with a home need know which of the two it is.
"""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from studyhub.errors import StoreError
from studyhub.study.leases import repeating
from studyhub.study.remote.at_work import PATIENCE, STEP, AtWork
from studyhub.study.remote.copies import copy_of, locate, origin
from studyhub.study.remote.fetching import fetch, lacking
from studyhub.study.remote.launch import alone
from studyhub.study.remote.sending import made
from studyhub.study.remote.study_files import fetch_studies, send_report, send_study
from studyhub.study.remote.wanted import ALL, PROGRESS, STATE, first_finished, of_level, searched, to_go_on_from, trials_of
from studyhub.study.store import Store
from studyhub.study.wording import listed

__all__ = [
    "ALL",
    "PROGRESS",
    "REPORT",
    "STATE",
    "is_copy",
    "launching",
    "locate",
    "named",
    "origin",
    "pull",
    "pull_plan",
    "pull_study",
    "pull_trials",
    "push",
    "reports",
    "working",
]

REPORT = "report"  # as PROGRESS, and of each arm and fold one trial with all that it simulated

Say = Callable[[str], None]
to_stderr: Say = partial(print, file=sys.stderr)


def pull(home: Path, study: str | None = None, *, want: str = PROGRESS, say: Say = to_stderr) -> None:
    """Bring a study up to date in the copy of a home: its files and its trials; all studies where none is named.

    Parameters
    ----------
    want : how much of each trial: `STATE`, `PROGRESS`, `REPORT`, or `ALL`
    say : told of results that cannot be used

    Raises
    ------
    StoreError
        The object store does not answer, or has no such study.
    """
    copy = copy_of(home)
    if copy is None:
        return
    fetch_studies(copy, study)
    there = Store(home).studies()
    if study is not None and study not in there:
        with copy.reaching():
            known = sorted({name.split("/")[1] for name in copy.store.walk("studies") if name.endswith("/cells.json")})
        raise StoreError(f"there is no study {study!r} in {copy.uri}/studies; there are: {listed(known)}")
    for name in there if study is None else [study]:
        pull_study(home, name, want=want, say=say)


def pull_study(home: Path, study: str, *, want: str = PROGRESS, say: Say = to_stderr) -> None:
    """Bring the trials of a study up to date, by its files as they are here."""
    copy = copy_of(home)
    if copy is None:
        return
    store = Store(home)
    pull_trials(home, trials_of(store, study), want=PROGRESS if want == REPORT else want, say=say)
    if want == REPORT:
        whole = first_finished(store, study)
        fetch(copy, whole, of_level(PROGRESS, whole))


def pull_trials(home: Path, trials: Iterable[str], *, want: str = PROGRESS, say: Say = to_stderr) -> None:
    copy = copy_of(home)
    for damage in () if copy is None else fetch(copy, trials, of_level(want)):
        say(f"{damage}; the trial counts as not finished and will run again")


def pull_plan(home: Path, study: str, trials: Iterable[str], *, say: Say = to_stderr) -> None:
    """Bring what is to be known before a study is launched: how its trials stand, and what its searches have found.

    Parameters
    ----------
    trials : those that are planned; the study need not be there yet
    """
    copy = copy_of(home)
    if copy is None:
        return
    fetch_studies(copy)
    store, planned = Store(home), list(trials)
    if study in store.studies():
        pull_trials(home, searched(store, study), say=say)
        planned += trials_of(store, study)
    pull_trials(home, planned, want=STATE, say=say)


def push(home: Path, study: str, report: Path | None = None) -> None:
    """Send what a verb has made of a study: its files, results that the object store lacks, and the report in a folder."""
    copy = copy_of(home)
    if copy is None:
        return
    send_study(copy, study, {})
    store = Store(home)
    with copy.reaching():
        for trial in lacking(copy, [trial for trial in trials_of(store, study) if store.result(trial) is not None]):
            made(copy, trial).send_result()
    if report is not None:
        send_report(copy, study, report)


def is_copy(home: Path) -> bool:
    return copy_of(home) is not None


def named(home: Path, path: Path) -> str:
    """What a file or folder of a home is called: its path, or its URI where the home is the copy of one in an object store."""
    copy = copy_of(home)
    return str(path) if copy is None else f"{copy.uri}/{path.absolute().relative_to(copy.path).as_posix()}"


def reports(home: Path) -> Path:
    """Return the folder where reports are written: in the home, or here where that is in an object store."""
    return home / "reports" if copy_of(home) is None else Path("reports")


@contextmanager
def launching(home: Path, study: str, say: Say = to_stderr, warn: Say = to_stderr) -> Iterator[None]:
    """Launch a study, which no other launch may do meanwhile, and keep the object store up to date: see `alone`."""
    copy = copy_of(home)
    if copy is None:
        yield
        return
    with alone(copy, study, say, warn):
        yield


@contextmanager
def working(home: str | Path, trial: str, parent: str | None = None, stop: Path | None = None) -> Iterator[Path]:
    """Work at a trial: yields the home as a folder, with all that is needed to go on. Leaving it means that what was made is sent.

    Parameters
    ----------
    home : a folder, or the URI of one in an object store
    parent : trial whose weights this one starts from
    stop : file that ends the launch; it is made where a launch on another machine says so

    Raises
    ------
    StoreError
        The object store was away for ten minutes; what was made is kept here, and the next launch from here sends it.
    """
    path = locate(home, PATIENCE)
    copy = copy_of(path)
    if copy is None:
        yield path
        return
    needed = [trial] if parent is None else [trial, parent]
    fetch(replace(copy, patience=PATIENCE), needed, to_go_on_from(parent))
    work = AtWork(copy, trial, stop)
    try:
        with repeating(work.step, STEP, f"object-store-{trial}"):
            yield path
    finally:
        work.finish()
