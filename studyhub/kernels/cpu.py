"""Compile a kernel's source with numba, keep it on disk, and give it to autograd."""

import hashlib
import importlib.util
import os
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from studyhub.kernels.source import kernel_source
from studyhub.physics.structure import Physics
from studyhub.solvers.scheme import Solved


@dataclass(frozen=True)
class Problem:
    """What does not change between forward and backward: see ``kernels.loops`` for the names."""

    kernel: ModuleType
    implicit: bool
    steps: int
    forcing: np.ndarray
    place: np.ndarray
    slot: np.ndarray

    @property
    def outputs(self) -> int:
        return int((self.slot >= 0).sum())


def cache_folder() -> Path:
    """Folder of generated kernels: ``$STUDYHUB_CACHE``, else the user's cache folder."""
    given = os.environ.get("STUDYHUB_CACHE")
    return Path(given) if given else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "studyhub"


@cache
def kernel(physics: Physics, scheme: ModuleType, real: str, raw: bool) -> ModuleType:
    """Return the compiled module of a model and scheme; its source lies in ``cache_folder``, named by its content."""
    source = kernel_source(physics, scheme, real, raw=raw)
    name = f"{physics.name}_{scheme.__name__.rpartition('.')[2]}_{hashlib.sha256(source.encode()).hexdigest()[:16]}"
    spec = importlib.util.spec_from_file_location(name, _written(source, name))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # numba looks a cached function's module up by name
    spec.loader.exec_module(module)
    return module


def _written(source: str, name: str) -> Path:
    """Write the source where it can be kept, else where it lives as long as the machine; several processes may do so at once."""
    for folder in (cache_folder(), Path(tempfile.gettempdir()) / f"studyhub-{os.getuid()}"):
        path = folder / f"{name}.py"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if not path.exists():
                with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".tmp", delete=False) as file:
                    file.write(source)
                os.replace(file.name, path)
            return path
        except OSError:
            continue
    raise OSError(f"neither {cache_folder()} nor {tempfile.gettempdir()} can be written: set STUDYHUB_CACHE to a folder that can")


class FusedMarch(torch.autograd.Function):
    """The kernel as one differentiable operation.

    (static [unit, parameter], daily [day, unit, dynamic], start [unit, store]) -> (outputs [output, day, unit], last stores [unit, store]).
    """

    @staticmethod
    def forward(ctx: Any, static: Tensor, daily: Tensor, start: Tensor, problem: Problem, keep: bool) -> tuple[Tensor, Tensor, Any]:
        arrays = [x.detach().contiguous().numpy() for x in (static, daily, start)]
        outputs, last, solved, kept = _forward(problem, *arrays, keep=keep)
        ctx.problem, ctx.arrays, ctx.kept = problem, arrays, kept
        ctx.set_materialize_grads(True)
        return torch.from_numpy(outputs), torch.from_numpy(last), solved

    @staticmethod
    def backward(ctx: Any, grad_outputs: Tensor, grad_last: Tensor, _: Any) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        problem, (static, daily, start) = ctx.problem, ctx.arrays
        gradients = [np.zeros_like(x) for x in (static, daily, start)]
        fixed = (problem.forcing, static, daily, problem.place, problem.steps, problem.slot)
        multipliers = [g.contiguous().numpy() for g in (grad_outputs, grad_last)]
        problem.kernel.backward(*fixed, *ctx.kept, *multipliers, *gradients)
        return (*(torch.from_numpy(g) for g in gradients), None, None)


def _forward(problem: Problem, static: np.ndarray, daily: np.ndarray, start: np.ndarray, *, keep: bool) -> tuple:
    days, units, stores = problem.forcing.shape[0], *start.shape
    kept: list[np.ndarray] = [np.empty((days + 1, units, stores) if keep else (0, 0, stores), start.dtype)]
    outputs = np.zeros((problem.outputs, days, units), start.dtype)
    last = np.empty_like(start)
    solved = Solved.of(units, start.dtype)
    arrays = (problem.forcing, static, daily, problem.place, start, problem.steps, problem.slot, keep)
    if problem.implicit:
        kept.append(np.full((days, units) if keep else (0, 0), problem.steps, np.int32))
        counts = (solved.iterations, solved.unconverged, solved.residual)
        problem.kernel.forward(*arrays, kept[0], outputs, last, solved.below, solved.diverged, kept[1], *counts)
        solved.cut = int((kept[1] > problem.steps).sum())
    else:
        problem.kernel.forward(*arrays, kept[0], outputs, last, solved.below, solved.diverged)
    return outputs, last, solved, kept
