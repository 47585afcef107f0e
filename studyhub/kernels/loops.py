"""The loops over days that surround the printed functions: source text, one unit (basin x component) after the other.

Names: ``s`` stores, ``o`` stores at the begin of a step, ``x`` forcing, ``p`` parameters, ``q`` outputs, ``l`` multipliers (adjoint), ``g``
gradients of outputs. Arrays: X [day, basin, forcing], TH [unit, parameter] static values, TD [day, unit, dynamic] daily values of the
parameters that ``place`` [parameter] sends there (-1: static), S [day + 1, unit, store] stores at the begin of each day, O [output, day,
unit]. ``slot`` [output] says where an output is written (-1: nowhere).
"""

from dataclasses import dataclass

from studyhub.solvers.scheme import BELOW, LIMIT

HEADER = "import math\nimport numpy as np\nfrom numba import njit, prange\n\n\nR = np.{real}\n\n\n"
# Not "fast": it would let the compiler assume that no NaN occurs, and divergence could no longer be seen.
FLAGS = "fastmath={'contract', 'arcp', 'nsz', 'reassoc'}, error_model='numpy', cache=True"
INLINE = f"@njit({FLAGS})"
LOOP = f"@njit({FLAGS}, parallel=True, nogil=True)"  # without the interpreter's lock: a trial's heartbeat goes on beside a long march
NEWTON = 30  # iterations before a day is cut
DAMPING = 6  # halvings of one Newton step
CUTS = 64  # most steps that a stalled step is cut into


@dataclass(frozen=True)
class Sizes:
    """How many stores, forcing variables, parameters and outputs a kernel has."""

    stores: int
    forcing: int
    parameters: int
    outputs: int

    def names(self, letter: str) -> str:
        count = {
            "s": self.stores,
            "o": self.stores,
            "l": self.stores,
            "x": self.forcing,
            "p": self.parameters,
            "q": self.outputs,
            "g": self.outputs,
        }
        return ", ".join(f"{letter}{i}" for i in range(count[letter]))


def _block(depth: int, *lines: str) -> str:
    return "".join("    " * depth + line + "\n" for line in lines)


def _each(count: int, template: str) -> list[str]:
    return [template.replace("#", str(i)) for i in range(count)]


def _prologue(n: Sizes) -> str:
    return _block(1, "T, B, _ = X.shape", "U = TH.shape[0]", "m = U // B", "dt = R(1) / R(steps)", "for u in prange(U):") + _block(
        2, "b = u // m", *_each(n.parameters, "p# = TH[u, #]")
    )


def _read_day(n: Sizes) -> list[str]:
    return [*_each(n.forcing, "x# = X[t, b, #]"), *_each(n.parameters, "p# = TD[t, u, place[#]] if place[#] >= 0 else p#")]


def _end_of_day(n: Sizes) -> str:
    """Write outputs, count stores below zero, catch divergence on its day."""
    watch = [line for i in range(n.stores) for line in (f"if not abs(s{i}) <= R({LIMIT}):", f"    lost = {i}")]
    return _block(
        3,
        *(f"if slot[{i}] >= 0: O[slot[{i}], t, u] = q{i}" for i in range(n.outputs)),
        f"if min({n.names('s')}) < R({BELOW}): below[u] += 1",
        "lost = -1",
        *watch,
        "if lost >= 0:",
        "    diverged[u, 0] = t",
        "    diverged[u, 1] = lost",
        "    break",
        *_each(n.stores, "if keep: S[t + 1, u, #] = s#"),
    )


def explicit(n: Sizes) -> str:
    """Day loops around ``step`` and ``step_vjp``, ``steps`` steps a day."""
    signature = "X, TH, TD, place, S0, steps, slot, keep, S, O, last, below, diverged"
    forward = f"{LOOP}\ndef forward({signature}):\n" + _prologue(n)
    forward += _block(2, *_each(n.stores, "s# = S0[u, #]"), *_each(n.stores, "if keep: S[0, u, #] = s#"), "for t in range(T):")
    forward += _block(3, *_read_day(n), *_each(n.outputs, "q# = R(0)"), "for k in range(steps):")
    forward += _block(4, f"r = step({n.names('s')}, {n.names('x')}, {n.names('p')}, dt)", *_each(n.stores, "s# = r[#]"))
    forward += _block(4, *(f"q{i} += dt * r[{n.stores + i}]" for i in range(n.outputs)))
    forward += _end_of_day(n) + _block(2, *_each(n.stores, "last[u, #] = s#"))

    backward = f"{LOOP}\ndef backward(X, TH, TD, place, steps, slot, S, GO, GL, GTH, GTD, GS0):\n" + _prologue(n)
    backward += _block(2, f"inner = np.empty((steps, {n.stores}), R)", *_each(n.stores, "l# = GL[u, #]"), "for back in range(T):")
    backward += _block(3, "t = T - 1 - back", *_read_day(n), *_each(n.stores, "s# = S[t, u, #]"), "for k in range(steps - 1):")
    backward += _block(4, *_each(n.stores, "inner[k, #] = s#"), f"r = step({n.names('s')}, {n.names('x')}, {n.names('p')}, dt)")
    backward += _block(4, *_each(n.stores, "s# = r[#]"))
    backward += _block(
        3, *_each(n.stores, "inner[steps - 1, #] = s#"), *_each(n.outputs, "g# = dt * GO[slot[#], t, u] if slot[#] >= 0 else R(0)")
    )
    backward += _block(3, "for k in range(steps):")
    backward += _block(4, *_each(n.stores, "s# = inner[steps - 1 - k, #]"))
    backward += _block(4, f"r = step_vjp({n.names('s')}, {n.names('x')}, {n.names('p')}, dt, {n.names('l')}, {n.names('g')})")
    backward += _block(4, *_each(n.stores, "l# = r[#]"), *_spread(n, "r", n.stores)) + _block(2, *_each(n.stores, "GS0[u, #] = l#"))
    return forward + "\n\n" + backward


def _spread(n: Sizes, result: str, offset: int) -> list[str]:
    """Add parameter gradients where the parameters came from."""
    lines = []
    for i in range(n.parameters):
        lines += [f"if place[{i}] >= 0: GTD[t, u, place[{i}]] += {result}[{offset + i}]", f"else: GTH[u, {i}] += {result}[{offset + i}]"]
    return lines


def _eliminate(n: int, matrix: str, right: str) -> list[str]:
    """Gaussian elimination, unrolled; no pivoting: I - dt J has a dominant diagonal at every root of a water balance."""
    lines = []
    for k in range(n):
        for i in range(k + 1, n):
            lines.append(f"f = {matrix}{i}{k} / {matrix}{k}{k}")
            lines += [f"{matrix}{i}{j} -= f * {matrix}{k}{j}" for j in range(k + 1, n)] + [f"{right}{i} -= f * {right}{k}"]
    for i in reversed(range(n)):
        terms = "".join(f" - {matrix}{i}{j} * {right}{j}" for j in range(i + 1, n))
        lines.append(f"{right}{i} = ({right}{i}{terms}) / {matrix}{i}{i}")
    return lines


def _residual(n: Sizes) -> list[str]:
    """Residual of every store [mm] and the largest of them in units of its tolerance."""
    tolerance = "(R(1e-6) + R(8) * EPS * abs(s#))"
    lines = [f"r = linearised({n.names('s')}, {n.names('x')}, {n.names('p')})", *_each(n.stores, "b# = s# - o# - dt * r[#]")]
    largest = "max(" + ", ".join(f"abs(b{i}) / {tolerance.replace('#', str(i))}" for i in range(n.stores)) + ", R(0))"
    # max() passes over a NaN; the sum does not.
    return [*lines, f"norm = {largest} + R(0) * ({' + '.join(_each(n.stores, 'b#'))})"]


def _newton(n: Sizes) -> str:
    """``solve``: one implicit step by damped Newton; returns stores, iterations and the residual in units of the tolerance."""
    source = f"{INLINE}\ndef solve({n.names('o')}, {n.names('x')}, {n.names('p')}, dt):\n"
    source += _block(1, *_each(n.stores, "s# = o#"), "k = 0", *_residual(n), f"while not norm <= R(1) and k < {NEWTON}:")
    matrix = [f"a{i}{j} = R({int(i == j)}) - dt * r[{n.stores * (i + 1) + j}]" for i in range(n.stores) for j in range(n.stores)]
    source += _block(
        2, "k += 1", *matrix, *_eliminate(n.stores, "a", "b"), *_each(n.stores, "d# = b#; c# = s#"), "before = norm", "share = R(1)"
    )
    source += _block(2, f"for h in range({DAMPING}):")
    source += _block(
        3, *_each(n.stores, "s# = c# - share * d#"), *_residual(n), "if norm <= R(1) or norm < before: break", "share *= R(0.5)"
    )
    return source + _block(1, f"return ({n.names('s')}, k, norm)") + "\n\n"


def _implicit_day(n: Sizes) -> list[str]:
    """All steps of one day, cut into ever more steps until every one converges."""
    return [
        "n = steps",
        "while True:",
        *("    " + line for line in _each(n.stores, "s# = e#")),
        *("    " + line for line in _each(n.outputs, "q# = R(0)")),
        "    dt = R(1) / R(n); count = 0; worst = R(0)",
        "    for k in range(n):",
        f"        r = solve({n.names('s')}, {n.names('x')}, {n.names('p')}, dt)",
        *("        " + line for line in _each(n.stores, "s# = r[#]")),
        f"        count += r[{n.stores}]; worst = worst if r[{n.stores + 1}] <= worst else r[{n.stores + 1}]",
        f"        if not r[{n.stores + 1}] <= R(1) and n < {CUTS} * steps: break",
        f"        w = outputs({n.names('s')}, {n.names('x')}, {n.names('p')})",
        *("        " + line for line in _each(n.outputs, "q# += dt * w[#]")),
        f"    if worst <= R(1) or n >= {CUTS} * steps: break",
        "    n *= 2",
    ]


def implicit(n: Sizes) -> str:
    """Day loops around ``linearised``, ``outputs``, ``outputs_vjp`` and ``parameters_vjp``: Newton forward, the adjoint backward."""
    forward = "EPS = R(np.finfo(R).eps)\n\n\n" + _newton(n)
    signature = "X, TH, TD, place, S0, steps, slot, keep, S, O, last, below, diverged, cuts, iterations, unconverged, residual"
    forward += f"{LOOP}\ndef forward({signature}):\n" + _prologue(n)
    forward += _block(2, *_each(n.stores, "s# = S0[u, #]"), *_each(n.stores, "if keep: S[0, u, #] = s#"), "for t in range(T):")
    forward += _block(3, *_read_day(n), *_each(n.stores, "e# = s#"), *_implicit_day(n))
    forward += _block(
        3,
        "iterations[u] += count",
        "residual[u] = residual[u] if worst <= residual[u] else worst",
        "if not worst <= R(1): unconverged[u] += 1",
    )
    forward += _block(3, "if keep: cuts[t, u] = n")
    forward += _end_of_day(n) + _block(2, *_each(n.stores, "last[u, #] = s#"))

    backward = f"{LOOP}\ndef backward(X, TH, TD, place, steps, slot, S, cuts, GO, GL, GTH, GTD, GS0):\n" + _prologue(n)
    backward += _block(2, f"inner = np.empty(({CUTS} * steps, {n.stores}), R)", *_each(n.stores, "l# = GL[u, #]"), "for back in range(T):")
    backward += _block(3, "t = T - 1 - back", *_read_day(n), "n = cuts[t, u]", "dt = R(1) / R(n)", *_each(n.stores, "s# = S[t, u, #]"))
    backward += _block(3, "for k in range(n - 1):")  # the day's inner roots, found again: only the days' ends were kept
    backward += _block(4, f"w = solve({n.names('s')}, {n.names('x')}, {n.names('p')}, dt)", *_each(n.stores, "s# = w[#]; inner[k, #] = s#"))
    backward += _block(
        3, *_each(n.stores, "inner[n - 1, #] = S[t + 1, u, #]"), *_each(n.outputs, "g# = dt * GO[slot[#], t, u] if slot[#] >= 0 else R(0)")
    )
    backward += _block(3, "for k in range(n):")
    backward += _block(4, *_each(n.stores, "s# = inner[n - 1 - k, #]"), f"r = linearised({n.names('s')}, {n.names('x')}, {n.names('p')})")
    backward += _block(
        4, f"w = outputs_vjp({n.names('s')}, {n.names('x')}, {n.names('p')}, {n.names('g')})", *_each(n.stores, "l# += w[#]")
    )
    transposed = [f"a{j}{i} = R({int(i == j)}) - dt * r[{n.stores * (i + 1) + j}]" for i in range(n.stores) for j in range(n.stores)]
    backward += _block(4, *transposed, *_eliminate(n.stores, "a", "l"), *_each(n.stores, "d# = dt * l#"))
    multipliers = ", ".join(f"d{i}" for i in range(n.stores))
    backward += _block(
        4, f"v = parameters_vjp({n.names('s')}, {n.names('x')}, {n.names('p')}, {multipliers}, {n.names('g')})", *_spread(n, "v", 0)
    )
    return forward + "\n\n" + backward + _block(2, *_each(n.stores, "GS0[u, #] = l#"))
