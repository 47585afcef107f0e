from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studyhub.evaluation import signatures as one
from studyhub.evaluation.signatures import signatures

RNG = np.random.default_rng(2)
FLOWS = np.exp(np.cumsum(RNG.normal(0, 0.2, (4, 800)), axis=1) * 0.3)
RAIN = RNG.gamma(0.3, 8, FLOWS.shape)
FREE = ("runoff_ratio", "slope_fdc", "slope_fdc_log", "high_q_freq", "high_q_dur", "low_q_freq", "low_q_dur", "zero_q_freq")
FREE += ("rising_limb_density", "bfi")  # of the unit of discharge


def test_by_hand():
    q = np.r_[np.ones(6), 10, 20, 1, 10, 0, 0.1][None]
    found = {name: values[0] for name, values in signatures(q, np.full((1, 12), 8.0)).items()}
    mean = (6 + 10 + 20 + 1 + 10 + 0.1) / 12
    assert found["q_mean"] == pytest.approx(mean) and found["runoff_ratio"] == pytest.approx(mean / 8)
    # Median 1, so that high is above 9: spells of two days and of one; low is below 0.785, the last two days.
    assert found["high_q_freq"] == pytest.approx(365.25 * 3 / 12) and found["high_q_dur"] == 1.5
    assert found["low_q_freq"] == pytest.approx(365.25 * 2 / 12) and found["low_q_dur"] == 2
    assert found["zero_q_freq"] == pytest.approx(1 / 12)
    # It rises on days 6 and 7, on 9 and on 11.
    assert found["rising_limb_density"] == pytest.approx(3 / 4)


def test_slopes_of_the_flow_duration_curve_by_hand():
    q = np.exp(np.arange(101.0) / 10)[None]
    assert one.slope_fdc_log(q)[0] == pytest.approx(10)
    assert one.slope_fdc(q)[0] == pytest.approx((np.exp(6.6) - np.exp(3.3)) / 0.33 / q.mean())


def test_each_function_gives_what_all_together_give():
    for name, values in signatures(FLOWS, RAIN).items():
        np.testing.assert_array_equal(getattr(one, name)(FLOWS, RAIN), values)


def test_missing_days_are_left_out_and_end_a_spell():
    q = np.r_[np.ones(8), 20, np.nan, 20, np.ones(8)][None]
    assert one.high_q_dur(q)[0] == 1 and one.high_q_freq(q)[0] == pytest.approx(365.25 * 2 / 18)
    rain = np.ones((1, 19))
    rain[0, 8] = np.nan
    assert one.runoff_ratio(q, rain)[0] == pytest.approx((16 + 20) / 17)
    assert np.isnan(one.runoff_ratio(q)[0])


def test_nothing_and_dry_rivers_are_not_defined_without_a_warning():
    nothing = signatures(np.full((1, 30), np.nan))
    assert all(np.isnan(values[0]) for values in nothing.values())
    dry = {name for name, values in signatures(np.zeros((1, 30))).items() if np.isnan(values[0])}
    assert dry == {"runoff_ratio", "slope_fdc", "slope_fdc_log", "rising_limb_density", "bfi"}


@given(st.floats(0.01, 100), st.permutations(range(4)))
@settings(max_examples=25, deadline=None)
def test_the_unit_of_discharge_and_the_order_of_basins_do_not_matter(factor, order):
    plain, scaled = signatures(FLOWS, RAIN), signatures(factor * FLOWS[order], factor * RAIN[order])
    for name in FREE:
        np.testing.assert_allclose(scaled[name], plain[name][order], rtol=1e-9)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        signatures(FLOWS, RAIN[:, :5])


# CAMELS as distributed, where it is at hand

CAMELS = Path(__file__).parents[3] / "shared" / "data" / "camels_us"
SECONDS, FEET = 86400.0, 0.3048  # of a day; m


@pytest.fixture(scope="module")
def camels():
    """Basins with discharge on all days of the years that CAMELS describes: q [basin, day] in mm/d, and its signatures of them."""
    if not CAMELS.is_dir():
        pytest.skip("../shared/data/camels_us is not here")
    rows = (CAMELS / "camels_attributes_v2.0" / "camels_hydro.txt").read_text().splitlines()
    names = rows[0].split(";")
    table = {row.split(";")[0]: dict(zip(names, row.split(";"), strict=True)) for row in rows[1:]}
    flows, known = [], []
    for path in sorted(CAMELS.glob("usgs_streamflow/*/*_streamflow_qc.txt")):
        basin = path.name[:8]
        days = [line.split() for line in path.read_text().splitlines()]
        within = [(float(cfs), flag) for _, y, m, d, cfs, flag in days if "1989-10-01" <= f"{y}-{m}-{d}" <= "2009-09-30"]
        forcing = next(CAMELS.glob(f"basin_mean_forcing/daymet/*/{basin}_lump_cida_forcing_leap.txt"))
        area = float(forcing.read_text().splitlines()[2])
        q = np.array([cfs for cfs, _ in within]) * FEET**3 * SECONDS / area * 1000
        if len(q) == 7305 and (q >= 0).all():
            flows.append(q)
            known.append(table[basin])
    assert len(flows) > 40
    return np.array(flows), known


def test_baseflow_index_is_that_of_camels(camels):
    flows, known = camels
    theirs = np.array([float(row["baseflow_index"]) for row in known])
    np.testing.assert_allclose(one.bfi(flows), theirs, rtol=0, atol=2e-15)
    assert np.abs(one.baseflow_index(flows, 0.98) - theirs).min() > 0.05


@pytest.mark.parametrize("name", ["slope_fdc", "high_q_freq", "high_q_dur", "low_q_freq", "low_q_dur", "zero_q_freq"])
def test_signatures_without_a_unit_are_those_of_camels(camels, name):
    flows, known = camels
    theirs, ours = np.array([float(row[name]) for row in known]), getattr(one, name)(flows)
    # A day at exactly 9 times the median falls to either side by rounding.
    assert np.median(np.abs(ours - theirs)) < 1e-9 and np.abs(ours - theirs).max() < (1.0 if name == "high_q_freq" else 0.1)


@pytest.mark.parametrize("name", ["q_mean", "q5", "q95"])
def test_quantiles_are_those_of_camels_but_for_the_area(camels, name):
    flows, known = camels
    theirs, ours = np.array([float(row[name]) for row in known]), getattr(one, name)(flows)
    ratio, mean = ours / theirs, flows.mean(axis=1) / [float(row["q_mean"]) for row in known]
    np.testing.assert_allclose(ratio, mean, rtol=1e-6)
