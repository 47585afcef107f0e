"""From a water-balance model and a scheme to the full source of a kernel.

The functions below are what the loops over days need to know of them: a step and its adjoint. Torch derives all derivatives; elimination is
written out in torch too, so that the zeros of the Jacobian vanish from the printed source.
"""

from collections.abc import Callable, Sequence
from types import ModuleType

import torch
from torch import Tensor

from studyhub.kernels import loops
from studyhub.kernels.trace import printed
from studyhub.physics.structure import Physics
from studyhub.solvers.scheme import BALANCE

Fields = tuple[Tensor, ...]


def kernel_source(physics: Physics, scheme: ModuleType, real: str, target: str = "cpu", *, raw: bool = False) -> str:
    """Python source of the module with ``forward`` and ``backward``.

    Parameters
    ----------
    real : "float32" or "float64"
    target : "cpu" or "cuda"
    raw : see ``solvers.march``

    Raises
    ------
    kernels.trace.Untraceable
        when a flux uses an operation that the kernels' language does not have
    """
    sizes = loops.Sizes(len(physics.stores), len(physics.symbols), len(physics.parameters), len(physics.outputs) + len(BALANCE))
    functions = _implicit(physics, scheme, sizes) if scheme.IMPLICIT else _explicit(physics, scheme, sizes, raw)
    parts = [legend(physics), loops.header(real, target), *functions, loops.body(sizes, target, implicit=scheme.IMPLICIT)]
    return "\n\n".join(parts)


def legend(physics: Physics) -> str:
    """What the names in the source stand for, as comments."""
    families = {
        "s, o, e": physics.store_names,
        "x": [symbol for symbol, _ in physics.symbols],
        "p": physics.parameter_names,
        "q": (*physics.output_names, *BALANCE),
    }
    lines = [f"# {letters}: " + ", ".join(f"{i} {name}" for i, name in enumerate(names)) for letters, names in families.items()]
    return "\n".join([f"# {physics.name}. The letter and number of a name say what it is:", *lines])


def _explicit(physics: Physics, scheme: ModuleType, n: loops.Sizes, raw: bool) -> list[str]:
    options = {"raw": raw} if raw else {}
    first, second, third = _bounds(n.stores, n.forcing, n.parameters)

    def step(*a: Tensor) -> Fields:
        stores, outputs = scheme.step(physics, a[:first], a[first:second], a[second:third], a[third], **options)
        return (*stores, *outputs)

    def adjoint(*a: Tensor) -> Fields:
        forcing, dt = a[first:second], a[third]
        inputs = (*a[:first], *a[second:third])
        pull_back = torch.func.vjp(lambda *z: step(*z[:first], *forcing, *z[first:], dt), *inputs)[1]
        return pull_back(a[third + 1 :])

    state = [*n.names("s"), *n.names("x"), *n.names("p"), "dt"]
    return [
        printed(step, state, "step", loops.INLINE, scalars=("dt",)),
        printed(adjoint, [*state, *n.names("l"), *n.names("g")], "adjoint", loops.FUNCTION, scalars=("dt",)),
    ]


def _implicit(physics: Physics, scheme: ModuleType, n: loops.Sizes) -> list[str]:
    before, after, forcing, last = _bounds(n.stores, n.stores, n.forcing, n.parameters)

    def relation(a: Sequence[Tensor]) -> tuple[Fields, Fields]:
        return scheme.relation(physics, a[:before], a[before:after], a[after:forcing], a[forcing:last], a[last])

    def linearised(a: Sequence[Tensor]) -> tuple[Fields, list[Fields]]:
        """Residual [mm], and the rows of its derivative by the stores at the end of the step."""
        residual, pull_back = torch.func.vjp(lambda *s: relation((*a[:before], *s, *a[after:]))[0], *a[before:after])[:2]
        return residual, [pull_back(_unit(row, residual)) for row in range(n.stores)]

    def newton(*a: Tensor) -> Fields:
        """Newton's correction, to be taken off the stores, and the residual."""
        residual, rows = linearised(a)
        return (*_solved(rows, residual), *residual)

    def adjoint(*a: Tensor) -> Fields:
        """Gradients by the stores at the begin of the step and by the parameters (Song et al. 2024, Eqs. 30-34, with the carry)."""
        step, multipliers, gradients = a[: last + 1], a[last + 1 : last + 1 + n.stores], a[last + 1 + n.stores :]
        fixed = (*a[after:forcing],)

        def both(*z: Tensor) -> tuple[Fields, Fields]:
            return relation((*z[: 2 * n.stores], *fixed, *z[2 * n.stores :], a[last]))

        pull_back = torch.func.vjp(both, *a[:after], *a[forcing:last])[1]
        zeros = tuple(torch.zeros_like(m) for m in multipliers)
        direct = pull_back((zeros, gradients))[before:after]  # what the outputs see of the stores at the end
        columns = list(zip(*linearised(step)[1], strict=True))
        weights = _solved(columns, tuple(m + d for m, d in zip(multipliers, direct, strict=True)))
        found = pull_back((tuple(-w for w in weights), gradients))
        return (*found[:before], *found[after:])

    def output(at: int) -> Callable[..., Fields]:
        return lambda *a: (relation(a)[1][at],)

    state = [*n.names("o"), *n.names("s"), *n.names("x"), *n.names("p"), "dt"]
    return [
        printed(newton, state, "newton", loops.INLINE, scalars=("dt",)),
        printed(adjoint, [*state, *n.names("l"), *n.names("g")], "adjoint", loops.FUNCTION, scalars=("dt",)),
        *(printed(output(i), state, f"output{i}", loops.INLINE, scalars=("dt",)) for i in range(n.outputs)),
    ]


def _bounds(*counts: int) -> list[int]:
    return [sum(counts[: i + 1]) for i in range(len(counts))]


def _unit(row: int, like: Fields) -> Fields:
    return tuple(torch.ones_like(x) if i == row else torch.zeros_like(x) for i, x in enumerate(like))


def _solved(rows: Sequence[Sequence[Tensor]], right: Fields) -> Fields:
    """Gaussian elimination. No pivoting: the derivative of a water balance's step has a dominant diagonal, column by column."""
    matrix, b, count = [list(row) for row in rows], list(right), len(right)
    for k in range(count):
        for i in range(k + 1, count):
            factor = matrix[i][k] / matrix[k][k]
            for j in range(k + 1, count):
                matrix[i][j] = matrix[i][j] - factor * matrix[k][j]
            b[i] = b[i] - factor * b[k]
    for i in reversed(range(count)):
        for j in range(i + 1, count):
            b[i] = b[i] - matrix[i][j] * b[j]
        b[i] = b[i] / matrix[i][i]
    return tuple(b)
