"""Factors: what a study varies, the levels of each, and the conditions under which it takes part."""

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from studyhub.errors import SpecError
from studyhub.study.arm_keys import LevelKeys
from studyhub.study.defaults import DPL_KEYS, Said, spelling
from studyhub.study.mistakes import translate
from studyhub.study.shape import FactorKeys
from studyhub.study.wording import listed, nearest, shown
from studyhub.study.yaml import Document, Key

LABEL = re.compile(r"[\w+=.-]+")
LONGEST = 24  # characters of a label that is made of a level's value
LEVEL_KEYS = tuple(LevelKeys.model_fields)
CONDITION_KEYS = tuple(key for key in LEVEL_KEYS if key not in ("may_diverge", "init_from"))


@dataclass(frozen=True)
class Condition:
    """What an arm must be: each key has one of its values.

    Keys are ``arm`` (as the file names it), factors (their values are labels of levels), and keys of an arm.
    """

    needs: tuple[tuple[str, tuple[Any, ...]], ...] = ()

    def holds(self, look: Callable[[str], Any]) -> bool:
        """Whether it holds for the arm whose values ``look`` gives."""
        return all(look(key) in values for key, values in self.needs)


@dataclass(frozen=True)
class Level:
    """What an arm says at this level.

    Parameters
    ----------
    label : its name within the factor
    name : its part of an arm's name
    raw : as it is written in the file
    place : where
    """

    label: str
    name: str
    raw: Any
    said: Said
    place: Key


@dataclass(frozen=True)
class Factor:
    """``when`` holds where it takes part; ``asked`` is whether the file says so, or only what its keys have a meaning for."""

    name: str
    levels: tuple[Level, ...]
    when: Condition = Condition()
    asked: bool = False

    @cached_property
    def keys(self) -> frozenset[str]:
        return frozenset(key for level in self.levels for key in level.said)

    @cached_property
    def _by_label(self) -> dict[str, Level]:
        return {level.label: level for level in self.levels}

    def find(self, raw: Any) -> Level | None:
        """Level of this label, or of this value as the file writes it."""
        if isinstance(raw, str) and raw in self._by_label:
            return self._by_label[raw]
        return next((level for level in self.levels if level.raw == raw and type(level.raw) is type(raw)), None)


def read_factors(document: Document, given: Mapping[str, Any], arms: Iterable[str]) -> tuple[dict[str, Factor], list[SpecError]]:
    """Read the section ``factors``; ``arms`` are names in the section ``arms``."""
    found, errors, conditions = {}, [], {}
    for name, raw in given.items():
        place, levels = ("factors", name), raw
        if isinstance(raw, dict) and "levels" in raw:
            try:
                keys = FactorKeys.model_validate(raw)
            except ValidationError as error:
                errors += translate(document, error, lambda _: tuple(FactorKeys.model_fields), at=lambda key, place=place: (*place, *key))
                continue
            place, levels = (*place, "levels"), raw["levels"]
            conditions[name] = keys.said().get("when")
        found[name], problems = _factor(document, name, levels, place)
        errors += problems
    if errors:
        return {}, errors
    found = {factor.name: factor for factor in _named(found.values(), arms)}
    for name, factor in found.items():
        asked, problems = read_condition(document, conditions.get(name) or {}, ("factors", name, "when"), arms, found)
        errors += problems
        own = [key for key, _ in asked.needs if key in factor.keys or key == name]
        if own:
            message = f"`{name}` sets {own[0]} itself, so it cannot depend on it; name another factor or key"
            errors.append(document.error(message, "factors", name, "when", own[0]))
        found[name] = replace(factor, when=Condition(_meaning(factor.keys) + asked.needs), asked=bool(asked.needs))
    return found, errors


def _meaning(keys: frozenset[str]) -> tuple[tuple[str, tuple[Any, ...]], ...]:
    """Condition under which such keys have a meaning at all, as far as it is one for all of them."""
    if keys and keys <= set(DPL_KEYS):
        return (("model", ("dpl",)),)
    return (("loss", ("rmse_log",)),) if keys == {"loss_weight"} else ()


def _factor(document: Document, name: str, raw: Any, place: Key) -> tuple[Factor, list[SpecError]]:
    levels, errors = [], []
    for label, value, where in _entries(raw, place):
        keyed = isinstance(value, dict) and not (isinstance(raw, list) and name in LEVEL_KEYS)
        if not keyed and name not in LEVEL_KEYS:
            message = f"`{name}` is no key of an arm, so that its levels need names and keys, such as {{some: {{scheme: implicit}}}}"
            errors.append(document.error(f"{message}; of keys, {nearest(name, CONDITION_KEYS)}", *where))
            break
        at = (lambda key, where=where: (*where, *key)) if keyed else (lambda key, where=where: (*where, *key[1:]))
        said, problems = read_level(document, value if keyed else {name: value}, at)
        errors += problems
        if label is not None and not LABEL.fullmatch(label):
            message = f"a level's name holds letters, digits, `_`, `-`, `+`, `=` and `.`, got {label!r}"
            errors.append(document.error(message, *where))
        text = label_of(value) if label is None else label
        levels.append(Level(text, f"{name}={text}" if label is None else "", value, said, where))
    if not levels and not errors:
        message = f"needs a list of levels, such as [1, 4, 16], or names and what each says, got {shown(raw)}"
        errors.append(document.error(message, *place))
    twice = [label for label, count in Counter(level.label for level in levels).items() if count > 1]
    if twice:
        message = f"each level stands once and has a label of its own, {listed(twice)} stands for several; take one out, or name them"
        errors.append(document.error(message, *place))
    return Factor(name, tuple(levels)), errors


def _entries(raw: Any, place: Key) -> Iterator[tuple[str | None, Any, Key]]:
    """Name of each level, None in a list; what is written for it, and where."""
    if isinstance(raw, dict):
        yield from ((label, {} if value is None else value, (*place, label)) for label, value in raw.items())
    elif isinstance(raw, list):
        yield from ((None, value, (*place, index)) for index, value in enumerate(raw))


def read_level(document: Document, values: Mapping[str, Any], at: Callable[[Key], Key]) -> tuple[dict[str, Any], list[SpecError]]:
    """Check keys of an arm with their values as a file writes them; ``at`` tells where they stand."""
    try:
        return LevelKeys.model_validate(values).said(), []
    except ValidationError as error:
        return {}, translate(document, error, at=at)


def label_of(value: Any) -> str:
    """Return a level's value in letters that may stand in an arm's name.

    >>> label_of(4), label_of([]), label_of(["BETA", "FC"]), label_of(None), label_of(0.001)
    ('4', 'none', 'BETA-FC', 'none', '0.001')
    """
    text = re.sub(r"[^\w+=.-]+", "-", _plain(value)).strip("-") or "none"
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 7]}-{hashlib.sha256(_plain(value).encode()).hexdigest()[:6]}"


def _plain(value: Any) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case list():
            return "-".join(map(_plain, value))
        case dict():
            return "-".join(f"{key}={_plain(item)}" for key, item in value.items())
        case _:
            return str(value)


def _named(factors: Iterable[Factor], arms: Iterable[str]) -> Iterator[Factor]:
    """Give named levels the shortest name that tells which factor it is of."""
    factors = list(factors)
    taken = Counter([*arms, *(level.label for factor in factors for level in factor.levels)])
    for factor in factors:
        yield replace(factor, levels=tuple(_with_name(level, factor.name, taken[level.label] > 1) for level in factor.levels))


def _with_name(level: Level, factor: str, taken: bool) -> Level:
    if level.name:
        return level
    short = not taken and level.label[0].isalpha()
    return replace(level, name=level.label if short else f"{factor}={level.label}")


def read_condition(
    document: Document, raw: Mapping[str, Any], place: Key, arms: Iterable[str], factors: Mapping[str, Factor]
) -> tuple[Condition, list[SpecError]]:
    """Read what ``when`` or an item of ``exclude`` says.

    One value, or a list of values of which any will do. A value is a level's label, or what a study file writes for the key.
    """
    arms, needs, errors = tuple(arms), [], []
    for key, value in raw.items():
        known = (*(("arm",) if arms else ()), *factors, *CONDITION_KEYS)
        if key not in known:
            errors.append(document.error(f"unknown key; {nearest(key, dict.fromkeys(known))}", *place, key))
            continue
        values, problems = _alternatives(document, key, value, (*place, key), arms, factors)
        needs.append((key, values))
        errors += problems
    return Condition(tuple(needs)), errors


def _alternatives(
    document: Document, key: str, raw: Any, place: Key, arms: tuple[str, ...], factors: Mapping[str, Factor]
) -> tuple[tuple[Any, ...], list[SpecError]]:
    """Values that ``raw`` stands for: itself where it is one, else its items."""
    values, errors = _value(document, key, raw, place, arms, factors)
    if not errors or not isinstance(raw, list):
        return values, errors
    items = [_value(document, key, item, (*place, index), arms, factors) for index, item in enumerate(raw)]
    problems = [problem for _, found in items for problem in found]
    return tuple(value for found, _ in items for value in found), problems or ([] if items else errors)


def _value(
    document: Document, key: str, raw: Any, place: Key, arms: tuple[str, ...], factors: Mapping[str, Factor]
) -> tuple[tuple[Any, ...], list[SpecError]]:
    if key == "arm":
        if raw in arms:
            return (raw,), []
        return (), [document.error(f"there is no arm {shown(raw)} in `arms`; {nearest(raw, arms)}", *place)]
    level = factors[key].find(raw) if key in factors else None
    if key not in CONDITION_KEYS:
        if level is not None:
            return (level.label,), []
        labels = [level.label for level in factors[key].levels]
        return (), [document.error(f"`{key}` has no level {shown(raw)}; {nearest(raw, labels)}", *place)]
    if level is not None and key in level.said:
        return (spelling(key, level.said[key]),), []
    said, errors = read_level(document, {key: raw}, lambda inner: (*place, *inner[1:]))
    return (() if errors else (spelling(key, said[key]),)), errors
