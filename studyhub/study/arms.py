"""An arm: as a study file says it, and as it will run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from studyhub.catalog import PHYSICS
from studyhub.study.defaults import DPL_KEYS, MODEL_KEYS, TRAINING_KEYS, Said, canonical, settings_of
from studyhub.study.external import ExternalArm
from studyhub.study.settings import Model, Training
from studyhub.study.space import Domain, Params, point
from studyhub.study.yaml import Key


@dataclass(frozen=True)
class Draft:
    """An arm as a study file says it.

    Parameters
    ----------
    home : where it stands in the file
    shared, training : what is said for all arms
    own : what is said for it alone: by itself, or by levels of factors
    base : the arm of the file that it comes from; None where factors alone make it
    levels : (factor, label of its level)
    places : where keys of ``own`` are said that are not said at ``home``
    """

    name: str
    home: Key
    shared: Said
    training: Said
    own: Said
    base: str | None = None
    levels: tuple[tuple[str, str], ...] = ()
    places: Mapping[str, Key] = field(default_factory=dict)

    @cached_property
    def said(self) -> dict[str, Any]:
        return {**self.shared, **self.training, **self.own}

    @property
    def is_external(self) -> bool:
        return "external" in self.own

    def place(self, key: str) -> Key:
        """Where ``key`` is said; the arm itself where it is said nowhere."""
        if key in self.own:
            return self.places.get(key, (*self.home, key))
        if key in self.shared:
            return ("shared", key)
        return ("training", key) if key in self.training else self.home


@dataclass(frozen=True)
class Searched:
    """What a search varies of an arm, and what it leaves as it is.

    Parameters
    ----------
    settled : each key that has a meaning for the arm, with its value; but for those that are drawn, and for defaults that follow these
    domains : those of this arm, each after those that its condition names
    """

    settled: tuple[tuple[str, Any], ...]
    domains: tuple[Domain, ...]

    def configure(self, params: Params) -> tuple[Model, Training]:
        """Return the arm with what was drawn, spelt as if a study file had said it."""
        return canonical(*settings_of(self.said(params)))

    @cached_property
    def corners(self) -> tuple[tuple[Model, Training], ...]:
        """Configurations that show each value, or each end of a range, at least once."""
        drawn = [point(self.domains, {domain.key: value}) for domain in self.domains for value in domain.ends]
        return tuple(self.configure(params) for params in drawn if params is not None)

    def said(self, params: Params) -> dict[str, Any]:
        """What a study file would say of it."""
        return dict(self.settled) | {domain.key: domain.level(params[domain.key]) for domain in self.domains if domain.key in params}


@dataclass(frozen=True)
class Arm:
    """One combination under study, with every default filled in.

    Parameters
    ----------
    init_from : the arm whose weights it starts from
    levels : (factor, label of its level), for arms that factors made
    searched : what a search varies; ``model`` and ``training`` are then one of its configurations, to count and to check with
    """

    name: str
    model: Model
    training: Training
    may_diverge: bool = False
    init_from: str | None = None
    levels: tuple[tuple[str, str], ...] = ()
    searched: Searched | None = None

    @property
    def settings(self) -> tuple[Any, ...]:
        """What it is, without its name."""
        return (self.model, self.training, self.init_from) if self.searched is None else (self.searched, self.init_from)


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
