"""What a water-balance model is: stores, and fluxes that lead from one store to another.

A flux is a function whose argument names say what it needs: stores, forcing symbols, parameters, or fluxes that stand before it in the
table. Everything else (schemes, kernels, documentation, mass balance) follows from the table.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """A parameter that a network gives: its value lies between ``low`` and ``high``."""

    name: str
    meaning: str
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class Store:
    """A store [mm]. Fluxes of the differential equations see at least ``least`` in it; ``start`` is what a sequential run begins with."""

    name: str
    meaning: str
    least: float = 0.0
    start: float = 0.0


@dataclass(frozen=True)
class Flux:
    """A rate [mm/d] that leaves ``source`` and enters ``sink``; None is the world outside the stores."""

    rate: Callable[..., Any]
    source: str | None
    sink: str | None

    @property
    def name(self) -> str:
        return self.rate.__name__

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        return tuple(inspect.signature(self.rate).parameters)


@dataclass(frozen=True)
class Stage:
    """Fluxes that a sequential sweep evaluates at one state and then applies together; ``floors`` [mm] hold stores up afterwards."""

    fluxes: tuple[str, ...]
    floors: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Physics:
    """A water-balance model.

    Parameters
    ----------
    name : how studies call it
    parameters, stores, fluxes : the tables; a flux may use the rates of fluxes above it
    symbols : (symbol in the equations, forcing variable) pairs
    stages : order of a sequential sweep
    outputs : (name, fluxes summed) pairs, in mm/d
    capillary : the same model with capillary rise, where it has one
    snow : stores that together are the snow water equivalent; none for a model that leaves snow out
    routed : whether its discharge is still to be routed to the outlet; False for a model that has a unit hydrograph of its own
    """

    name: str
    parameters: tuple[Parameter, ...]
    stores: tuple[Store, ...]
    fluxes: tuple[Flux, ...]
    symbols: tuple[tuple[str, str], ...]
    stages: tuple[Stage, ...]
    outputs: tuple[tuple[str, tuple[str, ...]], ...]
    capillary: "Physics | None" = None
    snow: tuple[str, ...] = ()
    routed: bool = True

    def __post_init__(self) -> None:
        assert {*self.snow} <= {*self.store_names}, f"{self.name}: snow is in {self.snow}, which are not all stores"
        known = {*self.store_names, *self.parameter_names, *(symbol for symbol, _ in self.symbols)}
        for flux in self.fluxes:
            unknown = set(flux.arguments) - known
            assert not unknown, f"{self.name}: flux {flux.name} uses {sorted(unknown)}, which stand in no table above it"
            assert {flux.source, flux.sink} <= {*self.store_names, None}, f"{self.name}: flux {flux.name} leads from or to no store"
            known.add(flux.name)
        staged = [name for stage in self.stages for name in stage.fluxes]
        assert sorted(staged) == sorted(flux.name for flux in self.fluxes), f"{self.name}: every flux stands in exactly one stage"

    @cached_property
    def parameter_names(self) -> tuple[str, ...]:
        return tuple(parameter.name for parameter in self.parameters)

    @cached_property
    def store_names(self) -> tuple[str, ...]:
        return tuple(store.name for store in self.stores)

    @cached_property
    def output_names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.outputs)

    @property
    def forcing(self) -> tuple[str, ...]:
        """Names of the forcing variables, in the order of the equations' symbols."""
        return tuple(variable for _, variable in self.symbols)

    def variant(self, *, capillary_rise: bool = False) -> "Physics":
        """Return the model with or without capillary rise: another flux table, the same equations."""
        if not capillary_rise:
            return self
        if self.capillary is None:
            raise ValueError(f"physics {self.name} has no capillary rise")
        return self.capillary

    def values(self, stores: tuple, forcing: tuple, parameters: tuple) -> dict[str, Any]:
        """Name the numbers of one state, so that fluxes find their arguments."""
        symbols = (symbol for symbol, _ in self.symbols)
        named = zip((*self.store_names, *symbols, *self.parameter_names), (*stores, *forcing, *parameters), strict=True)
        return dict(named)

    def flux(self, name: str) -> Flux:
        return self._by_name[name]

    def rate(self, name: str, values: Mapping[str, Any]) -> Any:
        """Rate [mm/d] of one flux at the named values."""
        flux = self.flux(name)
        return flux.rate(*(values[argument] for argument in flux.arguments))

    def rates(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Rates [mm/d] of all fluxes at one state."""
        known = dict(values)
        for flux in self.fluxes:
            known[flux.name] = self.rate(flux.name, known)
        return {flux.name: known[flux.name] for flux in self.fluxes}

    def tendencies(self, rates: Mapping[str, Any]) -> tuple:
        """Sum the table: change of every store [mm/d], in the order of ``stores``."""
        return tuple(self._balance(store, rates) for store in self.store_names)

    def sums(self, rates: Mapping[str, Any]) -> tuple:
        """Outputs [mm/d], in the order of ``outputs``."""
        return tuple(_total(rates[name] for name in names) for _, names in self.outputs)

    def boundary(self, rates: Mapping[str, Any]) -> Any:
        """Water [mm/d] that enters the stores from outside, less what leaves them: all that may change their sum."""
        change: Any = 0.0
        for flux in self.fluxes:
            if flux.source is None and flux.sink is not None:
                change = change + rates[flux.name]
            if flux.sink is None and flux.source is not None:
                change = change - rates[flux.name]
        return change

    def _balance(self, store: str, rates: Mapping[str, Any]) -> Any:
        change: Any = 0.0
        for flux in self.fluxes:
            if flux.sink == store:
                change = change + rates[flux.name]
            if flux.source == store:
                change = change - rates[flux.name]
        return change

    @cached_property
    def _by_name(self) -> dict[str, Flux]:
        return {flux.name: flux for flux in self.fluxes}

    def with_flux(self, flux: Flux, stage: Stage, *, after: str, parameters: tuple[Parameter, ...]) -> "Physics":
        """Return the model with one more flux, its stage following the stage of flux ``after``."""
        place = 1 + next(i for i, known in enumerate(self.stages) if after in known.fluxes)
        stages = (*self.stages[:place], stage, *self.stages[place:])
        return replace(self, fluxes=(*self.fluxes, flux), stages=stages, parameters=(*self.parameters, *parameters))


def _total(terms: Any) -> Any:
    first, *rest = terms
    for term in rest:
        first = first + term
    return first
