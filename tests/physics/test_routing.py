import numpy as np
import torch
from scipy.stats import gamma

from studyhub.physics.routing import ORDINATES, route, unit_hydrograph


def test_weights_are_the_scaled_gamma_density():
    a, b = torch.tensor([1.3, 0.0, 2.9], dtype=torch.float64), torch.tensor([2.0, 0.0, 6.5], dtype=torch.float64)
    days = np.arange(ORDINATES)[:, None] + 0.5
    density = gamma.pdf(days, a=a.numpy() + 0.1, scale=b.numpy() + 0.5)
    np.testing.assert_allclose(unit_hydrograph(a, b).numpy(), density / density.sum(0), rtol=1e-12)


def test_a_pulse_comes_out_as_the_unit_hydrograph():
    a, b = torch.tensor([1.0, 2.0], dtype=torch.float64), torch.tensor([1.0, 3.0], dtype=torch.float64)
    pulse = torch.zeros(30, 2, dtype=torch.float64)
    pulse[4] = 7.0
    routed = route(pulse, a, b)
    torch.testing.assert_close(routed[4 : 4 + ORDINATES], 7.0 * unit_hydrograph(a, b))
    assert (routed[:4] == 0).all() and (routed[4 + ORDINATES :] == 0).all()
    torch.testing.assert_close(routed.sum(0), pulse.sum(0))


def test_gradients():
    q = torch.rand(20, 2, dtype=torch.float64, requires_grad=True)
    a, b = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in ([0.7, 2.0], [1.0, 4.0]))
    assert torch.autograd.gradcheck(route, (q, a, b))
