"""What a tracker is to show of a study's trials: read from the store, as plain values."""

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from studyhub.runner import measures
from studyhub.runner.measures import SCORES, SEARCH, TEST, Point, is_number, loss_of, milliseconds
from studyhub.runner.members import Member, members
from studyhub.runner.views import colour, views
from studyhub.study.epochs import Epoch as Read
from studyhub.study.epochs import read_epochs
from studyhub.study.files import read_json
from studyhub.study.leases import ENDS, FAILURE, RESULT, STOPPED, attempt_name, lease_path
from studyhub.study.spec import StudySpec, read
from studyhub.study.standing import Standing
from studyhub.study.store import Store, StoredStudy, settings_hash
from studyhub.study.troubles import in_words

LONGEST = 5000  # characters of a text that MLflow keeps whole
MADE_WITH = ("commit", "dirty", "device", "dtype", "host", "platform", "python", "cpu")


@dataclass(frozen=True)
class Epoch:
    """One epoch of a trial; ``loss`` is None where it is no number."""

    number: int
    loss: float | None
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Run:
    """One trial as it stands. ``begun`` and ``ended`` are in ms since 1970; ``ended`` is None for a trial that runs."""

    trial: str
    name: str
    state: str
    attempt: int
    params: dict[str, str]
    tags: dict[str, str]
    begun: int
    ended: int | None = None


@dataclass(frozen=True)
class Ending:
    """What there is of a trial that has come to an end or to a rung: numbers of the whole trial, and files to keep with it."""

    points: tuple[Point, ...] = ()
    files: tuple[Path, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


class StudyRuns:
    """The runs of a study as it was last launched: ``members`` by trial, ``views`` for the tracker's pages; ``tags`` go on every run."""

    def __init__(self, store: Store, name: str, tags: Mapping[str, str]):
        self.store, self.name, self.tags = store, name, tags
        self.members: dict[str, Member] = {}
        self.question, self.views = "", {}
        self._study: StoredStudy | None = None
        self._searches: list[dict[str, Any]] = []
        self._tags: dict[str, str] = {}
        self._colours: dict[str, str] = {}
        self._stamp: tuple[int, ...] = ()
        self._epochs: dict[str, dict[Path, Read]] = {}

    def refresh(self) -> bool:
        """Read the study again if it was written since; tell whether that changes what is shown of all its trials."""
        folder = self.store.study_folder(self.name)
        paths = [folder / name for name in ("spec.yaml", "cells.json", "data.json", "searches.json")]
        stamp = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)
        if self._study is not None and stamp == self._stamp:
            return False
        study, spec = self.store.read_study(self.name), read(folder / "spec.yaml", name=self.name)
        searches = self.store.searches(self.name)
        changed = study != self._study
        self._study, self._searches, self._stamp = study, searches, stamp
        self.question, self.views = spec.question[:LONGEST], views(spec, searches)
        self._colours = {arm.name: colour(place) for place, arm in enumerate(spec.arms)}
        self.members = members(spec, study.cells, searches)
        self._tags = {**self.tags, "study": self.name, "spec_hash": settings_hash(study.spec_text), "data_source": _source(spec, study)}
        self._tags |= {"manifest_hash": str(study.data["hash"])} if "hash" in study.data else {}
        return changed

    def run(self, member: Member, standing: Standing) -> Run:
        """Describe a trial that was begun."""
        folder, state, result = self.store.trial_folder(member.trial), standing.state, standing.result
        params = dict(member.params)
        tags = params | self._tags | {"trial": member.trial, "state": state, "attempt": str(standing.attempt)}
        tags |= {"search": str(member.number is not None).lower(), "mlflow.runColor": self._colours[member.arm]}
        tags |= {"parent": member.parent} if member.parent else {}
        if state in ENDS:
            tags |= _provenance(result)
        rung = _rung(folder / attempt_name(standing.attempt)) if member.number is not None and state == "stopped" else None
        if rung is not None:
            tags["mlflow.note.content"] = f"trained to epoch {rung}, where its search compares"
        cause = standing.failure.get("cause") if state == "failed" else result.get("cause")
        if cause is not None:
            tags["cause"] = tags["mlflow.note.content"] = in_words(cause) or ""
        ended = None if state == "running" else _ended(folder, state, standing.attempt)
        begun = _begun(folder, ended, result)
        return Run(member.trial, member.name, state, standing.attempt, _clipped(params), _clipped(tags), begun, ended)

    def epochs(self, trial: str, attempt: int) -> dict[int, Epoch]:
        """Epochs of a trial, by number; those that were read are not read again."""
        found = read_epochs(self.store.trial_folder(trial), attempt, self._epochs.setdefault(trial, {}))
        return {epoch.number: Epoch(epoch.number, loss_of(epoch), measures.of_epoch(epoch)) for epoch in found}

    def ending(self, run: Run, result: Mapping[str, Any]) -> Ending:
        """What a trial came to that does not run."""
        member, folder, at = self.members[run.trial], self.store.trial_folder(run.trial), run.ended or 0
        scores = folder / attempt_name(run.attempt) / SCORES
        points, trouble = (), None
        if member.number is not None:
            attempts = [folder / attempt_name(number) for number in range(1, run.attempt + 1)]
            final, epochs = (scores if run.state == "finished" else None), result.get("epochs")
            points, trouble = measures.of_search(attempts, final, epochs if isinstance(epochs, int) else 0, member.objectives)
        elif run.state == "finished":
            points, trouble = measures.of_test(scores, at)
        if run.state not in ENDS:
            return Ending(points)
        points += measures.of_result(result, TEST if member.number is None else SEARCH, at)
        files = tuple(file for file in (folder / RESULT, scores) if file.is_file())
        return Ending(points, files, {} if trouble is None else {"scores": trouble})

    def forget(self, trial: str) -> None:
        """Drop the epochs of a trial that has ended."""
        self._epochs.pop(trial, None)


def same(a: float | None, b: float | None) -> bool:
    """Tell whether two losses are one, given that a tracker may have rounded the last digit of one of them."""
    return a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-12))


def _rung(attempt: Path) -> int | None:
    try:
        return (read_json(attempt / STOPPED) or {}).get("rung")
    except ValueError:
        return None


def _ended(folder: Path, state: str, attempt: int) -> int:
    last = folder / attempt_name(attempt)
    file = folder / RESULT if state in ENDS else last / (FAILURE if state == "failed" else STOPPED)
    # A process that died left no word of its end; its last heartbeat is near it.
    times = [milliseconds(path) for path in (file, lease_path(folder, attempt))]
    return next((time for time in times if time), 0)


def _begun(folder: Path, ended: int | None, result: Mapping[str, Any]) -> int:
    """When it began. One that has ended is shown as long as its attempts took together, not as long as it lay between them."""
    if ended is not None and is_number(result.get("seconds")):
        return ended - round(1000 * result["seconds"])
    lease = lease_path(folder, 1)
    try:
        return round(1000 * datetime.fromisoformat((read_json(lease) or {})["begun"]).timestamp())
    except (ValueError, KeyError, TypeError):
        # An older lease does not say it, and its file's time moves on with every heartbeat.
        known = [milliseconds(lease), milliseconds(folder / attempt_name(1) / "epochs" / "0001.json")]
        return min(filter(None, known), default=ended or 0)


def _clipped(texts: Mapping[str, str]) -> dict[str, str]:
    return {key: text[:LONGEST] for key, text in texts.items()}


def _source(spec: StudySpec, study: StoredStudy) -> str:
    given = {key: value for key, value in spec.data.model_dump().items() if value not in (None, ())}
    if "shards" in given:
        return f"{study.data.get('source', 'shards')}: {', '.join(given['shards'])}"
    return ", ".join(f"{key} {value}" for key, value in given.items())


def _provenance(result: Mapping[str, Any]) -> dict[str, str]:
    """Tags that say what a result was made with; what was not recorded is left out."""
    made = result.get("provenance") or {}
    found = {key: made.get(key) for key in MADE_WITH}
    found |= {"data_hash": result.get("data"), "cpus": result.get("cpus"), "weights": result.get("parameters")}
    found |= {"backend": (result.get("test_solve") or {}).get("backend"), "kept_epoch": result.get("kept_epoch")}
    found |= {f"package.{name}": version for name, version in (made.get("packages") or {}).items()}
    # MLflow's own names, which its pages show in columns of their own.
    found |= {"mlflow.source.git.commit": made.get("commit"), "mlflow.source.name": "studyhub", "mlflow.source.type": "LOCAL"}
    return {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in found.items() if value is not None}


def digest(study: StoredStudy, searched: Iterable[str], looks: Mapping[str, tuple[str, int]]) -> str:
    """Hash of all that decides which runs a study has, and whether they have ended.

    Parameters
    ----------
    searched : trials of its searches
    """
    cells = [[cell.arm, cell.fold, cell.seed, cell.trial] for cell in study.cells]
    content = [settings_hash(study.spec_text), cells, list(searched), dict(looks)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
