"""What has changed in a study since it was launched before, as far as it alters what its cells are."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from studyhub.study.arms import Arm
from studyhub.study.describe import drawn_from, level_texts
from studyhub.study.external import ExternalArm
from studyhub.study.shape import ShardFolder
from studyhub.study.space import SearchSettings
from studyhub.study.spec import StudySpec
from studyhub.study.wording import listed

Arms = Mapping[str, Arm | ExternalArm]


def changes(before: StudySpec, after: StudySpec) -> list[str]:
    """Say in short lines what differs: nothing that ran before is deleted, and what is taken back is there again.

    Questions, claims and resources are no part of a trial, and not looked at.
    """
    return [*_arms(before, after), *_search(before.search, after.search), *_common(before, after)]


def _arms(before: StudySpec, after: StudySpec) -> Iterator[str]:
    old: Arms = {arm.name: arm for arm in before.arms}
    new: Arms = {arm.name: arm for arm in after.arms}
    gone, come = [name for name in old if name not in new], [name for name in new if name not in old]
    known = {_identity(old[name], old): name for name in gone}
    renamed = {name: known[identity] for name in come if (identity := _identity(new[name], new)) in known}
    yield from (f"renamed: {was} is now {name}" for name, was in renamed.items())
    added = [name for name in come if name not in renamed]
    hidden = [name for name in gone if name not in renamed.values()]
    if added:
        yield f"new: {listed(added)}"
    if hidden:
        yield f"no longer in the study: {listed(hidden)} (what was run of it stays in the store)"
    for name in (name for name in new if name in old):
        told = _altered(old[name], new[name])
        if told:
            yield f"altered: {name}: {', '.join(told)}"


def _identity(arm: Arm | ExternalArm, arms: Arms) -> Any:
    """What an arm is, whatever it is called, and whatever the one is called that it starts from."""
    if isinstance(arm, ExternalArm) or arm.init_from is None:
        return arm.settings
    return (*arm.settings[:-1], _identity(arms[arm.init_from], arms))


def _altered(old: Arm | ExternalArm, new: Arm | ExternalArm) -> list[str]:
    was, now = _texts(old), _texts(new)
    return [f"{key} {was.get(key, '-')} -> {now.get(key, '-')}" for key in dict.fromkeys((*was, *now)) if was.get(key) != now.get(key)]


def _texts(arm: Arm | ExternalArm) -> dict[str, str]:
    if isinstance(arm, ExternalArm):
        return level_texts(arm) | {"external": str(arm.table)}
    return level_texts(arm) | {"init_from": arm.init_from or "none"}


def _search(old: SearchSettings | None, new: SearchSettings | None) -> Iterator[str]:
    if old is None or new is None:
        if old is not new:
            yield "search: new" if old is None else "search: taken out; its arms train as they are"
        return
    was, now = _settings(old), _settings(new)
    told = [f"{key} {was.get(key, '-')} -> {now.get(key, '-')}" for key in dict.fromkeys((*was, *now)) if was.get(key) != now.get(key)]
    if told:
        yield f"search: {', '.join(told)}"


def _settings(settings: SearchSettings) -> dict[str, str]:
    plain = {key: value for key, value in asdict(settings).items() if key != "domains"}
    drawn = {domain.key: drawn_from(domain) + (", logarithmic" if domain.log else "") for domain in settings.domains}
    return {key: listed(value) if isinstance(value, tuple) else str(value) for key, value in plain.items()} | drawn


def _common(before: StudySpec, after: StudySpec) -> Iterator[str]:
    """What all cells have in common: seeds, days, basins."""
    if before.seeds != after.seeds:
        yield f"seeds: {listed(before.seeds)} -> {listed(after.seeds)}"
    for section, was, now in (("split", before.division.plain(), after.division.plain()), ("data", _data(before), _data(after))):
        pairs = {key: (_shown(was.get(key)), _shown(now.get(key))) for key in dict.fromkeys((*was, *now)) if was.get(key) != now.get(key)}
        told = [f"{key} {old} -> {new}" for key, (old, new) in pairs.items() if old != new or len(pairs) == 1]
        if told:
            yield f"{section}, for every cell: {', '.join(told)}"


def _data(spec: StudySpec) -> dict[str, Any]:
    kind = {"shards": spec.data.shards} if isinstance(spec.data, ShardFolder) else {}
    return spec.data.model_dump() | kind


def _shown(value: Any) -> str:
    match value:
        case None | () | []:
            return "none"
        case list() | tuple():
            return listed(value, most=4)
        case dict():
            return ", ".join(f"{key} {item}" for key, item in value.items())
        case _:
            return str(value)
