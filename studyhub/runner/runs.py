"""What a tracker is to show of a study's trials: read from the store, as plain values."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studyhub.catalog import METRICS
from studyhub.runner.views import colour, views
from studyhub.study.cells import Cell
from studyhub.study.describe import level_texts
from studyhub.study.files import read_json
from studyhub.study.leases import ENDS, FAILURE, RESULT, STOPPED, attempt_name, latest
from studyhub.study.spec import StudySpec, read
from studyhub.study.status import in_words
from studyhub.study.store import Store, StoredStudy, settings_hash

SCORES, TEST = "scores.parquet", "test"
MEANINGLESS = "-"
LONGEST = 5000  # characters of a text that MLflow keeps whole

EPOCH = {"loss": "loss", "validation": "validation", "seconds": "epoch_seconds", "updates": "epoch_updates"}
SOLVE = {
    "iterations": "iterations_per_unit_day",
    "unconverged": "unconverged_unit_days",
    "cut_days": "cut_unit_days",
    "below_zero": "below_zero_unit_days",
    "residual": "worst_residual_in_tolerances",
    "balance": "water_balance_error_mm_per_day",
}
ENDING = ("seconds", "seconds_per_update", "peak_memory_mib")
MADE_WITH = ("commit", "dirty", "device", "dtype", "host", "platform", "python", "cpu")


@dataclass(frozen=True)
class Point:
    """One value of a metric. ``at`` is the time of its file, in ms since 1970: the same whenever it is read."""

    name: str
    value: float
    step: int
    at: int


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
    """What there is of a trial that has a result: numbers of the whole trial, and files to keep with it."""

    points: tuple[Point, ...] = ()
    files: tuple[Path, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


class StudyRuns:
    """The runs of a study as it was last launched: ``cells`` by trial, ``views`` for the tracker's own pages; ``tags`` go on every run."""

    def __init__(self, store: Store, name: str, tags: Mapping[str, str]):
        self.store, self.name, self.tags = store, name, tags
        self.cells: dict[str, Cell] = {}
        self.question, self.views = "", {}
        self._study: StoredStudy | None = None
        self._params: dict[str, dict[str, str]] = {}
        self._tags: dict[str, str] = {}
        self._colours: dict[str, str] = {}
        self._stamp: tuple[int, ...] = ()
        self._epochs: dict[tuple[str, int], dict[int, Epoch]] = {}

    def refresh(self) -> bool:
        """Read the study again if it was written since; tell whether it has changed."""
        folder = self.store.study_folder(self.name)
        paths = [folder / name for name in ("spec.yaml", "cells.json", "data.json")]
        stamp = tuple(path.stat().st_mtime_ns if path.exists() else 0 for path in paths)
        if self._study is not None and stamp == self._stamp:
            return False
        study = self.store.read_study(self.name)
        spec = read(folder / "spec.yaml", name=self.name)
        changed = study != self._study
        self._study, self._stamp = study, stamp
        self.question, self.views = spec.question[:LONGEST], views(spec)
        self._params, self._colours = _params(spec), {arm.name: colour(place) for place, arm in enumerate(spec.arms)}
        # Another launch may be writing: a cell whose arm the study does not know yet comes with the next look.
        self.cells = {cell.trial: cell for cell in study.cells if cell.arm in self._params}
        self._tags = {**self.tags, "study": self.name, "spec_hash": settings_hash(study.spec_text), "data_source": _source(spec, study)}
        self._tags |= {"manifest_hash": str(study.data["hash"])} if "hash" in study.data else {}
        return changed

    def look(self, trial: str) -> tuple[str, int]:
        """State of a trial, and the number of the attempt that is in it (0 while it is pending)."""
        result = self.store.result(trial)
        if result is not None:
            return result["state"], _number_of(result["attempt"])
        return self.store.state(trial), latest(self.store.trial_folder(trial))

    def run(self, cell: Cell, state: str, attempt: int) -> Run:
        """Describe a trial that was begun."""
        folder = self.store.trial_folder(cell.trial)
        params = self._params[cell.arm] | {"arm": cell.arm, "fold": str(cell.fold), "seed": str(cell.seed)}
        tags = params | self._tags | {"trial": cell.trial, "state": state, "attempt": str(attempt)}
        tags["mlflow.runColor"] = self._colours[cell.arm]
        result = self.store.result(cell.trial) or {}
        if state in ENDS:
            tags |= _provenance(result)
        cause = (self.store.failure(cell.trial) or {}).get("cause") if state == "failed" else result.get("cause")
        if cause is not None:
            tags["cause"] = tags["mlflow.note.content"] = in_words(cause) or ""
        ended = None if state == "running" else self._ended(folder, state, attempt)
        begun = self._begun(folder, ended, result)
        return Run(cell.trial, self._name_of(cell), state, attempt, _clipped(params), _clipped(tags), begun, ended)

    def _name_of(self, cell: Cell) -> str:
        fold = f", fold {cell.fold}" if any(other.fold > 1 for other in self.cells.values()) else ""
        return f"{cell.arm}{fold}, seed {cell.seed}"

    def _ended(self, folder: Path, state: str, attempt: int) -> int:
        last = folder / attempt_name(attempt)
        file = folder / RESULT if state in ENDS else last / (FAILURE if state == "failed" else STOPPED)
        # A process that died left no word of its end; its last heartbeat is near it.
        times = [_milliseconds(path) for path in (file, folder / f"lease-{attempt:03}.json")]
        return next((time for time in times if time), 0)

    def _begun(self, folder: Path, ended: int | None, result: Mapping[str, Any]) -> int:
        """When the first attempt began, as near as the files tell: a lease's time moves on with every heartbeat."""
        first = folder / attempt_name(1) / "epochs" / "0001.json"
        known = [_milliseconds(folder / "lease-001.json"), _milliseconds(first)]
        if ended is not None and _is_number(result.get("seconds")):
            known.append(ended - round(1000 * result["seconds"]))
        return min(filter(None, known), default=ended or 0)

    def epochs(self, trial: str, attempt: int) -> dict[int, Epoch]:
        """Epochs of a trial, by number; those that were read are not read again.

        A later attempt repeats the epochs of an earlier one, which then stand for both. Where it does not (on another machine, say), only
        its own count.
        """
        kept: dict[int, Epoch] = {}
        for number in range(1, attempt + 1):
            its = self._epochs_of(trial, number)
            if any(n in kept and not same(kept[n].loss, epoch.loss) for n, epoch in its.items()):
                kept = {}
            kept = its | kept
        return dict(sorted(kept.items()))

    def _epochs_of(self, trial: str, attempt: int) -> dict[int, Epoch]:
        known = self._epochs.setdefault((trial, attempt), {})
        for path in (self.store.trial_folder(trial) / attempt_name(attempt) / "epochs").glob("[0-9]*.json"):
            if path.stem.isdecimal() and int(path.stem) not in known:
                epoch = _epoch(path)
                if epoch is not None:
                    known[epoch.number] = epoch
        return known

    def ending(self, run: Run) -> Ending:
        """What a finished or diverged trial came to."""
        folder = self.store.trial_folder(run.trial)
        result, at = self.store.result(run.trial) or {}, run.ended or 0
        values = {name: result.get(name) for name in ENDING}
        solve = result.get("test_solve") or {}
        values |= {f"test_{name}": solve.get(key) for key, name in SOLVE.items()}
        path, trouble = folder / attempt_name(run.attempt) / SCORES, None
        if run.state == "finished":
            scores, trouble = _medians(path)
            values |= scores
        files = tuple(file for file in (folder / RESULT, path) if file.is_file())
        return Ending(tuple(_points(values, 0, at)), files, {} if trouble is None else {"scores": trouble})

    def forget(self, trial: str) -> None:
        """Drop the epochs of a trial that has ended."""
        for key in [key for key in self._epochs if key[0] == trial]:
            del self._epochs[key]


def same(a: float | None, b: float | None) -> bool:
    """Tell whether two losses are one, given that a tracker may have rounded the last digit of one of them."""
    return a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=1e-12))


def _params(spec: StudySpec) -> dict[str, dict[str, str]]:
    """Each arm's levels in words. A key that means nothing for an arm is "-": charts of factors leave out runs that lack one."""
    levels = {arm.name: level_texts(arm) | {"may_diverge": str(arm.may_diverge).lower()} for arm in spec.arms}
    every = dict.fromkeys((key for known in levels.values() for key in known), MEANINGLESS)
    return {arm: every | known for arm, known in levels.items()}


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


def _epoch(path: Path) -> Epoch | None:
    """Read an epoch; None while it is being written."""
    try:
        content = read_json(path)
    except ValueError:
        return None
    if content is None:
        return None
    values = {name: content.get(key) for key, name in EPOCH.items()}
    values |= {name: (content.get("solve") or {}).get(key) for key, name in SOLVE.items()}
    points = tuple(_points(values, int(path.stem), _milliseconds(path) or 0))
    return Epoch(int(path.stem), next((point.value for point in points if point.name == "loss"), None), points)


def _medians(path: Path) -> tuple[dict[str, Any], str | None]:
    """Median of each metric over basins, and why there is none."""
    import pandas as pd

    try:
        scores = pd.read_parquet(path).query(f"period == '{TEST}'")
        medians = scores[[name for name in METRICS if name in scores.columns]].median()
        return {f"test_{name}": value for name, value in medians.items()} | {"test_basins": len(set(scores["basin"]))}, None
    except (OSError, ValueError, KeyError, TypeError, NameError) as error:
        return {}, f"{path.name} cannot be read ({(str(error).splitlines() or [''])[0]})"


def _points(values: Mapping[str, Any], step: int, at: int) -> Iterator[Point]:
    for name, value in values.items():
        if _is_number(value):
            yield Point(name, float(value), step, at)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _number_of(attempt: str) -> int:
    number = attempt.rpartition("-")[2]
    return int(number) if number.isdecimal() else 0


def _milliseconds(path: Path) -> int | None:
    try:
        return path.stat().st_mtime_ns // 1_000_000
    except OSError:
        return None


def digest(study: StoredStudy, looks: Mapping[str, tuple[str, int]]) -> str:
    """Hash of all that decides which runs a study has, and whether they have ended."""
    content = [settings_hash(study.spec_text), [[cell.arm, cell.fold, cell.seed, cell.trial] for cell in study.cells], dict(looks)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
