import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from studyhub.data.composites import DAYS, begins, sums


def days(first: str, count: int) -> np.ndarray:
    return np.datetime64(first) + np.arange(count)


def test_composites_begin_anew_each_year():
    dates = days("2000-01-01", 732)
    found = dates[begins(dates)].astype(str).tolist()
    assert found[:3] == ["2000-01-01", "2000-01-09", "2000-01-17"]
    assert found[45:47] == ["2000-12-26", "2001-01-01"] and len(found) == 93
    lengths = np.diff(dates[begins(dates)]).astype(int)
    assert lengths[45] == 6 and lengths[91] == 5  # 2000 is a leap year, 2001 is none
    assert set(np.delete(lengths, [45, 91])) == {8}


def test_by_hand():
    values = np.arange(20.0)[None]
    total = sums(values, days("2001-12-24", 20))  # composites begin on 27 December, 1 and 9 January
    assert np.flatnonzero(np.isfinite(total[0])).tolist() == [3, 8]
    assert total[0, 3] == 3 + 4 + 5 + 6 + 7 and total[0, 8] == sum(range(8, 16))


def test_a_day_that_is_missing_leaves_its_composite_undefined():
    values = np.ones(24)
    values[9] = np.nan
    total = sums(values, days("2001-01-01", 24))
    assert total[0] == 8 and np.isnan(total[8]) and total[16] == 8


@given(st.integers(0, 4000), st.integers(1, 900))
def test_what_is_summed_is_neither_lost_nor_counted_twice(offset, count):
    dates = np.datetime64("1999-06-01") + offset + np.arange(count)
    values = np.random.default_rng(offset).random(count)
    total = sums(values, dates)
    first = np.flatnonzero(begins(dates))
    assert np.isfinite(total).sum() in (len(first), max(len(first) - 1, 0))
    if np.isfinite(total).any():
        there = np.flatnonzero(np.isfinite(total))
        end = first[np.searchsorted(first, there[-1]) + 1] if there[-1] != first[-1] else count
        np.testing.assert_allclose(np.nansum(total), values[there[0] : end].sum())
        assert end - there[-1] <= DAYS
