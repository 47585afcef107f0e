"""From a study to its trials: cells (arm x fold x seed), and the id that says what a trial is."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from typing import Any, Protocol

from studyhub.catalog import ATTRIBUTE_SETS, FORCING_SETS, TARGET, variables
from studyhub.errors import DataError
from studyhub.study.cells import Cell
from studyhub.study.external import SEED, ExternalArm, content_hash
from studyhub.study.resolve import Arm, meaningful
from studyhub.study.settings import Columns, External, Period, Trial
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
    """Every cell of a study, and by its id every trial that trains and every simulation from elsewhere. Other studies may share them."""

    cells: tuple[Cell, ...]
    trials: dict[str, Trial]
    externals: dict[str, External] = field(default_factory=dict)

    @property
    def basins(self) -> tuple[str, ...]:
        """Basins that any trial is judged on."""
        distinct = dict.fromkeys(trial.test_basins for trial in (*self.trials.values(), *self.externals.values()))
        return tuple(dict.fromkeys(basin for basins in distinct for basin in basins))


def plan(spec: StudySpec, data: Facts) -> Plan:
    """Enumerate a study's cells in the order of its arms, then seeds.

    Raises
    ------
    DataError
        The study chooses basins that the data does not have, or none at all; or an external arm's table cannot be read.
    """
    basins = chosen_basins(spec, data)
    hashes = {used: data.hash(basins, used) for used in {variables(arm.model) for arm in spec.arms if isinstance(arm, Arm)}}
    cells, trials, externals = [], {}, {}
    for arm in spec.arms:
        if isinstance(arm, ExternalArm):
            external = External(content_hash(arm), arm.columns, spec.split.test, basins, data.hash(basins, (TARGET,)))
            cells.append(Cell(arm.name, FOLD, SEED, trial_id(external)))
            externals[cells[-1].trial] = external
            continue
        for seed in spec.seeds:
            trial = Trial(arm.model, arm.training, spec.split, basins, basins, seed, hashes[variables(arm.model)])
            name = trial_id(trial)
            cells.append(Cell(arm.name, FOLD, seed, name))
            trials[name] = trial
    return Plan(tuple(cells), trials, externals)


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


def trial_id(trial: Trial | External) -> str:
    """16 hex digits that stand for everything that could change a trial's results.

    Arm names, resources, claims and paths are no part of a trial, so they never change it.
    """
    parts = {field.name: _part(getattr(trial, field.name)) for field in fields(trial)}
    if isinstance(trial, External):
        return _digest({"external": parts, "science_version": SCIENCE_VERSION["evaluation"]})
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


def differences(arms: Sequence[Arm | ExternalArm]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Tell arms apart: the keys in which they differ, and for each arm its name and its values of these keys.

    A value that means nothing for an arm's model is shown as ``-``.
    """
    settings = [level_texts(arm) for arm in arms]
    every = dict.fromkeys(key for known in settings for key in known)
    keys = [key for key in every if len({known[key] for known in settings if key in known}) > 1]
    rows = [(arm.name, *(known.get(key, "-") for key in keys)) for arm, known in zip(arms, settings, strict=True)]
    return tuple(keys), rows


def level_texts(arm: Arm | ExternalArm) -> dict[str, str]:
    """Each key that has a meaning for this arm, with its level as a table shows it."""
    if isinstance(arm, ExternalArm):
        return {"model": "external", "external": arm.table.name, "columns": _called(arm.columns)}
    named = {names: name for sets in (FORCING_SETS, ATTRIBUTE_SETS) for name, names in sets.items()}
    return {key: named.get(value) or _cell(value) for key, value in meaningful(arm).items() if key != "may_diverge"}


def _called(columns: Columns) -> str:
    return " ".join(f"{name}:{called}" for name, called in asdict(columns).items() if name != called) or "as they are"


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
        f"trials     {_trials(spec, plan)}, {len(plan.basins)} basins",
        f"periods    train {split.train}, validation {split.validation or 'none'}, test {split.test}",
        *(f"claim      {claim.better} is better than {claim.than} in {claim.metric}" for claim in spec.compare),
        "",
        *_columns([("arm", *keys), *rows]),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _trials(spec: StudySpec, plan: Plan) -> str:
    trained = sum(isinstance(arm, Arm) for arm in spec.arms)
    parts = [f"{len(plan.trials)} ({trained} arms x {len(spec.seeds)} seeds)"] if trained else []
    if plan.externals:
        parts.append(f"{len(plan.externals)} external")
    return " and ".join(parts)


def _columns(rows: Sequence[tuple[str, ...]], widest: int = 32) -> list[str]:
    rows = [tuple(text if len(text) <= widest else text[: widest - 3] + "..." for text in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
