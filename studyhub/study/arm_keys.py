"""Keys of an arm, and what each takes."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from studyhub.catalog import CHECKPOINTS, LOSSES, MODELS, OPTIMIZERS, PHYSICS, RECIPES, SCHEMES, STATIC_FROM
from studyhub.study.levels import (
    Attributes,
    ColumnName,
    Count,
    Fixed,
    Forcing,
    Fraction,
    Labels,
    OrEmpty,
    OrNone,
    Parameters,
    Positive,
    Rates,
    Text,
    level,
)

UNSAID: Any = None  # never seen: only said keys are read


class Shape(BaseModel):
    """One mapping of the file: its keys are all there is, and ``1`` is not ``"1"``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def said(self) -> dict[str, Any]:
        """Only what the file says."""
        return {name: getattr(self, name) for name in self.model_fields_set}


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


class InitFrom(Shape):
    """The arm whose trained weights another one starts from."""

    arm: str


class LevelKeys(ModelKeys, TrainingKeys):
    """What a level of a factor may say: all that an arm may, but for simulations from elsewhere."""

    may_diverge: bool = UNSAID
    init_from: InitFrom = UNSAID


class ArmKeys(LevelKeys):
    """``external`` makes it a simulation from elsewhere. The path is as written: from the folder where the command runs.

    ``levels`` says of which factors' levels an arm was made; resolved studies have it.
    """

    external: Text = UNSAID
    columns: Annotated[ColumnKeys, OrEmpty] = UNSAID
    levels: Labels = UNSAID
