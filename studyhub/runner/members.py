"""Which trials a tracker shows of a study, and under what parameters: those that answer its cells, and those of its searches."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from studyhub.study.arms import Arm
from studyhub.study.cells import Cell
from studyhub.study.describe import level_texts
from studyhub.study.external import ExternalArm
from studyhub.study.spec import StudySpec

MEANINGLESS = "-"
# Before a factor's name, which may be that of an arm's key too; and before a key, for the logarithm of what was drawn.
FACTOR, LOG = "factor.", "log10."


@dataclass(frozen=True)
class Member:
    """One trial of a study.

    Parameters
    ----------
    name : of its run, for people
    params : arm, fold and seed; its factors; and each key of its arm
    parent : the trial whose weights it starts from
    number : its place in a search; None for the trial of a cell
    objectives : of that search
    """

    trial: str
    name: str
    arm: str
    params: tuple[tuple[str, str], ...]
    parent: str | None = None
    number: int | None = None
    objectives: tuple[str, ...] = ()


def members(spec: StudySpec, cells: Sequence[Cell], searches: Sequence[Mapping[str, Any]]) -> dict[str, Member]:
    """Members by trial. One that two arms share is shown as the later one's; a search's trial that is a cell's too is shown as the cell's.

    Another launch may be writing the study: what is of an arm that it does not know yet comes with the next look.
    """
    texts, folds = arm_texts(spec), any(cell.fold > 1 for cell in cells)
    drawn = (member for entry in searches if entry["arm"] in texts for member in _searched(spec, texts, entry, folds))
    chosen = {(entry["arm"], entry["fold"]): entry["chosen"] for entry in searches if entry.get("chosen")}
    cells = [cell for cell in cells if cell.arm in texts]
    answers = (
        _of_cell(cell, texts[cell.arm] | _configured(spec, cell.arm, chosen.get((cell.arm, cell.fold), {})), folds) for cell in cells
    )
    return {member.trial: member for member in (*drawn, *answers)}


def _of_cell(cell: Cell, params: dict[str, str], folds: bool) -> Member:
    params = params | {"fold": str(cell.fold), "seed": str(cell.seed)}
    return Member(cell.trial, f"{_called(cell.arm, cell.fold, folds)}, seed {cell.seed}", cell.arm, tuple(params.items()), cell.parent)


def _searched(spec: StudySpec, texts: Mapping[str, dict[str, str]], entry: Mapping[str, Any], folds: bool) -> Iterator[Member]:
    arm, fold, seed, objectives = entry["arm"], entry["fold"], entry["seed"], tuple(entry["objectives"])
    for row in entry["trials"]:
        params = texts[arm] | _configured(spec, arm, row["params"]) | {"fold": str(fold), "seed": str(seed)}
        axes = {key: axis_of(spec, arm, key) for key in row["params"]}
        params |= {axis: f"{math.log10(row['params'][key]):.4f}" for key, axis in axes.items() if axis != key}
        name = f"{_called(arm, fold, folds)}, search {row['number']}"
        yield Member(row["trial"], name, arm, tuple(params.items()), number=row["number"], objectives=objectives)


def _called(arm: str, fold: int, folds: bool) -> str:
    return f"{arm}, fold {fold}" if folds else arm


def arm_texts(spec: StudySpec) -> dict[str, dict[str, str]]:
    """Each arm's name, factors and keys in words. What means nothing for an arm is "-": charts of factors leave out runs that lack one."""
    known = {arm.name: {"arm": arm.name} | factor_texts(arm) | _key_texts(arm) for arm in spec.arms}
    every = dict.fromkeys((key for texts in known.values() for key in texts), MEANINGLESS)
    return {arm: every | texts for arm, texts in known.items()}


def factor_texts(arm: Arm | ExternalArm) -> dict[str, str]:
    """Label of each factor's level."""
    return {FACTOR + factor: label for factor, label in arm.levels} if isinstance(arm, Arm) else {}


def _key_texts(arm: Arm | ExternalArm) -> dict[str, str]:
    begins = {"init_from": arm.init_from} if isinstance(arm, Arm) and arm.init_from else {}
    return level_texts(arm) | begins | {"may_diverge": str(arm.may_diverge).lower()}


def _configured(spec: StudySpec, name: str, drawn: Mapping[str, Any]) -> dict[str, str]:
    """Keys of an arm with what was drawn for it, which other keys' defaults may follow."""
    arm, texts = spec.arm(name), {key: drawn_text(value) for key, value in drawn.items()}
    if not drawn or isinstance(arm, ExternalArm) or arm.searched is None:
        return texts
    with suppress(KeyError, TypeError, ValueError):  # what is left of a search that the study no longer has so
        model, training = arm.searched.configure(drawn)
        texts = _key_texts(replace(arm, model=model, training=training, searched=None)) | texts
    return texts


def axis_of(spec: StudySpec, name: str, key: str) -> str:
    """The parameter that a chart shows of what was drawn: its logarithm, where it was drawn by that, for MLflow has no such axes."""
    arm = spec.arm(name) if name in [arm.name for arm in spec.arms] else None
    domains = arm.searched.domains if isinstance(arm, Arm) and arm.searched is not None else ()
    return LOG + key if any(domain.key == key and domain.log for domain in domains) else key


def drawn_text(value: Any) -> str:
    """What was drawn, in words: a choice's label as it is, a number with six digits."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
