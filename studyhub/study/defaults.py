"""What a key of an arm comes to where the study file does not say it, and the one spelling of all that mean the same."""

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from studyhub.catalog import ATTRIBUTE_SETS, OPTIMIZERS, PHYSICS, RECIPES
from studyhub.physics.structure import Physics
from studyhub.study.settings import Model, Training

Said = Mapping[str, Any]

DEFAULT_RECIPE = "feng2020"
DEFAULT_ATTRIBUTES = "table_a1"
MODEL_KEYS = tuple("model" if field.name == "kind" else field.name for field in fields(Model))
DPL_KEYS = MODEL_KEYS[MODEL_KEYS.index("physics") :]
TRAINING_KEYS = tuple(field.name for field in fields(Training))
SCIENCE_KEYS = MODEL_KEYS + TRAINING_KEYS
MEANINGLESS = object()  # stands for the value of a key that has no meaning for an arm


def level_of(said: Said, key: str) -> Any:
    """Value that an arm has for ``key``, said or by default; ``MEANINGLESS`` where the key has no meaning for it."""
    if not has_meaning(said, key):
        return MEANINGLESS
    return spelling(key, said[key] if key in said else defaults(said)[key])


def has_meaning(said: Said, key: str) -> bool:
    """Whether ``key`` has a meaning for the arm's model and loss."""
    if "model" not in said:
        return key in said
    if key in DPL_KEYS:
        return said["model"] == "dpl"
    return key != "loss_weight" or level_of(said, "loss") == "rmse_log"


def spelling(key: str, value: Any) -> Any:
    """Return one spelling of lists whose order says nothing."""
    return tuple(sorted(value)) if key in ("dynamic", "fixed") else value


def defaults(said: Said) -> Mapping[str, Any]:
    """Value of every key that an arm does not say; ``said`` names its model at least."""
    return _defaults(said["model"], said.get("recipe", DEFAULT_RECIPE), said.get("optimizer"))


@lru_cache
def _defaults(kind: str, recipe: str, optimizer: str | None) -> Mapping[str, Any]:
    brings = RECIPES[recipe].brings[kind]
    known = asdict(Model(kind, brings.forcing, ATTRIBUTE_SETS[DEFAULT_ATTRIBUTES], dropout=brings.dropout, recipe=recipe)) | asdict(
        Training()
    )
    known |= {key: getattr(brings, key) for key in ("epochs", "batch", "optimizer", "loss", "gradient_norm")}
    # A rate follows the optimizer: AdaDelta's 1.0 would ruin Adam.
    known["learning_rate"] = OPTIMIZERS[optimizer or brings.optimizer].learning_rate
    return MappingProxyType(known | {"model": known.pop("kind")})


def settings_of(said: Said) -> tuple[Model, Training]:
    """Fill in what is not said."""
    known = defaults(said)
    model = {key: said.get(key, known[key]) for key in MODEL_KEYS[1:]}
    return Model(said["model"], **model), Training(**{key: said.get(key, known[key]) for key in TRAINING_KEYS})


def canonical(model: Model, training: Training) -> tuple[Model, Training]:
    """Return the one spelling of all that mean the same, so that they share one trial."""
    return _canonical_model(model), _canonical_training(training)


def _canonical_model(model: Model) -> Model:
    if model.kind == "lstm":
        return Model("lstm", model.forcing, model.attributes, model.hidden_size, model.dropout, model.recipe)
    order = physics_of(model).parameter_names
    place = {name: order.index(name) if name in order else len(order) for name in (*model.dynamic, *dict(model.fixed))}
    dynamic = tuple(sorted(model.dynamic, key=place.__getitem__))
    return replace(model, dynamic=dynamic, fixed=tuple(sorted(model.fixed, key=lambda pair: place[pair[0]])))


def _canonical_training(training: Training) -> Training:
    return training if training.loss == "rmse_log" else replace(training, loss_weight=Training.loss_weight)


def physics_of(model: Model) -> Physics:
    physics = PHYSICS[model.physics]
    return physics.variant(capillary_rise=model.capillary_rise and physics.capillary is not None)
