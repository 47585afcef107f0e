"""Which surfaces a study asks for: a score over the plane of two parameters, around what a model has learned."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studyhub.catalog import METRICS, PHYSICS
from studyhub.errors import DataError, SpecError
from studyhub.physics.structure import Physics
from studyhub.study.arms import Arm
from studyhub.study.defaults import physics_of
from studyhub.study.external import ExternalArm
from studyhub.study.shape import SurfaceKeys
from studyhub.study.wording import listed, nearest, unknown
from studyhub.study.yaml import Document, Key

FILE = "surfaces.parquet"  # of a study
JUDGED = tuple(name for name, metric in METRICS.items() if metric.of == "discharge")

Arms = Sequence[Arm | ExternalArm]


@dataclass(frozen=True)
class Surface:
    """What is asked for.

    Parameters
    ----------
    parameters : the two that are moved, the one of the horizontal axis first
    basins : which, or how many; see `studyhub.runner.surface.choose`
    points : along each axis; an odd number, so that what was learned is one of them
    reach : offset of the outermost points from what was learned, as a share of the parameter's range
    metric : of discharge
    arms : those that are looked at; None means all that have both parameters
    """

    parameters: tuple[str, str] = ("FC", "BETA")
    basins: int | tuple[str, ...] = 4
    points: int = 21
    reach: float = 0.5
    metric: str = "kge"
    arms: tuple[str, ...] | None = None

    def plain(self) -> dict[str, Any]:
        """The section ``surface`` of a study file."""
        return asdict(self) | {"arms": "all" if self.arms is None else self.arms}

    def problems(self, arms: Arms) -> Iterator[tuple[Key, str]]:
        """What cannot be done with a study's arms: the key that says it, and what to say instead."""
        if self.points % 2 == 0:
            yield ("points",), f"must be odd, so that the learned values are one of them; got {self.points}, write {self.points + 1}"
        if self.metric not in JUDGED:
            yield ("metric",), f"{self.metric} is no metric of discharge; {nearest(self.metric, JUDGED)}"
        if self.parameters[0] == self.parameters[1]:
            yield ("parameters",), f"two parameters are required, got {self.parameters[0]} twice; name another one"
        yield from self._of_arms({arm.name: arm for arm in arms})

    def _of_arms(self, arms: Mapping[str, Arm | ExternalArm]) -> Iterator[tuple[Key, str]]:
        able = {name: physics for name, arm in arms.items() if (physics := water_balance(arm)) is not None}
        for place, name in enumerate(self.arms or ()):
            if name not in arms:
                yield ("arms", place), f"there is no arm {name!r}; {nearest(name, arms)}"
            elif name not in able:
                yield ("arms", place), f"`{name}` has no water balance whose parameters could be moved; those that have: {listed(able)}"
        chosen = {name: able[name] for name in (able if self.arms is None else self.arms) if name in able} or able
        if not able:
            yield (), "no arm of the study has a water balance whose parameters could be moved; take it out, or add an arm of `model: dpl`"
        known = dict.fromkeys(name for physics in chosen.values() for name in physics.parameter_names)
        foreign = [(place, name) for place, name in enumerate(self.parameters) if chosen and name not in known]
        for place, name in foreign:
            yield ("parameters", place), unknown("parameter", name, known)
        for name, physics in chosen.items() if not foreign else ():
            lacking = [wanted for wanted in self.parameters if wanted not in physics.parameter_names]
            if lacking and (self.arms is not None or not self.able(list(arms.values()))):
                yield (
                    ("parameters" if self.arms is None else "arms",),
                    f"`{name}` ({physics.name}) has no {listed(lacking)}; its parameters are {listed(physics.parameter_names)}",
                )

    def able(self, arms: Arms) -> tuple[str, ...]:
        """Those of the asked arms that have both parameters."""
        asked = [arm for arm in arms if self.arms is None or arm.name in self.arms]
        found = {arm.name: physics for arm in asked if (physics := water_balance(arm)) is not None}
        return tuple(name for name, physics in found.items() if set(self.parameters) <= set(physics.parameter_names))

    def require_basins(self, tested: Iterable[str]) -> None:
        """Raise a DataError where a basin is named that no trial is tested on."""
        known = tuple(tested)
        absent = [basin for basin in self.basins if basin not in known] if isinstance(self.basins, tuple) else []
        if absent:
            raise DataError(f"a surface needs basins that the study tests on, {listed(absent)} is none; {nearest(absent[0], known)}")


def water_balance(arm: Arm | ExternalArm) -> Physics | None:
    """The water-balance model of an arm, if it has one."""
    return physics_of(arm.model) if isinstance(arm, Arm) and arm.model.kind == "dpl" and arm.model.physics in PHYSICS else None


def read_surface(document: Document, keys: SurfaceKeys, arms: Arms) -> tuple[Surface, list[SpecError]]:
    """Read the section ``surface`` of a study file."""
    arms_asked = None if isinstance(keys.arms, str) else keys.arms
    surface = Surface(keys.parameters, keys.basins, keys.points, keys.reach, keys.metric, arms_asked)
    return surface, [document.error(message, "surface", *place) for place, message in surface.problems(arms)]
