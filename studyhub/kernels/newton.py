"""How an implicit step is solved, and what happens to a day on which that stalls; source text, to be read as ``kernels.loops`` says."""

from studyhub.solvers.scheme import CUTS, NEWTON, SMALLEST

SOLVE = f"""
@function
def solve({{o}}, {{x}}, {{p}}, dt):
    # One implicit step by damped Newton, every unit until its own residual is below its tolerance; returns stores, corrections and the
    # residual in units of the tolerance. c: the best stores so far, d: the correction there, of which a share is tried.
    zero, one = spread(R(0)), spread(R(1))
    @S s# = o#
    @S c# = s#
    @S d# = zero
    best, share, count, k = spread(R(np.inf)), one, zero, 0
    while True:
        r = newton({{o}}, {{s}}, {{x}}, {{p}}, dt)
        norm, largest, done = zero, zero, zero <= one
        @S norm = maximum(norm, size(r[{{NS}} + #]))
        @S largest = maximum(largest, size(s#))
        tolerance = TOLERANCE + ROUNDING * largest
        @S done = both(done, size(r[{{NS}} + #]) <= tolerance)
        if k == {NEWTON} or not somewhere(negate(done)):
            break
        k += 1
        better = either(norm < best, share <= R({SMALLEST}))
        @S c# = select(better, s#, c#)
        @S d# = select(better, r[#], d#)
        best = select(better, norm, best)
        share = select(better, one, R(0.5) * share)
        @S s# = select(done, s#, c# - share * d#)
        count += select(done, zero, one)
    worst = select(done, minimum(norm / tolerance, one), maximum(norm / tolerance, R(2)))
    return {{s}}, count, worst


@function
def cut_day({{e}}, {{x}}, {{p}}, {{s}}, {{q}}, slot, steps, good, count, worst):
    # The day again, in ever more steps, for those units in which a step has stalled.
    one, zero = spread(R(1)), spread(R(0))
    level, n = spread(R(steps)), steps
    while n < {CUTS} * steps and somewhere(negate(good)):
        n *= 2
        dt = R(1) / R(n)
        @S c# = e#
        @Q w# = zero
        fine, some, high = negate(good), zero, zero
        for k in range(n):
            @S o# = c#
            r = solve({{o}}, {{x}}, {{p}}, dt)
            @S c# = r[#]
            some += r[{{NS}}]
            high = maximum(high, r[{{NS}} + 1])
            fine = both(fine, r[{{NS}} + 1] <= one)
            if n < {CUTS} * steps and not somewhere(fine): break
            @Q if slot[#] >= 0: w# += dt * output#({{o}}, {{c}}, {{x}}, {{p}}, dt)[0]
        if n == {CUTS} * steps: fine = negate(good)
        @S s# = select(fine, c#, s#)
        @Q q# = select(fine, w#, q#)
        count, worst, level = select(fine, some, count), select(fine, high, worst), select(fine, R(n), level)
        good = either(good, fine)
    return {{s}}, {{q}}, count, worst, level


@function
def cut_adjoint({{e}}, {{x}}, {{p}}, {{l}}, {{g}}, slot, steps):
    # The adjoint of a day in which some units took more steps. Nothing of the inner steps was kept: they are found again, one by one.
    zero, one = spread(R(0)), spread(R(1))
    @S s# = e#
    @Q q# = zero
    good = zero <= one
    for k in range(steps):
        r = solve({{s}}, {{x}}, {{p}}, R(1) / R(steps))
        @S s# = r[#]
        good = both(good, r[{{NS}} + 1] <= one)
    level = cut_day({{e}}, {{x}}, {{p}}, {{s}}, {{q}}, slot, steps, good, zero, zero)[{{NS}} + {{NQ}} + 2]
    @S z# = zero
    @P v# = zero
    n = steps
    while n <= {CUTS} * steps:
        here = level == R(n)
        if somewhere(here):
            dt = R(1) / R(n)
            @S c# = l#
            @P w# = zero
            @Q y# = g# * (dt * R(steps))
            for k in range(n - 1, -1, -1):
                @S o# = e#
                for i in range(k):
                    r = solve({{o}}, {{x}}, {{p}}, dt)
                    @S o# = r[#]
                r = solve({{o}}, {{x}}, {{p}}, dt)
                @S s# = r[#]
                r = adjoint({{o}}, {{s}}, {{x}}, {{p}}, dt, {{c}}, {{y}})
                @S c# = r[#]
                @P w# += r[{{NS}} + #]
            @S z# = select(here, c#, z#)
            @P v# = select(here, w#, v#)
        n *= 2
    return {{z}}, {{v}}
"""
