"""Torch function -> source in the kernels' language.

torch's own tracer records an element-wise function (and what ``torch.func.vjp`` makes of it) as a graph of about 25 operations. Each is
printed as one line of arithmetic, once: equal expressions are shared, constants folded, unused lines dropped. What the names in a line mean
(one number on a GPU, a vector of units on a CPU) is said by ``kernels.threads`` and ``kernels.lanes``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch._decomp import core_aten_decompositions
from torch.fx import Node
from torch.fx.experimental.proxy_tensor import make_fx

Value = float | str  # a constant, or the name of a scalar
TINY = 1.1754943508222875e-38  # the smallest normal number of single precision


class Untraceable(Exception):
    """The function uses an operation that has no scalar form here; the eager march can still run it."""


def printed(function: Callable, arguments: Sequence[str], name: str, decorator: str, scalars: Sequence[str] = ()) -> str:
    """Print ``function`` as a function called ``name``.

    Parameters
    ----------
    function : takes one tensor per argument (all of one shape), returns a flat tuple of tensors
    arguments : names of the arguments
    decorator : line put above the function
    scalars : those arguments that are plain numbers to ``function``, one for all units (the time step)

    Raises
    ------
    Untraceable
        when the graph holds an operation that has no scalar form here
    """
    # The tracer tells inputs apart by identity and folds equal constants: every example is a tensor of its own.
    examples = [torch.rand((), dtype=torch.float64) + 0.5 if a in scalars else torch.rand(3, dtype=torch.float64) + 0.5 for a in arguments]
    table: Any = core_aten_decompositions()  # its declared type is not the one that make_fx declares
    graph = make_fx(function, decomposition_table=table)(*examples)
    program = _Program()
    names = iter(arguments)
    results: Sequence[Node] = ()
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            program.values[node] = next(names)
        elif node.op == "get_attr":
            program.values[node] = float(getattr(graph, node.target))
        elif node.op == "output":
            results = node.args[0]
        else:
            program.values[node] = program.compute(node)
    return program.source(name, arguments, results, decorator)


@dataclass
class _Program:
    values: dict[Node, Value] = field(default_factory=dict)
    lines: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)  # name, expression, names it uses
    names: dict[str, str] = field(default_factory=dict)  # expression -> name
    less_one: dict[str, Value] = field(default_factory=dict)  # name of x - 1 -> x

    def compute(self, node: Node) -> Value:
        """Value of a graph node, printed as a line unless it is a constant or a copy."""
        operation = str(node.target).split(".")[1]
        rule = _RULES.get(operation)
        if rule is None:
            raise Untraceable(f"operation {node.target} has no scalar form")
        arguments = [self.values[a] if isinstance(a, Node) else a for a in node.args]
        return rule(self, *arguments)

    def emit(self, template: str, *operands: Value) -> str:
        expression = template.format(*(literal(x) for x in operands))
        if expression not in self.names:
            self.names[expression] = f"v{len(self.lines)}"
            self.lines.append((self.names[expression], expression, tuple(x for x in operands if isinstance(x, str))))
        return self.names[expression]

    def source(self, name: str, arguments: Sequence[str], results: Sequence[Node | None], decorator: str) -> str:
        final = [0.0 if node is None else self.values[node] for node in results]
        live, kept = {value for value in final if isinstance(value, str)}, []
        for target, expression, uses in reversed(self.lines):
            if target in live:
                live.update(uses)
                kept.append(f"    {target} = {expression}\n")
        returned = ", ".join(value if isinstance(value, str) else f"spread({literal(value)})" for value in final)
        return f"{decorator}\ndef {name}({', '.join(arguments)}):\n{''.join(reversed(kept))}    return ({returned},)\n"


def literal(value: Value) -> str:
    """Print a scalar's name, or a constant in the kernel's precision."""
    return value if isinstance(value, str) else f"R({float(value)!r})"


def _add(p: _Program, a: Value, b: Value) -> Value:
    if not isinstance(a, str) and not isinstance(b, str):
        return a + b
    if a == 0.0:
        return b
    return a if b == 0.0 else p.emit("{} + {}", a, b)


def _sub(p: _Program, a: Value, b: Value) -> Value:
    if not isinstance(a, str) and not isinstance(b, str):
        return a - b
    if a == 0.0:
        return _neg(p, b)
    if b == 0.0:
        return a
    found = p.emit("{} - {}", a, b)
    if b == 1.0:
        p.less_one[found] = a
    return found


def _mul(p: _Program, a: Value, b: Value) -> Value:
    if not isinstance(a, str) and not isinstance(b, str):
        return a * b
    if 0.0 in (a, b):
        return 0.0
    if a == 1.0:
        return b
    return a if b == 1.0 else p.emit("{} * {}", a, b)


def _div(p: _Program, a: Value, b: Value) -> Value:
    if not isinstance(a, str) and not isinstance(b, str):
        return a / b
    if a == 0.0:
        return 0.0
    return a if b == 1.0 else p.emit("{} / {}", a, b)


def _neg(p: _Program, a: Value) -> Value:
    return p.emit("-{}", a) if isinstance(a, str) else -a


def _pow(p: _Program, base: Value, exponent: Value) -> Value:
    """``exp(exponent * log(base))``: the logarithm is shared with the power's derivative; bases are at or above zero."""
    whole = {0.0: lambda: 1.0, 1.0: lambda: base, 2.0: lambda: _mul(p, base, base)}
    if not isinstance(exponent, str) and exponent in whole:
        return whole[exponent]()
    if isinstance(exponent, str) and exponent in p.less_one:
        # The derivative of a power that is there already. At 0 it is taken for 0, which it is for exponents above 1.
        return p.emit("{} / maximum({}, {})", _pow(p, base, p.less_one[exponent]), base, TINY)
    return p.emit("exp({} * {})", exponent, p.emit("log({})", base))


def _clamp(p: _Program, a: Value, low: Value | None = None, high: Value | None = None) -> Value:
    a = a if low is None else p.emit("maximum({}, {})", a, low)
    return a if high is None else p.emit("minimum({}, {})", a, high)


def _where(p: _Program, condition: Value, a: Value, b: Value) -> Value:
    if not isinstance(condition, str):
        return a if condition else b
    return a if a == b else p.emit("select({}, {}, {})", condition, a, b)


def _full_like(p: _Program, _: Value, value: float) -> Value:
    return float(value)


def _unary(template: str) -> Callable[[_Program, Value], Value]:
    return lambda p, a: p.emit(template, a)


def _binary(template: str) -> Callable[[_Program, Value, Value], Value]:
    return lambda p, a, b: p.emit(template, a, b)


def _constant(value: float) -> Callable[..., Value]:
    return lambda p, *_: value


def _copy(p: _Program, a: Value, *_: object) -> Value:
    return a


_RULES: dict[str, Callable[..., Value]] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "neg": _neg, "pow": _pow, "clamp": _clamp, "where": _where,
    "rsub": lambda p, a, b: _sub(p, b, a), "reciprocal": lambda p, a: _div(p, 1.0, a),
    "clamp_min": lambda p, a, low: _clamp(p, a, low), "clamp_max": lambda p, a, high: _clamp(p, a, None, high),
    "minimum": _binary("minimum({}, {})"), "maximum": _binary("maximum({}, {})"), "exp": _unary("exp({})"), "log": _unary("log({})"),
    "tanh": _unary("tanh({})"), "sqrt": _unary("sqrt({})"), "abs": _unary("size({})"),
    "eq": _binary("{} == {}"), "ne": _binary("{} != {}"), "ge": _binary("{} >= {}"), "gt": _binary("{} > {}"), "le": _binary("{} <= {}"),
    "lt": _binary("{} < {}"), "logical_and": _binary("both({}, {})"), "logical_or": _binary("either({}, {})"),
    "logical_not": _unary("negate({})"),
    "zeros_like": _constant(0.0), "ones_like": _constant(1.0), "full_like": _full_like, "scalar_tensor": lambda p, value: float(value),
    "full": lambda p, _, value: float(value), "clone": _copy, "detach": _copy, "alias": _copy, "expand": _copy, "_to_copy": _copy,
    "copy": lambda p, _, source: source, "copy_": lambda p, _, source: source, "sum": _copy, "view": _copy,
}  # fmt: skip
