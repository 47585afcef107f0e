"""Ids: what a trial is, and what it costs, as 16 hex digits."""

import hashlib
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from studyhub.study.settings import External, Trial
from studyhub.study.space import SearchSettings
from studyhub.study.versions import SCIENCE_VERSION


def trial_id(trial: Trial | External) -> str:
    """16 hex digits that stand for everything that could change a trial's results.

    Arm names, resources, claims and paths are no part of a trial, so they never change it.
    """
    if isinstance(trial, External):
        return _digest({"external": _parts(trial), "science_version": SCIENCE_VERSION["evaluation"]})
    return ids_of(trial)(trial.seed, trial.parent)


def ids_of(trial: Trial) -> Callable[[int, str | None], str]:
    """Return the ids of trials that differ from this one in seed and parent alone: what they share is hashed once."""
    parts = _parts(trial)
    return lambda seed, parent: _digest({"trial": parts | {"seed": seed, "parent": parent}, "science_version": SCIENCE_VERSION})


def _parts(trial: Trial | External) -> dict[str, Any]:
    return {name: value if isinstance(value, str | int | None) else _hashed(value) for name, value in vars(trial).items()}


@lru_cache(maxsize=4096)
def _hashed(value: Any) -> str:
    return _digest(value if isinstance(value, tuple) else {type(value).__name__: vars(value)})


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def placeholder(settings: SearchSettings, arm: str, fold: int, seed: int) -> str:
    """16 hex digits for a cell whose trial is not known until a search has chosen; no trial has them."""
    return _digest(["placeholder", _hashed(settings), arm, fold, seed])


def kind_of(trial: Trial) -> str:
    """16 hex digits that stand for what decides a trial's cost: trials of one kind take as long per epoch, and as much memory.

    How many epochs there are is no part of it, nor what only changes the numbers: seed, data, rates, which variables and parameters.
    """
    model, training, split = trial.model, trial.training, trial.split
    network = [model.kind, model.recipe, model.hidden_size, model.dropout > 0, len(model.forcing), len(model.attributes)]
    physics = [model.physics, model.scheme, model.steps_per_day, model.raw_stores, model.capillary_rise, model.components]
    parameters = [len(model.dynamic), len(model.fixed), model.warmup_gradients]
    updates = [training.batch, training.window, training.updates_per_epoch, training.resident]
    rules = [training.optimizer, training.gradient_norm is None, training.loss, training.checkpoint]
    basins = [len(trial.train_basins), len(trial.test_basins)]
    days = [period and period.days for period in (split.train, split.validation, split.test)] + [split.warmup, split.test_warmup]
    return _digest([network, physics, parameters, updates, rules, basins, days, trial.dtype, trial.backend])
