"""What a plan needs to know of the data, and which of its basins a study uses."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from studyhub.catalog import TARGET, variables
from studyhub.errors import DataError
from studyhub.study import splits
from studyhub.study.arms import Arm
from studyhub.study.external import ExternalArm
from studyhub.study.settings import Period
from studyhub.study.shape import ShardFolder
from studyhub.study.spec import StudySpec
from studyhub.study.splits import LeftOut
from studyhub.study.wording import listed, mixed_pet, nearest


class Facts(splits.Facts, Protocol):
    """What a plan needs to know of the data. A shards folder's manifest has it all."""

    @property
    def basins(self) -> tuple[str, ...]: ...

    @property
    def variables(self) -> tuple[str, ...]: ...

    @property
    def attribute_names(self) -> tuple[str, ...]: ...

    @property
    def quality(self) -> Mapping[str, Any]:
        """Checks that were made; what they flagged is a basin's fact ``flagged``."""
        ...

    def hash(self, basins: Iterable[str], variables: Iterable[str], /) -> str: ...


@dataclass(frozen=True)
class DataFacts:
    """Facts as plain values, for data that has no manifest yet. Of its basins nothing is known but their names."""

    basins: tuple[str, ...]
    variables: tuple[str, ...]
    attribute_names: tuple[str, ...]
    hash: Callable[[Iterable[str], Iterable[str]], str]
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)

    def observed_days(self, basin: str, period: Period) -> int:
        raise AssertionError(f"{basin}, {period}: a study that needs such facts is planned with a manifest")


class Hashes:
    """Content hashes, each asked for once: the folds of a split often use the same basins, and arms the same variables."""

    def __init__(self, data: Facts):
        self._data = data
        self._known: dict[tuple[frozenset[str], tuple[str, ...]], str] = {}

    def of(self, basins: tuple[str, ...], used: tuple[str, ...]) -> str:
        key = (frozenset(basins), used)
        if key not in self._known:
            self._known[key] = self._data.hash(tuple(dict.fromkeys(basins)), used)
        return self._known[key]


def require(spec: StudySpec, data: Facts) -> None:
    """Ask for what the arms need: one message for all that the data lack.

    Raises
    ------
    DataError
        It names arms, what they lack, and the data.
    """
    lacking: dict[str, list[str]] = {}
    hints: dict[str, None] = {}
    for arm in spec.arms:
        needs = _needs(arm)
        parts = []
        for what, needed, known in zip(("variable", "attribute"), needs, (data.variables, data.attribute_names), strict=True):
            absent = [name for name in needed if name not in known]
            if absent:
                parts.append(f"{what}{'s' if len(absent) > 1 else ''} {listed(absent)}")
                hints[f"of {what}s, {nearest(absent[0], known)}"] = None
        if parts:
            lacking.setdefault(" and ".join(parts), []).append(arm.name)
    if lacking:
        told = [f"arm{'s' if len(arms) > 1 else ''} {listed(f'`{arm}`' for arm in arms)}: {what}" for what, arms in lacking.items()]
        raise DataError(f"{_called_data(spec)} lacks what is needed by {'; '.join(told)} ({'; '.join(hints)})")


def _needs(arm: Arm | ExternalArm) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Variables and attributes that an arm reads, whatever its search draws."""
    if isinstance(arm, ExternalArm):
        return (TARGET,), ()
    models = [arm.model] if arm.searched is None else [model for model, _ in arm.searched.corners]
    used = dict.fromkeys(name for model in models for name in variables(model))
    return tuple(used), tuple(dict.fromkeys(name for model in models for name in model.attributes))


def chosen_basins(spec: StudySpec, data: Facts) -> tuple[tuple[str, ...], tuple[LeftOut, ...]]:
    """Basins that the study uses, in the order of the data, and those that quality checks keep out of it."""
    chosen, basins = spec.data, data.basins
    if isinstance(chosen, ShardFolder):
        known = set(data.basins)
        wanted = data.basins if chosen.basins == "all" else chosen.basins
        for key, given in (("basins", wanted), ("exclude", chosen.exclude)):
            absent = [basin for basin in given if basin not in known]
            if absent:
                message = f"`data.{key}` names basins that {_called_data(spec)} does not have: {listed(absent)}"
                raise DataError(f"{message}; {nearest(absent[0], data.basins)}")
        used = set(wanted) - set(chosen.exclude)
        basins = tuple(basin for basin in data.basins if basin in used)
    left, gone = [], set()
    for check in chosen.without:
        if check not in data.quality:
            made = nearest(check, data.quality)
            raise DataError(f"`data.without` names a quality check that was not made of {_called_data(spec)}: {check}; {made}")
        found = [basin for basin in basins if basin not in gone and check in (data.metadata[basin].get("flagged") or ())]
        if found:
            left.append(LeftOut("study", f"flagged by the quality check {check}", tuple(found)))
            gone.update(found)
    basins = tuple(basin for basin in basins if basin not in gone)
    if not basins:
        raise DataError(f"`data` leaves no basin of the {len(data.basins)} in {_called_data(spec)}; exclude fewer")
    return basins, tuple(left)


def remarks(spec: StudySpec, data: Facts, basins: Iterable[str]) -> tuple[str, ...]:
    """What a user should know of data sets that are taken together."""
    several = isinstance(spec.data, ShardFolder) and not isinstance(spec.data.shards, str) and len(spec.data.shards) > 1
    if not several or not any("pet" in _needs(arm)[0] for arm in spec.arms):
        return ()
    return tuple(filter(None, [mixed_pet({basin: data.metadata[basin] for basin in basins})]))


def _called_data(spec: StudySpec) -> str:
    return " + ".join(spec.data.shards) if isinstance(spec.data, ShardFolder) else "the world of virtual basins"
