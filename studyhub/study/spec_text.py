"""A study as plain values of a study file with nothing left to default: all arms written out, without factors, designs and exclusions."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from studyhub.storage import absolute
from studyhub.study.arms import Arm, meaningful
from studyhub.study.defaults import DPL_KEYS, MODEL_KEYS, TRAINING_KEYS
from studyhub.study.external import ExternalArm
from studyhub.study.shape import ShardFolder

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
            "seeds": list(spec.seeds),
            "resources": spec.resources.model_dump(exclude_none=True),
            "compare": [claim.model_dump() for claim in spec.compare],
        }
    )


def _arm(arm: Arm | ExternalArm) -> dict[str, Any]:
    settings = meaningful(arm)
    if "fixed" in settings:
        settings["fixed"] = dict(settings["fixed"])
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
