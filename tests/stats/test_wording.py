from dataclasses import replace

import pytest

from studyhub.stats.compare import Comparison
from studyhub.stats.wording import details, numbers, probability, sentence, verdict

SHOWN = Comparison(
    metric="kge",
    better="implicit",
    than="sequential",
    direction="larger",
    alternative="greater",
    n=40,
    n_dropped=2,
    dropped={"no score of `implicit`": 2},
    median_better=0.712,
    median_than=0.701,
    median_difference=0.009,
    hodges_lehmann=0.0081,
    ci_low=0.0044,
    ci_high=0.0122,
    rank_biserial=0.6,
    wins=33,
    ties=0,
    losses=7,
    share_won=33 / 40,
    p_value=0.00021,
    p_exact=True,
    p_holm=0.00042,
    family=2,
)
OPEN = replace(SHOWN, hodges_lehmann=0.0021, ci_low=-0.003, ci_high=0.006, wins=22, losses=18, share_won=0.55, p_value=0.2, p_holm=0.4)
AGAINST = replace(
    SHOWN, hodges_lehmann=-0.0081, ci_low=-0.0122, ci_high=-0.0044, share_won=7 / 40, wins=7, losses=33, p_value=0.999, p_holm=1.0
)
NONE = dict.fromkeys(
    ["median_better", "median_than", "median_difference", "hodges_lehmann", "ci_low", "ci_high", "rank_biserial", "share_won", "p_value"]
)
NOTHING = replace(SHOWN, n=0, wins=0, losses=0, p_exact=None, p_holm=None, **NONE)


def said(comparison: Comparison, **changes) -> str:
    return sentence(replace(comparison, **changes), "KGE", "-")


def test_what_is_shown():
    assert verdict(SHOWN) == "shown"
    assert said(SHOWN) == (
        "implicit has a higher KGE than sequential: by 0.008 (two-sided 95 % interval 0.004 to 0.012; Hodges-Lehmann), "
        "better in 82 % of 40 basins, "
        "p = 0.0004 (one-sided Wilcoxon signed-rank test, Holm-adjusted over 2 claims)."
    )
    assert "Holm" not in said(SHOWN, family=1)


def test_what_is_not_shown():
    assert verdict(OPEN) == "not shown"
    assert said(OPEN) == (
        "not shown: that implicit has a higher KGE than sequential. Difference (implicit - sequential) 0.0021 "
        "(two-sided 95 % interval -0.0030 to "
        "0.0060; Hodges-Lehmann), better in 55 % of 40 basins, p = 0.40 "
        "(one-sided Wilcoxon signed-rank test, Holm-adjusted over 2 claims)."
    )
    assert verdict(replace(OPEN, p_value=0.03, p_holm=0.06)) == "not shown", "the adjusted p decides"


def test_data_that_point_the_other_way():
    assert verdict(AGAINST) == "the other way"
    assert said(AGAINST).startswith(
        "not shown: that implicit has a higher KGE than sequential. The data point the other way: it is lower by 0.008 "
        "(two-sided 95 % interval 0.004 to 0.012; Hodges-Lehmann), better in 18 % of 40 basins, p = 1.00 ("
    )
    for other in (replace(SHOWN, alternative="less", p_holm=1.0), replace(SHOWN, direction="smaller", p_holm=1.0)):
        assert verdict(other) == "the other way"
        assert "it is higher by 0.008 (two-sided 95 % interval 0.004 to 0.012;" in said(other)
    assert verdict(replace(AGAINST, alternative="two-sided")) == "not shown"


@pytest.mark.parametrize(
    ("changes", "begin"),
    [
        (
            {"direction": "smaller"},
            "implicit has a lower low-flow RMSE than sequential: by 0.008 mm/d (two-sided 95 % interval 0.004 to 0.012;",
        ),
        (
            {"direction": "zero"},
            "the low-flow RMSE of implicit is nearer to zero than that of sequential: by 0.008 mm/d (two-sided 95 % interval 0.004 to",
        ),
        ({"direction": "smaller", "alternative": "two-sided", "rank_biserial": 0.6}, "implicit has a lower low-flow RMSE than"),
        ({"direction": "larger", "alternative": "two-sided", "rank_biserial": -0.6}, "implicit has a lower low-flow RMSE than"),
        (
            {"direction": "larger", "alternative": "less"},
            "implicit has a lower low-flow RMSE than sequential: by 0.008 mm/d (two-sided 95 % interval 0.004",
        ),
        ({"direction": "zero", "alternative": "two-sided", "rank_biserial": 0.6}, "the low-flow RMSE of implicit is nearer to zero"),
    ],
)
def test_smaller_and_nearer_to_zero_are_better_too(changes, begin):
    found = replace(AGAINST, p_holm=0.001, **changes)
    assert verdict(found) == "shown"
    assert sentence(found, "low-flow RMSE", "mm/d").startswith(begin)


def test_differences_of_percentages_are_points():
    found = sentence(replace(AGAINST, direction="zero", p_holm=0.001, hodges_lehmann=-12.34, ci_low=-20.0, ci_high=-4.0), "FLV", "%")
    assert "by 12.3 percentage points (two-sided 95 % interval 4.0 to 20.0;" in found


def test_nothing_to_compare():
    assert verdict(NOTHING) == "no basins"
    assert said(NOTHING) == "not shown: no basin has a defined KGE of both implicit and sequential."
    assert details(NOTHING, "KGE", "-")[:2] == [("basins", "0"), ("left out: no score of `implicit`", "2")]


def test_few_basins():
    few = replace(OPEN, n=3, wins=3, losses=0, share_won=1.0, ci_low=None, ci_high=None, p_value=0.125, p_holm=0.125, family=1)
    assert said(few) == (
        "not shown: that implicit has a higher KGE than sequential. 3 basins are too few for any result to show it. Difference "
        "(implicit - sequential) 0.0021 (too few basins for a 95 % interval; Hodges-Lehmann), better in 100 % of 3 basins, "
        "p = 0.12 (one-sided Wilcoxon signed-rank test)."
    )
    assert "too few for any result" in said(few, n=5, alternative="two-sided")
    assert "too few for any result" not in said(few, n=5)
    assert "1 basin is too few" in said(few, n=1)
    assert verdict(few) == "not shown"


def test_ties():
    same = replace(
        OPEN, wins=0, losses=0, ties=40, share_won=0.0, hodges_lehmann=0.0, ci_low=0.0, ci_high=0.0, rank_biserial=None, p_holm=1.0
    )
    assert said(same) == "not shown: implicit and sequential have the same KGE in all 40 basins."
    assert ("rank-biserial", "not defined") in details(same, "KGE", "-")
    assert "better in 82 % and equal in 10 % of 40 basins" in said(SHOWN, losses=3, ties=4)


def test_explored_comparisons_say_so():
    assert "exploratory, Benjamini-Hochberg-adjusted over 9 comparisons)" in said(SHOWN, p_holm=None, p_bh=0.01, family=9)
    assert verdict(replace(SHOWN, p_holm=None, p_bh=0.07)) == "not shown"


def test_details_name_units_what_was_left_out_and_the_test():
    found = dict(details(replace(SHOWN, direction="zero"), "FLV", "%"))
    assert found["median |FLV|"] == "0.712 % (implicit), 0.701 % (sequential)"
    assert found["median difference"] == "0.009 percentage points (|implicit| - |sequential|, basin by basin)"
    assert found["left out: no score of `implicit`"] == "2"
    assert found["won, tied, lost"] == "33, 0, 7 basins (implicit nearer to zero in 82 %)"
    assert found["test"] == (
        "paired Wilcoxon signed-rank test over basins, one-sided (that implicit is better), exact; zeros by Pratt's method"
    )
    assert "by the normal approximation" in dict(details(replace(SHOWN, p_exact=False), "FLV", "%"))["test"]


def test_numbers_and_probabilities():
    assert numbers(0.0084, 0.0041, 0.012) == ["0.008", "0.004", "0.012"]
    assert numbers(0.0002, -0.004, 0.012) == ["0.0002", "-0.0040", "0.0120"]
    assert numbers(-12.34, None, 0.0) == ["-12.3", "-", "0.0"]
    assert numbers(-0.0) == ["0.0"]
    assert numbers(0.77636, 0.7, digits=3) == ["0.776", "0.700"]
    assert numbers(None) == ["-"]
    assert [probability(p) for p in (0.00042, 0.5, 0.00001, 0.0, None)] == ["0.0004", "0.50", "< 0.0001", "< 0.0001", "not defined"]
