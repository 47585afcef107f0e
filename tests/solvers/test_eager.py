"""The generated kernels against the march in plain torch."""

import pytest
import torch
from problems import IMPROVED, SCHEMES, SMOOTH, functional, impatient, parameters, smooth_problem, weather

from studyhub.solvers import eager
from studyhub.solvers import march as marching
from studyhub.solvers.march import march

OUTPUTS = ("qsim", "et", "baseflow", "boundary", "floor")
DAYS, HALF = 24, 12


def run(backend, scheme, steps, *, daily=(), days=DAYS):
    """Reports and all that came out, then all gradients."""
    forcing, values = weather(days, 2), parameters(IMPROVED, days, 2, 2, daily=daily)
    start = torch.linspace(0, 60, 20, dtype=torch.float64).view(2, 2, 5).clone().requires_grad_()
    marched = march(IMPROVED, scheme, forcing, values, outputs=OUTPUTS, stores=start, steps_per_day=steps, backend=backend)
    functional(marched, OUTPUTS).backward()
    return marched.report, [*marched.outputs.values(), marched.stores], [x.grad for x in (*values.values(), start)]


def agree(mine, reference):
    for a, b in zip(mine[1], reference[1], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    for a, b in zip(mine[2], reference[2], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)
    for count in ("iterations", "unconverged", "cut_days", "below_zero"):
        assert getattr(mine[0], count) == getattr(reference[0], count)


@pytest.mark.parametrize("daily", [(), ("BETA", "FC", "TT", "C")], ids=["static", "dynamic"])
@pytest.mark.parametrize(("scheme", "steps"), SCHEMES)
def test_kernel_is_the_eager_march(scheme, steps, daily):
    reference = run("eager", scheme, steps, daily=daily)
    agree(run("cpu", scheme, steps, daily=daily), reference)
    assert all(gradient.abs().max() > 0 for gradient in reference[2])


@pytest.mark.parametrize("learning", [True, False], ids=["warm-up learns", "warm-up is given"])
@pytest.mark.parametrize(("scheme", "steps"), [("sequential", 1), ("implicit", 1), ("rk4", 1)])
def test_a_march_goes_on_from_the_stores_of_another(scheme, steps, learning):
    """In two halves, with gradients through the stores or without; the halves of a march that learns are the whole."""
    forcing, found = weather(DAYS, 2), {}
    for backend in ("cpu", "eager"):
        values = parameters(IMPROVED, DAYS, 2, 2)
        options = {"outputs": OUTPUTS, "steps_per_day": steps, "backend": backend}
        with torch.set_grad_enabled(learning):
            first = march(IMPROVED, scheme, forcing[:HALF], values, **options)
        second = march(IMPROVED, scheme, forcing[HALF:], values, stores=first.stores, **options)
        functional(second, OUTPUTS).backward()
        found[backend] = (second.report, [*second.outputs.values(), second.stores], [x.grad for x in values.values()])
        if learning and backend == "cpu":
            together = parameters(IMPROVED, DAYS, 2, 2)
            whole = march(IMPROVED, scheme, forcing, together, **options)
            weights = torch.zeros(len(OUTPUTS), DAYS, 2, 2, dtype=torch.float64)
            weights[:, HALF:] = torch.linspace(0.3, 1.7, weights[:, HALF:].numel(), dtype=torch.float64).view_as(weights[:, HALF:])
            total = (torch.stack(list(whole.outputs.values())) * weights).sum() + (whole.stores * torch.arange(1, 6)).sum()
            total.backward()
            assert torch.equal(whole.stores, second.stores)
            for a, b in zip(values.values(), together.values(), strict=True):
                torch.testing.assert_close(a.grad, b.grad, rtol=1e-12, atol=1e-12)
    agree(found["cpu"], found["eager"])


@pytest.mark.parametrize("steps", [1, 2])
def test_a_day_that_stalls_is_cut_alike(steps, monkeypatch):
    """With three corrections a step Newton stalls on many days: shorter steps and their adjoint."""
    found = {}
    monkeypatch.setattr(eager, "NEWTON", 3)
    monkeypatch.setattr(marching, "kernel", impatient)
    for backend in ("cpu", "eager"):
        forcing, values, start = smooth_problem(4, 2, 5)
        marched = march(SMOOTH, "implicit", forcing, values, outputs=("qsim", "et"), stores=start, steps_per_day=steps, backend=backend)
        functional(marched, ("qsim", "et")).backward()
        found[backend] = (marched.report, [*marched.outputs.values(), marched.stores], [x.grad for x in (*values.values(), start)])
    agree(found["cpu"], found["eager"])
    report = found["cpu"][0]
    assert 0 < report.cut_days < report.unit_days
    assert report.unconverged == found["eager"][0].unconverged == 0
