"""The shape of a study file: which keys there are, and what each takes.

Pydantic stays in this module and its neighbours ``levels`` and ``mistakes``. A key that the file leaves out is left out of ``said()`` too:
``study.resolve`` fills in the defaults, arm by arm.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from studyhub.catalog import CHECKPOINTS, LOSSES, METRICS, MODELS, OPTIMIZERS, PHYSICS, READERS, RECIPES, SCHEMES, SPLITS, STATIC_FROM
from studyhub.study.levels import (
    ArmName,
    Attributes,
    Basins,
    ColumnName,
    Count,
    Distinct,
    Fill,
    Fixed,
    Forcing,
    Fraction,
    Gpus,
    Groups,
    MaybePeriod,
    OrEmpty,
    OrEmptyList,
    OrNone,
    Parameters,
    PeriodLevel,
    Positive,
    Rates,
    Seed,
    Shards,
    Text,
    Texts,
    WholeBasins,
    Years,
    ingested,
    level,
)

UNSAID: Any = None  # never seen: only said keys are read


class Shape(BaseModel):
    """One mapping of the file: its keys are all there is, and ``1`` is not ``"1"``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def said(self) -> dict[str, Any]:
        """Only what the file says."""
        return {name: getattr(self, name) for name in self.model_fields_set}


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


class ModelKeys(Shape):
    model: Annotated[str, level("model", MODELS)] = UNSAID
    forcing: Forcing = UNSAID
    attributes: Attributes = UNSAID
    hidden_size: Count = UNSAID
    dropout: Annotated[float, Field(ge=0, lt=1)] = UNSAID
    recipe: Annotated[str, level("recipe", RECIPES)] = UNSAID
    physics: Annotated[str, level("physics", PHYSICS)] = UNSAID
    scheme: Annotated[str, level("scheme", SCHEMES)] = UNSAID
    steps_per_day: Count = UNSAID
    raw_stores: bool = UNSAID
    capillary_rise: bool = UNSAID
    components: Count = UNSAID
    dynamic: Parameters = UNSAID
    fixed: Fixed = UNSAID
    warmup_gradients: bool = UNSAID
    static_from: Annotated[str, level("level", STATIC_FROM)] = UNSAID


class TrainingKeys(Shape):
    epochs: Count = UNSAID
    batch: Count = UNSAID
    window: Count = UNSAID
    updates_per_epoch: Annotated[Count | None, OrNone] = UNSAID
    optimizer: Annotated[str, level("optimizer", OPTIMIZERS)] = UNSAID
    learning_rate: Rates = UNSAID
    gradient_norm: Annotated[Positive | None, OrNone] = UNSAID
    loss: Annotated[str, level("loss", LOSSES)] = UNSAID
    loss_weight: Fraction = UNSAID
    checkpoint: Annotated[str, level("level", CHECKPOINTS)] = UNSAID
    resident: Annotated[Count | None, OrNone] = UNSAID


class ColumnKeys(Shape):
    """What the columns of an external table are called in it."""

    basin: ColumnName = UNSAID
    date: ColumnName = UNSAID
    qsim: ColumnName = UNSAID


class ArmKeys(ModelKeys, TrainingKeys):
    """``external`` makes it a simulation from elsewhere. The path is as written: from the folder where the command runs."""

    may_diverge: bool = UNSAID
    external: Text = UNSAID
    columns: Annotated[ColumnKeys, OrEmpty] = UNSAID


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


class StudyFile(Shape):
    question: Text
    data: Data = Synthetic()
    split: SplitKeys
    shared: Annotated[ModelKeys, OrEmpty] = ModelKeys()
    training: Annotated[TrainingKeys, OrEmpty] = TrainingKeys()
    arms: Annotated[dict[ArmName, Annotated[ArmKeys, OrEmpty]], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(strict=False, min_length=1), Distinct]
    resources: Annotated[Resources, OrEmpty] = Resources()
    compare: Annotated[tuple[Claim, ...], Field(strict=False), OrEmptyList] = ()


def keys_at(path: tuple[str | int, ...]) -> tuple[str, ...]:
    """Keys that the mapping at ``path`` may hold."""
    if path[:1] == ("arms",) and path[2:] == ("columns",):
        return tuple(ColumnKeys.model_fields)
    if path[:1] == ("split",) and path[1:2] in (("min_years",), ("long_record",)):
        return tuple(YearsKeys.model_fields)
    shape = _SECTIONS.get(str(path[0])) if path else StudyFile
    return tuple(shape.model_fields) if shape else ()


_SECTIONS: dict[str, type[Shape]] = {
    "split": SplitKeys,
    "shared": ModelKeys,
    "training": TrainingKeys,
    "arms": ArmKeys,
    "resources": Resources,
    "compare": Claim,
}
