"""Gradients against differences, and against autograd through a Newton iteration that is written out."""

import numpy as np
import pytest
import torch
from problems import IMPROVED, SCHEMES, SMOOTH, functional, parameters, smooth_problem, weather

from studyhub.solvers.march import march

OUTPUTS = ("qsim", "et", "baseflow", "floor")


@pytest.mark.parametrize(("scheme", "steps"), [*SCHEMES, ("crank_nicolson", 2)])
def test_gradcheck_where_nothing_has_a_kink(scheme, steps):
    forcing, values, start = smooth_problem(3, 2, 1)

    def solve(start, *values):
        marched = march(SMOOTH, scheme, forcing, dict(zip(SMOOTH.parameter_names, values, strict=True)), stores=start, steps_per_day=steps)
        return marched.outputs["qsim"], marched.stores

    # Newton leaves 1e-10 mm: a difference over 1e-4 sees 1e-6 of it.
    assert torch.autograd.gradcheck(solve, (start, *values.values()), eps=1e-4, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(("scheme", "steps"), SCHEMES)
def test_gradients_of_hbv_are_central_differences(scheme, steps):
    """Kinks (a day at exactly a threshold) spoil single differences: nearly all must agree."""
    forcing, values = weather(25, 2), parameters(IMPROVED, 25, 2, 2, daily=("BETAET",))
    start = torch.full((2, 2, 5), 20.0, dtype=torch.float64, requires_grad=True)

    def total():
        return functional(march(IMPROVED, scheme, forcing, values, outputs=OUTPUTS, stores=start, steps_per_day=steps), OUTPUTS)

    total().backward()
    errors = []
    with torch.no_grad():
        for tensor in (*values.values(), start):
            for at in np.random.default_rng(0).integers(0, tensor.numel(), 3):
                place = tensor.view(-1)[at : at + 1]
                step = 1e-5 * max(1.0, abs(place.item()))
                ends = []
                for sign in (1, -2):
                    place += sign * step
                    ends.append(total().item())
                place += step
                numeric = (ends[0] - ends[1]) / (2 * step)
                errors.append(abs(numeric - tensor.grad.view(-1)[at].item()) / (1e-2 + abs(numeric)))
    assert np.quantile(errors, 0.9) < 1e-4


def tendency(s, x, p):
    """The smooth pair's equations for one unit, written out."""
    (upper, lower), (rain, demand), (a, b, exchange, outflow) = s, x, p
    leak = a * (upper / 10) ** b + exchange * (upper - lower)
    leaving = outflow * (torch.exp(lower / 50) - 1 + torch.log(1 + lower) / torch.sqrt(1 + lower))
    return torch.stack([rain - demand * torch.tanh(upper / 20) - leak, leak - leaving]), leaving


def unrolled(start, forcing, p, steps, theta):
    """Discharge [day] and last stores by twelve Newton iterations a step, all on autograd's tape; theta 1/2 is Crank-Nicolson."""
    s, dt, discharge = start, 1.0 / steps, []
    for x in forcing:
        parts = []
        for _ in range(steps):
            old, (change, leaving) = s, tendency(s, x, p)
            known = old + (1 - theta) * dt * change

            def off(z, known=known, x=x):
                return z - known - theta * dt * tendency(z, x, p)[0]

            for _ in range(12):
                matrix = torch.stack([torch.autograd.functional.jacobian(lambda z, i=i: off(z)[i], s, create_graph=True) for i in range(2)])
                s = s - torch.linalg.solve(matrix, off(s))
            parts.append(theta * tendency(s, x, p)[1] + (1 - theta) * leaving)
        discharge.append(sum(parts) / steps)
    return torch.stack(discharge), s


@pytest.mark.parametrize("backend", ["cpu", "eager"])
@pytest.mark.parametrize(("scheme", "steps", "theta"), [("implicit", 1, 1.0), ("implicit", 3, 1.0), ("crank_nicolson", 2, 0.5)])
def test_adjoint_is_autograd_through_newton(scheme, steps, theta, backend):
    forcing, values, start = smooth_problem(3, 1, 1)
    marched = march(SMOOTH, scheme, forcing, values, stores=start, steps_per_day=steps, backend=backend)
    functional(marched, ("qsim",)).backward()
    p = [x.detach().view(()).requires_grad_() for x in values.values()]
    begin = start.detach().view(2).requires_grad_()
    discharge, last = unrolled(begin, forcing[:, 0], p, steps, theta)
    ((discharge * torch.linspace(0.3, 1.7, 3, dtype=torch.float64)).sum() + (last * torch.arange(1, 3)).sum()).backward()
    torch.testing.assert_close(marched.outputs["qsim"].view(-1), discharge, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(marched.stores.view(-1), last, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(start.grad.view(-1), begin.grad, rtol=1e-8, atol=1e-8)
    for mine, plain in zip(values.values(), p, strict=True):
        torch.testing.assert_close(mine.grad.view(()), plain.grad, rtol=1e-8, atol=1e-8)
