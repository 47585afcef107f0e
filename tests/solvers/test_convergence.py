"""How fast the schemes approach the solution of the differential equations."""

import numpy as np
import pytest
import torch
from problems import IMPROVED, SMOOTH, parameters, smooth_problem, weather
from scipy.integrate import solve_ivp

from studyhub.solvers.march import march


def exact(forcing, values, start):
    """Stores of the smooth pair after all days, by an integrator of order 8 that chooses its own steps."""
    a, b, x, r = (v.item() for v in values.values())
    s = start.detach().view(2).numpy()
    for rain, demand in forcing[:, 0].tolist():

        def slope(_, s, rain=rain, demand=demand):
            leak = a * (s[0] / 10) ** b + x * (s[0] - s[1])
            leaving = r * (np.exp(s[1] / 50) - 1 + np.log(1 + s[1]) / np.sqrt(1 + s[1]))
            return [rain - demand * np.tanh(s[0] / 20) - leak, leak - leaving]

        s = solve_ivp(slope, (0, 1), s, method="DOP853", rtol=1e-13, atol=1e-13).y[:, -1]
    return s


@pytest.mark.parametrize(
    ("scheme", "order", "counts"),
    [("explicit", 1, (32, 64, 128)), ("implicit", 1, (32, 64, 128)), ("crank_nicolson", 2, (8, 16, 32)), ("rk4", 4, (4, 8, 16))],
)
def test_order_of_accuracy(scheme, order, counts):
    """The error falls with the step to the power of the order."""
    forcing, values, start = smooth_problem(3, 1, 1)
    truth = exact(forcing, values, start)
    with torch.no_grad():
        ends = [march(SMOOTH, scheme, forcing, values, stores=start, steps_per_day=n).stores.view(2).numpy() for n in counts]
    errors = [np.abs(end - truth).max() for end in ends]
    assert -np.polyfit(np.log(counts), np.log(errors), 1)[0] == pytest.approx(order, abs=0.15)


def test_schemes_of_the_differential_equations_approach_one_solution():
    forcing, values = weather(60, 3), parameters(IMPROVED, 60, 3, 2)
    with torch.no_grad():
        fine = march(IMPROVED, "rk4", forcing, values, steps_per_day=96).outputs["qsim"]
        for scheme in ("explicit", "implicit", "crank_nicolson"):
            far, near = ((march(IMPROVED, scheme, forcing, values, steps_per_day=n).outputs["qsim"] - fine).abs().mean() for n in (8, 32))
            assert near < 0.35 * far
