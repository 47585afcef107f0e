"""From what a study file says to what each arm is: defaults, recipes, and levels that cannot go together.

An arm's own keys win over ``shared`` and ``training``, and these over the recipe's defaults. Keys that mean nothing for an arm's model
are an error in the arm, and take no part where they come from ``shared`` or ``training``: so they never change what a trial is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from studyhub.catalog import ATTRIBUTE_SETS, DISCHARGE_ATTRIBUTES, EXPLICIT_SCHEMES, MODELS, OPTIMIZERS, PHYSICS, RECIPES
from studyhub.errors import SpecError
from studyhub.physics.structure import Parameter, Physics
from studyhub.study import external
from studyhub.study.external import ExternalArm
from studyhub.study.settings import Model, Split, Training
from studyhub.study.wording import listed, unknown

if TYPE_CHECKING:
    from studyhub.study.yaml import Document

Said = Mapping[str, Any]
Problem = tuple[str, str]  # key, message

DEFAULT_RECIPE = "feng2020"
DEFAULT_ATTRIBUTES = "table_a1"
MEAN_PRECIPITATION = ("p_mean", "clim_p_mean")  # as the data set has it, or from the forcing that the model sees
MODEL_KEYS = tuple("model" if field.name == "kind" else field.name for field in fields(Model))
DPL_KEYS = MODEL_KEYS[MODEL_KEYS.index("physics") :]
TRAINING_KEYS = tuple(field.name for field in fields(Training))


@dataclass(frozen=True)
class Arm:
    """One combination under study, with every default filled in."""

    name: str
    model: Model
    training: Training
    may_diverge: bool = False

    @property
    def settings(self) -> tuple[Model, Training]:
        """What it is, without its name."""
        return self.model, self.training


@dataclass(frozen=True)
class Sections:
    """What ``shared``, ``training`` and one arm say."""

    shared: Said
    training: Said
    arm: Said

    @property
    def said(self) -> dict[str, Any]:
        return {**self.shared, **self.training, **self.arm}

    def place(self, arm: str, key: str) -> tuple[str, ...]:
        """Where ``key`` is said; the arm itself where it is said nowhere."""
        if key in self.arm:
            return ("arms", arm, key)
        if key in self.shared:
            return ("shared", key)
        return ("training", key) if key in self.training else ("arms", arm)


def resolve(document: "Document", name: str, sections: Sections, split: Split) -> tuple[Arm | ExternalArm | None, list[SpecError]]:
    """Fill in one arm. Returns None where it names no model, and an error for everything that cannot be run."""
    if "external" in sections.arm:
        return external.resolve(document, name, sections.arm)
    if "columns" in sections.arm:
        message = "has a meaning beside `external` only; take it out, or write `external: TABLE`"
        return None, [document.error(message, "arms", name, "columns")]
    said = sections.said
    if "model" not in said:
        return None, [document.error(f"`model` is required ({listed(MODELS)}); write it in `shared` or in the arm", "arms", name)]
    model, training = _model(said), _training(said)
    problems = [*_meaningless(model, training, sections.arm), *_of_training(model, training, split)]
    if model.kind == "dpl":
        problems += [*_of_parameters(model), *_of_scheme(model)]
    errors = [document.error(message, *sections.place(name, key)) for key, message in problems]
    return Arm(name, _canonical_model(model), _canonical_training(training), said.get("may_diverge", False)), errors


def meaningful(arm: Arm | ExternalArm) -> dict[str, Any]:
    """Every key of a study file that has a meaning for this arm's model and loss, with its value."""
    if isinstance(arm, ExternalArm):
        return arm.meaningful()
    keys = [key for key in MODEL_KEYS if arm.model.kind == "dpl" or key not in DPL_KEYS]
    if arm.model.kind == "dpl" and PHYSICS[arm.model.physics].capillary is None:
        keys.remove("capillary_rise")
    model = {key: getattr(arm.model, "kind" if key == "model" else key) for key in keys}
    training = {key: getattr(arm.training, key) for key in TRAINING_KEYS if key != "loss_weight" or arm.training.loss == "rmse_log"}
    return model | training | {"may_diverge": arm.may_diverge}


def _model(said: Said) -> Model:
    brings = RECIPES[said.get("recipe", DEFAULT_RECIPE)].brings[said["model"]]
    defaults = {"forcing": brings.forcing, "dropout": brings.dropout, "attributes": ATTRIBUTE_SETS[DEFAULT_ATTRIBUTES]}
    given = {key: said[key] for key in MODEL_KEYS if key in said and key != "model"}
    return Model(**({"kind": said["model"]} | defaults | given))


def _training(said: Said) -> Training:
    brings = RECIPES[said.get("recipe", DEFAULT_RECIPE)].brings[said["model"]]
    defaults = {key: getattr(brings, key) for key in ("epochs", "batch", "optimizer", "loss", "gradient_norm")}
    # A rate follows the optimizer: AdaDelta's 1.0 would ruin Adam.
    defaults["learning_rate"] = OPTIMIZERS[said.get("optimizer", brings.optimizer)].learning_rate
    return Training(**(defaults | {key: said[key] for key in TRAINING_KEYS if key in said}))


def _canonical_model(model: Model) -> Model:
    """Return the one spelling of all that mean the same, so that they share one trial."""
    if model.kind == "lstm":
        return Model("lstm", model.forcing, model.attributes, model.hidden_size, model.dropout, model.recipe)
    order = _physics(model).parameter_names
    place = {name: order.index(name) if name in order else len(order) for name in (*model.dynamic, *dict(model.fixed))}
    dynamic = tuple(sorted(model.dynamic, key=place.__getitem__))
    return replace(model, dynamic=dynamic, fixed=tuple(sorted(model.fixed, key=lambda pair: place[pair[0]])))


def _canonical_training(training: Training) -> Training:
    return training if training.loss == "rmse_log" else replace(training, loss_weight=Training.loss_weight)


def _physics(model: Model) -> Physics:
    physics = PHYSICS[model.physics]
    return physics.variant(capillary_rise=model.capillary_rise and physics.capillary is not None)


def _meaningless(model: Model, training: Training, arm: Said) -> Iterator[Problem]:
    if model.kind == "lstm":
        for key in (key for key in DPL_KEYS if key in arm):
            yield key, "has no meaning for model lstm; take it out of this arm, or write `model: dpl`"
    if training.loss != "rmse_log" and "loss_weight" in arm:
        yield "loss_weight", f"has no meaning for loss {training.loss}; take it out of this arm, or write `loss: rmse_log`"


def _of_training(model: Model, training: Training, split: Split) -> Iterator[Problem]:
    if training.checkpoint == "best" and split.validation is None:
        yield (
            "checkpoint",
            "`best` needs a validation period, the split has none; give `split.validation`, or write `checkpoint: last`",
        )
    needed = split.warmup + training.window
    if split.train.days < needed:
        message = f"a training sample needs {split.warmup} days of warm-up and a window of {training.window} days ({needed} days in all)"
        yield "window", f"{message}, the training period {split.train} has {split.train.days}; lengthen it, or shorten window or warm-up"
    told = [name for name in model.attributes if name in DISCHARGE_ATTRIBUTES]
    if told:
        yield (
            "attributes",
            f"{listed(told)}: computed from observed discharge, test years included; take it out, it tells what is to be found",
        )
    if model.kind == "lstm" and model.recipe == "feng2020" and not set(MEAN_PRECIPITATION).intersection(model.attributes):
        known = " or ".join(MEAN_PRECIPITATION)
        yield "attributes", f"recipe feng2020 divides discharge by the attribute {known}; add one, or write `recipe: kratzert2019`"
    if model.kind == "lstm" and training.window == 1 and split.test_warmup < split.warmup:
        message = f"an LSTM trained on windows of one day sees the {split.warmup} warm-up days before each day in the test too"
        yield "window", f"{message}: `split.test_warmup` must be at least {split.warmup}, got {split.test_warmup}"


def _of_parameters(model: Model) -> Iterator[Problem]:
    physics, fixed = _physics(model), dict(model.fixed)
    known = {parameter.name: parameter for parameter in physics.parameters}
    if model.capillary_rise and PHYSICS[model.physics].capillary is None:
        yield "capillary_rise", f"physics {model.physics} has none, its parameters are {listed(known)}; write `capillary_rise: false`"
    for key, names in (("dynamic", model.dynamic), ("fixed", tuple(fixed))):
        foreign = [name for name in names if _foreign(name, model)]
        if foreign:
            message = f"physics {model.physics} has no {listed(foreign)}, its parameters are {listed(known)}"
            yield key, f"{message}; write these, or another physics"
        for name in (name for name in names if name not in known and name not in foreign):
            yield key, _absent(name, model, known)
    for name in (name for name in model.dynamic if name in fixed):
        yield "dynamic", f"{name} cannot be both dynamic and fixed; take it out of one of them"
    for name, value in ((name, value) for name, value in fixed.items() if name in known):
        if _impossible(known[name], value):
            yield "fixed", f"{name} must be {'at least' if known[name].low == 0 else 'above'} 0 {known[name].unit}, got {value:g}"
    if not known.keys() - fixed:
        yield "fixed", "at least one parameter must be left to learn; take one out"


def _absent(name: str, model: Model, known: Mapping[str, Parameter]) -> str:
    capillary = PHYSICS[model.physics].capillary
    if capillary is not None and name in capillary.parameter_names:
        return f"{name} belongs to capillary rise, which is off; write `capillary_rise: true`, or take {name} out"
    return unknown(f"parameter of {model.physics}", name, known)


def _foreign(name: str, model: Model) -> bool:
    """Tell a parameter that only another physics has."""
    every = {key: (physics.capillary or physics).parameter_names for key, physics in PHYSICS.items()}
    return name not in every.pop(model.physics) and any(name in names for names in every.values())


def _impossible(parameter: Parameter, value: float) -> bool:
    """Is the value physically senseless? Leaving the learned range is allowed: the published improved sequential model fixes NDC at 1."""
    return parameter.low >= 0 and (value < 0 or (value == 0 and parameter.low > 0))


def _of_scheme(model: Model) -> Iterator[Problem]:
    if model.scheme == "sequential" and model.steps_per_day != 1:
        message = f"the sequential scheme's limits are rates per day: steps_per_day must be 1, got {model.steps_per_day}"
        yield "steps_per_day", f"{message}; write 1, or another scheme"
    if model.raw_stores and model.scheme not in EXPLICIT_SCHEMES:
        yield "raw_stores", f"has a meaning for schemes {listed(EXPLICIT_SCHEMES)} only, not for {model.scheme}; write `raw_stores: false`"
