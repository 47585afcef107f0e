"""Time and memory of the march: `pytest tests/benchmarks --benchmark-enable`. Compare rows of one run, not of two machines.

Ratios are checked where a run measures. Otherwise everything runs once, at a small size, as a check that it can.
"""

import gc
import os
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from problems import IMPROVED, parameters, weather

from studyhub.solvers.march import march

BASINS, COMPONENTS, DAYS = 100, 16, 730
DYNAMIC = ("BETA", "FC", "BETAET")  # as in dHBV.adj


@dataclass(frozen=True)
class Case:
    scheme: str
    steps: int = 1
    backend: str = "cpu"
    days: int = DAYS
    basins: int = BASINS
    components: int = COMPONENTS
    dynamic: tuple[str, ...] = ()
    dtype: torch.dtype = torch.float32

    def update(self):
        """A function that goes forward and backward once."""
        forcing = weather(self.days, self.basins).to(self.dtype)
        raw = parameters(IMPROVED, self.days, self.basins, self.components, self.dynamic)
        values = {name: value.detach().to(self.dtype).requires_grad_() for name, value in raw.items()}
        weights = torch.full((self.days, self.basins, self.components), 1e-3, dtype=self.dtype)

        def update():
            marched = march(IMPROVED, self.scheme, forcing, values, steps_per_day=self.steps, backend=self.backend)
            marched.outputs["qsim"].backward(weights)
            assert marched.report.unconverged == 0
            assert values["BETA"].grad.isfinite().all()
            return marched.report

        return update

    def seconds(self, rounds: int = 5) -> float:
        """Shortest of some runs, the first left out."""
        update, found = self.update(), []
        update()
        for _ in range(rounds):
            begun = time.perf_counter()
            update()
            found.append(time.perf_counter() - begun)
        return min(found)


CASES = {
    "sequential": Case("sequential"),
    "implicit": Case("implicit"),
    "implicit, 3 dynamic": Case("implicit", dynamic=DYNAMIC),
    "crank_nicolson": Case("crank_nicolson"),
    "rk4": Case("rk4"),
    "explicit, 1 step": Case("explicit"),
    "explicit, 6 steps": Case("explicit", 6),
    "explicit, 24 steps": Case("explicit", 24),
    "implicit, 6 steps": Case("implicit", 6),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.benchmark(group="march, 100 basins x 16 components x 730 days, float32, forward and backward")
def test_march(benchmark, name):
    case = CASES[name]
    if benchmark.disabled:
        case = replace(case, days=5, basins=2, components=2, dtype=torch.float64)  # the precision that other tests compile too
    update = case.update()
    report = update()  # compiles
    benchmark.extra_info.update(iterations=report.iterations, cut_days=report.cut_days)
    benchmark.pedantic(update, rounds=1 if benchmark.disabled else 7)


def environment() -> dict[str, str]:
    """For a process of its own that imports this file."""
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}


@pytest.fixture
def measuring(benchmark):
    if benchmark.disabled:
        benchmark(lambda: None)
        pytest.skip("a ratio of times: run with --benchmark-enable")

    def noted(**found: float) -> None:
        benchmark.extra_info.update(found)
        benchmark(lambda: None)  # the figures are in extra_info
        print(found)

    return noted


@pytest.mark.benchmark(group="ratios, in extra_info")
def test_schemes_against_each_other(measuring):
    times = {name: CASES[name].seconds() for name in ("sequential", "implicit", "explicit, 24 steps")}
    measuring(**times)
    assert times["implicit"] <= 3 * times["sequential"]
    assert times["explicit, 24 steps"] <= 25 * times["sequential"]


@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
@pytest.mark.benchmark(group="ratios, in extra_info")
def test_kernel_against_eager(measuring, scheme):
    fused, eager = Case(scheme).seconds(), Case(scheme, backend="eager", days=DAYS // 10).seconds(rounds=1) * 10
    measuring(kernel=fused, eager=eager, ratio=eager / fused)
    assert eager >= 50 * fused


@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
@pytest.mark.benchmark(group="ratios, in extra_info")
def test_time_grows_with_basins_components_and_days(measuring, scheme):
    """Sixteen times as much of one takes at most sixteen times as long, a fifth more for noise."""
    small = {"days": 365, "basins": 48, "components": 4}
    base = Case(scheme, **small).seconds()
    found = {what: Case(scheme, **(small | {what: 16 * small[what]})).seconds(rounds=3) / base for what in small}
    measuring(**found)
    assert max(found.values()) <= 16 * 1.2


MEMORY = """
import sys, torch
from test_march_speed import IMPROVED, march, parameters, weather, peak, memory
values = {n: v.detach().float().requires_grad_() for n, v in parameters(IMPROVED, 730, 100, 16).items()}
for days in (3, 730):  # the first time much is loaded
    forcing = weather(days, 100).float()
    before = memory()
    peak()
    marched = march(IMPROVED, sys.argv[1], forcing, values)
    weights = torch.ones_like(marched.outputs["qsim"])
    marched.outputs["qsim"].backward(weights)
print(peak() - before - 2 * weights.nbytes)
"""


def memory() -> int:
    """Bytes that this process has in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def peak() -> int:
    """The most bytes it had since the last call."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    Path("/proc/self/clear_refs").write_text("5")
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
@pytest.mark.benchmark(group="ratios, in extra_info")
def test_memory_is_that_of_the_stored_trajectories(measuring, scheme):
    run = subprocess.run([sys.executable, "-c", MEMORY, scheme], capture_output=True, text=True, check=True, env=environment())
    stored = BASINS * COMPONENTS * (DAYS + 1) * len(IMPROVED.stores) * 4
    measuring(beyond_inputs_outputs_gradients=int(run.stdout), stored=stored, ratio=int(run.stdout) / stored)
    assert int(run.stdout) <= 1.2 * stored


COMPILE = """
import sys, time, torch
from test_march_speed import Case
update = Case(sys.argv[1], days=2, basins=1).update()
begun = time.perf_counter()
update()
print(time.perf_counter() - begun)
"""


@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
@pytest.mark.benchmark(group="ratios, in extra_info")
def test_compiling_and_loading(measuring, scheme, tmp_path):
    there = environment() | {"STUDYHUB_CACHE": str(tmp_path)}
    run = [sys.executable, "-c", COMPILE, scheme]
    first, again = (float(subprocess.run(run, capture_output=True, text=True, check=True, env=there).stdout) for _ in range(2))
    measuring(compile=first, load=again)
    assert first <= 20 and again <= 1.5


@pytest.mark.gpu
@pytest.mark.parametrize("basins", [BASINS, 3753])
@pytest.mark.parametrize("scheme", ["sequential", "implicit"])
@pytest.mark.benchmark(group="march on a GPU, 16 components x 730 days, float32, forward and backward")
def test_march_on_a_gpu(benchmark, scheme, basins):
    forcing = weather(DAYS, basins).float().cuda()
    raw = parameters(IMPROVED, DAYS, basins, COMPONENTS, DYNAMIC)
    values = {name: value.detach().float().cuda().requires_grad_() for name, value in raw.items()}

    def update():
        marched = march(IMPROVED, scheme, forcing, values, backend="cuda")
        marched.outputs["qsim"].mean().backward()
        torch.cuda.synchronize()
        return marched.report

    assert update().unconverged == 0
    torch.cuda.reset_peak_memory_stats()
    benchmark.pedantic(update, rounds=1 if benchmark.disabled else 7)
    benchmark.extra_info["peak_memory_mib"] = torch.cuda.max_memory_allocated() / 2**20
