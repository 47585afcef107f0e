"""From a water-balance model and a scheme to the full source of a kernel."""

from types import ModuleType

import torch
from torch import Tensor

from studyhub.kernels import loops
from studyhub.kernels.trace import scalar_source
from studyhub.physics.structure import Physics


def kernel_source(physics: Physics, scheme: ModuleType, real: str, *, raw: bool = False) -> str:
    """Python source of the module with ``forward`` and ``backward``; ``real`` is "float32" or "float64".

    Raises
    ------
    kernels.trace.Untraceable
        when a flux uses an operation without a scalar form
    """
    sizes = loops.Sizes(len(physics.stores), len(physics.symbols), len(physics.parameters), len(physics.outputs) + 1)
    printed = _implicit_functions(physics, scheme, sizes) if scheme.IMPLICIT else _explicit_functions(physics, scheme, sizes, raw)
    body = loops.implicit(sizes) if scheme.IMPLICIT else loops.explicit(sizes)
    return loops.HEADER.format(real=real) + "\n\n".join(printed) + "\n\n" + body


def _explicit_functions(physics: Physics, scheme: ModuleType, n: loops.Sizes, raw: bool) -> list[str]:
    options = {"raw": raw} if raw else {}
    state = [*n.names("s").split(", "), *n.names("x").split(", "), *n.names("p").split(", ")]
    first, second, third = n.stores, n.stores + n.forcing, n.stores + n.forcing + n.parameters

    def step(*a: Tensor) -> tuple[Tensor, ...]:
        stores, outputs = scheme.step(physics, a[:first], a[first:second], a[second:third], a[third], **options)
        return (*stores, *outputs)

    def step_vjp(*a: Tensor) -> tuple[Tensor, ...]:
        forcing, dt = a[first:second], a[third]
        inputs = (*a[:first], *a[second:third])
        pull_back = torch.func.vjp(lambda *z: step(*z[:first], *forcing, *z[first:], dt), *inputs)[1]
        return pull_back(a[third + 1 :])

    multipliers = [*n.names("l").split(", "), *n.names("g").split(", ")]
    return [
        scalar_source(step, [*state, "dt"], "step", loops.INLINE, scalars=("dt",)),
        scalar_source(step_vjp, [*state, "dt", *multipliers], "step_vjp", loops.INLINE, scalars=("dt",)),
    ]


def _implicit_functions(physics: Physics, scheme: ModuleType, n: loops.Sizes) -> list[str]:
    state = [*n.names("s").split(", "), *n.names("x").split(", "), *n.names("p").split(", ")]
    first, second, third = n.stores, n.stores + n.forcing, n.stores + n.forcing + n.parameters

    def at(a: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        return scheme.equations(physics, a[:first], a[first:second], a[second:third])

    def linearised(*a: Tensor) -> tuple[Tensor, ...]:
        tendencies, rows = scheme.linearised(physics, a[:first], a[first:second], a[second:third])
        return (*tendencies, *(entry for row in rows for entry in row))

    def outputs(*a: Tensor) -> tuple[Tensor, ...]:
        return at(a)[1]

    def outputs_vjp(*a: Tensor) -> tuple[Tensor, ...]:
        pull_back = torch.func.vjp(lambda *s: at((*s, *a[first:third]))[1], *a[:first])[1]
        return pull_back(a[third:])

    def parameters_vjp(*a: Tensor) -> tuple[Tensor, ...]:
        def both(*parameters: Tensor) -> tuple[Tensor, ...]:
            tendencies, rates = at((*a[:second], *parameters))
            return (*tendencies, *rates)

        pull_back = torch.func.vjp(both, *a[second:third])[1]
        return pull_back(a[third:])

    g, d = n.names("g").split(", "), [f"d{i}" for i in range(n.stores)]
    return [
        scalar_source(linearised, state, "linearised", loops.INLINE),
        scalar_source(outputs, state, "outputs", loops.INLINE),
        scalar_source(outputs_vjp, [*state, *g], "outputs_vjp", loops.INLINE),
        scalar_source(parameters_vjp, [*state, *d, *g], "parameters_vjp", loops.INLINE),
    ]
