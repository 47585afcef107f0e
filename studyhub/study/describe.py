"""A study in words: what it will run, and what differs between its arms."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from studyhub.catalog import ATTRIBUTE_SETS, FORCING_SETS, METRICS
from studyhub.study import splits
from studyhub.study.arms import Arm, meaningful
from studyhub.study.external import ExternalArm
from studyhub.study.plan import Plan
from studyhub.study.settings import Columns
from studyhub.study.space import Domain, SearchSettings
from studyhub.study.spec import StudySpec
from studyhub.study.splits import LeftOut
from studyhub.study.wording import listed

NAMED = {names: name for sets in (FORCING_SETS, ATTRIBUTE_SETS) for name, names in sets.items()}


def differences(arms: Sequence[Arm | ExternalArm]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Tell arms apart: the keys in which they differ, and for each arm its name and its values of these keys.

    A value that means nothing for an arm's model is shown as ``-``.
    """
    settings = [level_texts(arm) for arm in arms]
    if any(isinstance(arm, Arm) and arm.init_from for arm in arms):
        for arm, known in zip(arms, settings, strict=True):
            known |= {"init_from": arm.init_from or "none"} if isinstance(arm, Arm) else {}
    every = dict.fromkeys(key for known in settings for key in known)
    keys = [key for key in every if len({known[key] for known in settings if key in known}) > 1]
    rows = [(arm.name, *(known.get(key, "-") for key in keys)) for arm, known in zip(arms, settings, strict=True)]
    return tuple(keys), rows


def level_texts(arm: Arm | ExternalArm) -> dict[str, str]:
    """Each key that has a meaning for this arm, with its level as a table shows it; of what is searched, all that may be drawn."""
    if isinstance(arm, ExternalArm):
        return {"model": "external", "external": arm.table.name, "columns": _called(arm.columns)}
    known = {key: _text(value) for key, value in meaningful(arm).items() if key != "may_diverge"}
    return known | ({domain.key: drawn_from(domain) for domain in arm.searched.domains} if arm.searched else {})


def drawn_from(domain: Domain) -> str:
    """All that may be drawn, in a few letters: the labels, or the two bounds."""
    if domain.choices:
        return " | ".join(label for label, _ in domain.choices)
    return f"{domain.low:g}..{domain.high:g}"


def _called(columns: Columns) -> str:
    return " ".join(f"{name}:{called}" for name, called in asdict(columns).items() if name != called) or "as they are"


@lru_cache(maxsize=4096, typed=True)
def _text(value: Any) -> str:
    if isinstance(value, tuple) and value in NAMED:
        return NAMED[value]
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
        f"trials     {_trials(spec, plan)}",
        f"periods    train {split.train}, validation {split.validation or 'none'}, test {split.test}",
        *_under("folds", _folds(spec, plan)),
        *_under("search", _search(spec.search, plan) if spec.search is not None else []),
        *_under("parents", _parents(spec)),
        *(f"left out   {_left_out(out)}" for out in plan.left_out),
        *(f"claim      {claim.better} is better than {claim.than} in {claim.metric}" for claim in spec.compare),
        *_under("surface", _surface(spec)),
        *_under("remark", plan.remarks),
        "",
        *_columns([("arm", *keys), *rows]),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _surface(spec: StudySpec) -> list[str]:
    asked = spec.surface
    if asked is None:
        return []
    where = f"{asked.basins} basins" if isinstance(asked.basins, int) else f"basins {listed(asked.basins, most=4)}"
    plane = f"{METRICS[asked.metric].label} over {' and '.join(asked.parameters)}, {asked.points} x {asked.points} points"
    return [f"{plane} in {where}, of {listed(asked.able(spec.arms), most=6)}, once the trials have ended"]


def _under(title: str, told: Sequence[str]) -> list[str]:
    return [f"{'' if index else title:11}{text}" for index, text in enumerate(told)]


def _trials(spec: StudySpec, plan: Plan) -> str:
    trained = [arm for arm in spec.arms if isinstance(arm, Arm)]
    folds = f" x {len(plan.folds)} folds" if len(plan.folds) > 1 else ""
    count = len(plan.trials) + len(plan.open)
    parts = [f"{count} ({len(trained)} arms{folds} x {len(spec.seeds)} seeds)"] if trained else []
    if plan.externals:
        parts.append(f"{len(plan.externals)} external")
    waiting = f"; {len(plan.open)} of them are known once a search has chosen" if plan.open else ""
    return f"{' and '.join(parts)}, {len(plan.basins)} basins{waiting}"


def _search(settings: SearchSettings, plan: Plan) -> list[str]:
    """How much a search may train, what it draws, and how it chooses."""
    arms, folds = len(settings.arms), len(plan.folds)
    many = f"{settings.budget} trainings x {arms} arm{'s' * (arms > 1)} x {folds} fold{'s' * (folds > 1)}"
    judged = "validation" if settings.share is None else f"{settings.share:.0%} of the training basins, kept aside"
    objectives = listed(f"median {METRICS[name].label}" for name in settings.objectives)
    rungs = f", {settings.scheduler} at epochs {listed(settings.rungs)}" if settings.rungs else ""
    told = [f"{many}, judged on {judged} by {objectives}; {settings.sampler} in batches of {settings.batch}{rungs}"]
    width = max(len(domain.key) for domain in settings.domains)
    return told + [f"{domain.key:{width}}  {drawn_from(domain)}{_how(domain)}" for domain in settings.domains]


def _how(domain: Domain) -> str:
    log = ", logarithmic" if domain.log else ""
    return log + "".join(f", where {key} is {listed(map(_text, values)).replace(', ', ' or ')}" for key, values in domain.when)


def _parents(spec: StudySpec, most: int = 8) -> list[str]:
    told = [f"{arm.name} starts from {arm.init_from}" for arm in spec.arms if isinstance(arm, Arm) and arm.init_from]
    return told if len(told) <= most else [*told[:most], f"... ({len(told)} in all)"]


def _folds(spec: StudySpec, plan: Plan) -> list[str]:
    """Sizes of the folds, where they are not all basins in both."""
    if isinstance(spec.division.rule, splits.Temporal) and not plan.left_out:
        return []
    width = max(len(fold.name) for fold in plan.folds)
    return [f"{fold.name.ljust(width)}  {len(fold.train_basins)} basins train, {len(fold.test_basins)} are tested" for fold in plan.folds]


def _left_out(out: LeftOut) -> str:
    many = f"{len(out.basins)} basin{'s' if len(out.basins) > 1 else ''}"
    return f"{many}, of the {out.role}: {out.reason} ({listed(out.basins, most=8)})"


def _columns(rows: Sequence[tuple[str, ...]], widest: int = 32) -> list[str]:
    """Align the columns. All but the first, whose names a claim must be able to quote, are cut where they are long."""
    rows = [(name, *(text if len(text) <= widest else text[: widest - 3] + "..." for text in texts)) for name, *texts in rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows]
