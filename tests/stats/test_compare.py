import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from studyhub.stats.compare import Comparison, Question, compare, explore
from studyhub.stats.summary import per_basin

A_BETTER = Question("a", "b", "nse", "larger")


def table(seeds: int = 1, **arms: list[float]) -> pd.DataFrame:
    """One row per arm, seed and basin; seeds differ by noise of mean 0."""
    noise = np.arange(seeds) - (seeds - 1) / 2
    rows = [
        {"arm": arm, "basin": f"{basin:02d}", "fold": 1, "seed": seed, "period": "test", "nse": value + 0.125 * noise[seed]}
        for arm, values in arms.items()
        for basin, value in enumerate(values)
        for seed in range(seeds)
    ]
    return pd.DataFrame(rows)


def one(scores: pd.DataFrame, question: Question = A_BETTER) -> Comparison:
    (found,) = compare(scores, [question])
    return found


def test_a_comparison_by_hand():
    a, b = [0.9, 0.8, 0.7, 0.4, 0.5, 0.5, 0.9], [0.5, 0.7, 0.4, 0.6, 0.5, 0.0, 0.3]
    found = one(table(a=a, b=b))
    d = np.round(np.subtract(a, b), 3)  # 0.4 0.1 0.3 -0.2 0 0.5 0.6
    assert (found.n, found.n_dropped, found.dropped) == (7, 0, {})
    assert (found.wins, found.ties, found.losses, found.share_won) == (5, 1, 1, 5 / 7)
    assert (found.median_better, found.median_than, found.median_difference) == (0.7, 0.5, 0.3)
    assert found.p_value == pytest.approx(stats.wilcoxon(d, zero_method="pratt", alternative="greater").pvalue)
    assert found.p_holm == found.p_value and found.p_bh is None and found.family == 1 and found.p_exact is True
    assert found.rank_biserial == pytest.approx((4 + 1 + 3 + 5 + 6 - 2) / 21)
    assert found.ci_low < found.hodges_lehmann < found.ci_high


def test_equal_decimals_are_ties():
    """0.3 - 0.2 and 0.2 - 0.1 differ in binary; so do the means of 0.1, 0.2, 0.3 and of 0.2."""
    found = one(table(a=[0.3, 0.2, 0.6, 12.5], b=[0.2, 0.1, 0.5, 12.4]))
    assert found.p_value == 1 / 16
    assert found.hodges_lehmann == found.ci_high if found.ci_high else found.hodges_lehmann == 0.1
    scores = pd.DataFrame([("a", "1", 0.1), ("a", "1", 0.2), ("a", "1", 0.3), ("b", "1", 0.2)], columns=["arm", "basin", "nse"])
    assert one(scores).ties == 1


def test_an_enormous_score_elsewhere_does_not_blur_the_others():
    found = one(table(a=[0.5, 0.7, -1e15], b=[0.4, 0.6, -2e15]))
    assert found.median_difference == 0.1 and found.wins == 3


def test_seeds_and_folds_are_averaged_within_a_basin():
    a, b = np.linspace(0.2, 0.8, 12).tolist(), (np.linspace(0.2, 0.8, 12) - np.linspace(-0.05, 0.15, 12)).tolist()
    single, several = one(table(a=a, b=b)), one(table(seeds=4, a=a, b=b))
    assert several.n == 12
    assert several.p_value == pytest.approx(single.p_value)
    assert several.hodges_lehmann == pytest.approx(single.hodges_lehmann)


def test_scores_are_those_of_the_summary():
    rng = np.random.default_rng(5)
    scores = table(seeds=3, a=rng.random(9).tolist(), b=rng.random(9).tolist()).assign(nse=lambda rows: rng.normal(size=len(rows)))
    means = per_basin(scores, ["nse"])["nse"]
    found = one(scores)
    assert (found.median_better, found.median_than) == pytest.approx((means["a"].median(), means["b"].median()))
    assert found.median_difference == pytest.approx((means["a"] - means["b"]).median())


def test_basins_left_out_are_counted_by_reason():
    scores = table(seeds=2, a=[0.5] * 8, b=[0.4] * 8)
    value = scores.set_index(["arm", "basin", "seed"])["nse"]
    value[("a", "00", 1)] = np.nan
    value[("b", "01", 0)] = -np.inf
    value[("b", "02", 0)] = np.nan
    value[("a", "02", 0)] = np.nan
    value[("a", "03", 0)] = np.inf
    value[("a", "03", 1)] = -np.inf
    scores = value.drop([("a", "04"), ("b", "05"), ("b", "06")]).reset_index()
    found = one(scores)
    assert found.dropped == {
        "no score of `a`": 1,
        "no score of `b`": 2,
        "nse of `a` is infinite": 1,
        "nse of `b` is infinite": 1,
        "nse of `a` is not defined": 2,
    }
    assert (found.n, found.n_dropped, found.wins) == (1, 7, 1)


@pytest.mark.parametrize(
    ("arms", "dropped"),
    [({"a": [0.5, 0.4]}, 2), ({"b": [0.5, 0.4]}, 2), ({"c": [0.1]}, 0), ({"a": [np.nan], "b": [0.1]}, 1)],
)
def test_no_common_basin_is_an_answer(arms, dropped):
    found = one(table(**arms))
    assert (found.n, found.n_dropped, sum(found.dropped.values())) == (0, dropped, dropped)
    assert (found.p_value, found.p_holm, found.hodges_lehmann, found.share_won, found.rank_biserial, found.median_than) == (None,) * 6
    assert one(table(a=[0.5]).iloc[:0]).n == 0


def test_smaller_and_nearer_to_zero():
    scores = table(a=[-0.1, 0.2, 0.1, -0.3, 0.2, 0.1], b=[-0.5, 0.7, 0.8, 0.9, -1.2, -0.7])
    nearer = one(scores, replace(A_BETTER, direction="zero"))
    assert (nearer.wins, nearer.rank_biserial, nearer.p_value) == (6, 1.0, 1 / 64)
    assert nearer.median_better == pytest.approx(0.15) and nearer.median_than == pytest.approx(0.75)
    assert nearer.ci_high < 0 and nearer.median_difference < 0
    smaller = one(scores, replace(A_BETTER, direction="smaller"))
    larger = one(scores, replace(A_BETTER, alternative="less"))
    assert smaller.p_value == larger.p_value and smaller.wins == larger.losses == 3
    assert smaller.hodges_lehmann == larger.hodges_lehmann and smaller.rank_biserial == -larger.rank_biserial


def test_biases_of_opposite_sign_do_not_cancel_over_seeds():
    rows = [(arm, basin, seed, bias) for basin in "123456" for arm, seed, bias in (("a", 1, -9.0), ("a", 2, 9.0), ("b", 1, 5.0))]
    found = one(pd.DataFrame(rows, columns=["arm", "basin", "seed", "nse"]), replace(A_BETTER, direction="zero"))
    assert (found.median_better, found.median_than, found.losses) == (9.0, 5.0, 6)


def test_periods_are_not_mixed():
    scores = pd.concat([table(a=[0.5], b=[0.4]), table(a=[0.6], b=[0.4]).assign(period="later")])
    with pytest.raises(ValueError, match="one period"):
        one(scores)


def test_the_declared_are_one_family_and_the_explored_another():
    rng = np.random.default_rng(3)
    scores = table(**{arm: (0.5 + rng.normal(at, 0.1, size=20)).tolist() for arm, at in {"a": 0.1, "b": 0.0, "c": 0.02}.items()})
    questions = [A_BETTER, Question("c", "b", "nse", "larger"), Question("a", "none", "nse", "larger"), Question("a", "c", "nse", "larger")]
    claims, explored = compare(scores, questions), explore(scores, questions)
    p = [c.p_value for c in claims]
    assert p[2] is None and p == [c.p_value for c in explored]
    rest = [value for value in p if value is not None]
    assert claims[2].p_holm is explored[2].p_bh is None
    assert {c.family for c in claims} == {4} and {c.family for c in explored} == {3}
    assert min(c.p_holm for c in claims if c.n) == pytest.approx(4 * min(rest))
    assert [c.p_bh for c in explored if c.n] == pytest.approx(stats.false_discovery_control(rest))
    assert all(c.p_bh is None for c in claims) and all(c.p_holm is None for c in explored)


def test_a_comparison_is_plain_and_goes_into_json():
    for found in (one(table(a=[0.5, 0.25], b=[0.4, 0.3])), one(table(a=[0.5]))):
        again = json.loads(json.dumps(asdict(found), allow_nan=False))
        assert again == asdict(found)
        assert all(type(value) in (str, int, float, bool, dict, type(None)) for value in asdict(found).values())


eighths = st.lists(st.tuples(st.integers(-16, 8), st.integers(-16, 8)), min_size=1, max_size=25)


@settings(max_examples=50, deadline=None)
@given(eighths, st.sampled_from(["larger", "smaller", "zero"]))
def test_swapping_the_arms_mirrors_everything(pairs, direction):
    scores = table(a=[a / 8 for a, _ in pairs], b=[b / 8 for _, b in pairs])
    there = one(scores, Question("a", "b", "nse", direction, "two-sided"))
    back = one(scores, Question("b", "a", "nse", direction, "two-sided"))
    assert there.p_value == pytest.approx(back.p_value)
    assert (there.wins, there.losses, there.median_better) == (back.losses, back.wins, back.median_than)
    assert there.median_difference == -back.median_difference and there.hodges_lehmann == -back.hodges_lehmann
    assert (there.ci_low, there.ci_high) == (None if back.ci_high is None else -back.ci_high, None if back.ci_low is None else -back.ci_low)
    greater, less = (one(scores, Question("a", "b", "nse", direction, alternative)).p_value for alternative in ("greater", "less"))
    assert one(scores, Question("b", "a", "nse", direction, "greater")).p_value == pytest.approx(less)
    assert greater + less >= 1 - 1e-12


def test_identical_arms_are_seldom_told_apart():
    """200 studies of three arms that differ by chance only: some claim of the family is shown in about 5 % of them."""
    rng = np.random.default_rng(11)
    questions = [Question("a", "b", "nse", "larger"), Question("c", "b", "nse", "larger", "two-sided"), Question("c", "a", "nse", "larger")]
    basins = np.repeat([f"{basin:02d}" for basin in range(12)], 6)
    frame = pd.DataFrame({"basin": basins, "arm": ["a", "b", "c"] * 24, "seed": [1, 1, 1, 2, 2, 2] * 12})
    false = 0
    for _ in range(200):
        skill = np.repeat(rng.normal(0.6, 0.2, size=12), 6)
        claims = compare(frame.assign(nse=skill + rng.normal(0, 0.05, size=72)), questions)
        false += any(c.p_holm < 0.05 for c in claims)
    assert 2 <= false <= 19  # 5 % are 10, with a standard deviation of 3.1
