import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from studyhub.catalog import FILLS
from studyhub.data.fill import Fill, fill
from studyhub.errors import DataError

START = np.datetime64("2001-01-01")
rules = st.sampled_from(list(FILLS))
most_days = st.integers(1, 6)


def days(count):
    return START + np.arange(count)


@st.composite
def gappy(draw):
    values = draw(arrays(draw(st.sampled_from([np.float32, np.float64])), st.integers(1, 60), elements=st.integers(-50, 50)))
    missing = draw(arrays(bool, len(values)))
    return np.where(missing, np.nan, values).astype(values.dtype)


@given(gappy(), rules, most_days)
def test_what_is_present_and_longer_gaps_stay(values, rule, most):
    before = values.copy()
    filled = fill(values, days(len(values)), rule, most)
    np.testing.assert_array_equal(values, before)
    present = np.isfinite(values)
    np.testing.assert_array_equal(filled[present], values[present])
    assert filled.dtype == values.dtype
    length = 0
    for t in range(len(values) + 1):
        if t < len(values) and not present[t]:
            length += 1
            continue
        if length > most:
            assert np.isnan(filled[t - length : t]).all()
        length = 0


@given(gappy(), rules, most_days)
def test_filling_again_changes_nothing(values, rule, most):
    once = fill(values, days(len(values)), rule, most)
    np.testing.assert_array_equal(fill(once, days(len(values)), rule, most), once)


@given(arrays(np.float32, st.integers(1, 40), elements=st.floats(-100, 100, width=32)), rules, most_days)
def test_nothing_missing_nothing_done(values, rule, most):
    np.testing.assert_array_equal(fill(values, days(len(values)), rule, most), values)


@given(gappy(), rules, most_days)
def test_filled_days_lie_within_what_was_seen(values, rule, most):
    filled = fill(values, days(len(values)), rule, most)
    new = filled[np.isnan(values) & np.isfinite(filled)]
    seen = values[np.isfinite(values)]
    if rule == "zero":
        assert (new == 0).all()
    elif len(new):
        assert seen.min() - 1e-4 <= new.min() and new.max() <= seen.max() + 1e-4


def test_a_line_between_the_days_around_the_gap():
    nan = np.nan
    values = np.array([nan, 1.0, nan, nan, 4.0, nan, nan, nan, 8.0, nan])
    np.testing.assert_array_equal(fill(values, days(10), "interpolate", 2), [nan, 1, 2, 3, 4, nan, nan, nan, 8, nan])
    np.testing.assert_array_equal(fill(values, days(10), "interpolate", 3), [nan, 1, 2, 3, 4, 5, 6, 7, 8, nan])


def test_the_normal_of_the_season_over_the_new_year_and_leap_days():
    """A wave of the year comes back within the smoothing over 31 days, at the turn of the year and on 29 February."""
    dates = np.arange(np.datetime64("1999-01-01"), np.datetime64("2009-01-01"))
    wave = 10 + 8 * np.cos(2 * np.pi * (dates - dates[0]).astype(float) / 365.25)
    for gap in ("2003-12-30", "2004-02-28", "1999-01-01", "2008-12-28"):
        values = wave.copy()
        at = int((np.datetime64(gap) - dates[0]).astype(int))
        values[at : at + 4] = np.nan
        np.testing.assert_allclose(fill(values, dates, "climatology", 5), wave, atol=0.15)


def test_a_season_without_any_day_has_no_normal():
    """A gap is filled whole or not at all: the middle of 80 days is more than 15 days from any other."""
    values = np.ones(200)
    values[[20, 21, *range(60, 140)]] = np.nan
    filled = fill(values, days(200), "climatology", 100)
    assert (filled[20:22] == 1).all() and np.isnan(filled[60:140]).all()
    np.testing.assert_array_equal(fill(filled, days(200), "climatology", 100), filled)


@pytest.mark.parametrize(("text", "rule", "most"), [("interpolate:5", "interpolate", 5), (" zero : 30 ", "zero", 30)])
def test_text(text, rule, most):
    assert Fill.parse(text) == Fill(rule, most) == Fill.parse(str(Fill(rule, most)))


@pytest.mark.parametrize(
    "text", ["", "interpolate", "interpolate:", "interpolate:-1", "interpolate:0", "interpolate:1.5", "spline:5", ":5"]
)
def test_text_that_is_no_rule(text):
    with pytest.raises(DataError, match="filling gaps needs"):
        Fill.parse(text)


def test_zero_is_for_rain():
    values = np.array([4.0, np.nan, 6.0])
    assert Fill("zero", 1).apply("prcp", values, days(3))[1] == 0
    assert Fill("zero", 1).apply("tmean", values, days(3))[1] == 5
    assert Fill("interpolate", 1).apply("prcp", values, days(3))[1] == 5


def test_discharge_is_never_filled():
    with pytest.raises(DataError, match="only forcing is filled, got qobs"):
        Fill("zero", 5).apply("qobs", np.array([1.0, np.nan]), days(2))
