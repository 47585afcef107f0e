"""The loops over days that surround the printed functions, as source text in the kernels' language: one unit (basin x component) each.

In the text a line that begins with ``@S`` stands for one line per store, ``@X`` per forcing variable, ``@P`` per parameter and ``@Q`` per
output, with the number in place of ``#``; ``{s}`` is the list s0, s1, ... of all stores, likewise ``{o}`` stores at the begin of a step,
``{x}`` forcing, ``{p}`` parameters, ``{q}`` outputs, ``{l}`` multipliers (adjoint) and ``{g}`` gradients of outputs.

Arrays are flat. X [day, basin, forcing], ``places`` [unit] says where in a day a unit's basin begins. P: per parameter [unit], or [day,
unit] where it varies from day to day; K [parameter] is what a day's stride is then, else 0. S0, last [store, unit]; S [day + 1, store,
unit] stores at the begin of each day; O [output, day, unit], ``slot`` [output] says where an output is written (-1: nowhere). ``record``
[field, unit] is how it went. GO, GL, GP, GS0: gradients of O, last, P, S0. On the CPU units go by blocks, one vector wide; the last block
overlaps the one before it where the width does not divide their number, and writes the same values again. ``inner`` [step, store, block,
lane] is room for the steps within a day, ``cut`` [day, block] marks the days that some unit of a block needed more steps for.
"""

import re
from dataclasses import dataclass

from studyhub.kernels.lanes import width
from studyhub.kernels.newton import SOLVE
from studyhub.solvers.scheme import BELOW, LIMIT, RECORD, TOLERANCE

# Not "fast": it would let the compiler assume that no NaN occurs, and divergence could no longer be seen.
FLAGS = "fastmath={'contract', 'nsz'}, error_model='numpy'"
INLINE, FUNCTION = "@inline", "@function"

HEADERS = {
    "cpu": f"""
import numpy as np
from numba import njit

from studyhub.kernels.lanes import both, either, exp, gather, load, log, maximum, minimum, negate, select, size, somewhere, spread, sqrt
from studyhub.kernels.lanes import store, tanh

inner = {{"cache": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}}  # called by compiled code only
inline = njit({FLAGS}, forceinline=True, **inner)
function = njit({FLAGS}, **inner)
entry = njit({FLAGS}, cache=True, nogil=True)  # without the interpreter's lock: several threads, and a trial's heartbeat goes on
""",
    "cuda": """
import numpy as np
from numba import cuda

from studyhub.kernels.threads import both, either, exp, gather, load, log, maximum, minimum, negate, select, size, somewhere, spread, sqrt
from studyhub.kernels.threads import store, tanh

inline = function = cuda.jit(device=True)
entry = cuda.jit(cache=True)
""",
}
CONSTANTS = """
R = np.{real}
WIDTH = {width}
TOLERANCE, ROUNDING = R({tolerance}), R(8 * np.finfo(R).eps)
"""

ENTRIES = {
    "cpu": """
@entry
def forward(first, last_block, {forward}):
    for block in range(first, last_block):
        forward_units(block, min(block * WIDTH, U - WIDTH), {forward})


@entry
def backward(first, last_block, {backward}):
    for block in range(first, last_block):
        backward_units(block, min(block * WIDTH, U - WIDTH), {backward})
""",
    "cuda": """
@entry
def forward({forward}):
    unit = cuda.grid(1)
    if unit < U:
        forward_units(unit, unit, {forward})


@entry
def backward({backward}):
    unit = cuda.grid(1)
    if unit < U:
        backward_units(unit, unit, {backward})
""",
}
FORWARD = "T, U, day, blocks, steps, keep, X, places, P, K, S0, S, O, slot, last, cut, record"
BACKWARD = "T, U, day, blocks, steps, X, places, P, K, S, slot, cut, GO, GL, GP, GS0, inner"

READ_DAY = """
        @X x# = spread(X[t * day + places[u] + #]) if same else gather(X, t * day + #, places, u)
        @P p# = load(P[#], t * K[#] + u)
"""

FORWARD_UNITS = """
@function
def forward_units(block, u, {forward}):
    dt = R(1) / R(steps)
    same = places[u] == places[u + WIDTH - 1]
    zero, one = spread(R(0)), spread(R(1))
    below, iterations, unconverged, residual, cuts = zero, zero, zero, zero, zero
    lost, lost_on = spread(R(-1)), spread(R(-1))
    @S s# = load(S0, # * U + u)
    if keep:
        @S store(S, # * U + u, s#)
    for t in range(T):
{read_day}
        @Q q# = zero
{solve_day}
        @Q if slot[#] >= 0: store(O, (slot[#] * T + t) * U + u, q#)
        if keep:
            @S store(S, ((t + 1) * {NS} + #) * U + u, s#)
        least = s0
        @S least = minimum(least, s#)
        below += select(least < R({BELOW}), one, zero)
        @S lost = select(both(lost < R(0), negate(size(s#) <= R({LIMIT}))), R(#), lost)
        if somewhere(lost >= R(0)):
            lost_on = select(lost >= R(0), R(t), lost_on)
            break
    @S store(last, # * U + u, s#)
    {record}
"""

EXPLICIT_DAY = """
        for k in range(steps):
            r = step({s}, {x}, {p}, dt)
            @S s# = r[#]
            @Q q# += dt * r[{NS} + #]
"""

IMPLICIT_DAY = """
        @S e# = s#
        good = zero <= one
        worst, count = zero, zero
        for k in range(steps):
            @S o# = s#
            r = solve({o}, {x}, {p}, dt)
            @S s# = r[#]
            count += r[{NS}]
            worst = maximum(worst, r[{NS} + 1])
            good = both(good, r[{NS} + 1] <= one)
            @Q if slot[#] >= 0: q# += dt * output#({o}, {s}, {x}, {p}, dt)[0]
        stalled = somewhere(negate(good))
        if keep: cut[t * blocks + block] = stalled
        if stalled:
            r = cut_day({e}, {x}, {p}, {s}, {q}, slot, steps, good, count, worst)
            @S s# = r[#]
            @Q q# = r[{NS} + #]
            count, worst, level = r[{NS} + {NQ}], r[{NS} + {NQ} + 1], r[{NS} + {NQ} + 2]
            cuts += select(level > R(steps), one, zero)
        iterations += count
        residual = maximum(residual, worst)
        unconverged += select(worst <= one, zero, one)
"""

BACKWARD_UNITS = """
@function
def backward_units(block, u, {backward}):
    dt, lane, stride = R(1) / R(steps), block * WIDTH, blocks * WIDTH
    same = places[u] == places[u + WIDTH - 1]
    zero = spread(R(0))
    @S l# = load(GL, # * U + u)
    @P h# = zero
    @Q g# = zero
    for back in range(T):
        t = T - 1 - back
{read_day}
        @S e# = load(S, (t * {NS} + #) * U + u)
        @Q if slot[#] >= 0: g# = dt * load(GO, (slot[#] * T + t) * U + u)
        @P v# = zero
{adjoint_day}
        @P if K[#] > 0: store(GP[#], t * K[#] + u, v#)
        @P if K[#] == 0: h# += v#
    @P if K[#] == 0: store(GP[#], u, h#)
    @S store(GS0, # * U + u, l#)
"""

EXPLICIT_ADJOINT = """
        @S s# = e#
        for k in range(steps - 1):
            r = step({s}, {x}, {p}, dt)
            @S s# = r[#]
            @S store(inner, (k * {NS} + #) * stride + lane, s#)
        for k in range(steps - 1, -1, -1):
            @S s# = e#
            if k > 0:
                @S s# = load(inner, ((k - 1) * {NS} + #) * stride + lane)
            r = adjoint({s}, {x}, {p}, dt, {l}, {g})
            @S l# = r[#]
            @P v# += r[{NS} + #]
"""

IMPLICIT_ADJOINT = """
        if cut[t * blocks + block]:
            r = cut_adjoint({e}, {x}, {p}, {l}, {g}, slot, steps)
            @S l# = r[#]
            @P v# = r[{NS} + #]
        else:
            @S s# = e#
            for k in range(steps - 1):  # the day's inner roots, found again: only the days' ends were kept
                r = solve({s}, {x}, {p}, dt)
                @S s# = r[#]
                @S store(inner, (k * {NS} + #) * stride + lane, s#)
            @S s# = load(S, ((t + 1) * {NS} + #) * U + u)
            for k in range(steps - 1, -1, -1):
                @S o# = e#
                if k > 0:
                    @S o# = load(inner, ((k - 1) * {NS} + #) * stride + lane)
                r = adjoint({o}, {s}, {x}, {p}, dt, {l}, {g})
                @S l# = r[#]
                @P v# += r[{NS} + #]
                @S s# = o#
"""


@dataclass(frozen=True)
class Sizes:
    """How many stores, forcing variables, parameters and outputs a kernel has."""

    stores: int
    forcing: int
    parameters: int
    outputs: int

    def of(self, letter: str) -> int:
        return {"x": self.forcing, "p": self.parameters, "v": self.parameters}.get(letter, self.outputs if letter in "qgy" else self.stores)

    def names(self, letter: str) -> list[str]:
        return [f"{letter}{i}" for i in range(self.of(letter))]


def header(real: str, target: str) -> str:
    """Imports and constants of a kernel's module."""
    constants = CONSTANTS.format(real=real, width=width(real) if target == "cpu" else 1, tolerance=TOLERANCE[real])
    return HEADERS[target].lstrip() + constants


def body(n: Sizes, target: str, *, implicit: bool) -> str:
    """All functions of a kernel's module but the printed ones."""
    texts = [FORWARD_UNITS, BACKWARD_UNITS, ENTRIES[target]]
    if implicit:
        texts.insert(0, SOLVE)
    values = {
        "forward": FORWARD,
        "backward": BACKWARD,
        "read_day": READ_DAY.strip("\n"),
        "solve_day": (IMPLICIT_DAY if implicit else EXPLICIT_DAY).strip("\n"),
        "adjoint_day": (IMPLICIT_ADJOINT if implicit else EXPLICIT_ADJOINT).strip("\n"),
        "record": "; ".join(f"store(record, {i} * U + u, {name})" for i, name in enumerate(RECORD)),
        "NS": str(n.stores),
        "NQ": str(n.outputs),
        "BELOW": repr(BELOW),
        "LIMIT": repr(LIMIT),
    }
    return "\n\n".join(_expanded(text, n, values).strip("\n") + "\n" for text in texts)


def _expanded(text: str, n: Sizes, values: dict[str, str]) -> str:
    """Replace ``{...}`` and unroll the lines that begin with ``@``."""

    def fill(match: re.Match) -> str:
        key = match[1]
        return values[key] if key in values else ", ".join(n.names(key))

    while re.search(r"\{\w+\}", text):
        text = re.sub(r"\{(\w+)\}", fill, text)
    lines = []
    for line in text.split("\n"):
        indent, family, rest = re.fullmatch(r"(\s*)(?:@([SXPQ]) )?(.*)", line).groups()  # type: ignore[union-attr]
        lines += [line] if family is None else [indent + rest.replace("#", str(i)) for i in range(n.of(family.lower()))]
    return "\n".join(lines)
