"""Time of the march: `pytest tests/benchmarks --benchmark-enable --benchmark-group-by=group`. Compare rows of one run, not of two machines.

Otherwise these run once each, at a small size, as a check that they can.
"""

import pytest
from problems import IMPROVED, parameters, weather

from studyhub.solvers.march import march

BASINS, COMPONENTS = 100, 16


@pytest.mark.parametrize(
    ("scheme", "backend", "days"),
    [("sequential", "cpu", 730), ("implicit", "cpu", 730), ("sequential", "eager", 73), ("implicit", "eager", 73)],
)
@pytest.mark.benchmark(group="march, 100 basins x 16 components, float32, forward and backward")
def test_march(benchmark, scheme, backend, days):
    enabled = not benchmark.disabled
    basins, components, days = (BASINS, COMPONENTS, days) if enabled else (2, 2, 5)
    forcing = weather(days, basins).float()
    values = {name: value.detach().float().requires_grad_() for name, value in parameters(IMPROVED, days, basins, components).items()}

    def update():
        marched = march(IMPROVED, scheme, forcing, values, backend=backend)
        marched.outputs["qsim"].mean().backward()
        return marched.report

    report = update()  # compiles
    benchmark.extra_info["days"] = days
    benchmark.pedantic(update, rounds=5 if enabled and backend == "cpu" else 1)
    assert report.unconverged == 0
    assert values["BETA"].grad.isfinite().all()
