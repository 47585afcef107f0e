"""The CPU's side of a kernel's language: values that hold several units at once, one SIMD lane each.

A kernel is written once, for a single unit. On the CPU its numbers are ``Lanes`` of neighbouring units and its conditions are ``Mask``:
every operation below becomes a vector instruction, without a call out of the kernel. What a lane computes does not depend on its
neighbours. ``kernels.threads`` gives the same names the meaning of one number per GPU thread.
"""

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

from studyhub.kernels.vectors import Value, Vector, exponential, hyperbolic_tangent, logarithm

BYTES = 64  # of a vector: 16 numbers in single precision, in two registers of AVX2 or one of AVX-512


def width(real: str) -> int:
    """Units that one vector holds."""
    return BYTES // np.dtype(real).itemsize


class Lanes(types.Type):
    """Numbers of neighbouring units."""

    def __init__(self, real: types.Float):
        self.real, self.width = real, width(str(real))
        super().__init__(name=f"Lanes({real} x {self.width})")


class Mask(types.Type):
    """A condition for each of neighbouring units."""

    def __init__(self, width: int):
        self.width = width
        super().__init__(name=f"Mask({width})")


@register_model(Lanes)
class _LanesModel(PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Lanes):
        super().__init__(dmm, fe_type, ir.VectorType(_scalar(fe_type.real), fe_type.width))


@register_model(Mask)
class _MaskModel(PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Mask):
        super().__init__(dmm, fe_type, ir.VectorType(ir.IntType(1), fe_type.width))


def _scalar(real: types.Float) -> ir.Type:
    return ir.FloatType() if real.bitwidth == 32 else ir.DoubleType()


# ---- operators and functions of the language


def _as_lanes(context: Any, builder: Any, value: Value, given: types.Type, lanes: Lanes) -> Value:
    """Spread a scalar over all lanes."""
    if isinstance(given, Lanes):
        return value
    scalar = context.cast(builder, value, given, lanes.real)
    vector = ir.Constant(ir.VectorType(scalar.type, lanes.width), ir.Undefined)
    first = builder.insert_element(vector, scalar, ir.IntType(32)(0))
    return builder.shuffle_vector(first, vector, ir.Constant(ir.VectorType(ir.IntType(32), lanes.width), [0] * lanes.width))


def _lanes_among(args: tuple[types.Type, ...]) -> Lanes | None:
    """The type that all of them take, where at least one is ``Lanes`` and the others are numbers."""
    found = [a for a in args if isinstance(a, Lanes)]
    return found[0] if found and all(isinstance(a, Lanes | types.Number) for a in args) else None


def _define(function: Callable, arity: int, formula: Callable[..., Any], *, mask: bool = False) -> None:
    """Give an operator a meaning for lanes: ``formula(vector, ...)`` returns a vector, or a condition where it makes a mask."""

    class Template(AbstractTemplate):
        def generic(self, args: tuple, kws: dict) -> Any:
            lanes = _lanes_among(args) if len(args) == arity else None
            return None if lanes is None else signature(Mask(lanes.width) if mask else lanes, *args)

    infer_global(function)(Template)  # pyright: ignore[reportOptionalCall]

    def lower(context: Any, builder: Any, sig: Any, args: tuple) -> Value:
        lanes = _lanes_among(sig.args)
        assert lanes is not None
        vectors = [Vector(builder, _as_lanes(context, builder, a, t, lanes)) for a, t in zip(args, sig.args, strict=True)]
        found = formula(*vectors)
        return found.value if isinstance(found, Vector) else found

    for given in {1: [(Lanes,)], 2: [(Lanes, Lanes), (Lanes, types.Number), (types.Number, Lanes)]}[arity]:
        lower_builtin(function, *given)(lower)


_define(operator.add, 2, lambda a, b: a + b)
_define(operator.iadd, 2, lambda a, b: a + b)
_define(operator.sub, 2, lambda a, b: a - b)
_define(operator.mul, 2, lambda a, b: a * b)
_define(operator.truediv, 2, lambda a, b: a / b)
_define(operator.neg, 1, lambda a: a.new(a.builder.fneg(a.value)))
for _operator, _sign in ((operator.lt, "<"), (operator.le, "<="), (operator.gt, ">"), (operator.ge, ">="), (operator.eq, "==")):
    _define(_operator, 2, lambda a, b, sign=_sign: a.is_(sign, b), mask=True)
_define(operator.ne, 2, lambda a, b: a.builder.fcmp_unordered("!=", a.value, b.value), mask=True)


def _function(formula: Callable[..., Vector]) -> Any:
    """A function of one or two arguments that are lanes or numbers."""

    def lowered(context: Any, builder: Any, sig: Any, args: tuple) -> Value:
        lanes = sig.return_type
        return formula(*(Vector(builder, _as_lanes(context, builder, a, t, lanes)) for a, t in zip(args, sig.args, strict=True))).value

    return lowered


@intrinsic
def minimum(typing, a, b):
    """The smaller number; ``a`` where either is NaN, which costs no instruction: a NaN that comes from forcing or a power stays."""
    lanes = _lanes_among((a, b))
    return lanes and (lanes(a, b), _function(lambda a, b: a.where(a.builder.fcmp_unordered("<", a.value, b.value), b)))


@intrinsic
def maximum(typing, a, b):
    """The larger number; ``a`` where either is NaN."""
    lanes = _lanes_among((a, b))
    return lanes and (lanes(a, b), _function(lambda a, b: a.where(a.builder.fcmp_unordered(">", a.value, b.value), b)))


@intrinsic
def size(typing, a):
    """Absolute value."""
    return a(a), _function(lambda a: a.call("fabs"))


@intrinsic
def sqrt(typing, a):
    return a(a), _function(lambda a: a.call("sqrt"))


@intrinsic
def exp(typing, a):
    return a(a), _function(exponential)


@intrinsic
def log(typing, a):
    return a(a), _function(logarithm)


@intrinsic
def tanh(typing, a):
    return a(a), _function(hyperbolic_tangent)


@intrinsic
def select(typing, condition, a, b):
    """``a`` where the condition holds, ``b`` elsewhere."""
    lanes = _lanes_among((a, b)) or Lanes(a)

    def lowered(context: Any, builder: Any, sig: Any, args: tuple) -> Value:
        first, second = (_as_lanes(context, builder, args[i], sig.args[i], lanes) for i in (1, 2))
        return builder.select(args[0], first, second)

    return lanes(condition, a, b), lowered


def _masks(build: Callable[..., Value]) -> Any:
    return lambda context, builder, sig, args: build(builder, *args)


@intrinsic
def both(typing, a, b):
    return a(a, b), _masks(lambda builder, a, b: builder.and_(a, b))


@intrinsic
def either(typing, a, b):
    return a(a, b), _masks(lambda builder, a, b: builder.or_(a, b))


@intrinsic
def negate(typing, a):
    return a(a), _masks(lambda builder, a: builder.not_(a))


@intrinsic
def somewhere(typing, a):
    """Tell whether a condition holds for any unit."""

    def build(builder: Any, mask: Value) -> Value:
        together = builder.bitcast(mask, ir.IntType(mask.type.count))
        return builder.icmp_unsigned("!=", together, ir.Constant(together.type, 0))

    return types.boolean(a), _masks(build)


@intrinsic
def spread(typing, a):
    """One number for all units."""
    lanes = Lanes(a)
    return lanes(a), lambda context, builder, sig, args: _as_lanes(context, builder, args[0], sig.args[0], lanes)


# ---- memory: flat arrays, in which the values of neighbouring units are neighbours


def _address(context: Any, builder: Any, array: types.Array, value: Value, index: Value, kind: ir.Type) -> Value:
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


@intrinsic
def load(typing, array, index):
    """Values of the units from ``array[index]`` on."""
    lanes = Lanes(array.dtype)

    def lowered(context: Any, builder: Any, sig: Any, args: tuple) -> Value:
        place = _address(context, builder, sig.args[0], args[0], args[1], context.get_value_type(lanes))
        return builder.load(place, align=lanes.real.bitwidth // 8)

    return lanes(array, types.intp), lowered


@intrinsic
def store(typing, array, index, value):
    """Write the units' values from ``array[index]`` on."""
    lanes = Lanes(array.dtype)

    def lowered(context: Any, builder: Any, sig: Any, args: tuple) -> Value:
        place = _address(context, builder, sig.args[0], args[0], args[1], context.get_value_type(lanes))
        builder.store(_as_lanes(context, builder, args[2], sig.args[2], lanes), place, align=lanes.real.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), lowered


@intrinsic
def gather(typing, array, first, places, index):
    """Values at ``array[first + places[index]]``, ``array[first + places[index + 1]]`` and so on, one for each unit."""
    lanes = Lanes(array.dtype)

    def lowered(context: Any, builder: Any, sig: Any, args: tuple) -> Value:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        where = context.make_array(sig.args[2])(context, builder, args[2]).data
        found: Any = ir.Constant(context.get_value_type(lanes), ir.Undefined)
        for lane in range(lanes.width):
            place = builder.load(builder.gep(where, [builder.add(args[3], ir.Constant(args[3].type, lane))]))
            number = builder.load(builder.gep(data, [builder.add(args[1], place)]))
            found = builder.insert_element(found, number, ir.IntType(32)(lane))
        return found

    return lanes(array, types.intp, places, types.intp), lowered
