"""Evapotranspiration, snow and benchmarks."""

import numpy as np
import pytest

from studyhub.evaluation import benchmarks, et, metrics, snow


def test_evapotranspiration_by_hand():
    obs = np.array([[10.0, 20, 30, np.nan, 20]])
    sim = np.array([[12.0, 18, 36, 5.0, 14]])
    found = {name: values[0] for name, values in et.score(sim, obs).items()}
    assert found["et_nse"] == pytest.approx(1 - (4 + 4 + 36 + 36) / 200)
    assert found["et_rmse"] == pytest.approx(20**0.5)
    assert found["et_r"] == pytest.approx(np.corrcoef([12, 18, 36, 14], [10, 20, 30, 20])[0, 1])
    assert found["et_cv"] == pytest.approx(np.std([2, -2, 6, -6]) / 20)
    # A bias is not in the coefficient of variation of the residuals.
    assert et.score(sim + 3, obs)["et_cv"][0] == pytest.approx(found["et_cv"])
    mean, seen = et.mean_annual(sim, obs, [8, 8, 8, 8, 5])
    assert mean[0] == pytest.approx(365.25 * 80 / 29) and seen[0] == pytest.approx(365.25 * 80 / 29)


def test_snow_by_hand_and_where_there_is_none():
    obs, sim = np.array([[0.0, 10, 30, 20], [0, 0, 0, 0]]), np.array([[0.0, 14, 27, 20], [0, 0, 0, 2]])
    found = snow.score(sim, obs)
    assert found["swe_nse"][0] == pytest.approx(1 - 25 / 500) and found["swe_rmse"].tolist() == pytest.approx([2.5, 1])
    assert np.isnan([found["swe_nse"][1], found["swe_r"][1]]).all()


def test_nothing_observed_has_no_score():
    nothing = np.full((2, 3), np.nan)
    every = {**et.score(np.ones((2, 3)), nothing), **snow.score(np.ones((2, 3)), nothing)}
    assert all(np.isnan(values).all() for values in every.values())
    assert all(np.isnan(values).all() for values in et.mean_annual(np.ones((2, 3)), nothing, [8, 8, 8]))


def dates(start: str, end: str) -> np.ndarray:
    return np.arange(np.datetime64(start), np.datetime64(end) + 1)


def test_climatology_is_the_mean_of_the_day_of_the_year():
    days, wanted = dates("1999-01-01", "2002-12-31"), dates("2003-02-27", "2004-03-02")
    q = np.array([[float(str(day)[:4]) + int(str(day)[8:]) for day in days]])
    q[0, days == np.datetime64("2001-02-28")] = np.nan
    found = dict(zip(wanted.astype(str).tolist(), benchmarks.climatology(q, days, wanted)[0], strict=True))
    assert found["2003-03-01"] == found["2004-03-01"] == 2000.5 + 1
    assert found["2003-02-28"] == pytest.approx((1999 + 2000 + 2002) / 3 + 28)
    assert found["2004-02-29"] == 2000 + 29  # of the only leap year
    assert found["2003-12-31"] == 2000.5 + 31


def test_climatology_of_a_day_that_no_year_has_lies_between_its_neighbours_across_new_year():
    days = dates("2001-01-03", "2001-12-30")
    found = benchmarks.climatology(np.ones((1, len(days))) * np.linspace(1, 2, len(days)), days, dates("2002-12-29", "2003-01-04"))[0]
    assert found[1] == pytest.approx(2) and found[5] == pytest.approx(1)
    np.testing.assert_allclose(found[1:6], np.linspace(2, 1, 5))
    assert np.isnan(benchmarks.climatology(np.full((1, len(days)), np.nan), days, days)).all()


def test_the_mean_has_the_efficiency_that_is_known_of_it():
    rng = np.random.default_rng(4)
    obs = rng.gamma(2, 1, (3, 500))
    obs[1, :100] = np.nan
    same = benchmarks.mean(obs, 500)
    found = metrics.score(same, obs)
    np.testing.assert_allclose(found["nse"], 0, atol=1e-12)
    np.testing.assert_allclose(benchmarks.kge_of_mean(found["kge_beta"]), 1 - 2**0.5)
    assert np.isnan(found["kge"]).all()  # a constant has no correlation
