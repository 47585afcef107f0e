"""What cannot be run of what a study file says of an arm: levels that cannot go together, or not with the split.

An arm's own keys win over ``shared`` and ``training``, and these over the recipe's defaults. Keys that mean nothing for an arm's model
are an error in the arm, and take no part where they come from ``shared`` or ``training``: so they never change what a trial is.
"""

from collections.abc import Iterator, Mapping

from studyhub.catalog import DISCHARGE_ATTRIBUTES, EXPLICIT_SCHEMES, MODELS, PHYSICS
from studyhub.physics.structure import Parameter
from studyhub.study import external
from studyhub.study.arms import Arm, Draft
from studyhub.study.defaults import DPL_KEYS, canonical, physics_of, settings_of
from studyhub.study.external import ExternalArm
from studyhub.study.settings import Model, Split, Training
from studyhub.study.wording import listed, unknown
from studyhub.study.yaml import Key

Problem = tuple[str, str]  # key, message
Misplaced = tuple[Key, str]  # place in the file, message

MEAN_PRECIPITATION = ("p_mean", "clim_p_mean")  # as the data set has it, or from the forcing that the model sees


def resolve(draft: Draft, split: Split) -> tuple[Arm | ExternalArm | None, list[Misplaced]]:
    """Fill in one arm. Returns None where it names no model, and all that cannot be run."""
    if draft.is_external:
        return external.resolve(draft.name, draft.home, draft.own)
    if "columns" in draft.own:
        message = "has a meaning beside `external` only; take it out, or write `external: TABLE`"
        return None, [((*draft.home, "columns"), message)]
    if "model" not in draft.said:
        return None, [(draft.home, f"`model` is required ({listed(MODELS)}); write it in `shared` or in the arm")]
    model, training = settings_of(draft.said)
    found = [(draft.place(key), message) for key, message in (*meaningless(model, training, draft), *problems(model, training, split))]
    return Arm(draft.name, *canonical(model, training), draft.said.get("may_diverge", False), levels=draft.levels), found


def problems(model: Model, training: Training, split: Split) -> list[Problem]:
    """What cannot be run of a model and its training."""
    found = [*_of_training(model, training, split)]
    return [*found, *_of_parameters(model), *_of_scheme(model)] if model.kind == "dpl" else found


def meaningless(model: Model, training: Training, draft: Draft) -> Iterator[Problem]:
    """Keys that an arm says and that mean nothing for it."""
    if model.kind == "lstm":
        for key in (key for key in DPL_KEYS if key in draft.own):
            yield key, "has no meaning for model lstm; take it out, or write `model: dpl`"
    if training.loss != "rmse_log" and "loss_weight" in draft.own:
        yield "loss_weight", f"has no meaning for loss {training.loss}; take it out, or write `loss: rmse_log`"


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
    physics, fixed = physics_of(model), dict(model.fixed)
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
