"""Formulas over SIMD vectors while a kernel is compiled: exp, log and tanh as straight lines of arithmetic.

They call no library, so that a kernel computes the same in every process, and a vector as fast as a number. Within the range of normal
numbers exp and log are right to 1.1 units in the last place, tanh to three. exp gives 0 below and infinity above what a normal number
holds.
"""

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import cgutils

Value = Any  # of llvmlite, whose annotations say less than its values can do

# log 2 = LOG2_HIGH + LOG2_LOW; the first has so few bits that its product with any exponent is exact.
LOG2_HIGH, LOG2_LOW = 355 / 512, -2.121944400546905827679e-4


class Vector:
    """A vector under construction, so that the formulas below read as formulas. A plain number stands for itself in every lane."""

    def __init__(self, builder: Any, value: Value):
        self.builder, self.value = builder, value

    def new(self, value: Value) -> "Vector":
        return Vector(self.builder, value)

    def _of(self, other: "Vector | float") -> Value:
        return other.value if isinstance(other, Vector) else same(self.value.type, float(other))

    def __add__(self, other: "Vector | float") -> "Vector":
        return self.new(self.builder.fadd(self.value, self._of(other)))

    def __sub__(self, other: "Vector | float") -> "Vector":
        return self.new(self.builder.fsub(self.value, self._of(other)))

    def __mul__(self, other: "Vector | float") -> "Vector":
        return self.new(self.builder.fmul(self.value, self._of(other)))

    def __truediv__(self, other: "Vector | float") -> "Vector":
        return self.new(self.builder.fdiv(self.value, self._of(other)))

    def is_(self, sign: str, other: "Vector | float") -> Value:
        """Compare; never true of NaN."""
        return self.builder.fcmp_ordered(sign, self.value, self._of(other))

    def where(self, condition: Value, other: "Vector | float") -> "Vector":
        """Keep the lanes that fulfil the condition, take ``other`` in the rest."""
        return self.new(self.builder.select(condition, self.value, self._of(other)))

    def clip(self, low: float, high: float) -> "Vector":
        """Lanes between two numbers; NaN becomes ``low``."""
        raised = self.where(self.is_(">", low), low)
        return raised.where(raised.is_("<", high), high)

    def call(self, name: str, *others: "Vector | float") -> "Vector":
        values, kind = [self.value, *(self._of(other) for other in others)], self.value.type
        suffix = f"v{kind.count}f{32 if _single(self) else 64}"
        declared = ir.FunctionType(kind, [kind] * len(values))
        function = cgutils.get_or_insert_function(self.builder.module, declared, f"llvm.{name}.{suffix}")
        return self.new(self.builder.call(function, values))

    def fused(self, factor: "Vector | float", term: "Vector | float") -> "Vector":
        """``self * factor + term``, rounded once."""
        return self.call("fma", factor, term)

    def polynomial(self, *coefficients: float) -> "Vector":
        """Horner's rule, the highest power first."""
        total = self.new(same(self.value.type, coefficients[0]))
        for coefficient in coefficients[1:]:
            total = total.fused(self, coefficient)
        return total


def same(kind: ir.VectorType, number: float) -> ir.Constant:
    return ir.Constant(kind, [number] * kind.count)


def _single(vector: Vector) -> bool:
    return isinstance(vector.value.type.element, ir.FloatType)


def _whole(vector: Vector) -> ir.VectorType:
    return ir.VectorType(ir.IntType(32 if _single(vector) else 64), vector.value.type.count)


def _exponential(x: Vector) -> tuple[Vector, Vector]:
    """Return 2^n and p with exp(x) = 2^n (1 + p): x = n log 2 + r, and p = exp(r) - 1 by its Taylor series, |r| <= log(2) / 2."""
    b, whole = x.builder, _whole(x)
    n = (x * (1 / math.log(2))).call("rint")
    r = n.fused(-LOG2_LOW, n.fused(-LOG2_HIGH, x))
    order, bias, shift = (8, 127, 23) if _single(x) else (14, 1023, 52)
    p = (r.polynomial(*(1 / math.factorial(k) for k in range(order, 1, -1))) * r).fused(r, r)
    exponent = b.add(b.fptosi(n.value, whole), same(whole, bias))
    return x.new(b.bitcast(b.shl(exponent, same(whole, shift)), x.value.type)), p


def exponential(x: Vector) -> Vector:
    low, high = (-87.0, 88.0) if _single(x) else (-708.0, 709.0)
    power, p = _exponential(x.clip(low, high))
    found = power.fused(p, power).where(x.is_("<=", high), math.inf).where(x.is_(">=", low), 0.0)
    return found.where(x.is_("ord", x), x)


def logarithm(x: Vector) -> Vector:
    """log(2^e m) = e log 2 + 2 artanh((m - 1) / (m + 1)), m between sqrt(1/2) and sqrt(2), artanh by its Taylor series."""
    b, whole = x.builder, _whole(x)
    terms, shift, least = (5, 23, 1.1754944e-38) if _single(x) else (11, 52, 2.2250738585072014e-308)
    root = int(np.array(math.sqrt(0.5), np.float32 if _single(x) else np.float64).view(np.int32 if _single(x) else np.int64))
    bits = b.bitcast(x.where(x.is_(">=", least), 1.0).value, whole)
    e = b.ashr(b.sub(bits, same(whole, root)), same(whole, shift))
    m = x.new(b.bitcast(b.sub(bits, b.shl(e, same(whole, shift))), x.value.type))
    exponent = x.new(b.sitofp(e, x.value.type))
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    series = z.polynomial(*(2 / (2 * k + 1) for k in range(terms, 0, -1))) * z
    f = m - 1.0  # exact, and 2 s = f - s f: the rounding of s matters little
    found = exponent.fused(LOG2_HIGH, f + exponent.fused(LOG2_LOW, s * (series - f)))
    found = found.where(x.is_("<", math.inf), math.inf).where(x.is_(">=", least), -math.inf)
    return found.where(x.is_(">=", 0.0), math.nan)


def hyperbolic_tangent(x: Vector) -> Vector:
    """(e - 1) / (e + 1) with e = exp(2 |x|), where e - 1 comes without cancellation."""
    size = x.call("fabs")
    power, p = _exponential((size + size).clip(0.0, 40.0))
    less = power.fused(p, power - 1.0)
    found = (less / (less + 2.0)).call("copysign", x)
    return found.where(x.is_("ord", x), x)
