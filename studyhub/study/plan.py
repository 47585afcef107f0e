"""From a study to its trials: cells (arm x fold x seed), and the id that says what a trial is."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import lru_cache
from typing import Any, Protocol

from studyhub.catalog import ATTRIBUTE_SETS, FORCING_SETS, TARGET, variables
from studyhub.errors import DataError
from studyhub.study import splits
from studyhub.study.cells import Cell
from studyhub.study.external import SEED, ExternalArm, content_hash
from studyhub.study.resolve import Arm, meaningful
from studyhub.study.settings import Columns, External, Period, Training, Trial
from studyhub.study.shape import ShardFolder
from studyhub.study.spec import StudySpec
from studyhub.study.splits import Fold, LeftOut
from studyhub.study.versions import SCIENCE_VERSION
from studyhub.study.wording import listed, nearest


class Facts(splits.Facts, Protocol):
    """What a plan needs to know of the data. A shards folder's manifest has it all."""

    @property
    def basins(self) -> tuple[str, ...]: ...

    @property
    def variables(self) -> tuple[str, ...]: ...

    @property
    def attribute_names(self) -> tuple[str, ...]: ...

    @property
    def quality(self) -> Mapping[str, Any]:
        """Checks that were made; what they flagged is a basin's fact ``flagged``."""
        ...

    def hash(self, basins: Iterable[str], variables: Iterable[str], /) -> str: ...


@dataclass(frozen=True)
class DataFacts:
    """Facts as plain values, for data that has no manifest yet. Of its basins nothing is known but their names."""

    basins: tuple[str, ...]
    variables: tuple[str, ...]
    attribute_names: tuple[str, ...]
    hash: Callable[[Iterable[str], Iterable[str]], str]
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)

    def observed_days(self, basin: str, period: Period) -> int:
        raise AssertionError(f"{basin}, {period}: a study that needs such facts is planned with a manifest")


@dataclass(frozen=True)
class Plan:
    """Every cell of a study, and by its id every trial that trains and every simulation from elsewhere. Other studies may share them.

    ``folds`` are those that the cells count; ``left_out`` are basins of the study's data that take no part in it, or not in all of it.
    """

    cells: tuple[Cell, ...]
    trials: dict[str, Trial]
    externals: dict[str, External] = field(default_factory=dict)
    folds: tuple[Fold, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    @property
    def basins(self) -> tuple[str, ...]:
        """Basins that any trial is judged on."""
        distinct = dict.fromkeys(trial.test_basins for trial in (*self.trials.values(), *self.externals.values()))
        return tuple(dict.fromkeys(basin for basins in distinct for basin in basins))


def plan(spec: StudySpec, data: Facts) -> Plan:
    """Enumerate a study's cells in the order of its arms, then folds, then seeds.

    Raises
    ------
    DataError
        The study chooses basins that the data do not have, or none at all; its folds cannot be made; an arm needs what the data lack; or an
        external arm's table cannot be read.
    """
    require(spec, data)
    basins, flagged = chosen_basins(spec, data)
    division = spec.division
    folds, left_out = splits.divide(division.rule, division.records, division.split, data, basins)
    hashed = _Hashes(data)
    cells, trials, externals = [], {}, {}
    for arm in spec.arms:
        if isinstance(arm, ExternalArm):
            table = content_hash(arm)
            for fold in folds:
                external = External(table, arm.columns, spec.split.test, fold.test_basins, hashed.of(fold.test_basins, (TARGET,)))
                cells.append(Cell(arm.name, fold.number, SEED, trial_id(external)))
                externals[cells[-1].trial] = external
            continue
        used = variables(arm.model)
        for fold in folds:
            content = hashed.of(fold.train_basins + fold.test_basins, used)
            for seed in spec.seeds:
                training = _of_fold(arm.training, fold)
                trial = Trial(arm.model, training, spec.split, fold.train_basins, fold.test_basins, seed, content, fill=spec.data.fill)
                name = trial_id(trial)
                cells.append(Cell(arm.name, fold.number, seed, name))
                trials[name] = trial
    return Plan(tuple(cells), trials, externals, folds, (*flagged, *left_out))


def _of_fold(training: Training, fold: splits.Fold) -> Training:
    """Return one spelling of "all basins are in memory", so that they share one trial."""
    enough = training.resident is not None and training.resident >= len(fold.train_basins)
    return replace(training, resident=None) if enough else training


class _Hashes:
    """Content hashes, each asked for once: the folds of a split often use the same basins, and arms the same variables."""

    def __init__(self, data: Facts):
        self.data, self.known = data, {}

    def of(self, basins: tuple[str, ...], used: tuple[str, ...]) -> str:
        key = (frozenset(basins), used)
        if key not in self.known:
            self.known[key] = self.data.hash(tuple(dict.fromkeys(basins)), used)
        return self.known[key]


def require(spec: StudySpec, data: Facts) -> None:
    """Ask for what the arms need: one message for all that the data lack.

    Raises
    ------
    DataError
        It names arms, what they lack, and the data.
    """
    lacking: dict[str, list[str]] = {}
    hints: dict[str, None] = {}
    for arm in spec.arms:
        needs = ((TARGET,), ()) if isinstance(arm, ExternalArm) else (variables(arm.model), arm.model.attributes)
        parts = []
        for what, needed, known in zip(("variable", "attribute"), needs, (data.variables, data.attribute_names), strict=True):
            absent = [name for name in needed if name not in known]
            if absent:
                parts.append(f"{what}{'s' if len(absent) > 1 else ''} {listed(absent)}")
                hints[f"of {what}s, {nearest(absent[0], known)}"] = None
        if parts:
            lacking.setdefault(" and ".join(parts), []).append(arm.name)
    if lacking:
        told = [f"arm{'s' if len(arms) > 1 else ''} {listed(f'`{arm}`' for arm in arms)}: {what}" for what, arms in lacking.items()]
        raise DataError(f"{_called_data(spec)} lacks what is needed by {'; '.join(told)} ({'; '.join(hints)})")


def chosen_basins(spec: StudySpec, data: Facts) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Basins that the study uses, in the order of the data, and those that quality checks keep out of it."""
    chosen, basins = spec.data, data.basins
    if isinstance(chosen, ShardFolder):
        known = set(data.basins)
        wanted = data.basins if chosen.basins == "all" else chosen.basins
        for key, given in (("basins", wanted), ("exclude", chosen.exclude)):
            absent = [basin for basin in given if basin not in known]
            if absent:
                message = f"`data.{key}` names basins that {_called_data(spec)} does not have: {listed(absent)}"
                raise DataError(f"{message}; {nearest(absent[0], data.basins)}")
        used = set(wanted) - set(chosen.exclude)
        basins = tuple(basin for basin in data.basins if basin in used)
    left, gone = [], set()
    for check in chosen.without:
        if check not in data.quality:
            made = nearest(check, data.quality)
            raise DataError(f"`data.without` names a quality check that was not made of {_called_data(spec)}: {check}; {made}")
        found = [basin for basin in basins if basin not in gone and check in (data.metadata[basin].get("flagged") or ())]
        if found:
            left.append(LeftOut("study", f"flagged by the quality check {check}", tuple(found)))
            gone.update(found)
    basins = tuple(basin for basin in basins if basin not in gone)
    if not basins:
        raise DataError(f"`data` leaves no basin of the {len(data.basins)} in {_called_data(spec)}; exclude fewer")
    return basins, tuple(left)


def _called_data(spec: StudySpec) -> str:
    return " + ".join(spec.data.shards) if isinstance(spec.data, ShardFolder) else "the world of virtual basins"


def trial_id(trial: Trial | External) -> str:
    """16 hex digits that stand for everything that could change a trial's results.

    Arm names, resources, claims and paths are no part of a trial, so they never change it.
    """
    parts = {field.name: _part(getattr(trial, field.name)) for field in fields(trial)}
    if isinstance(trial, External):
        return _digest({"external": parts, "science_version": SCIENCE_VERSION["evaluation"]})
    return _digest({"trial": parts, "science_version": SCIENCE_VERSION})


def _part(value: Any) -> Any:
    return value if isinstance(value, str | int | None) else _hashed(value)


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
        *_folds(spec, plan),
        *(f"left out   {_left_out(out)}" for out in plan.left_out),
        *(f"claim      {claim.better} is better than {claim.than} in {claim.metric}" for claim in spec.compare),
        "",
        *_columns([("arm", *keys), *rows]),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _trials(spec: StudySpec, plan: Plan) -> str:
    trained = sum(isinstance(arm, Arm) for arm in spec.arms)
    folds = f" x {len(plan.folds)} folds" if len(plan.folds) > 1 else ""
    parts = [f"{len(plan.trials)} ({trained} arms{folds} x {len(spec.seeds)} seeds)"] if trained else []
    if plan.externals:
        parts.append(f"{len(plan.externals)} external")
    return " and ".join(parts)


def _folds(spec: StudySpec, plan: Plan) -> list[str]:
    """Sizes of the folds, where they are not all basins in both."""
    if isinstance(spec.division.rule, splits.Temporal) and not plan.left_out:
        return []
    width = max(len(fold.name) for fold in plan.folds)
    told = [f"{fold.name.ljust(width)}  {len(fold.train_basins)} basins train, {len(fold.test_basins)} are tested" for fold in plan.folds]
    return [f"{'folds' if first else '':11}{text}" for first, text in zip([True] + [False] * len(told), told, strict=False)]


def _left_out(out: LeftOut) -> str:
    many = f"{len(out.basins)} basin{'s' if len(out.basins) > 1 else ''}"
    return f"{many}, of the {out.role}: {out.reason} ({listed(out.basins, most=8)})"


def _columns(rows: Sequence[tuple[str, ...]], widest: int = 32) -> list[str]:
    rows = [tuple(text if len(text) <= widest else text[: widest - 3] + "..." for text in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
