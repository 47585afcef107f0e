"""What a search varies of each arm, and whether the arm can take it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from studyhub.errors import SpecError
from studyhub.study.arms import Arm, Draft, Searched
from studyhub.study.defaults import SCIENCE_KEYS, defaults, has_meaning, level_of, spelling
from studyhub.study.external import ExternalArm
from studyhub.study.resolve import Misplaced, meaningless, problems
from studyhub.study.search_settings import PARAMETERS
from studyhub.study.settings import Split
from studyhub.study.space import Domain, SearchSettings, point
from studyhub.study.wording import listed
from studyhub.study.yaml import Document, Key


@dataclass(frozen=True)
class Drawn:
    """One value that may be drawn, as ``params`` hold it, and where the study file says so."""

    key: str
    value: Any
    place: Key


def resolve_searched(document: Document, draft: Draft, settings: SearchSettings, split: Split) -> tuple[Arm | None, list[Misplaced]]:
    """Fill in an arm that is searched, and try what may be drawn for it, two keys at a time."""
    domains = _of_arm(draft, settings)
    if not domains:
        return None, [(("search", "arms"), f"`{draft.name}` has none of the parameters that are searched; leave it out")]
    fixed = [domain.key for domain in domains if domain.key in draft.own and not domain.when]
    if fixed:
        return None, [(draft.place(key), _told_fixed(document, key)) for key in fixed]
    searched = Searched(_settled(draft, domains), domains)
    model, training = searched.configure(point(domains) or {})
    arm = Arm(draft.name, model, training, draft.said.get("may_diverge", False), levels=draft.levels, searched=searched)
    drawn = [domain.key for domain in domains]
    said = [(key, message) for key, message in meaningless(model, training, draft) if key != "loss_weight" or "loss" not in drawn]
    found = [(draft.place(key), message) for key, message in said]
    found += _tried(document, draft, searched, split)
    epochs = min(training.epochs for _, training in searched.corners)
    for index, rung in enumerate(settings.rungs):
        if rung >= epochs:
            message = f"must lie before the last epoch, {epochs} of arm `{draft.name}`, got {rung}; take it out, or train longer"
            found.append((("search", "rungs", index), message))
    return arm, found


def never_drawn(document: Document, settings: SearchSettings, arms: Sequence[Arm | ExternalArm]) -> Iterator[SpecError]:
    """Parameters that no arm has, and conditions that hold in none."""
    for domain in settings.domains:
        searched = [arm.searched.domains for arm in arms if isinstance(arm, Arm) and arm.searched]
        of = [domains for domains in searched if domain.key in [own.key for own in domains]]
        if any(point(domains, {domain.key: domain.ends[0]}) is not None for domains in of):
            continue
        if domain.when:
            yield document.error("can never hold in a searched arm; change it, or take the parameter out", *PARAMETERS, domain.key, "when")
        else:
            yield document.error("has no meaning for any searched arm; take it out", *PARAMETERS, domain.key)


def _told_fixed(document: Document, key: str) -> str:
    line = document.places.get((*PARAMETERS, key))
    where = f" (line {line})" if isinstance(line, int) else ""
    return f"fixed here, and varied by `search.parameters.{key}`{where}; take out one of them, or leave the arm out of `search.arms`"


def _of_arm(draft: Draft, settings: SearchSettings) -> tuple[Domain, ...]:
    """Domains that have a meaning for an arm; conditions on what is settled are answered."""
    found: dict[str, Domain] = {}
    every = {domain.key: domain for domain in settings.domains}
    for domain in settings.domains:
        when, meant = domain.when, has_meaning(draft.said, domain.key)
        if domain.key == "loss_weight" and "loss" in found:
            when += (("loss", tuple(label for label, value in found["loss"].choices if value == "rmse_log")),)
            meant = True
        if meant and all(_holds(draft, key, values, every) for key, values in when if key not in found):
            found[domain.key] = replace(domain, when=tuple((key, values) for key, values in when if key in found))
    return tuple(found.values())


def _holds(draft: Draft, key: str, values: tuple[Any, ...], every: Mapping[str, Domain]) -> bool:
    """Whether a condition on what is settled holds."""
    if key == "arm":
        return draft.name in values
    if key in every:  # searched, but not in this arm
        values = tuple(spelling(key, value) for label, value in every[key].choices if label in values)
    return level_of(draft.said, key) in values


def _settled(draft: Draft, domains: Sequence[Domain]) -> tuple[tuple[str, Any], ...]:
    """What the arm keeps: all keys but those that are always drawn. One that is drawn at times has its value for the other times."""
    said, known = draft.said, defaults(draft.said)
    always, drawn = {domain.key for domain in domains if not domain.when}, {domain.key for domain in domains}
    settled = []
    for key in SCIENCE_KEYS:
        meant = has_meaning(said, key) or (key == "loss_weight" and "loss" in drawn)
        follows = key == "learning_rate" and "optimizer" in drawn and key not in said
        if meant and not follows and key not in always:
            settled.append((key, said.get(key, known[key])))
    return tuple(settled)


def _tried(document: Document, draft: Draft, searched: Searched, split: Split) -> Iterator[Misplaced]:
    """What cannot be run of the configurations: the first one, each value on it, then each pair of values.

    Three values that cannot go together, though any two of them can, are found when they are drawn: no rule is of that kind.
    """
    domains = searched.domains

    def wrong(*drawn: Drawn) -> list[Misplaced]:
        params = point(domains, {one.key: one.value for one in drawn})
        found = [] if params is None else problems(*searched.configure(params), split)
        return [_blamed(draft, key, message, params or {}, drawn) for key, message in found]

    first = wrong()
    if first:
        yield from first
        return
    values = [Drawn(domain.key, value, _place(document, domain, value)) for domain in domains for value in domain.ends]
    alone = {drawn: wrong(drawn) for drawn in values}
    yield from (problem for found in alone.values() for problem in found)
    for one, other in combinations([drawn for drawn in values if not alone[drawn]], 2):
        if one.key != other.key:
            yield from wrong(one, other)


def _blamed(draft: Draft, key: str, message: str, params: Mapping[str, Any], drawn: Sequence[Drawn]) -> Misplaced:
    """Where to look for what makes a configuration wrong, and beside what."""
    if not drawn:
        return (*PARAMETERS, key) if key in params else draft.place(key), message
    guilty = next((one for one in drawn if one.key == key), drawn[-1])
    others = [name for name in params if name != guilty.key and (len(drawn) == 1 or name in [one.key for one in drawn])]
    beside = f" (drawn with {listed(f'{name}: {params[name]}' for name in others)}; a `when` keeps them apart)" if others else ""
    about = "" if guilty.key == key else f"`{key}`: "
    return guilty.place, f"{about}{message}{beside}"


def _place(document: Document, domain: Domain, value: Any) -> Key:
    if not domain.choices:
        return (*PARAMETERS, domain.key, "low" if value == domain.low else "high")
    place = (*PARAMETERS, domain.key, "choices")
    listed = isinstance(document.get(*place), list)
    return (*place, [label for label, _ in domain.choices].index(value) if listed else value)
