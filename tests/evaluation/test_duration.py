import numpy as np
import pytest

from studyhub.evaluation import metrics
from studyhub.evaluation.pairs import quantile


def test_slope_of_the_middle_by_hand():
    # Of 11 days the 20 and 70 % exceeded are numbers 8 and 3, counted from 0.
    obs = np.exp(np.arange(11.0))[None]
    sim = np.exp(2 * np.arange(11.0))[None]
    assert metrics.fms(sim, obs)[0] == pytest.approx(100 * (10 - 5) / 5)
    assert metrics.fms(sim[:, ::-1], obs)[0] == pytest.approx(100)  # curves are compared, not days
    assert metrics.fms(3 * obs, obs)[0] == pytest.approx(0, abs=1e-12)  # a factor does not change a slope


def test_slope_of_a_river_that_is_dry_most_days_is_not_defined():
    obs = np.r_[np.zeros(40), np.arange(1.0, 61)][None]
    assert np.isnan(metrics.fms(obs + 1, obs)[0])
    assert np.isnan(metrics.fms(obs, obs + 1)[0])
    wetter = np.r_[np.zeros(20), np.arange(1.0, 81)][None]
    assert metrics.fms(wetter, wetter)[0] == 0


@pytest.mark.parametrize("share", [0, 0.05, 0.3, 0.33, 0.5, 0.66, 1])
def test_quantiles_are_those_of_numpy_whatever_is_missing(share):
    rng = np.random.default_rng(1)
    values = rng.random((6, 40))
    for basin in range(6):
        values[basin, : 8 * basin] = np.nan
    values[5] = np.nan
    days = np.isfinite(values).sum(axis=1)
    found = quantile(np.sort(values, axis=1), days, share)
    np.testing.assert_allclose(found[:5], np.nanquantile(values[:5], share, axis=1), rtol=1e-14)
    assert np.isnan(found[5])
