"""A study in words: what it will run, and what differs between its arms."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from studyhub.catalog import ATTRIBUTE_SETS, FORCING_SETS
from studyhub.study import splits
from studyhub.study.arms import Arm, meaningful
from studyhub.study.external import ExternalArm
from studyhub.study.plan import Plan
from studyhub.study.settings import Columns
from studyhub.study.spec import StudySpec
from studyhub.study.splits import LeftOut
from studyhub.study.wording import listed


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
