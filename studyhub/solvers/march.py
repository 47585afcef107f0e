"""The loop over days: from forcing and parameters to discharge, by a fused kernel or, as the readable reference, by eager torch.

What a unit (basin x component) gets never depends on which other units share its batch.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from studyhub.kernels.cpu import FusedMarch, Problem, kernel
from studyhub.kernels.trace import Untraceable
from studyhub.solvers import eager, explicit, implicit, rk4, sequential
from studyhub.solvers.scheme import Model, Solved

SCHEMES: dict[str, ModuleType] = {"sequential": sequential, "implicit": implicit, "explicit": explicit, "rk4": rk4}
Backend = Literal["auto", "eager", "cpu"]


class Diverged(Exception):
    """A store became non-finite or went beyond 1e5 mm: a result of the scheme, not a fault.

    Parameters
    ----------
    basin : position of the basin in the batch
    store : name of the store
    day : day of the march, from 0
    """

    def __init__(self, basin: int, store: str, day: int):
        super().__init__(f"store {store} of basin {basin} diverged on day {day}")
        self.basin, self.store, self.day = basin, store, day


@dataclass(frozen=True)
class SolveReport:
    """How a march went, over all units and days.

    ``iterations`` is the mean number of Newton iterations per unit and day; ``residual`` the worst residual in units of the tolerance (at
    most 1: all converged); ``cut_days`` counts unit-days that needed shorter steps, ``below_zero`` unit-days that ended with a store below
    zero.
    """

    unit_days: int
    iterations: float
    unconverged: int
    cut_days: int
    residual: float
    below_zero: int
    backend: str

    def then(self, later: "SolveReport") -> "SolveReport":
        """Report of this march and the one that went on from it."""
        unit_days = self.unit_days + later.unit_days
        return SolveReport(
            unit_days=unit_days,
            iterations=(self.iterations * self.unit_days + later.iterations * later.unit_days) / unit_days,
            unconverged=self.unconverged + later.unconverged,
            cut_days=self.cut_days + later.cut_days,
            residual=max(self.residual, later.residual),
            below_zero=self.below_zero + later.below_zero,
            backend=later.backend,
        )


@dataclass(frozen=True)
class Marched:
    """Outputs [mm/d], each [time, basin, component], and the stores [mm] at the end, [basin, component, store]."""

    outputs: dict[str, Tensor]
    stores: Tensor
    report: SolveReport


def march(
    physics: Model,
    scheme: str,
    forcing: Tensor,
    parameters: Mapping[str, Tensor],
    *,
    outputs: Sequence[str] = ("qsim",),
    stores: Tensor | None = None,
    steps_per_day: int = 1,
    raw: bool = False,
    first_day: int = 0,
    backend: Backend = "auto",
) -> Marched:
    """Solve a water-balance model day by day.

    Parameters
    ----------
    physics : the model's tables
    scheme : a name of ``SCHEMES``
    forcing : [time, basin, variable] in the order of ``physics.forcing``
    parameters : one tensor per parameter, in its unit: [basin, component] where it is static, [time, basin, component] where it varies from
    day to day
    outputs : names out of ``physics.output_names``, or "floor": the water [mm/d] that a sequential sweep makes where it holds stores up
    stores : [basin, component, store] in mm to begin with; by default what the scheme begins with
    steps_per_day : steps of equal length within the day, forcing and parameters constant
    raw : evaluate an explicit scheme's fluxes at stores below zero as they are
    first_day : number that ``Diverged`` gives to the first day
    backend : "cpu" the generated kernel, "eager" the torch reference, "auto" the kernel where one can be made

    Raises
    ------
    Diverged
        on the day a store becomes non-finite or goes beyond 1e5 mm
    """
    module = SCHEMES[scheme]
    assert steps_per_day == 1 or module.SUBSTEPS, f"{scheme} has steps of one day"
    shape = (forcing.shape[1], next(iter(parameters.values())).shape[-1])
    start = initial_stores(physics, module, shape, forcing) if stores is None else stores
    solver = eager.march
    if backend != "eager":
        try:
            kernel(physics, module, str(forcing.dtype).removeprefix("torch."), raw)
            solver = _fused
        except Untraceable as reason:
            if backend == "cpu":
                raise
            warnings.warn(f"{physics.name}: {reason}; the slower eager march takes over", stacklevel=2)
    names = (*physics.output_names, "floor")
    values, last, solved = solver(physics, module, forcing, parameters, [names.index(name) for name in outputs], start, steps_per_day, raw)
    _watch(physics, solved, shape[1], first_day)
    report = _report(solved, forcing.shape[0], "cpu kernel" if solver is _fused else "eager")
    return Marched(dict(zip(outputs, values, strict=True)), last, report)


def initial_stores(physics: Model, scheme: ModuleType, shape: tuple[int, int], like: Tensor) -> Tensor:
    """Stores [basin, component, store] that a run begins with: empty, or the sequential scheme's small amounts."""
    values = [0.0 if scheme.FROM_ZERO else store.start for store in physics.stores]
    return torch.tensor(values, dtype=like.dtype, device=like.device).expand(*shape, -1)


def _fused(
    physics: Model,
    scheme: ModuleType,
    forcing: Tensor,
    parameters: Mapping[str, Tensor],
    wanted: list[int],
    start: Tensor,
    steps: int,
    raw: bool,
) -> tuple[Tensor, Tensor, Solved]:
    days, basins, components = forcing.shape[0], *start.shape[:2]
    names = physics.parameter_names
    daily = [name for name in names if parameters[name].ndim == 3]
    blank = forcing.new_zeros(basins, components)
    static = torch.stack([blank if name in daily else parameters[name] for name in names], dim=-1).flatten(0, 1)
    varying = torch.stack([parameters[n] for n in daily], dim=-1).flatten(1, 2) if daily else forcing.new_zeros(0, 0, 0)
    place = np.array([daily.index(name) if name in daily else -1 for name in names])
    slot = np.full(len(physics.output_names) + 1, -1)
    slot[wanted] = np.arange(len(wanted))
    compiled = kernel(physics, scheme, str(forcing.dtype).removeprefix("torch."), raw)
    problem = Problem(compiled, scheme.IMPLICIT, steps, forcing.detach().cpu().contiguous().numpy(), place, slot)
    needed = torch.is_grad_enabled() and any(x.requires_grad for x in (static, varying, start))
    # Tensors on a GPU are brought here and back: a day's work is far too small to be launched one operation at a time over there.
    values, last, solved = FusedMarch.apply(static.cpu(), varying.cpu(), start.flatten(0, 1).cpu(), problem, needed)
    values, last = values.to(forcing.device), last.to(forcing.device)
    return values.view(len(wanted), days, basins, components), last.view(basins, components, -1), solved


def _watch(physics: Model, solved: Solved, components: int, first_day: int) -> None:
    lost = np.flatnonzero(solved.diverged[:, 0] >= 0)
    if lost.size:
        first = lost[np.argmin(solved.diverged[lost, 0])]
        day, store = solved.diverged[first]
        raise Diverged(int(first) // components, physics.store_names[store], first_day + int(day))


def _report(solved: Solved, days: int, backend: str) -> SolveReport:
    unit_days = days * len(solved.below)
    return SolveReport(
        unit_days=unit_days,
        iterations=float(solved.iterations.sum()) / unit_days,
        unconverged=int(solved.unconverged.sum()),
        cut_days=solved.cut,
        residual=float(solved.residual.max()),
        below_zero=int(solved.below.sum()),
        backend=backend,
    )
