"""Designs: from arms and factors to the arms that are run.

Each arm of the file is crossed with the design's combinations of levels. Of these, a factor whose condition does not hold takes no part in
an arm: it gives it no level and no name, and combinations that come to the same are one arm.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from graphlib import CycleError, TopologicalSorter
from typing import Any

from studyhub.errors import SpecError
from studyhub.study.arms import Draft
from studyhub.study.combinations import Combination, Point, combine
from studyhub.study.defaults import MEANINGLESS, Said, level_of
from studyhub.study.factors import Condition, Factor, Level, read_condition, read_factors
from studyhub.study.levels import LONGEST_NAME
from studyhub.study.shape import StudyFile
from studyhub.study.wording import listed
from studyhub.study.yaml import Document

Levels = tuple[tuple[str, str], ...]  # (factor, label)


def drafts(document: Document, given: StudyFile) -> tuple[list[Draft], list[SpecError]]:
    """All arms of a study, in the order of the file: arms outermost, then factors as they stand."""
    if not given.arms and not given.factors:
        return [], [document.error("is required: a name for each arm, and what it changes; or `factors`, and their levels", "arms")]
    if not given.factors:
        keys = [key for key in ("design", "exclude") if key in given.model_fields_set]
        errors = [document.error("has a meaning where there are `factors`; take it out", key) for key in keys]
        return [_Arms(document, given, {}).draft(name, {}) for name in given.arms], errors
    factors, errors = read_factors(document, given.factors, given.arms)
    if errors:
        return [], errors
    combinations, errors = combine(document, given.design, factors, tuple(given.arms))
    order, circle = _order(document, factors)
    excluded, problems = _excluded(document, given, factors)
    errors += [*circle, *problems]
    return ([], errors) if errors else _Arms(document, given, order).cross(factors, combinations, excluded)


def _excluded(document: Document, given: StudyFile, factors: Mapping[str, Factor]) -> tuple[list[Condition], list[SpecError]]:
    found, errors = [], []
    for index, raw in enumerate(given.exclude):
        condition, problems = read_condition(document, raw, ("exclude", index), given.arms, factors)
        found.append(condition)
        errors += problems
    return found, errors


def _order(document: Document, factors: Mapping[str, Factor]) -> tuple[dict[str, Factor], list[SpecError]]:
    """Factors in an order in which each stands after those that its condition looks at."""
    looks = {name: _looked_at(factor, factors) for name, factor in factors.items()}
    try:
        return {name: factors[name] for name in TopologicalSorter(looks).static_order()}, []
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        message = f"conditions go in a circle, {' needs '.join(circle)}; take out one of them"
        return {}, [document.error(message, "factors", circle[0], "when")]


def _looked_at(factor: Factor, factors: Mapping[str, Factor]) -> list[str]:
    keys = {key for key, _ in factor.when.needs}
    if keys:  # whether a key has a meaning, and what it is by default, depends on these
        keys |= {"model", "recipe", "optimizer", "loss"} - factor.keys
    return [name for name, other in factors.items() if name != factor.name and (name in keys or other.keys & keys)]


class _Arms:
    """Arms of the file, crossed with combinations; ``order`` holds the factors in the order in which their conditions can be answered."""

    def __init__(self, document: Document, given: StudyFile, order: Mapping[str, Factor]):
        self.document, self.order = document, order
        self.shared, self.training = given.shared.said(), given.training.said()
        self.own = {name: keys.said() for name, keys in given.arms.items()}
        self.errors: dict[Any, SpecError] = {}
        self.met: set[Any] = set()  # factors, and places of combinations, that some arm has
        self.left_out: set[int] = set()  # rules of exclusion that left out some arm

    def cross(
        self, factors: Mapping[str, Factor], combinations: Sequence[Combination], excluded: Sequence[Condition]
    ) -> tuple[list[Draft], list[SpecError]]:
        found: dict[tuple[str | None, Levels], Draft | None] = {}
        names: dict[str, Draft] = {}
        for base in self.own or (None,):
            for combination in combinations:
                point = self._part(base, combination)
                if point is None:
                    continue
                point = {name: point[name] for name in factors if name in point}
                key = base, tuple((name, level.label) for name, level in point.items())
                if key in found:
                    continue
                draft = self.draft(base, point)
                found[key] = None if self._is_excluded(draft, excluded) else draft
                if names.setdefault(draft.name, draft) is not draft:
                    message = f"two arms would be called {draft.name}; give an arm or a level another name"
                    self.errors[draft.name] = self.document.error(message, *draft.home)
        arms = [draft for draft in found.values() if draft is not None]
        errors = list(self.errors.values()) or [*self._never(factors, combinations, excluded, arms)]
        return arms, errors

    def draft(self, base: str | None, point: Point) -> Draft:
        """One arm, as its own keys and its levels say it."""
        own = dict(self.own.get(base, {})) if base is not None else {}
        labels = dict(own.pop("levels", ())) | ({"arm": base} if base is not None and self.order and "external" not in own else {})
        places = {}
        for name, level in point.items():
            own |= level.said
            places |= {key: (*level.place, key) if isinstance(level.raw, dict) else level.place for key in level.said}
            labels[name] = level.label
        name = _name([*([base] if base is not None else []), *(level.name for level in point.values())] or ["default"])
        home = ("factors",) if base is None else ("arms", base)
        return Draft(name, home, self.shared, self.training, own, base, tuple(labels.items()), places)

    def _is_excluded(self, draft: Draft, excluded: Sequence[Condition]) -> bool:
        look = partial(_value, base=draft.base, labels=dict(draft.levels), said=draft.said)
        out = [index for index, condition in enumerate(excluded) if condition.holds(look)]
        self.left_out.update(out)
        return bool(out)

    def _part(self, base: str | None, combination: Combination) -> Point | None:
        """Levels of the factors that take part in an arm; None where the combination is not for it."""
        own = self.own[base] if base is not None else {}
        if combination.arms is not None and base not in combination.arms:
            return None
        self.met.add(combination.place)
        if "external" in own:
            return {}
        said, labels = {**self.shared, **self.training, **own}, {}
        look = partial(_value, base=base, labels=labels, said=said)
        point: dict[str, Level] = {}
        for name, factor in self.order.items():
            if not factor.when.holds(look):
                continue
            level = combination.point.get(name)
            if level is None:
                where = combination.place or ("design",)
                message = f"names no level of `{name}`, which takes part here: {listed(level.label for level in factor.levels)}"
                self.errors[where, name] = self.document.error(message, *where)
                continue
            self._no_conflict(base, own, name, level, point)
            self.met |= {name, (combination.place, name)}
            point[name], labels[name] = level, level.label
            said |= level.said
        return point

    def _no_conflict(self, base: str | None, own: Said, name: str, level: Level, point: Point) -> None:
        for key in (key for key in level.said if key in own):
            message = f"the factor `{name}` varies this, and the arm fixes it; take it out of one of them, or give the factor a `when`"
            self.errors[base, key] = self.document.error(message, "arms", base or "", key)
        for other, key in ((other, key) for other, known in point.items() for key in level.said if key in known.said):
            message = f"`{key}` is said by the factor `{other}` too; take it out of one of them, or give one a `when`"
            self.errors[name, other, key] = self.document.error(message, "factors", name)

    def _never(
        self, factors: Mapping[str, Factor], combinations: Sequence[Combination], excluded: Sequence[Condition], arms: Sequence[Draft]
    ) -> Iterator[SpecError]:
        """What is said and never comes about."""
        error = self.document.error
        if not arms:
            yield error("no arm is left; exclude less", "exclude")
            return
        for index in (index for index in range(len(excluded)) if index not in self.left_out):
            yield error("leaves nothing out, for no arm is like this; take it out (`studyhub plan` shows the arms)", "exclude", index)
        for name in (name for name in factors if name not in self.met):
            asked = factors[name].asked
            reason = "its condition never holds" if asked else "what its levels say has a meaning in none of them"
            place = ("factors", name, *(("when",) if asked else ()))
            yield error(f"`{name}` takes part in no arm, since {reason}; change it, or take the factor out", *place)
        there = {pair for draft in arms for pair in draft.levels}
        for combination in combinations:
            if combination.place is None:
                for name, level in combination.point.items():
                    if name in self.met and (name, level.label) not in there:
                        reason = "`exclude` and conditions leave it none; change them, or take the level out"
                        yield error(f"the level {level.label} of `{name}` is in no arm: {reason}", *level.place)
            elif combination.place not in self.met:
                yield error("is for no arm; take it out", *combination.place)
            else:
                for name in (name for name in combination.point if (combination.place, name) not in self.met):
                    yield error(f"`{name}` takes no part in this combination; take it out here", *combination.place, name)


def _value(key: str, base: str | None, labels: Mapping[str, str], said: Said) -> Any:
    """What conditions see of an arm: its name in the file, its levels, or what it says or has by default."""
    if key == "arm":
        return base
    if key in labels and key not in said:
        return labels[key]
    try:
        return level_of(said, key)
    except KeyError:  # a factor that takes no part
        return MEANINGLESS


def _name(parts: Sequence[str]) -> str:
    """Name of an arm; where it would be too long, its end stands for the rest."""
    name = "+".join(parts)
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 7]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"
