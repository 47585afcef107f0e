"""A kernel as one differentiable operation of torch."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from studyhub.solvers.scheme import RECORD


@dataclass(frozen=True)
class Problem:
    """What does not change between forward and backward: see ``kernels.loops`` for the names.

    Parameters
    ----------
    module : the compiled kernel
    target : ``kernels.cpu`` or ``kernels.cuda``
    forcing : [day, basin, variable], mm/d or degC
    places : [unit], where in a day of ``forcing`` a unit's basin begins
    slot : [output], -1 for outputs that are not wanted
    steps : steps a day
    trajectory : whether the stores of every day are wanted
    """

    module: ModuleType
    target: ModuleType
    forcing: Tensor
    places: Tensor
    slot: Tensor
    steps: int
    trajectory: bool = False

    @property
    def days(self) -> int:
        return self.forcing.shape[0]

    @property
    def units(self) -> int:
        return len(self.places)

    @property
    def blocks(self) -> int:
        return -(-self.units // self.module.WIDTH)

    def run(self, name: str, parameters: tuple[Tensor, ...], *rest: Any) -> None:
        """Run "forward" or "backward"; ``rest`` are the arguments that ``kernels.loops`` names after K, "keep" first in "forward"."""
        array = self.target.array
        strides = torch.tensor([self.units if x.ndim == 2 else 0 for x in parameters], device=self.forcing.device)
        first = (self.days, self.units, self.forcing[:1].numel(), self.blocks, self.steps, *(x for x in rest if isinstance(x, bool)))
        arrays = [
            tuple(array(y) for y in x) if isinstance(x, tuple) else array(x)
            for x in (self.forcing, self.places, parameters, strides, *(x for x in rest if not isinstance(x, bool)))
        ]
        self.target.launch(getattr(self.module, name), self.blocks, (*first, *arrays))


class FusedMarch(torch.autograd.Function):
    """(start [store, unit], parameters [unit] or [day, unit]) -> (last stores [store, unit], record, trajectory, outputs [day, unit]...).

    The trajectory holds the stores at the end of each day, [day, store, unit], or of no day where it is not wanted. It has no gradient.
    """

    @staticmethod
    def forward(ctx: Any, problem: Problem, keep: bool, start: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        days, units, stores = problem.days, problem.units, len(start)
        kept = start.new_empty((days + 1) * stores * units if keep else 0)
        cut = start.new_empty(days * problem.blocks if keep else 0, dtype=torch.uint8)
        outputs = start.new_empty(int((problem.slot >= 0).sum()), days, units)
        last, record = start.new_empty(start.shape), start.new_zeros(len(RECORD), units)
        problem.run("forward", parameters, keep, start, kept, outputs, problem.slot, last, cut, record)
        ctx.save_for_backward(*parameters)
        ctx.problem, ctx.kept, ctx.stores = problem, (kept, cut), stores
        # A copy: what a function returns must not be what it keeps for its gradient.
        path = kept.view(days + 1, stores, units)[1:].clone() if problem.trajectory else start.new_empty((0, stores, units))
        ctx.mark_non_differentiable(record, path)
        return last, record, path, *outputs

    @staticmethod
    def backward(ctx: Any, grad_last: Tensor, _: Any, __: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        problem, (kept, cut), parameters = ctx.problem, ctx.kept, ctx.saved_tensors
        # What the kernel fills must lie in memory as the kernel counts; a gradient may come transposed.
        by_start = torch.empty_like(grad_last, memory_format=torch.contiguous_format)
        by_parameters = tuple(torch.empty_like(x, memory_format=torch.contiguous_format) for x in parameters)
        inner = by_start.new_empty(problem.steps * ctx.stores * problem.blocks * problem.module.WIDTH)
        by_outputs = grad_outputs[0].contiguous() if len(grad_outputs) == 1 else torch.stack(grad_outputs) if grad_outputs else inner[:0]
        gradients = (by_outputs, grad_last.contiguous())
        problem.run("backward", parameters, kept, problem.slot, cut, *gradients, by_parameters, by_start, inner)
        return None, None, by_start, *by_parameters
