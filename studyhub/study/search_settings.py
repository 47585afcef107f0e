"""The section ``search`` of a study file: what is varied, and how it is chosen."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter
from typing import Any

from studyhub.errors import SpecError
from studyhub.study.arms import Draft
from studyhub.study.defaults import SCIENCE_KEYS, spelling
from studyhub.study.factors import Factor, Level, label_of, read_condition, read_level
from studyhub.study.settings import Split
from studyhub.study.shape import DomainKeys, SearchKeys
from studyhub.study.space import Domain, SearchSettings
from studyhub.study.wording import listed, nearest, shown
from studyhub.study.yaml import Document, Key

WHOLE = ("hidden_size", "components", "steps_per_day", "epochs", "batch", "window", "updates_per_epoch", "resident")
NUMBERS = (*WHOLE, "dropout", "learning_rate", "gradient_norm", "loss_weight")
# A recipe brings defaults of many keys, a model its own: what they are compared by is arms.
KEYS = tuple(key for key in SCIENCE_KEYS if key not in ("model", "recipe"))
PARAMETERS = ("search", "parameters")


def read_search(
    document: Document, keys: SearchKeys, drafts: Sequence[Draft], split: Split
) -> tuple[SearchSettings | None, list[SpecError]]:
    """Read all of it that can be read without looking at each arm; ``study.searched`` does that."""
    arms, errors = _arms(document, keys, drafts)
    found: dict[str, Domain] = {}
    for key, said in keys.parameters.items():
        domain, problems = _domain(document, key, said)
        errors += problems
        if domain is not None:
            found[key] = domain
    errors += [document.error(message, "search", *place) for place, message in (*_judging(keys, split), *_rungs(keys))]
    if errors:
        return None, errors
    for key, domain in found.items():
        when, problems = _when(document, keys.parameters[key], domain, found, drafts)
        errors += problems
        found[key] = replace(domain, when=when)
    domains, circle = _ordered(document, found)
    if errors or circle:
        return None, errors or circle
    share = None if keys.validation == "period" else float(keys.validation)
    batch = min(keys.batch, keys.budget)
    how = keys.sampler, keys.scheduler, keys.rungs, keys.objectives
    return SearchSettings(domains, keys.budget, batch, *how, share, keys.seed, arms), []


def _arms(document: Document, keys: SearchKeys, drafts: Sequence[Draft]) -> tuple[tuple[str, ...], list[SpecError]]:
    """Names of the arms that are searched."""
    if keys.arms == "all":
        return tuple(draft.name for draft in drafts if not draft.is_external), []
    found, errors = {}, []
    for index, name in enumerate(keys.arms):
        meant = [draft for draft in drafts if name in (draft.name, draft.base)]
        if not meant:
            message = f"there is no arm {name!r}; {nearest(name, [draft.name for draft in drafts])}"
            errors.append(document.error(message, "search", "arms", index))
        elif meant[0].is_external:
            message = f"`{name}` is a simulation from elsewhere, with nothing to search; take it out"
            errors.append(document.error(message, "search", "arms", index))
        found |= {draft.name: None for draft in meant}
    return tuple(draft.name for draft in drafts if draft.name in found), errors


def _judging(keys: SearchKeys, split: Split) -> Iterator[tuple[Key, str]]:
    if keys.validation == "period" and split.validation is None:
        what = "a validation period to choose by, the split has none"
        yield ("validation",), f"needs {what}; give `split.validation`, or write `validation: {{basins: 0.25}}` to keep basins aside"
    if keys.sampler == "grid":
        for key, said in keys.parameters.items():
            if "choices" not in said.said() and key not in WHOLE:
                yield ("parameters", key), "a grid needs `choices` of it, for any number may lie between two bounds; or take `sampler: tpe`"


def _rungs(keys: SearchKeys) -> Iterator[tuple[Key, str]]:
    if keys.scheduler != "none" and not keys.rungs:
        yield ("scheduler",), f"`{keys.scheduler}` needs the epochs at which it looks, such as `rungs: [2, 4]`"
    if keys.scheduler == "none" and keys.rungs:
        yield ("rungs",), "have a meaning with a scheduler; take them out, or write `scheduler: halving`"
    if list(keys.rungs) != sorted(set(keys.rungs)):
        yield ("rungs",), f"go upwards, got {shown(keys.rungs)}"


# Domains


def _domain(document: Document, key: str, said: DomainKeys) -> tuple[Domain | None, list[SpecError]]:
    place, given = (*PARAMETERS, key), said.said()
    message = _refusal(key, given)
    if message is not None:
        return None, [document.error(message, *place)]
    if "choices" in given:
        choices, errors = _choices(document, key, given["choices"], (*place, "choices"))
        return Domain(key, choices=choices), errors
    errors = []
    for bound in ("low", "high"):
        value = given[bound]
        if key in WHOLE and value != int(value):
            errors.append(document.error(f"needs a whole number, got {value:g}", *place, bound))
            continue
        level = {key: int(value) if key in WHOLE else value}
        errors += read_level(document, level, lambda _, bound=bound: (*place, bound))[1]
    low, high = said.low, said.high
    if low >= high:
        message = f"must be below `high`, got {low:g} and {high:g}; swap them, or fix the value in the arms"
        errors.append(document.error(message, *place, "low"))
    if said.log and low <= 0:
        errors.append(document.error(f"must be above 0 where `log` is true, got {low:g}", *place, "low"))
    whole = key in WHOLE and not errors
    return Domain(key, int(low) if whole else low, int(high) if whole else high, whole, said.log), errors


def _refusal(key: str, given: Mapping[str, Any]) -> str | None:
    """Why such a parameter cannot be searched at all."""
    bounds = [bound for bound in ("low", "high") if bound in given]
    if key in ("model", "recipe"):
        return "cannot be searched, for too much follows from it; make an arm of each and search within them"
    if key not in KEYS:
        return f"unknown key of an arm; {nearest(key, KEYS)}"
    if "choices" in given:
        more = [*bounds, *(["log"] if "log" in given else [])]
        return f"has `choices`, beside which {listed(f'`{name}`' for name in more)} means nothing; take one out" if more else None
    if key not in NUMBERS:
        return "needs `choices`, a list of values: it is no number"
    return None if len(bounds) == 2 else "needs `low` and `high`, or `choices`"


def _choices(document: Document, key: str, raw: Any, place: Key) -> tuple[tuple[tuple[str, Any], ...], list[SpecError]]:
    if not isinstance(raw, list | dict) or len(raw) < 2:
        return (), [document.error(f"needs at least two values, or names and a value for each, got {shown(raw)}", *place)]
    found, errors = [], []
    for name, value in raw.items() if isinstance(raw, dict) else enumerate(raw):
        said, problems = read_level(document, {key: value}, lambda inner, name=name: (*place, name, *inner[1:]))
        errors += problems
        if not problems:
            found.append((name if isinstance(name, str) else label_of(value), said[key]))
    twice = [label for label, count in Counter(label for label, _ in found).items() if count > 1]
    twice += [label for index, (label, value) in enumerate(found) if value in [other for _, other in found[:index]]]
    if twice:
        errors.append(document.error(f"each choice stands once, {twice[0]} stands more often; take it out", *place))
    return tuple(found), errors


def _when(
    document: Document, said: DomainKeys, domain: Domain, domains: Mapping[str, Domain], drafts: Sequence[Draft]
) -> tuple[tuple[tuple[str, tuple[Any, ...]], ...], list[SpecError]]:
    """Condition of a domain: on arms by their full names, on searched keys by labels, on other keys by value."""
    place = (*PARAMETERS, domain.key, "when")
    named = dict.fromkeys(name for draft in drafts for name in (draft.base, draft.name) if name is not None)
    chosen = {key: _as_factor(other) for key, other in domains.items() if other.choices}
    condition, errors = read_condition(document, said.said().get("when", {}), place, named, chosen)
    found = []
    for key, values in condition.needs if not errors else ():
        if key == domain.key:
            errors.append(document.error(f"`{key}` cannot depend on itself; name another key", *place, key))
        elif key == "arm":
            found.append((key, tuple(draft.name for draft in drafts if draft.name in values or draft.base in values)))
        elif key in chosen:
            labels = tuple(label for label, value in domains[key].choices if spelling(key, value) in values)
            found.append((key, labels))
            if len(labels) < len(values):
                known = listed(label for label, _ in domains[key].choices)
                errors.append(document.error(f"can never hold, for the search draws `{key}` from {known}; name these", *place, key))
        elif key in domains:
            errors.append(document.error(f"`{key}` is any number between two bounds; a condition needs `choices` of it", *place, key))
        else:
            found.append((key, values))
    return tuple(found), errors


def _as_factor(domain: Domain) -> Factor:
    levels = tuple(Level(label, label, None, {domain.key: value}, PARAMETERS) for label, value in domain.choices)
    return Factor(domain.key, levels)


def _ordered(document: Document, domains: Mapping[str, Domain]) -> tuple[tuple[Domain, ...], list[SpecError]]:
    """Domains, each after those that its condition names."""
    needs = {key: [name for name, _ in domain.when if name in domains] for key, domain in domains.items()}
    if {"loss_weight", "loss"} <= domains.keys():  # which has a meaning for one loss only
        needs["loss_weight"].append("loss")
    try:
        return tuple(domains[key] for key in TopologicalSorter(needs).static_order()), []
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        message = f"conditions go in a circle, {' needs '.join(circle)}; take out one of them"
        return (), [document.error(message, *PARAMETERS, circle[0], "when")]
