"""The CPU's side of a kernel's language: values that hold several units at once, one SIMD lane each.

A kernel is written once, for a single unit. On the CPU its numbers are ``Lanes`` of neighbouring units and its conditions are ``Mask``:
every operation below becomes a vector instruction, without a call out of the kernel. What a lane computes does not depend on its
neighbours. ``kernels.threads`` gives the same names the meaning of one number per GPU thread.
"""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, register_model

# log 2 = LOG2_HIGH + LOG2_LOW; the first has so few bits that its product with any exponent is exact.
LOG2_HIGH, LOG2_LOW = 355 / 512, -2.121944400546905827679e-4
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


# ---- formulas over vectors


class _Vector:
    """A vector under construction, so that the formulas below read as formulas. A plain number stands for itself in every lane."""

    def __init__(self, builder: ir.IRBuilder, value: ir.Value):
        self.builder, self.value = builder, value

    def new(self, value: ir.Value) -> "_Vector":
        return _Vector(self.builder, value)

    def _of(self, other: "_Vector | float") -> ir.Value:
        return other.value if isinstance(other, _Vector) else _same(self.value.type, float(other))

    def __add__(self, other: "_Vector | float") -> "_Vector":
        return self.new(self.builder.fadd(self.value, self._of(other)))

    def __sub__(self, other: "_Vector | float") -> "_Vector":
        return self.new(self.builder.fsub(self.value, self._of(other)))

    def __mul__(self, other: "_Vector | float") -> "_Vector":
        return self.new(self.builder.fmul(self.value, self._of(other)))

    def __truediv__(self, other: "_Vector | float") -> "_Vector":
        return self.new(self.builder.fdiv(self.value, self._of(other)))

    def is_(self, sign: str, other: "_Vector | float") -> ir.Value:
        """Compare; never true of NaN."""
        return self.builder.fcmp_ordered(sign, self.value, self._of(other))

    def where(self, condition: ir.Value, other: "_Vector | float") -> "_Vector":
        """Keep the lanes that fulfil the condition, take ``other`` in the rest."""
        return self.new(self.builder.select(condition, self.value, self._of(other)))

    def clip(self, low: float, high: float) -> "_Vector":
        """Lanes between two numbers; NaN becomes ``low``."""
        raised = self.where(self.is_(">", low), low)
        return raised.where(raised.is_("<", high), high)

    def call(self, name: str, *others: "_Vector | float") -> "_Vector":
        values, kind = [self.value, *(self._of(other) for other in others)], self.value.type
        suffix = f"v{kind.count}f{32 if _single(self) else 64}"
        declared = ir.FunctionType(kind, [kind] * len(values))
        function = cgutils.get_or_insert_function(self.builder.module, declared, f"llvm.{name}.{suffix}")
        return self.new(self.builder.call(function, values))

    def fused(self, factor: "_Vector | float", term: "_Vector | float") -> "_Vector":
        """``self * factor + term``, rounded once."""
        return self.call("fma", factor, term)

    def polynomial(self, *coefficients: float) -> "_Vector":
        """Horner's rule, the highest power first."""
        total = self.new(_same(self.value.type, coefficients[0]))
        for coefficient in coefficients[1:]:
            total = total.fused(self, coefficient)
        return total


def _same(kind: ir.VectorType, number: float) -> ir.Constant:
    return ir.Constant(kind, [number] * kind.count)


def _single(vector: _Vector) -> bool:
    return isinstance(vector.value.type.element, ir.FloatType)


def _whole(vector: _Vector) -> ir.VectorType:
    return ir.VectorType(ir.IntType(32 if _single(vector) else 64), vector.value.type.count)


def _exponential(x: _Vector) -> tuple[_Vector, _Vector]:
    """Return 2^n and p with exp(x) = 2^n (1 + p): x = n log 2 + r, and p = exp(r) - 1 by its Taylor series, |r| <= log(2) / 2."""
    b, whole = x.builder, _whole(x)
    n = (x * (1 / math.log(2))).call("rint")
    r = n.fused(-LOG2_LOW, n.fused(-LOG2_HIGH, x))
    order, bias, shift = (8, 127, 23) if _single(x) else (14, 1023, 52)
    p = r.polynomial(*(1 / math.factorial(k) for k in range(order, 0, -1))) * r
    exponent = b.add(b.fptosi(n.value, whole), _same(whole, bias))
    return x.new(b.bitcast(b.shl(exponent, _same(whole, shift)), x.value.type)), p


def _exp(x: _Vector) -> _Vector:
    low, high = (-87.0, 88.0) if _single(x) else (-708.0, 709.0)
    power, p = _exponential(x.clip(low, high))
    found = power.fused(p, power).where(x.is_("<=", high), math.inf).where(x.is_(">=", low), 0.0)
    return found.where(x.is_("ord", x), x)


def _log(x: _Vector) -> _Vector:
    """log(2^e m) = e log 2 + 2 artanh((m - 1) / (m + 1)), m between sqrt(1/2) and sqrt(2), artanh by its Taylor series."""
    b, whole = x.builder, _whole(x)
    terms, shift, least = (5, 23, 1.1754944e-38) if _single(x) else (11, 52, 2.2250738585072014e-308)
    root = int(np.array(math.sqrt(0.5), np.float32 if _single(x) else np.float64).view(np.int32 if _single(x) else np.int64))
    bits = b.bitcast(x.where(x.is_(">=", least), 1.0).value, whole)
    e = b.ashr(b.sub(bits, _same(whole, root)), _same(whole, shift))
    m = x.new(b.bitcast(b.sub(bits, b.shl(e, _same(whole, shift))), x.value.type))
    exponent = x.new(b.sitofp(e, x.value.type))
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = z.polynomial(*(2 / (2 * k + 1) for k in range(terms, 0, -1))) * z
    f = m - 1.0  # exact, and 2 s = f - s f: the rounding of s matters little
    found = exponent.fused(LOG2_HIGH, f + exponent.fused(LOG2_LOW, s * (series - f)))
    found = found.where(x.is_("<", math.inf), math.inf).where(x.is_(">=", least), -math.inf)
    return found.where(x.is_(">=", 0.0), math.nan)


def _tanh(x: _Vector) -> _Vector:
    """(e - 1) / (e + 1) with e = exp(2 |x|), where e - 1 comes without cancellation."""
    size = x.call("fabs")
    power, p = _exponential((size + size).clip(0.0, 40.0))
    less = power.fused(p, power - 1.0)
    found = (less / (less + 2.0)).call("copysign", x)
    return found.where(x.is_("ord", x), x)


# ---- operators and functions of the language


def _as_lanes(context: Any, builder: ir.IRBuilder, value: ir.Value, given: types.Type, lanes: Lanes) -> ir.Value:
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

    infer_global(function)(Template)

    def lower(context: Any, builder: ir.IRBuilder, sig: Any, args: tuple) -> ir.Value:
        lanes = _lanes_among(sig.args)
        assert lanes is not None
        vectors = [_Vector(builder, _as_lanes(context, builder, a, t, lanes)) for a, t in zip(args, sig.args, strict=True)]
        found = formula(*vectors)
        return found.value if isinstance(found, _Vector) else found

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


def _function(formula: Callable[..., _Vector]) -> Any:
    """A function of one or two arguments that are lanes or numbers."""

    def lowered(context: Any, builder: ir.IRBuilder, sig: Any, args: tuple) -> ir.Value:
        lanes = sig.return_type
        return formula(*(_Vector(builder, _as_lanes(context, builder, a, t, lanes)) for a, t in zip(args, sig.args, strict=True))).value

    return lowered


@intrinsic
def minimum(typing, a, b):
    """The smaller number; ``b`` where either is NaN."""
    lanes = _lanes_among((a, b))
    return lanes and (lanes(a, b), _function(lambda a, b: a.where(a.is_("<", b), b)))


@intrinsic
def maximum(typing, a, b):
    """The larger number; ``b`` where either is NaN."""
    lanes = _lanes_among((a, b))
    return lanes and (lanes(a, b), _function(lambda a, b: a.where(a.is_(">", b), b)))


@intrinsic
def size(typing, a):
    """Absolute value."""
    return a(a), _function(lambda a: a.call("fabs"))


@intrinsic
def sqrt(typing, a):
    return a(a), _function(lambda a: a.call("sqrt"))


@intrinsic
def exp(typing, a):
    return a(a), _function(_exp)


@intrinsic
def log(typing, a):
    return a(a), _function(_log)


@intrinsic
def tanh(typing, a):
    return a(a), _function(_tanh)


@intrinsic
def select(typing, condition, a, b):
    """``a`` where the condition holds, ``b`` elsewhere."""
    lanes = _lanes_among((a, b)) or Lanes(a)

    def lowered(context: Any, builder: ir.IRBuilder, sig: Any, args: tuple) -> ir.Value:
        first, second = (_as_lanes(context, builder, args[i], sig.args[i], lanes) for i in (1, 2))
        return builder.select(args[0], first, second)

    return lanes(condition, a, b), lowered


def _masks(build: Callable[..., ir.Value]) -> Any:
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

    def build(builder: ir.IRBuilder, mask: ir.Value) -> ir.Value:
        together = builder.bitcast(mask, ir.IntType(mask.type.count))
        return builder.icmp_unsigned("!=", together, ir.Constant(together.type, 0))

    return types.boolean(a), _masks(build)


@intrinsic
def spread(typing, a):
    """One number for all units."""
    lanes = Lanes(a)
    return lanes(a), lambda context, builder, sig, args: _as_lanes(context, builder, args[0], sig.args[0], lanes)


# ---- memory: flat arrays, in which the values of neighbouring units are neighbours


def _address(context: Any, builder: ir.IRBuilder, array: types.Array, value: ir.Value, index: ir.Value, kind: ir.Type) -> ir.Value:
    data = context.make_array(array)(context, builder, value).data
    return builder.bitcast(builder.gep(data, [index]), kind.as_pointer())


@intrinsic
def load(typing, array, index):
    """Values of the units from ``array[index]`` on."""
    lanes = Lanes(array.dtype)

    def lowered(context: Any, builder: ir.IRBuilder, sig: Any, args: tuple) -> ir.Value:
        place = _address(context, builder, sig.args[0], args[0], args[1], context.get_value_type(lanes))
        return builder.load(place, align=lanes.real.bitwidth // 8)

    return lanes(array, types.intp), lowered


@intrinsic
def store(typing, array, index, value):
    """Write the units' values from ``array[index]`` on."""
    lanes = Lanes(array.dtype)

    def lowered(context: Any, builder: ir.IRBuilder, sig: Any, args: tuple) -> ir.Value:
        place = _address(context, builder, sig.args[0], args[0], args[1], context.get_value_type(lanes))
        builder.store(_as_lanes(context, builder, args[2], sig.args[2], lanes), place, align=lanes.real.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), lowered


@intrinsic
def gather(typing, array, first, places, index):
    """Values at ``array[first + places[index]]``, ``array[first + places[index + 1]]`` and so on, one for each unit."""
    lanes = Lanes(array.dtype)

    def lowered(context: Any, builder: ir.IRBuilder, sig: Any, args: tuple) -> ir.Value:
        data = context.make_array(sig.args[0])(context, builder, args[0]).data
        where = context.make_array(sig.args[2])(context, builder, args[2]).data
        found: Any = ir.Constant(context.get_value_type(lanes), ir.Undefined)
        for lane in range(lanes.width):
            place = builder.load(builder.gep(where, [builder.add(args[3], ir.Constant(args[3].type, lane))]))
            number = builder.load(builder.gep(data, [builder.add(args[1], place)]))
            found = builder.insert_element(found, number, ir.IntType(32)(lane))
        return found

    return lanes(array, types.intp, places, types.intp), lowered
