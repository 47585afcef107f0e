import numpy as np
import pandas as pd
import pytest

from studyhub.catalog import METRICS
from studyhub.stats.summary import medians, per_basin


def scores(rows: list[tuple[str, int, str, float]], period: str = "test") -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["arm", "seed", "basin", "nse"]).assign(fold=1, period=period)
    return table.assign(**{name: 0.5 for name in METRICS if name != "nse"})


B = [("b", 1, "01", 0.0), ("b", 2, "01", 1.0)]
A = [("a", 1, "01", 0.2), ("a", 1, "02", 0.4), ("a", 2, "02", np.nan), ("a", 1, "03", 0.6)]
TABLE = scores([*B, *A])


def test_a_score_per_arm_and_basin():
    found = per_basin(TABLE, ["nse", "kge"])
    assert list(found.columns) == ["nse", "kge"] and found.index.names == ["arm", "basin"]
    assert found.loc[("b", "01"), "nse"] == 0.5
    assert found.loc[("a", "03"), "nse"] == 0.6


def test_a_basin_in_which_one_trial_has_no_score_has_none():
    found = per_basin(TABLE, ["nse", "kge"])
    assert np.isnan(found.loc[("a", "02"), "nse"])
    assert found.loc[("a", "02"), "kge"] == 0.5


def test_periods_are_not_mixed():
    both = pd.concat([TABLE, scores([("a", 1, "01", 0.9)], period="later")])
    with pytest.raises(ValueError, match="one period"):
        per_basin(both, ["nse"])
    assert medians(both)["nse"].to_dict() == {("b", "test"): 0.5, ("a", "test"): pytest.approx(0.4), ("a", "later"): 0.9}


def test_seeds_are_averaged_within_a_basin_before_the_median():
    per_seed = {1: [0.0, 0.9, 0.2], 2: [1.0, 0.1, 0.2]}  # means: 0.5, 0.5, 0.2; the median of all six values is 0.2
    rows = [("a", seed, f"0{basin}", value) for seed, values in per_seed.items() for basin, value in enumerate(values)]
    assert medians(scores(rows)).loc[("a", "test"), "nse"] == pytest.approx(0.5)


def test_medians_count_the_basins_that_have_a_value():
    found = medians(TABLE)
    assert found.loc[("a", "test"), ["nse_basins", "kge_basins", "basins"]].tolist() == [2, 3, 3]
    assert list(found.columns) == [*METRICS, *(f"{name}_basins" for name in METRICS), "basins"]


def test_an_empty_table_has_no_medians():
    empty = TABLE.iloc[:0]
    assert medians(empty).empty and per_basin(empty, ["nse"]).empty
