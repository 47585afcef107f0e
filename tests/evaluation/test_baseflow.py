import numpy as np
import pytest

from studyhub.evaluation.baseflow import baseflow_index, lyne_hollick

RNG = np.random.default_rng(3)
FLOWS = np.exp(np.cumsum(RNG.normal(0, 0.3, (3, 300)), axis=1) * 0.4)


def naive(q: np.ndarray, alpha: float) -> np.ndarray:
    """The filter written out for one basin, day by day."""
    flow = [*q[30:0:-1], *q, *q[-2:-32:-1]]
    for _ in range(3):
        quick = flow[0]
        base = [flow[0] - quick if quick > 0 else flow[0]]
        for day in range(1, len(flow)):
            quick = alpha * quick + (1 + alpha) / 2 * (flow[day] - flow[day - 1])
            base.append(flow[day] - quick if quick > 0 else flow[day])
        flow = base[::-1]
    return np.array(flow[::-1][30:-30])


@pytest.mark.parametrize("alpha", [0.925, 0.98])
def test_the_filter_is_that_of_the_naive_loop(alpha):
    found = lyne_hollick(FLOWS, alpha)
    for basin, q in enumerate(FLOWS):
        np.testing.assert_allclose(found[basin], naive(q, alpha), rtol=1e-12)


def test_baseflow_is_never_more_than_discharge_and_all_of_a_constant_one():
    base = lyne_hollick(FLOWS)
    assert (base <= FLOWS + 1e-12).all()
    index = baseflow_index(FLOWS)
    assert ((index > 0) & (index < 1)).all()
    np.testing.assert_allclose(baseflow_index(100 * FLOWS), index)
    assert baseflow_index(np.full((1, 4000), 2.5))[0] > 0.99  # the first day begins as quick flow


def test_gaps_are_drawn_straight_and_left_out_of_the_sums():
    gap = FLOWS.copy()
    gap[0, 100:110] = np.nan
    gap[1, :5] = np.nan
    straight = FLOWS.copy()
    straight[0, 100:110] = np.linspace(FLOWS[0, 99], FLOWS[0, 110], 12)[1:-1]
    straight[1, :5] = FLOWS[1, 5]
    base = lyne_hollick(straight)
    np.testing.assert_allclose(lyne_hollick(gap), base)
    there = np.isfinite(gap)
    expected = np.where(there, base, 0).sum(axis=1) / np.where(there, gap, 0).sum(axis=1)
    np.testing.assert_allclose(baseflow_index(gap), expected)
    assert baseflow_index(gap)[2] == baseflow_index(FLOWS)[2]


def test_no_discharge_has_no_baseflow():
    assert np.isnan(baseflow_index(np.array([[np.nan] * 40, [0.0] * 40]))).all()
    assert np.isfinite(baseflow_index(np.array([[1.0, 2.0]]))).all()  # shorter than its pads
