from dataclasses import replace

import pytest

from studyhub.stats.compare import Blocked, Comparison, SeedSpread
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
    """The sentence, of a comparison that has left out no basin unless it is said."""
    return sentence(replace(comparison, **{"n_dropped": 0} | changes), "KGE", "-")


def test_what_is_shown():
    assert verdict(SHOWN) == "shown"
    assert said(SHOWN) == "implicit beats sequential on 82 % of 40 basins, ΔKGE +0.008 [0.004, 0.012], Holm p = 0.0004."
    assert "Holm" not in said(SHOWN, family=1)
    assert "Holm p = 3e-9." in said(SHOWN, p_holm=3.1e-9)


def test_what_is_not_shown():
    assert verdict(OPEN) == "not shown"
    assert said(OPEN) == (
        "not shown: that implicit beats sequential: better on 55 % of 40 basins, ΔKGE +0.0021 [−0.0030, 0.0060], Holm p = 0.40."
    )
    assert verdict(replace(OPEN, p_value=0.03, p_holm=0.06)) == "not shown", "the adjusted p decides"
    assert said(OPEN, needed_basins=380).endswith("would take about 380 independent basins to show.")
    assert "independent" not in said(OPEN, needed_basins=38)


def test_data_that_point_the_other_way():
    assert verdict(AGAINST) == "the other way"
    assert said(AGAINST) == (
        "not shown: that implicit beats sequential: better on 18 % of 40 basins, ΔKGE −0.008 [−0.012, −0.004], Holm p = 1.00. "
        "The data point the other way."
    )
    for other in (replace(SHOWN, alternative="less", p_holm=1.0), replace(SHOWN, direction="smaller", p_holm=1.0)):
        assert verdict(other) == "the other way"
    assert verdict(replace(AGAINST, alternative="two-sided")) == "not shown"


@pytest.mark.parametrize(
    ("changes", "begin"),
    [
        ({"direction": "smaller"}, "implicit beats sequential on 18 % of 40 basins, Δlow-flow RMSE −0.008 mm/d [−0.012, −0.004]"),
        ({"direction": "zero"}, "implicit beats sequential on 18 % of 40 basins, Δ|low-flow RMSE| −0.008 mm/d"),
        ({"direction": "one"}, "implicit beats sequential on 18 % of 40 basins, Δ|low-flow RMSE - 1| −0.008 mm/d"),
        (
            {"direction": "larger", "alternative": "two-sided", "rank_biserial": -0.6},
            "sequential beats implicit on 82 % of 40 basins, Δlow",
        ),
        ({"direction": "larger", "alternative": "less"}, "sequential beats implicit on 82 % of 40 basins, Δlow-flow RMSE −0.008"),
    ],
)
def test_smaller_and_nearer_to_the_ideal_are_better_too(changes, begin):
    found = replace(AGAINST, p_holm=0.001, **changes)
    assert verdict(found) == "shown"
    assert sentence(found, "low-flow RMSE", "mm/d").startswith(begin)


def test_differences_of_percentages_are_points():
    found = sentence(replace(AGAINST, direction="zero", p_holm=0.001, hodges_lehmann=-12.34, ci_low=-20.0, ci_high=-4.0), "FLV", "%")
    assert "Δ|FLV| −12.3 percentage points [−20.0, −4.0]" in found


BLOCKED = Blocked("clusters of coordinates", 8, 40, 0.02, 0.001, 0.015, 200.0, 0.6, 1.3, 17.4, p_adjusted=0.04)


def test_blocks_of_neighbours():
    assert said(SHOWN, blocked=BLOCKED).endswith("Holm p = 0.0004; spatially blocked p = 0.0400.")
    apart = said(SHOWN, blocked=replace(BLOCKED, p_adjusted=0.2), disagrees=True)
    assert apart.endswith(
        "spatially blocked p = 0.20. The tests disagree: over 8 blocks of neighbouring basins it is not shown, these 40 count as about 17 "
        "independent ones. Trust the blocked test."
    )
    assert "over 8 blocks of neighbouring basins it is shown" in said(OPEN, blocked=BLOCKED, disagrees=True)
    lines = dict(details(replace(SHOWN, blocked=BLOCKED), "KGE", "-"))
    assert lines["spatially blocked p"] == "0.0400 (8 blocks of 40 basins by clusters of coordinates)"
    assert lines["neighbours"] == "differences go together over 200 km; leakage 1.30; as much as 17 independent basins"
    assert dict(details(replace(SHOWN, not_blocked="no places"), "KGE", "-"))["spatially blocked"] == "not tested: no places"


def test_margin_and_basins_left_out():
    small = {"margin": 0.02, "wins_by_margin": 3, "equivalent": 36, "losses_by_margin": 1, "n_dropped": 0}
    assert said(SHOWN, **small).endswith("The difference is within the margin of 0.02 that matters in practice.")
    assert "by its estimate within the margin of 0.01" in said(SHOWN, **small | {"margin": 0.01})
    assert "margin" not in said(SHOWN, **small | {"margin": 0.005})
    lost = said(SHOWN, worst_p=0.0123, worst_shift=0.007, n_dropped=2)
    assert lost.endswith("2 basins were left out; had all of them gone against implicit, p = 0.0123 and ΔKGE 0.0070.")
    assert said(SHOWN, worst_p=0.9, n_dropped=1).endswith("1 basin was left out; had all of them gone against implicit, p = 0.90.")
    assert dict(details(replace(SHOWN, **small), "KGE", "-"))["better, equivalent, worse"] == "3, 36, 1 basins (by more than 0.02, or not)"


def test_seeds_and_power_in_the_details():
    found = dict(details(replace(SHOWN, seeds=SeedSpread(3, 2, 0.001, 0.002, 0.001, 0.015), needed_basins=33), "KGE", "-"))
    assert found["seeds, then basins"] == "two-sided 95 % interval 0.001 to 0.015 (3 and 2 seeds)"
    assert found["shift from seed to seed"] == "standard deviation 0.001 (implicit), 0.002 (sequential)"
    assert found["basins for 80 % power"].startswith("33 (")


def test_nothing_to_compare():
    assert verdict(NOTHING) == "no basins"
    assert said(NOTHING) == "not shown: no basin has a defined KGE of both implicit and sequential."
    assert details(NOTHING, "KGE", "-")[:2] == [("basins", "0"), ("left out: no score of `implicit`", "2")]


def test_few_basins():
    few = replace(OPEN, n=3, n_dropped=0, wins=3, losses=0, ci_low=None, ci_high=None, p_value=0.125, p_holm=0.125, family=1)
    assert said(few) == (
        "not shown: that implicit beats sequential: better on 100 % of 3 basins, ΔKGE +0.0021 (no 95 % interval of so few basins), "
        "p = 0.12. 3 basins are too few for any result to show it."
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
    assert "on 82 % of 40 basins (equal on 10 %)" in said(SHOWN, losses=3, ties=4)


def test_explored_comparisons_say_so():
    assert "exploratory, Benjamini-Hochberg p = 0.0100" in said(SHOWN, p_holm=None, p_bh=0.01, family=9)
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
    assert [probability(p) for p in (0.00042, 0.5, 0.00001, 0.0, None)] == ["0.0004", "0.50", "1e-5", "< 1e-300", "not defined"]
