"""Combinations of levels: all of them, or those that a design asks for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from math import prod
from typing import Any

from studyhub.errors import SpecError
from studyhub.study.factors import Factor, Level
from studyhub.study.shape import DesignKeys
from studyhub.study.wording import nearest, shown
from studyhub.study.yaml import Document, Key

MOST = 20_000  # combinations of one study: more is a mistake
MEANING = {"full": (), "one_at_a_time": ("baseline",), "leave_one_out": ("complete", "baseline"), "list": ("cells",)}

Point = dict[str, Level]  # factor -> its level; a combination from a list may leave factors out


@dataclass(frozen=True)
class Combination:
    """One combination of levels, for the arms that it names or for all of them; ``place`` is where a list has it."""

    point: Point
    arms: tuple[str, ...] | None = None
    place: Key | None = None


def combine(
    document: Document, design: DesignKeys, factors: Mapping[str, Factor], arms: tuple[str, ...]
) -> tuple[list[Combination], list[SpecError]]:
    kind = design.kind
    errors = []
    for key in (key for key in design.said() if key != "kind" and key not in MEANING[kind]):
        meant = next(other for other, keys in MEANING.items() if key in keys)
        errors.append(document.error(f"has no meaning for design {kind}; take it out, or write `kind: {meant}`", "design", key))
    if kind == "list":
        found, problems = _listed(document, design, factors, arms)
        return found, [*errors, *problems]
    first = {name: factor.levels[0] for name, factor in factors.items()}
    last = {name: factor.levels[-1] for name, factor in factors.items()}
    baseline, problems = _point(document, design.said().get("baseline", {}), ("design", "baseline"), factors)
    complete, more = _point(document, design.said().get("complete", {}), ("design", "complete"), factors)
    errors += [*problems, *more]
    match kind:
        case "full":
            count = prod(len(factor.levels) for factor in factors.values())
            if count * max(1, len(arms)) > MOST:
                sizes = " x ".join(str(len(factor.levels)) for factor in factors.values())
                message = f"{sizes} levels{f' x {len(arms)} arms' if arms else ''} are more than {MOST} combinations"
                return [], [*errors, document.error(f"{message}; take fewer levels, or another `design`", "factors")]
            points = [dict(zip(factors, levels, strict=True)) for levels in product(*(factor.levels for factor in factors.values()))]
        case "one_at_a_time":
            points = list(_around(first | baseline, {name: factor.levels for name, factor in factors.items()}))
        case _:
            whole, back = last | complete, first | baseline
            same = [name for name in factors if whole[name] is back[name]]
            if same:
                message = f"the complete model has {same[0]} at {whole[same[0]].label}, and is set back to the same; name another level"
                errors.append(document.error(message, "design", "baseline" if same[0] in baseline else "complete", same[0]))
            points = list(_around(whole, {name: (level,) for name, level in back.items()}))
    return [Combination(point) for point in points], errors


def _around(centre: Point, others: Mapping[str, Iterable[Level]]) -> Iterator[Point]:
    """A combination, and then those that differ from it in one factor."""
    yield centre
    for name, levels in others.items():
        yield from ({**centre, name: level} for level in levels if level is not centre[name])


def _listed(
    document: Document, design: DesignKeys, factors: Mapping[str, Factor], arms: tuple[str, ...]
) -> tuple[list[Combination], list[SpecError]]:
    if "cells" not in design.said():
        example = "[{" + ", ".join(f"{name}: {factor.levels[0].label}" for name, factor in islice(factors.items(), 3)) + "}, ...]"
        return [], [document.error(f"is required: {example}", "design", "cells")]
    found, errors = [], []
    for index, cell in enumerate(design.cells):
        place = ("design", "cells", index)
        wanted = cell.get("arm")
        named: tuple[Any, ...] = tuple(wanted) if isinstance(wanted, list) else (wanted,)
        for name in (name for name in named if "arm" in cell and name not in arms):
            errors.append(document.error(f"there is no arm {shown(name)} in `arms`; {nearest(name, arms)}", *place, "arm"))
        point, problems = _point(document, {key: value for key, value in cell.items() if key != "arm"}, place, factors)
        errors += problems
        found.append(Combination(point, named if "arm" in cell else None, place))
    return found, errors


def _point(document: Document, raw: Mapping[str, Any], place: Key, factors: Mapping[str, Factor]) -> tuple[Point, list[SpecError]]:
    """Read factors and one level of each."""
    point, errors = {}, []
    for name, value in raw.items():
        if name not in factors:
            errors.append(document.error(f"unknown factor; {nearest(name, factors)}", *place, name))
            continue
        level = factors[name].find(value)
        if level is None:
            labels = [level.label for level in factors[name].levels]
            errors.append(document.error(f"`{name}` has no level {shown(value)}; {nearest(value, labels)}", *place, name))
        else:
            point[name] = level
    return point, errors
