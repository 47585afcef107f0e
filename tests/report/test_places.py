from datetime import date

import numpy as np
import pandas as pd
import pytest

from studyhub.report.places import places, shown_days
from studyhub.study.settings import Period


def means(metric: str, **scores: list[float]) -> pd.DataFrame:
    rows = [(arm, f"b{i}", value) for arm, values in scores.items() for i, value in enumerate(values)]
    return pd.DataFrame(rows, columns=["arm", "basin", metric]).set_index(["arm", "basin"])


def test_best_median_and_most_disagreeing():
    table = means("kge", x=[0.9, 0.5, 0.6, 0.1, 0.7], y=[0.9, 0.5, 0.6, 0.8, 0.7])
    assert [(p.basin, p.name) for p in places(table, ["x", "y"], "kge")] == [
        ("b0", "hydrograph_best"),
        ("b2", "hydrograph_median"),
        ("b3", "hydrograph_disagreeing"),
    ]


@pytest.mark.parametrize(("metric", "expected"), [("low_rmse", "b1"), ("flv", "b2")])
def test_best_follows_the_metrics_direction(metric, expected):
    assert places(means(metric, x=[5.0, -9.0, 1.0]), ["x"], metric)[0].basin == expected


def test_no_basin_twice():
    found = places(means("kge", x=[0.9, 0.1], y=[0.2, 0.1]), ["x", "y"], "kge")
    assert [place.basin for place in found] == ["b0", "b1"]


def test_only_basins_that_all_arms_have():
    table = means("kge", x=[0.9, 0.5, 0.4], y=[np.nan, 0.5])
    assert [place.basin for place in places(table, ["x", "y"], "kge")] == ["b1"]
    assert places(means("kge", x=[0.1], y=[np.nan]), ["x", "y"], "kge") == []


def simulation(observed: pd.DatetimeIndex, days: Period) -> pd.DataFrame:
    dates = pd.date_range(days.start, days.end)
    return pd.DataFrame({"basin": "b", "date": dates, "qobs": np.where(dates.isin(observed), 1.0, np.nan)})


def test_the_last_water_year_with_most_observations_is_shown():
    test = Period(date(1993, 10, 1), date(1996, 9, 30))
    everything = simulation(pd.date_range("1993-10-01", "1996-09-30"), test)
    assert shown_days(everything, "b", test) == Period(date(1995, 10, 1), date(1996, 9, 30))
    gap = simulation(pd.date_range("1993-10-01", "1995-09-30"), test)
    assert shown_days(gap, "b", test) == Period(date(1994, 10, 1), date(1995, 9, 30))


def test_a_short_test_period_is_shown_whole():
    test = Period(date(1993, 1, 1), date(1993, 12, 31))
    assert shown_days(simulation(pd.date_range("1993-01-01", "1993-12-31"), test), "b", test) == test
