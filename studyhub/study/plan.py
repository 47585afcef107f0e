"""From a study to its trials: cells (arm x fold x seed), and the id that says what a trial is."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any, Protocol

from studyhub.catalog import ATTRIBUTE_SETS, FORCING_SETS, variables
from studyhub.errors import DataError
from studyhub.study.cells import Cell
from studyhub.study.resolve import Arm, meaningful
from studyhub.study.settings import Period, Trial
from studyhub.study.shape import ShardFolder
from studyhub.study.spec import StudySpec
from studyhub.study.versions import SCIENCE_VERSION
from studyhub.study.wording import listed, nearest

FOLD = 1  # a temporal split has one


class Facts(Protocol):
    """What a plan needs to know of the data. A shards folder's manifest has it all."""

    @property
    def basins(self) -> tuple[str, ...]: ...

    @property
    def period(self) -> Period: ...

    def hash(self, basins: Iterable[str], variables: Iterable[str], /) -> str: ...


@dataclass(frozen=True)
class DataFacts:
    """Facts as plain values, for data that has no manifest yet."""

    basins: tuple[str, ...]
    period: Period
    hash: Callable[[Iterable[str], Iterable[str]], str]


@dataclass(frozen=True)
class Plan:
    """Every cell of a study, and every trial by its id. One trial may serve cells of several studies."""

    cells: tuple[Cell, ...]
    trials: dict[str, Trial]


def plan(spec: StudySpec, data: Facts) -> Plan:
    """Enumerate a study's cells in the order of its arms, then seeds.

    Raises
    ------
    DataError
        The study chooses basins that the data does not have, or none at all.
    """
    basins = chosen_basins(spec, data)
    hashes = {used: data.hash(basins, used) for used in {variables(arm.model) for arm in spec.arms}}
    cells, trials = [], {}
    for arm in spec.arms:
        for seed in spec.seeds:
            trial = Trial(arm.model, arm.training, spec.split, basins, basins, seed, hashes[variables(arm.model)])
            name = trial_id(trial)
            cells.append(Cell(arm.name, FOLD, seed, name))
            trials[name] = trial
    return Plan(tuple(cells), trials)


def chosen_basins(spec: StudySpec, data: Facts) -> tuple[str, ...]:
    """Basins that the study uses, in the order of the data."""
    chosen = spec.data
    if not isinstance(chosen, ShardFolder):
        return data.basins
    known = set(data.basins)
    wanted = data.basins if chosen.basins == "all" else chosen.basins
    for key, given in (("basins", wanted), ("exclude", chosen.exclude)):
        absent = [basin for basin in given if basin not in known]
        if absent:
            message = f"`data.{key}` names basins that {chosen.shards} does not have: {listed(absent)}; {nearest(absent[0], data.basins)}"
            raise DataError(message)
    used = set(wanted) - set(chosen.exclude)
    basins = tuple(basin for basin in data.basins if basin in used)
    if not basins:
        raise DataError(f"`data` leaves no basin of the {len(data.basins)} in {chosen.shards}; exclude fewer")
    return basins


def trial_id(trial: Trial) -> str:
    """16 hex digits that stand for everything that could change a trial's results.

    Arm names, resources, claims and paths are no part of a Trial, so they never change it.
    """
    parts = {field.name: _part(getattr(trial, field.name)) for field in fields(trial)}
    return _digest({"trial": parts, "science_version": SCIENCE_VERSION})


def _part(value: Any) -> Any:
    return value if isinstance(value, str | int) else _hashed(value)


@lru_cache(maxsize=4096)
def _hashed(value: Any) -> str:
    # Trials of one study share their parts: hashing these once makes ten thousand trials a matter of a second.
    return _digest(value if isinstance(value, tuple) else {type(value).__name__: asdict(value)})


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(arms: Sequence[Arm]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Tell arms apart: the keys in which they differ, and for each arm its name and its values of these keys.

    A value that means nothing for an arm's model is shown as ``-``.
    """
    settings = [_settings(arm) for arm in arms]
    every = dict.fromkeys(key for known in settings for key in known)
    keys = [key for key in every if len({known[key] for known in settings if key in known}) > 1]
    rows = [(arm.name, *(known.get(key, "-") for key in keys)) for arm, known in zip(arms, settings, strict=True)]
    return tuple(keys), rows


def _settings(arm: Arm) -> dict[str, str]:
    named = {names: name for sets in (FORCING_SETS, ATTRIBUTE_SETS) for name, names in sets.items()}
    return {key: named.get(value) or _cell(value) for key, value in meaningful(arm).items() if key != "may_diverge"}


def _cell(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case tuple():
            return " ".join(f"{item[0]}:{item[1]:g}" if isinstance(item, tuple) else str(item) for item in value) or "none"
        case _:
            return str(value)


def describe(spec: StudySpec, plan: Plan) -> str:
    """Say in a few lines of text what a study will run: its question, its trials, its claims, and what differs between its arms."""
    keys, rows = differences(spec.arms)
    split = spec.split
    lines = [
        f"study      {spec.name}: {spec.question}",
        f"trials     {len(plan.trials)} ({len(spec.arms)} arms x {len(spec.seeds)} seeds), {_basins(plan)} basins",
        f"periods    train {split.train}, validation {split.validation or 'none'}, test {split.test}",
        *(f"claim      {claim.better} is better than {claim.than} in {claim.metric}" for claim in spec.compare),
        "",
        *_columns([("arm", *keys), *rows]),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _basins(plan: Plan) -> int:
    return max(len(trial.test_basins) for trial in plan.trials.values())


def _columns(rows: Sequence[tuple[str, ...]], widest: int = 32) -> list[str]:
    rows = [tuple(text if len(text) <= widest else text[: widest - 3] + "..." for text in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
