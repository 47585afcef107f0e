"""The shape of a study file: which keys there are, and what each takes.

Pydantic stays in this module and its neighbours ``arm_keys``, ``levels``, ``factors`` and ``mistakes``. A key that the file leaves out is
left out of ``said()`` too: ``study.defaults`` has the defaults, arm by arm.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from studyhub.catalog import DESIGNS, METRICS, READERS, SAMPLERS, SCHEDULERS, SPLITS
from studyhub.study.arm_keys import UNSAID, ArmKeys, ColumnKeys, InitFrom, LevelKeys, ModelKeys, Shape, TrainingKeys
from studyhub.study.levels import (
    ArmName,
    Basins,
    Condition,
    Count,
    Distinct,
    FactorName,
    Fill,
    Gpus,
    Groups,
    MaybePeriod,
    OrEmpty,
    OrEmptyList,
    OrNone,
    PeriodLevel,
    Point,
    Positive,
    SearchedArms,
    Seed,
    Shards,
    SomeBasins,
    Text,
    Texts,
    TwoParameters,
    Validation,
    WholeBasins,
    Years,
    ingested,
    level,
)


def _of_discharge(metric: str) -> str:
    """A search looks at models again and again while they train, and then at discharge alone."""
    if METRICS[metric].of != "discharge":
        raise ValueError(f"a search goes by discharge, and {metric} does not judge it; take one that does, such as `nse`")
    return metric


Objective = Annotated[str, level("metric", METRICS), AfterValidator(_of_discharge)]


class Synthetic(Shape):
    """Virtual basins, made when they are first needed."""

    reader: Annotated[str, level("reader", READERS), ingested] = "synthetic"
    basins: Annotated[int, Field(ge=1, le=9999)] = 40
    years: Annotated[int, Field(ge=1, le=200)] = 10
    seed: Seed = 1
    without: Texts = ()
    fill: Fill = None


class ShardFolder(Shape):
    """Basins that were ingested: in one folder, or in several that are taken together. Paths and URIs are as written.

    ``without`` names quality checks: basins that one of them flagged are left out. ``fill`` says how gaps in forcing are filled.
    """

    shards: Shards
    basins: WholeBasins = "all"
    exclude: Basins = ()
    without: Texts = ()
    fill: Fill = None


def _data_kind(value: Any) -> str:
    given = value if isinstance(value, dict) else {}
    return "<shards>" if isinstance(value, ShardFolder) or "shards" in given else "<synthetic>"


Data = Annotated[
    Annotated[Synthetic, Tag("<synthetic>")] | Annotated[ShardFolder, Tag("<shards>")],
    Discriminator(_data_kind),
]


class YearsKeys(Shape):
    """Observed years of discharge."""

    train: Years = 0.0
    test: Years = 0.0


class SplitKeys(Shape):
    """Keys of every kind of split; `study.spec` says which have a meaning for one. A list from a file brings its periods."""

    kind: Annotated[str, level("split", SPLITS)] = "temporal"
    train: PeriodLevel = UNSAID
    test: PeriodLevel = UNSAID
    validation: MaybePeriod = None
    warmup: Count = 365
    test_warmup: Count = 730
    folds: Annotated[int, Field(ge=2)] = UNSAID
    seed: Seed = UNSAID
    stratify: Annotated[Text | None, OrNone] = UNSAID
    by: Text = UNSAID
    groups: Groups = UNSAID
    hold_out: Texts = UNSAID
    file: Text = UNSAID
    min_years: YearsKeys | None = None
    long_record: YearsKeys | None = None


class FactorKeys(Shape):
    """A factor that takes part under a condition only."""

    levels: Any
    when: Condition = UNSAID


class DesignKeys(Shape):
    """Which combinations of levels are run; ``study.design`` says which keys have a meaning for which kind."""

    kind: Annotated[str, level("design", DESIGNS)]
    baseline: Point = UNSAID
    complete: Point = UNSAID
    cells: Annotated[tuple[Point, ...], Field(strict=False, min_length=1)] = UNSAID


class DomainKeys(Shape):
    """What a search may draw for one key."""

    low: float = UNSAID
    high: float = UNSAID
    log: bool = False
    choices: Any = UNSAID
    when: Condition = UNSAID


class SearchKeys(Shape):
    parameters: Annotated[dict[str, DomainKeys], Field(min_length=1)]
    budget: Count
    batch: Count = 4
    sampler: Annotated[str, level("sampler", SAMPLERS)] = "tpe"
    scheduler: Annotated[str, level("scheduler", SCHEDULERS), BeforeValidator(lambda value: "none" if value is None else value)] = "none"
    rungs: Annotated[tuple[Count, ...], Field(strict=False), OrEmptyList] = ()
    objectives: Annotated[tuple[Objective, ...], Field(strict=False, min_length=1), Distinct] = ("nse",)
    validation: Validation = "period"
    seed: Seed = 1
    arms: SearchedArms = "all"


class SurfaceKeys(Shape):
    """A score over the plane of two parameters; see ``study.surface``."""

    parameters: TwoParameters = ("FC", "BETA")
    basins: SomeBasins = 4
    points: Annotated[int, Field(ge=3, le=101)] = 21
    reach: Annotated[float, Field(gt=0, le=1)] = 0.5
    metric: Annotated[str, level("metric", METRICS)] = "kge"
    arms: SearchedArms = "all"


class Resources(Shape):
    """What one trial takes. ``gpus`` may be a fraction; "auto" takes one where there are any. ``gpu_memory`` is in GiB."""

    cpus: Count = 1
    gpus: Gpus = "auto"
    gpu_memory: Annotated[Positive | None, OrNone] = None


class Claim(Shape):
    """What the study expects, said before it runs."""

    better: str
    than: str
    metric: Annotated[str, level("metric", METRICS)]


class EvaluateKeys(Shape):
    """How results are judged; ``margin``: up to which difference of a metric arms are equivalent in practice, not as in the catalog."""

    margin: Annotated[dict[Annotated[str, level("metric", METRICS)], Annotated[float, Field(ge=0)]], OrEmpty] = {}


FULL = DesignKeys(kind="full")


class StudyFile(Shape):
    question: Text
    data: Data = Synthetic()
    split: SplitKeys
    shared: Annotated[ModelKeys, OrEmpty] = ModelKeys()
    training: Annotated[TrainingKeys, OrEmpty] = TrainingKeys()
    arms: Annotated[dict[ArmName, Annotated[ArmKeys, OrEmpty]], OrEmpty] = {}
    factors: Annotated[dict[FactorName, Any], OrEmpty] = {}
    design: Annotated[DesignKeys, BeforeValidator(lambda value: {"kind": value} if isinstance(value, str) else value)] = FULL
    exclude: Annotated[tuple[Condition, ...], Field(strict=False), OrEmptyList] = ()
    search: SearchKeys | None = None
    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=1), Distinct]
    resources: Annotated[Resources, OrEmpty] = Resources()
    compare: Annotated[tuple[Claim, ...], Field(strict=False), OrEmptyList] = ()
    evaluate: Annotated[EvaluateKeys, OrEmpty] = EvaluateKeys()
    surface: Annotated[SurfaceKeys | None, OrEmpty] = None


def keys_at(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """Keys that the mapping at ``path`` may hold."""
    match path:
        case ():
            shape = StudyFile
        case ("arms", _, "columns"):
            shape = ColumnKeys
        case ("arms" | "factors", *_, "init_from"):
            shape = InitFrom
        case ("split", "min_years" | "long_record"):
            shape = YearsKeys
        case ("search", "parameters", _):
            shape = DomainKeys
        case (section, *_):
            shape = _SECTIONS.get(str(section))
    return tuple(shape.model_fields) if shape else ()


_SECTIONS: dict[str, type[Shape]] = {
    "split": SplitKeys,
    "shared": ModelKeys,
    "training": TrainingKeys,
    "arms": ArmKeys,
    "factors": LevelKeys,
    "design": DesignKeys,
    "search": SearchKeys,
    "resources": Resources,
    "compare": Claim,
    "evaluate": EvaluateKeys,
    "surface": SurfaceKeys,
}
