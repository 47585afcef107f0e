"""What a unit gets on the CPU is bitwise the same whichever units share its batch, and however many threads do the work."""

import pytest
import torch
from problems import IMPROVED, SMOOTH, extremes, impatient, smooth_problem

from studyhub.solvers import march as marching
from studyhub.solvers.march import march

DAYS, BASINS, COMPONENTS = 3, 37, 3


@pytest.fixture(params=[torch.float32, torch.float64], ids=["single", "double"])
def hbv(request):
    forcing, values, start = extremes(IMPROVED, DAYS, BASINS * COMPONENTS, seed=7)
    values = {name: v.view(BASINS, COMPONENTS).to(request.param) for name, v in values.items()}
    values["FC"] = values["FC"] * torch.linspace(1.0, 0.9, DAYS, dtype=request.param)[:, None, None]
    return forcing[:, :BASINS].to(request.param), values, start.view(BASINS, COMPONENTS, 5).to(request.param)


def solve(physics, scheme, steps, forcing, values, start, basins):
    """All that comes out of some basins, gradients included, basin first."""
    picked = {k: (v[basins] if v.ndim == 2 else v[:, basins]).detach().clone().requires_grad_() for k, v in values.items()}
    begin = start[basins].detach().clone().requires_grad_()
    marched = march(physics, scheme, forcing[:, basins], picked, outputs=("qsim", "et"), stores=begin, steps_per_day=steps)
    weights = torch.linspace(0.5, 1.5, len(forcing), dtype=forcing.dtype)[:, None, None]
    loss = sum((flux * weights).sum() for flux in marched.outputs.values())
    (loss + (marched.stores * torch.arange(1, begin.shape[-1] + 1)).sum()).backward()
    tensors = [*(x.transpose(0, 1) for x in marched.outputs.values()), marched.stores]
    gradients = [*(v.grad if v.ndim == 2 else v.grad.transpose(0, 1) for v in picked.values()), begin.grad]
    return [x.detach() for x in (*tensors, *gradients)], marched.report


def check(*problem):
    count = problem[3].shape[1]
    everyone = torch.arange(count)
    whole, report = solve(*problem, everyone)
    shuffled = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    # Fewer units than a vector is wide, as many, one more, many: the last block repeats or overlaps.
    for basins in (everyone[:1], everyone[3:5], everyone[8:16], everyone[5:22], shuffled[:11], shuffled):
        for a, b in zip(solve(*problem, basins)[0], whole, strict=True):
            assert torch.equal(a, b[basins])
    return report


@pytest.mark.parametrize(("scheme", "steps"), [("sequential", 1), ("implicit", 1), ("implicit", 2)])
def test_a_unit_does_not_depend_on_its_batch(scheme, steps, hbv):
    check(IMPROVED, scheme, steps, *hbv)


@pytest.mark.parametrize("threads", [1, 3, 5])
def test_threads_change_nothing(threads, hbv):
    before, everyone = torch.get_num_threads(), torch.arange(BASINS)
    reference = solve(IMPROVED, "implicit", 1, *hbv, everyone)[0]
    try:
        torch.set_num_threads(threads)
        found = solve(IMPROVED, "implicit", 1, *hbv, everyone)[0]
    finally:
        torch.set_num_threads(before)
    for a, b in zip(found, reference, strict=True):
        assert torch.equal(a, b)


def test_a_unit_does_not_depend_on_whose_days_are_cut(monkeypatch):
    monkeypatch.setattr(marching, "kernel", impatient)
    report = check(SMOOTH, "implicit", 1, *smooth_problem(6, 23, 2))
    assert 0 < report.cut_days < report.unit_days


def test_components_are_units_too():
    forcing, values, start = smooth_problem(5, 2, 9)
    together = march(SMOOTH, "implicit", forcing, values, stores=start)
    alone = march(SMOOTH, "implicit", forcing[:, 1:], {k: v[1:, 6:7] for k, v in values.items()}, stores=start[1:, 6:7])
    assert torch.equal(together.outputs["qsim"][:, 1:, 6:7], alone.outputs["qsim"])
