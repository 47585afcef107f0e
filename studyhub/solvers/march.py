"""The loop over days: from forcing and parameters to discharge, by a fused kernel or, as the readable reference, by eager torch.

What a unit (basin x component) gets never depends on which other units share its batch.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from studyhub.errors import ResourceError
from studyhub.kernels import cpu
from studyhub.kernels.build import kernel
from studyhub.kernels.fused import FusedMarch, Problem
from studyhub.kernels.trace import Untraceable
from studyhub.solvers import crank_nicolson, eager, explicit, implicit, rk4, sequential
from studyhub.solvers.scheme import BALANCE, RECORD, Model, Record

SCHEMES: dict[str, ModuleType] = {
    "sequential": sequential,
    "implicit": implicit,
    "crank_nicolson": crank_nicolson,
    "explicit": explicit,
    "rk4": rk4,
}
Backend = Literal["auto", "eager", "cpu", "cuda"]


class Diverged(Exception):
    """A store became non-finite or went beyond 1e5 mm: a result of the scheme, not a fault.

    Parameters
    ----------
    basin : position of the basin in the batch
    store : name of the store
    day : day of the march, from 0
    units : which units [basin, component] have diverged so far: a march ends early, and others might have followed
    """

    def __init__(self, basin: int, store: str, day: int, units: np.ndarray | None = None):
        super().__init__(f"store {store} of basin {basin} diverged on day {day}")
        self.basin, self.store, self.day, self.units = basin, store, day, units


@dataclass(frozen=True)
class SolveReport:
    """How a march went, over all units and days.

    ``iterations`` is the mean number of Newton corrections per unit and day; ``residual`` the worst residual in units of the tolerance (at
    most 1: all converged); ``cut_days`` counts unit-days that needed shorter steps, ``below_zero`` unit-days that ended with a store below
    zero; ``balance`` is the worst error of a unit's water balance [mm/d], mean over its days, where the outputs ``BALANCE`` were asked for.
    """

    unit_days: int
    iterations: float
    unconverged: int
    cut_days: int
    residual: float
    below_zero: int
    backend: str
    balance: float | None = None

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
            balance=max((x for x in (self.balance, later.balance) if x is not None), default=None),
        )


@dataclass(frozen=True)
class Marched:
    """What a march gives.

    Parameters
    ----------
    outputs : name -> [time, basin, component], mm/d
    stores : at the end, [basin, component, store], mm
    trajectory : stores at the end of each day, [time, basin, component, store], mm, where they were asked for
    """

    outputs: dict[str, Tensor]
    stores: Tensor
    report: SolveReport
    trajectory: Tensor | None = None


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
    trajectory: bool = False,
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
    outputs : names out of ``physics.output_names``; "boundary", what the stores gain from outside; "floor", the water that a sequential
    sweep makes where it holds stores up
    stores : [basin, component, store] in mm to begin with; by default what the scheme begins with
    steps_per_day : steps of equal length within the day, forcing and parameters constant
    raw : evaluate an explicit scheme's fluxes at stores below zero as they are
    first_day : number that ``Diverged`` gives to the first day
    trajectory : whether to return the stores of every day too, without gradients
    backend : "cpu" and "cuda" are the generated kernels, "eager" is the torch reference; "auto" takes the kernel of the device that the
    tensors are on, or the next best one, with a warning that says why

    Raises
    ------
    Diverged
        on the day a store becomes non-finite or goes beyond 1e5 mm
    """
    module = SCHEMES[scheme]
    assert steps_per_day == 1 or module.SUBSTEPS, f"{scheme} has steps of one day"
    shape = (forcing.shape[1], next(iter(parameters.values())).shape[-1])
    start = initial_stores(physics, module, shape, forcing) if stores is None else stores
    names = (*physics.output_names, *BALANCE)
    wanted = [names.index(name) for name in outputs]
    compiled = None if backend == "eager" else _compiled(physics, module, forcing, raw, backend)
    if compiled is None:
        values, last, record, path = eager.march(physics, module, forcing, parameters, wanted, start, steps_per_day, raw)
    else:
        values, last, record, path = _fused(compiled, physics, forcing, parameters, wanted, start, steps_per_day, trajectory)
    _watch(physics, record, shape[1], first_day)
    report = _report(record, forcing.shape[0], "eager" if compiled is None else f"{compiled.target} kernel")
    found = dict(zip(outputs, values, strict=True))
    if set(BALANCE) <= set(found):
        report = replace(report, balance=_balance_error(found, start, last))
    return Marched(found, last, report, path if trajectory else None)


def _balance_error(outputs: Mapping[str, Tensor], start: Tensor, last: Tensor) -> float:
    """Worst difference [mm/d] between what a unit's stores have gained and what came in, mean over the days."""
    with torch.no_grad():
        gained = sum((outputs[name].double() for name in BALANCE), start=torch.zeros(()).double())
        error = last.double().sum(-1) - start.double().sum(-1) - gained.sum(0)
        return float(error.abs().max()) / len(gained)


@dataclass(frozen=True)
class _Compiled:
    """A kernel, the module that runs it, and the device that its tensors must be on."""

    module: ModuleType
    runner: ModuleType
    device: torch.device

    @property
    def target(self) -> str:
        return self.runner.__name__.rpartition(".")[2]


def _compiled(physics: Model, scheme: ModuleType, forcing: Tensor, raw: bool, backend: Backend) -> _Compiled | None:
    real = str(forcing.dtype).removeprefix("torch.")
    try:
        if backend == "cuda" or (backend == "auto" and forcing.is_cuda):
            runner = _cuda()
            if runner is not None:
                device = torch.device("cpu") if runner.simulated() else forcing.device if forcing.is_cuda else torch.device("cuda")
                return _Compiled(kernel(physics, scheme, real, "cuda", raw), runner, device)
            missing = "the GPU kernels need the package numba-cuda and an NVIDIA GPU that it can use"
            if backend == "cuda":
                raise ResourceError(f"{missing}; install studyhub[gpu], or leave the backend to studyhub")
            warnings.warn(f"{missing}; the CPU's kernel takes over: install studyhub[gpu]", stacklevel=3)
        return _Compiled(kernel(physics, scheme, real, "cpu", raw), cpu, torch.device("cpu"))
    except Untraceable as reason:
        if backend != "auto":
            raise
        warnings.warn(f"{physics.name}: {reason}; the slower eager march takes over", stacklevel=3)
        return None


def _cuda() -> ModuleType | None:
    """The module that runs kernels on a GPU, where that can be done."""
    try:
        from studyhub.kernels import cuda
    except ImportError:
        return None
    return cuda if cuda.available() else None


def initial_stores(physics: Model, scheme: ModuleType, shape: tuple[int, int], like: Tensor) -> Tensor:
    """Stores [basin, component, store] that a run begins with: empty, or the sequential scheme's small amounts."""
    values = [0.0 if scheme.FROM_ZERO else store.start for store in physics.stores]
    return torch.tensor(values, dtype=like.dtype, device=like.device).expand(*shape, -1)


def _fused(
    compiled: _Compiled,
    physics: Model,
    forcing: Tensor,
    parameters: Mapping[str, Tensor],
    wanted: list[int],
    start: Tensor,
    steps: int,
    trajectory: bool,
) -> tuple[list[Tensor], Tensor, Record, Tensor]:
    (basins, components, stores), days, device = start.shape, forcing.shape[0], compiled.device
    units = basins * components
    values = [parameters[name] for name in physics.parameter_names]
    values = [x.reshape(units) if x.ndim == 2 else x.reshape(days, units) for x in (x.to(device) for x in values)]
    begin, basin = start.to(device).flatten(0, 1).t(), torch.arange(basins, device=device).repeat_interleave(components)
    missing = compiled.module.WIDTH - units
    if missing > 0:  # a kernel fills at least one vector: repeat the last unit
        begin, basin, *values = (torch.cat([x, x[..., -1:].expand(*x.shape[:-1], missing)], dim=-1) for x in (begin, basin, *values))
    slot = torch.full((len(physics.output_names) + len(BALANCE),), -1, device=device)
    slot[wanted] = torch.arange(len(wanted), device=device)
    weather = forcing.detach().to(device).contiguous()
    problem = Problem(compiled.module, compiled.runner, weather, basin * forcing.shape[2], slot, steps, trajectory)
    keep = trajectory or (torch.is_grad_enabled() and any(x.requires_grad for x in (begin, *values)))
    last, record, path, *outputs = FusedMarch.apply(problem, keep, begin.contiguous(), *(x.contiguous() for x in values))
    if missing > 0:
        last, record, path, *outputs = (x[..., :units] for x in (last, record, path, *outputs))
    fields: Record = {name: values.cpu().numpy() for name, values in zip(RECORD, record, strict=True)}
    last = last.t().reshape(basins, components, stores).to(forcing.device)
    path = path.transpose(1, 2).reshape(-1, basins, components, stores).to(forcing.device)
    return [x.view(days, basins, components).to(forcing.device) for x in outputs], last, fields, path


def _watch(physics: Model, record: Record, components: int, first_day: int) -> None:
    lost = np.flatnonzero(record["lost"] >= 0)
    if lost.size:
        first = lost[np.argmin(record["lost_on"][lost])]
        store, day = physics.store_names[int(record["lost"][first])], first_day + int(record["lost_on"][first])
        raise Diverged(int(first) // components, store, day, (record["lost"] >= 0).reshape(-1, components))


def _report(record: Record, days: int, backend: str) -> SolveReport:
    unit_days = days * len(record["below"])
    total = {name: float(record[name].sum(dtype=np.float64)) for name in ("below", "iterations", "unconverged", "cuts")}
    return SolveReport(
        unit_days=unit_days,
        iterations=total["iterations"] / unit_days,
        unconverged=int(total["unconverged"]),
        cut_days=int(total["cuts"]),
        residual=float(record["residual"].max()),
        below_zero=int(total["below"]),
        backend=backend,
    )
