import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from studyhub.evaluation import metrics

NAMES = ("nse", "kge", "kge_2012", "flv", "abs_flv", "fhv", "abs_fhv", "low_rmse", "peak_rmse")
RATIOS = ("kge_r", "kge_alpha", "kge_beta", "kge_gamma")
EVERY = (*NAMES, *RATIOS, "log_nse", "rmse", "bias", "fms", "peak_timing")


def naive(sim: np.ndarray, obs: np.ndarray) -> dict[str, float]:
    """All metrics of one basin, written out day by day and slice by slice."""
    seen = ~(np.isnan(sim) | np.isnan(obs))
    s, o = sim[seen], obs[seen]
    n = len(s)
    r = np.corrcoef(s, o)[0, 1]
    bias, spread = s.mean() / o.mean(), s.std() / o.std()
    variation = (s.std() / s.mean()) / (o.std() / o.mean())
    sorted_s, sorted_o = np.array(sorted(s)), np.array(sorted(o))
    low_s, low_o = sorted_s[: round(0.3 * n)], sorted_o[: round(0.3 * n)]
    peak_s, peak_o = sorted_s[round(0.98 * n) :], sorted_o[round(0.98 * n) :]
    epsilon = o.mean() / 100
    logs = np.log(s + epsilon), np.log(o + epsilon)
    slopes = [np.log(np.quantile(values, 0.8)) - np.log(np.quantile(values, 0.3)) for values in (s, o)]
    return {
        "kge_r": r,
        "kge_alpha": spread,
        "kge_beta": bias,
        "kge_gamma": variation,
        "log_nse": 1 - sum((logs[0] - logs[1]) ** 2) / sum((logs[1] - logs[1].mean()) ** 2),
        "rmse": (sum((s - o) ** 2) / n) ** 0.5,
        "bias": 100 * sum(s - o) / sum(o),
        "fms": 100 * (slopes[0] - slopes[1]) / slopes[1],
        "nse": 1 - sum((s - o) ** 2) / sum((o - o.mean()) ** 2),
        "kge": 1 - ((r - 1) ** 2 + (spread - 1) ** 2 + (bias - 1) ** 2) ** 0.5,
        "kge_2012": 1 - ((r - 1) ** 2 + (variation - 1) ** 2 + (bias - 1) ** 2) ** 0.5,
        "flv": 100 * sum(low_s - low_o) / (sum(low_o) + 0.0001),
        "abs_flv": 100 * sum(abs(low_s - low_o)) / sum(low_o + 0.0001),
        "fhv": 100 * sum(peak_s - peak_o) / sum(peak_o),
        "abs_fhv": 100 * sum(abs(peak_s - peak_o)) / sum(peak_o),
        "low_rmse": (sum((low_s - low_o) ** 2) / len(low_s)) ** 0.5,
        "peak_rmse": (sum((peak_s - peak_o) ** 2) / len(peak_s)) ** 0.5,
        "days": n,
    }


def flows(basins: int = 6, days: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Simulated and observed discharge with gaps of different lengths in either."""
    rng = np.random.default_rng(seed)
    obs = rng.gamma(0.5, 2.0, (basins, days))
    sim = obs * rng.lognormal(0.1, 0.4, (basins, days)) + 0.05
    for basin in range(basins):
        obs[basin, : 17 * basin] = np.nan
        sim[basin, days - 5 * basin :] = np.nan
    return sim, obs


def test_scores_are_those_of_the_naive_loops():
    sim, obs = flows()
    scores = metrics.score(sim, obs)
    assert tuple(scores) == (*EVERY, "days")
    for basin in range(len(obs)):
        expected = naive(sim[basin], obs[basin])
        for name, value in expected.items():
            assert scores[name].shape == (len(obs),)
            assert scores[name][basin] == pytest.approx(value, rel=1e-10), (name, basin)


@pytest.mark.parametrize("name", EVERY)
def test_each_function_gives_its_column(name):
    sim, obs = flows()
    np.testing.assert_array_equal(getattr(metrics, name)(sim, obs), metrics.score(sim, obs)[name])


def test_worked_example():
    sim, obs = np.array([[2.0, 2, 3, 5, np.nan, 7]]), np.array([[1.0, 2, 3, 6, 4, np.nan]])
    # Four days: means 3 and 3, sums of squares 6 and 14, of products 9, of errors 2.
    r, spread = 9 / 84**0.5, (6 / 14) ** 0.5
    scores = {name: values[0] for name, values in metrics.score(sim, obs).items()}
    assert scores["days"] == 4
    assert scores["nse"] == pytest.approx(1 - 2 / 14)
    assert scores["kge"] == scores["kge_2012"] == pytest.approx(1 - ((r - 1) ** 2 + (spread - 1) ** 2) ** 0.5)
    # round(0.3 * 4) = 1 low flow: 2 for 1; no peak, from number round(0.98 * 4) = 4 on.
    assert scores["flv"] == pytest.approx(100 / 1.0001)
    assert scores["abs_flv"] == pytest.approx(100 / 1.0001)
    assert scores["low_rmse"] == 1
    assert all(np.isnan(scores[name]) for name in ("fhv", "abs_fhv", "peak_rmse"))


def test_low_and_peak_flows_are_sorted_apart_and_rounded_half_to_even():
    obs = np.arange(1.0, 26)[None]  # 25 days: low are the first round(7.5) = 8, peak from round(24.5) = 24 on
    sim = obs[:, ::-1] + 1
    scores = {name: values[0] for name, values in metrics.score(sim, obs).items()}
    assert scores["flv"] == pytest.approx(100 * 8 / 36.0001)
    assert scores["abs_flv"] == pytest.approx(100 * 8 / 36.0008)
    assert scores["fhv"] == scores["abs_fhv"] == pytest.approx(100 / 25)
    assert scores["low_rmse"] == scores["peak_rmse"] == pytest.approx(1)
    obs = np.arange(1.0, 16)[None]  # 15 days: round(4.5) = 4
    assert metrics.flv(obs + 1, obs)[0] == pytest.approx(100 * 4 / 10.0001)


def test_errors_of_either_sign_cancel_in_the_bias_only():
    obs = np.ones((1, 100))
    sim = np.where(np.arange(100) % 2 == 0, 0.5, 1.5)[None]
    sim[0, :15] = 0.5
    scores = metrics.score(sim, obs)
    assert scores["abs_flv"][0] > 49
    assert scores["flv"][0] < -49
    mixed = np.sort(np.r_[np.full(1, 2.0), np.full(97, 3.0), 10.0, 14.0])[None]
    twelve = np.sort(np.r_[np.full(1, 2.0), np.full(97, 3.0), 12.0, 12.0])[None]
    assert metrics.fhv(mixed, twelve)[0] == 0
    assert metrics.abs_fhv(mixed, twelve)[0] == pytest.approx(100 * 4 / 24)


@pytest.mark.parametrize(
    ("case", "defined"),
    [
        ("no observation", ()),
        ("no simulation", ()),
        ("one day", ()),
        ("constant observation", ("flv", "abs_flv", "fhv", "abs_fhv", "low_rmse", "peak_rmse")),
        ("constant simulation", ("nse", "flv", "abs_flv", "fhv", "abs_fhv", "low_rmse", "peak_rmse")),
        ("dry river", ("flv", "abs_flv", "low_rmse", "peak_rmse")),
    ],
)
def test_undefined_is_nan_without_a_warning_and_only_there(case, defined):
    sim, obs = flows(basins=3)
    if case == "no observation":
        obs[1] = np.nan
    elif case == "no simulation":
        sim[1] = np.nan
    elif case == "one day":
        obs[1] = np.nan
        obs[1, 40] = 2.0
    elif case == "constant observation":
        obs[1] = 0.1  # its mean over 300 days is not exactly 0.1
    elif case == "constant simulation":
        sim[1] = 0.1
    else:
        obs[1] = 0.0
    scores = metrics.score(sim, obs)
    assert tuple(name for name in NAMES if np.isfinite(scores[name][1])) == tuple(name for name in NAMES if name in defined)
    whole = metrics.score(*flows(basins=3))
    for name in NAMES:
        np.testing.assert_array_equal(scores[name][[0, 2]], whole[name][[0, 2]])


def test_infinite_simulation_is_not_a_score():
    sim, obs = flows(basins=2)
    sim[1, 100] = np.inf
    scores = metrics.score(sim, obs)
    assert not np.isfinite(scores["nse"][1])
    assert not np.isfinite(scores["kge"][1])
    assert np.isfinite([scores[name][0] for name in NAMES]).all()


def test_float32_is_scored_in_float64():
    sim, obs = (values.astype(np.float32) for values in flows())
    for name, values in metrics.score(sim, obs).items():
        np.testing.assert_array_equal(values, metrics.score(sim.astype(np.float64), obs.astype(np.float64))[name])


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"one shape \(basin, day\), got \(2, 5\) and \(2, 6\)"):
        metrics.score(np.ones((2, 5)), np.ones((2, 6)))
    with pytest.raises(ValueError, match=r"one shape"):
        metrics.nse(np.ones(5), np.ones(5))


def test_days_count_pairs():
    sim, obs = flows(basins=3)
    np.testing.assert_array_equal(metrics.days(sim, obs), [300, 300 - 17 - 5, 300 - 34 - 10])


# Multiples of 0.01 mm/d, so that a variance is either zero or far from underflow.
DISCHARGE = st.integers(0, 100_000).map(lambda number: number / 100)
SERIES = st.integers(60, 90).flatmap(lambda days: st.tuples(*[arrays(np.float64, (2, days), elements=DISCHARGE) for _ in range(2)]))


@given(SERIES)
@settings(max_examples=40)
def test_perfect_simulation_has_the_perfect_score(series):
    obs, _ = series
    scores = metrics.score(obs.copy(), obs)
    for name in EVERY:
        perfect = 1 if name in ("nse", "kge", "kge_2012", "log_nse", *RATIOS) else 0
        defined = np.isfinite(scores[name])
        np.testing.assert_allclose(scores[name][defined], perfect, atol=1e-9)
    varied = np.ptp(obs, axis=1) > 0
    np.testing.assert_array_equal(np.isfinite(scores["nse"]), varied)
    np.testing.assert_array_equal(np.isfinite(scores["kge"]), varied)


@given(SERIES, st.integers(-1000, 1000), st.integers(1, 50))
@settings(max_examples=40)
def test_correlation_does_not_change_by_shift_and_scale(series, shift, factor):
    sim, obs = series
    plain, moved = metrics.Pairs(sim, obs), metrics.Pairs(factor * sim + shift, obs)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(plain.correlation, moved.correlation, rtol=0, atol=1e-7)


@given(SERIES, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_order_of_days_does_not_matter(series, random):
    sim, obs = series
    obs[0, :7] = np.nan
    days = list(range(sim.shape[1]))
    random.shuffle(days)
    plain, shuffled = metrics.score(sim, obs), metrics.score(sim[:, days], obs[:, days])
    for name in set(plain) - {"peak_timing"}:
        np.testing.assert_allclose(plain[name], shuffled[name], rtol=1e-6, atol=1e-9)


@given(SERIES, st.floats(0.1, 10))
@settings(max_examples=40)
def test_unit_of_discharge_matters_only_where_it_should(series, factor):
    sim, obs = series
    plain, scaled = metrics.score(sim, obs), metrics.score(factor * sim, factor * obs)
    for name in ("nse", "kge", "kge_2012", "fhv", "abs_fhv", *RATIOS, "log_nse", "bias", "fms", "peak_timing"):
        np.testing.assert_allclose(plain[name], scaled[name], rtol=1e-6, atol=1e-6)
    for name in ("low_rmse", "peak_rmse", "rmse"):
        np.testing.assert_allclose(factor * plain[name], scaled[name], rtol=1e-9, atol=1e-9)


@given(SERIES)
@settings(max_examples=40)
def test_absolute_differences_bound_the_biases(series):
    sim, obs = series
    scores = metrics.score(sim, obs)
    finite = np.isfinite(scores["fhv"])
    assert (np.abs(scores["fhv"][finite]) <= scores["abs_fhv"][finite] + 1e-9).all()


def test_five_hundred_basins_take_about_a_second():
    rng = np.random.default_rng(0)
    sim, obs = rng.gamma(0.5, 2.0, (2, 500, 5479))
    obs[rng.random(obs.shape) < 0.05] = np.nan
    begun = time.process_time()
    metrics.score(sim, obs)
    assert time.process_time() - begun < 3
