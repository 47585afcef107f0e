"""The text that runs on a GPU, on numba's simulator of one: a process of its own, because numba is told when it is loaded."""

import os
import subprocess
import sys

import pytest

CODE = """
import torch
from problems import IMPROVED, SMOOTH, functional, impatient, parameters, smooth_problem, weather
from studyhub.solvers import march as marching
from studyhub.solvers.march import march

OUTPUTS = ("qsim", "et", "boundary", "floor")


def check(physics, scheme, steps, forcing, values, start):
    found = {}
    for backend in ("cuda", "cpu"):
        leaves = {k: v.detach().clone().requires_grad_() for k, v in values.items()}
        begin = start.detach().clone().requires_grad_()
        marched = march(physics, scheme, forcing, leaves, outputs=OUTPUTS, stores=begin, steps_per_day=steps, backend=backend)
        functional(marched, OUTPUTS).backward()
        found[backend] = (marched, [x.grad for x in (*leaves.values(), begin)])
    (mine, slopes), (reference, expected) = found["cuda"], found["cpu"]
    assert (mine.report.backend, reference.report.backend) == ("cuda kernel", "cpu kernel")
    for a, b in zip((*mine.outputs.values(), mine.stores), (*reference.outputs.values(), reference.stores), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)
    for a, b in zip(slopes, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)
    assert (mine.report.iterations, mine.report.cut_days) == (reference.report.iterations, reference.report.cut_days)
    return mine.report


for scheme, steps in [("sequential", 1), ("implicit", 1), ("implicit", 2), ("crank_nicolson", 1), ("explicit", 3)]:
    values = parameters(IMPROVED, 8, 2, 2, daily=("BETA", "FC"))
    check(IMPROVED, scheme, steps, weather(8, 2), values, torch.full((2, 2, 5), 20.0, dtype=torch.float64))

marching.kernel = impatient
for steps in (1, 2):
    report = check(SMOOTH, "implicit", steps, *smooth_problem(4, 2, 3))
    assert report.cut_days > 0 or steps > 1
"""


@pytest.mark.slow
def test_simulated_gpu_is_the_cpu():
    pytest.importorskip("numba_cuda", reason="the GPU's kernels need the package numba-cuda")
    environment = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "PYTHONPATH": ":".join(filter(None, sys.path))}
    subprocess.run([sys.executable, "-W", "ignore", "-c", CODE], check=True, env=environment, timeout=280)
