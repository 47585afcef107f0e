"""The march in plain torch: slow, short, and the reference that every kernel is checked against.

It takes the same steps as the kernels do, but leaves derivatives to autograd and linear systems to ``torch.linalg``.
"""

from collections.abc import Mapping
from types import ModuleType

import torch
from torch import Tensor

from studyhub.solvers.scheme import BELOW, CUTS, LIMIT, NEWTON, RECORD, SMALLEST, TOLERANCE, Fields, Model, Record, total

Step = tuple[Fields, Fields]  # stores [mm] at the end, outputs [mm/d]


def march(
    physics: Model,
    scheme: ModuleType,
    forcing: Tensor,
    parameters: Mapping[str, Tensor],
    wanted: list[int],
    start: Tensor,
    steps: int,
    raw: bool,
) -> tuple[Tensor, Tensor, Record, Tensor]:
    """Same contract as the kernel's march; see ``solvers.march``."""
    shape = start.shape[:2]
    record = {
        name: torch.full(shape, -1.0 if name in ("lost", "lost_on") else 0.0, dtype=torch.float64, device=start.device) for name in RECORD
    }
    stores, days, path = tuple(start.unbind(-1)), [], []
    for t in range(forcing.shape[0]):
        today = tuple(x[:, None].expand(shape) for x in forcing[t].unbind(-1))
        values = tuple((p if p.ndim == 2 else p[t]).expand(shape) for p in (parameters[name] for name in physics.parameter_names))
        if scheme.IMPLICIT:
            stores, outputs = _implicit_day(_Relation(physics, scheme, today, values), stores, steps, record)
        else:
            parts = []
            for _ in range(steps):
                stores, output = scheme.step(physics, stores, today, values, 1.0 / steps, **({"raw": True} if raw else {}))
                parts.append(output)
            outputs = _mean(parts)
        days.append([outputs[i] for i in wanted])
        path.append(torch.stack([x.detach() for x in stores], dim=-1))
        if _lost(stores, record, t):
            break
    fields = {name: values.flatten().cpu().numpy() for name, values in record.items()}
    return torch.stack([torch.stack(day) for day in zip(*days, strict=True)]), torch.stack(stores, dim=-1), fields, torch.stack(path)


class _Relation:
    """The implicit relation of one day, for all units."""

    def __init__(self, physics: Model, scheme: ModuleType, forcing: Fields, parameters: Fields):
        self.physics, self.scheme, self.forcing, self.parameters = physics, scheme, forcing, parameters

    def at(self, before: Fields, after: Fields, dt: float) -> tuple[Fields, Fields]:
        return self.scheme.relation(self.physics, before, after, self.forcing, self.parameters, dt)

    def linearised(self, before: Fields, after: Tensor, dt: float) -> tuple[Tensor, Tensor]:
        """Residual [..., store] and its derivative by the stores at the end [..., store, store]."""
        residual, pull_back = torch.func.vjp(lambda *s: self.at(before, s, dt)[0], *after.unbind(-1))[:2]
        one, zero = torch.ones_like(residual[0]), torch.zeros_like(residual[0])
        rows = [pull_back(tuple(one if i == j else zero for j in range(len(residual)))) for i in range(len(residual))]
        return torch.stack(residual, dim=-1), torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)

    def root(self, before: Fields, dt: float) -> tuple[Tensor, Tensor, Tensor]:
        """Damped Newton; returns stores [..., store], corrections and the residual in units of its tolerance. Without gradients."""
        stores = torch.stack([x.detach() for x in before], dim=-1)
        accepted, correction = stores, torch.zeros_like(stores)
        best, share = torch.full_like(stores[..., 0], torch.inf), torch.ones_like(stores[..., 0])
        count = torch.zeros_like(best, dtype=torch.float64)
        for k in range(NEWTON + 1):
            off, matrix = self.linearised(before, stores, dt)
            norm, done = off.abs().amax(-1), (off.abs() <= tolerance(stores)[..., None]).all(-1)
            if k == NEWTON or done.all():
                break
            better = (norm < best) | (share <= SMALLEST)
            accepted = torch.where(better[..., None], stores, accepted)
            correction = torch.where(better[..., None], torch.linalg.solve(matrix, off), correction)
            best, share = torch.where(better, norm, best), torch.where(better, 1.0, 0.5 * share)
            stores = torch.where(done[..., None], stores, accepted - share[..., None] * correction)
            count += (~done).double()
        worst = (off.abs().amax(-1) / tolerance(stores)).double()
        return stores, count, torch.where(done, worst.clamp(max=1), worst.nan_to_num(torch.inf).clamp(min=2))

    def step(self, before: Fields, dt: float) -> tuple[Step, Tensor, Tensor]:
        """One step. Its value is the root's; its gradient that of one Newton step from there, whose matrix is held fixed."""
        with torch.no_grad():
            root, count, worst = self.root(before, dt)
            matrix = self.linearised(before, root, dt)[1]
        off = torch.stack(self.at(before, tuple(root.unbind(-1)), dt)[0], dim=-1)
        change = torch.linalg.solve(matrix, off)
        stores = tuple((root - change + change.detach()).unbind(-1))
        return (stores, self.at(before, stores, dt)[1]), count, worst


def tolerance(stores: Tensor) -> Tensor:
    """Residual [mm] below which a unit has converged, from its stores [..., store].

    Rounding is that of its largest store: what flows from there carries it into all others.
    """
    rounding = 8 * torch.finfo(stores.dtype).eps * stores.abs().amax(-1)
    return TOLERANCE[str(stores.dtype).removeprefix("torch.")] + rounding


def _implicit_day(relation: _Relation, begin: Fields, steps: int, record: dict[str, Tensor]) -> Step:
    """One day; again in ever more steps for those units in which a step has stalled."""
    day, count, worst = _steps(relation, begin, steps)
    stalled, n = ~(worst <= 1), steps
    while stalled.any() and n < CUTS * steps:
        n *= 2
        finer, some, high = _steps(relation, begin, n)
        fine = stalled & ((high <= 1) | (n == CUTS * steps))
        day = _chosen(fine, finer[0], day[0]), _chosen(fine, finer[1], day[1])
        count, worst = torch.where(fine, some, count), torch.where(fine, high, worst)
        record["cuts"] += fine
        stalled = stalled & ~fine
    record["iterations"] += count
    record["residual"] = torch.maximum(record["residual"], worst)
    record["unconverged"] += ~(worst <= 1)
    return day


def _steps(relation: _Relation, stores: Fields, n: int) -> tuple[Step, Tensor, Tensor]:
    parts, counts, residuals = [], [], []
    for _ in range(n):
        (stores, output), count, worst = relation.step(stores, 1.0 / n)
        parts.append(output)
        counts.append(count)
        residuals.append(worst)
    return (stores, _mean(parts)), torch.stack(counts).sum(0), torch.stack(residuals).amax(0)


def _chosen(condition: Tensor, a: Fields, b: Fields) -> Fields:
    return tuple(torch.where(condition, x, y) for x, y in zip(a, b, strict=True))


def _mean(parts: list[Fields]) -> Fields:
    return tuple(total(list(values)) / len(parts) for values in zip(*parts, strict=True))


def _lost(stores: Fields, record: dict[str, Tensor], day: int) -> bool:
    """Count stores below zero, find those that are lost."""
    with torch.no_grad():
        together = torch.stack(stores, dim=-1)
        record["below"] += together.amin(-1) < BELOW
        lost = ~(together.abs() <= LIMIT)
        any_lost = lost.any(-1)
        record["lost"] = torch.where(any_lost, lost.double().argmax(-1).double(), record["lost"])
        record["lost_on"] = torch.where(any_lost, float(day), record["lost_on"])
    return bool(any_lost.any())
