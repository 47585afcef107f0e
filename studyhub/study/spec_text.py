"""A study as plain values of a study file with nothing left to default: all arms written out, without factors, designs and exclusions."""

from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from studyhub.storage import absolute
from studyhub.study.arms import Arm, meaningful
from studyhub.study.defaults import DPL_KEYS, MODEL_KEYS, TRAINING_KEYS
from studyhub.study.external import ExternalArm
from studyhub.study.shape import ShardFolder
from studyhub.study.space import Domain, SearchSettings

if TYPE_CHECKING:
    from studyhub.study.spec import StudySpec


def plain(spec: "StudySpec") -> dict[str, Any]:
    data = {key: value for key, value in spec.data.model_dump().items() if value is not None}
    if isinstance(spec.data, ShardFolder):
        folders = [absolute(folder) for folder in spec.data.shards]
        data["shards"] = folders[0] if len(folders) == 1 else folders
    arms = {arm.name: _arm(arm) for arm in spec.arms}
    shared = _shared([arms[arm.name] for arm in spec.arms if isinstance(arm, Arm)])
    for arm in (arms[arm.name] for arm in spec.arms if isinstance(arm, Arm)):
        for key in shared.keys() & arm.keys():
            del arm[key]
    sections = {
        name: {key: shared[key] for key in keys if key in shared} for name, keys in (("shared", MODEL_KEYS), ("training", TRAINING_KEYS))
    }
    return _lists(
        {
            "question": spec.question,
            "data": data,
            "split": spec.division.plain(),
            **{name: section for name, section in sections.items() if section},
            "arms": arms,
            **({} if spec.search is None else {"search": _search(spec.search)}),
            "seeds": list(spec.seeds),
            "resources": spec.resources.model_dump(exclude_none=True),
            "compare": [claim.model_dump() for claim in spec.compare],
            **({"evaluate": {"margin": dict(spec.margin)}} if spec.margin else {}),
            **({} if spec.surface is None else {"surface": spec.surface.plain()}),
        }
    )


def _search(settings: SearchSettings) -> dict[str, Any]:
    said = {field.name: getattr(settings, field.name) for field in fields(settings) if field.name not in ("domains", "share")}
    judged = "period" if settings.share is None else {"basins": settings.share}
    return {"parameters": {domain.key: _domain(domain) for domain in settings.domains}, **said, "validation": judged}


def _domain(domain: Domain) -> dict[str, Any]:
    when = {"when": {key: [_raw(key, value) for value in values] for key, values in domain.when}} if domain.when else {}
    if domain.choices:
        return {"choices": {label: _raw(domain.key, value) for label, value in domain.choices}} | when
    return {"low": domain.low, "high": domain.high, "log": domain.log} | when


def _raw(key: str, value: Any) -> Any:
    """Return a value as a study file writes it."""
    return dict(value) if key == "fixed" and not isinstance(value, str) else value


def _arm(arm: Arm | ExternalArm) -> dict[str, Any]:
    settings: dict[str, Any] = meaningful(arm)
    if isinstance(arm, Arm) and arm.searched is not None:
        settings = dict(arm.searched.settled) | {"may_diverge": arm.may_diverge}
    settings = {key: _raw(key, value) for key, value in settings.items()}
    if isinstance(arm, Arm):
        settings |= {"init_from": {"arm": arm.init_from}} if arm.init_from else {}
        settings |= {"levels": dict(arm.levels)} if arm.levels else {}
    return settings


def _shared(arms: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What all arms say alike. A key that has no meaning for an arm is no matter to it; one that it leaves out otherwise is not shared."""
    found = {}
    for key in (*MODEL_KEYS, *TRAINING_KEYS):
        meant = [arm for arm in arms if (key not in DPL_KEYS or arm["model"] == "dpl") and (key != "loss_weight" or key in arm)]
        if meant and all(key in arm and arm[key] == meant[0][key] for arm in meant):
            found[key] = meant[0][key]
    return found


def _lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, tuple | list) else value
