"""Arms that start from the weights of another arm: who that is, and whether the weights fit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from studyhub.errors import SpecError
from studyhub.study.arms import Arm, Draft
from studyhub.study.defaults import physics_of
from studyhub.study.external import ExternalArm
from studyhub.study.settings import Model
from studyhub.study.wording import listed, nearest, shown
from studyhub.study.yaml import Document

# What gives the network's weights their shape and their meaning. The rest may differ: rows of the output go by the parameter's name.
ALIKE = ("kind", "recipe", "forcing", "attributes", "hidden_size")

Arms = Sequence[Arm | ExternalArm]


def with_parents(document: Document, drafts: Sequence[Draft], arms: Arms) -> tuple[tuple[Arm | ExternalArm, ...], list[SpecError]]:
    """Give each arm the name of the arm whose weights it starts from."""
    by_name, errors = {draft.name: draft for draft in drafts}, []
    known = {arm.name: arm for arm in arms}
    for name, arm in known.items():
        draft = by_name[name]
        if isinstance(arm, ExternalArm) or "init_from" not in draft.own:
            continue
        place = (*draft.place("init_from"), "arm")
        parent, message = _parent(draft, draft.own["init_from"].arm, drafts)
        if parent is not None:
            known[name] = replace(arm, init_from=parent)
            message = next(_misfits(arm, known.get(parent)), None)
        if message is not None:
            errors.append(document.error(message, *place))
    parents = {arm.name: arm.init_from for arm in known.values() if isinstance(arm, Arm) and arm.init_from}
    circle = _circle(parents)
    if circle and not errors:
        message = f"arms start from each other in a circle: {' from '.join(circle)}; one of them must start afresh"
        errors.append(document.error(message, *by_name[circle[0]].place("init_from"), "arm"))
    return tuple(known.values()), errors


def parents_first(arms: Arms) -> Iterator[Arm | ExternalArm]:
    """Arms in an order in which each stands after the one that it starts from."""
    known = {arm.name: arm for arm in arms}
    needs = {name: [arm.init_from] if isinstance(arm, Arm) and arm.init_from else [] for name, arm in known.items()}
    yield from (known[name] for name in TopologicalSorter(needs).static_order())


def _parent(child: Draft, wanted: str, drafts: Sequence[Draft]) -> tuple[str | None, str | None]:
    """Name of the arm that is meant: the one of that name; or, of the arms that factors made of it, the one with the child's levels."""
    names = [draft.name for draft in drafts]
    if wanted in names:
        return wanted, None
    made = [draft for draft in drafts if draft.base == wanted]
    if not made:
        return None, f"there is no arm {wanted!r}; {nearest(wanted, names)}"
    levels = {factor: label for factor, label in child.levels if factor != "arm"}
    alike = [draft for draft in made if all(levels.get(factor, label) == label for factor, label in draft.levels if factor != "arm")]
    if len(alike) == 1:
        return alike[0].name, None
    found = f"{'none has' if not alike else 'several have'} the levels of `{child.name}`"
    return None, f"of the arms that factors make of `{wanted}`, {found}; name one of {listed(draft.name for draft in alike or made)}"


def _misfits(child: Arm, parent: Arm | ExternalArm | None) -> Iterator[str]:
    """Why a child cannot start from a parent's weights; nothing is said of a parent that is wrong itself."""
    if parent is None:
        return
    if isinstance(parent, ExternalArm):
        yield f"`{parent.name}` is a simulation from elsewhere, which has no weights to start from; name an arm that is trained"
        return
    if child.searched is not None:
        yield (
            f"`{child.name}` cannot both be searched and start from `{parent.name}`: a search trains and judges inside the fold's training "
            "data, all of which the parent's weights have seen; leave it out of `search.arms`, and search the parent"
        )
    drawn = {domain.key for domain in parent.searched.domains} if parent.searched else set()
    for key in ALIKE:
        said, theirs, ours = "model" if key == "kind" else key, getattr(parent.model, key), getattr(child.model, key)
        if said in drawn:
            yield f"starts from `{parent.name}`, whose `{said}` is searched, and must be alike in it; take `{said}` out of the search"
        elif theirs != ours:
            yield f"starts from `{parent.name}`, and must be alike in `{said}`: {shown(theirs)} there, {shown(ours)} here; make them equal"
    if child.model.kind == parent.model.kind == "dpl" and not _learned(child.model) & _learned(parent.model):
        yield f"starts from `{parent.name}`, which learns none of its parameters ({_names(parent.model)} there, {_names(child.model)} here)"


def _learned(model: Model) -> set[str]:
    return set(physics_of(model).parameter_names) - set(dict(model.fixed))


def _names(model: Model) -> str:
    return listed(name for name in physics_of(model).parameter_names if name in _learned(model))


def _circle(parents: Mapping[str, str]) -> list[str]:
    """Arms that start from each other, the first one again at the end; empty where there are none."""
    try:
        TopologicalSorter({child: [parent] for child, parent in parents.items()}).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []
