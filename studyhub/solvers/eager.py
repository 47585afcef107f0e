"""The march in plain torch: slow, short, and the reference that every kernel is checked against."""

from collections.abc import Mapping
from types import ModuleType

import numpy as np
import torch
from torch import Tensor


from studyhub.solvers.scheme import BELOW, LIMIT, Fields, Model

ITERATIONS, DAMPING = 60, 6


def march(
    physics: Model,
    scheme: ModuleType,
    forcing: Tensor,
    parameters: Mapping[str, Tensor],
    wanted: list[int],
    start: Tensor,
    steps: int,
    raw: bool,
) -> tuple:
    """Same contract as the kernel's march; see ``solvers.march``."""
    basins, components = start.shape[:2]
    solved = Solved.of(basins * components, np.float64)
    stores, dt, days = tuple(start.unbind(-1)), 1.0 / steps, []
    for t in range(forcing.shape[0]):
        today = tuple(x[:, None].expand(basins, components) for x in forcing[t].unbind(-1))
        values = tuple(
            (p if p.ndim == 2 else p[t]).expand(basins, components) for p in (parameters[name] for name in physics.parameter_names)
        )
        parts = []
        for _ in range(steps):
            if scheme.IMPLICIT:
                stores, output = _root(physics, scheme, stores, today, values, dt, solved)
            else:
                stores, output = scheme.step(physics, stores, today, values, dt, **({"raw": True} if raw else {}))
            parts.append(output)
        days.append([sum(dt * part[i] for part in parts) for i in wanted])
        _watch(stores, solved, t)
        if (solved.diverged >= 0).any():
            break
    return [torch.stack(day) for day in zip(*days, strict=True)], torch.stack(stores, dim=-1), solved


def _root(
    physics: Model, scheme: ModuleType, before: Fields, forcing: Fields, parameters: Fields, dt: float, solved
) -> tuple[Fields, Fields]:
    """One implicit step. Newton runs without gradients; one Newton step at the root, its Jacobian held fixed, carries the gradient."""

    def residual(stores: Fields) -> tuple[Tensor, Tensor]:
        tendencies, rows = scheme.linearised(physics, stores, forcing, parameters)
        off = torch.stack([s - o - dt * f for s, o, f in zip(stores, before, tendencies, strict=True)], dim=-1)
        jacobian = torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
        matrix = torch.eye(len(stores), dtype=off.dtype, device=off.device) - dt * jacobian
        return off, matrix

    def norm(off: Tensor, stores: Tensor) -> Tensor:
        return (off.abs() / tolerance(stores)).amax(-1)

    with torch.no_grad():
        root = torch.stack(before, dim=-1)
        off, matrix = residual(tuple(root.unbind(-1)))
        for _ in range(ITERATIONS):
            worst = norm(off, root)
            if (worst <= 1).all():
                break
            solved.iterations += (worst > 1).flatten().cpu().numpy()
            change, accepted = torch.linalg.solve(matrix, off), worst <= 1
            for halving in range(DAMPING):
                trial = torch.where(accepted[..., None], root, root - 0.5**halving * change)
                new_off, new_matrix = residual(tuple(trial.unbind(-1)))
                fit = ~accepted & ((norm(new_off, trial) < worst) | (halving == DAMPING - 1))
                root = torch.where(fit[..., None], trial, root)
                accepted = accepted | fit
                if accepted.all():
                    break
            off, matrix = residual(tuple(root.unbind(-1)))
        worst = norm(off, root)
        solved.unconverged += (worst > 1).flatten().cpu().numpy()
        solved.residual[:] = np.maximum(solved.residual, worst.flatten().cpu().numpy())
    at_root = tuple(root.unbind(-1))
    tendencies, _ = scheme.equations(physics, at_root, forcing, parameters)
    off = torch.stack([s - o - dt * f for s, o, f in zip(at_root, before, tendencies, strict=True)], dim=-1)
    change = torch.linalg.solve(matrix, off)
    stores = tuple((root - change + change.detach()).unbind(-1))  # the value is the root's, the gradient the Newton step's
    return stores, scheme.equations(physics, stores, forcing, parameters)[1]


def _watch(stores: Fields, solved, day: int) -> None:
    with torch.no_grad():
        together = torch.stack(stores, dim=-1).flatten(0, 1)
        solved.below += (together.amin(-1) < BELOW).cpu().numpy()
        lost = ~(together.abs() <= LIMIT)
        for unit in lost.any(-1).nonzero().flatten().tolist():
            solved.diverged[unit] = day, int(lost[unit].nonzero()[0])
