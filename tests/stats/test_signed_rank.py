import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from studyhub.stats import signed_rank
from studyhub.stats.signed_rank import outcomes, p_value, rank_biserial, shift

ALTERNATIVES = ("greater", "less", "two-sided")

# Hamilton depression scale of nine patients, before minus after: Hollander and Wolfe, Nonparametric Statistical Methods (1973, p. 29;
# 1999, Table 3.1). R's wilcox.test, whose example this is, gives V = 40 and p = 0.01953 (one-sided).
DEPRESSION = [0.952, -0.147, 1.022, 0.430, 0.620, 0.590, 0.490, -0.080, 0.010]
# Darwin's Zea mays, crossed minus selfed, eighths of an inch; Cureton (1967, doi:10.1080/01621459.1967.10500917): p = 0.0413.
MAIZE = [6, 8, 14, 16, 23, 24, 28, 29, 41, -48, 49, 56, 60, -67, 75]

# Whole numbers, so that shifting and negating them is exact and ties and zeros abound.
whole = st.lists(st.integers(-6, 6), min_size=1, max_size=30)


# p


def test_published_tables():
    assert p_value(DEPRESSION, "greater") == (pytest.approx(0.01953125, rel=1e-12), True)
    assert p_value(MAIZE, "two-sided").p == pytest.approx(0.0412597656, rel=1e-9)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("n", [1, 5, 14, 50, 51, 200])
def test_continuous_differences_as_scipy_has_them(n, alternative):
    d = np.random.default_rng(n).normal(0.2, size=n)
    found = p_value(d, alternative)
    assert found.p == pytest.approx(stats.wilcoxon(d, zero_method="pratt", alternative=alternative).pvalue, rel=1e-12)
    assert found.exact == (n <= 50)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("n", [9, 13, 40, 300])
def test_ties_and_zeros_as_scipy_has_them(n, alternative):
    d = np.concatenate([[0, 3], np.random.default_rng(n).integers(-4, 7, size=n - 2)])
    found = p_value(d, alternative)
    assert found.p == pytest.approx(stats.wilcoxon(d.astype(float), zero_method="pratt", alternative=alternative).pvalue, rel=1e-12)
    assert found.exact == (n <= 13)


@pytest.mark.parametrize("d", [[1.0, 2.0, -3.0, 4.0], [0.0, 1.0, 1.0, -2.0, 5.0], [0.0, 0.0, -1.0, 3.0, 3.0, -3.0, 4.0, 2.0, 7.0, 1.0]])
def test_exact_p_is_a_count_over_all_signs(d):
    ranks = stats.rankdata(np.abs(d))
    sums = [sum(r for r, plus in zip(ranks, signs, strict=True) if plus and r) for signs in itertools.product((0, 1), repeat=len(d))]
    moved = np.array(d) != 0
    free = [sum(r for r, plus in zip(ranks[moved], s, strict=True) if plus) for s in itertools.product((0, 1), repeat=int(moved.sum()))]
    observed = ranks[np.array(d) > 0].sum()
    assert p_value(d, "greater").p == pytest.approx(np.mean(np.array(free) >= observed))
    if moved.all():
        assert p_value(d, "less").p == pytest.approx(np.mean(np.array(sums) <= observed))


def test_few_differences_among_many_zeros_are_counted_not_approximated():
    d = [0.0] * 46 + [1.0, 2.0, 3.0, 4.0]
    assert p_value(d, "greater") == (1 / 16, True)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_nothing_and_nothing_but_zeros(alternative):
    assert p_value([], alternative) is None
    assert p_value(np.zeros(30), alternative) == (1.0, True)
    assert shift([]) is None and rank_biserial([]) is None and rank_biserial([0.0, 0.0]) is None
    assert shift(np.zeros(30)) == (0.0, 0.0, 0.0)
    assert outcomes([]) == (0, 0, 0)


def test_what_is_not_finite_is_refused():
    for d in ([1.0, np.nan], [np.inf], [[1.0]]):
        with pytest.raises(ValueError, match="finite differences"):
            p_value(d, "greater")


@given(whole)
def test_swapping_the_arms_mirrors_p(d):
    d = np.array(d, dtype=float)
    greater, less, both = (p_value(d, alternative).p for alternative in ALTERNATIVES)
    assert p_value(-d, "less").p == pytest.approx(greater)
    assert p_value(-d, "two-sided").p == pytest.approx(both)
    assert greater + less >= 1 - 1e-12  # what was observed counts on both sides
    assert both == pytest.approx(min(1.0, 2 * min(greater, less)))


# Shift and interval


def test_a_published_shift():
    assert shift(DEPRESSION) == pytest.approx((0.46, 0.010, 0.786), abs=1e-12)  # Hollander and Wolfe, at 96.1 %


@pytest.mark.parametrize("n", [1, 2, 3, 6, 7, 20, 51])
def test_the_shift_is_the_median_of_the_walsh_averages(n):
    d = np.random.default_rng(n).normal(size=n)
    averages = [(d[i] + d[j]) / 2 for i in range(n) for j in range(i, n)]
    assert shift(d).estimate == pytest.approx(np.median(averages), rel=1e-12)


@pytest.mark.parametrize("n", range(1, 11))
def test_the_null_distribution_is_a_count_over_all_signs(n):
    sums = [sum(ranks) for size in range(n + 1) for ranks in itertools.combinations(range(1, n + 1), size)]
    assert signed_rank._null_counts(n).tolist() == np.bincount(sums, minlength=n * (n + 1) // 2 + 1).tolist()


@pytest.mark.parametrize("n", [6, 9, 25, 50, 51, 120])
def test_the_interval_holds_what_the_test_does_not_reject(n):
    """Just inside a limit the two-sided test keeps the shift, just outside it rejects it."""
    d = np.random.default_rng(n).normal(0.3, size=n)
    _, low, high = shift(d)
    step = 1e-9

    def kept(value: float) -> bool:
        return stats.wilcoxon(d - value, method="exact").pvalue > 0.05

    assert [kept(low - step), kept(low + step), kept(high - step), kept(high + step)] == [False, True, True, False]


@pytest.mark.parametrize("n", [1, 5])
def test_too_few_for_an_interval(n):
    d = np.arange(1.0, n + 1)
    assert shift(d) == (np.mean(d), None, None)
    assert shift(np.arange(6.0)) == (2.5, 0.0, 5.0)


def test_the_normal_rank_is_the_exact_one():
    tail = 0.025
    for n in range(51, 121):
        below = np.cumsum(signed_rank._null_counts(n)) / 2.0**n
        assert abs(signed_rank._rank_of_limit(n) - np.count_nonzero(below <= tail)) <= 1


@given(whole, st.integers(-50, 50))
def test_shifts_shift_and_mirror(d, by):
    d = np.array(d, dtype=float)
    estimate, low, high = shift(d)
    assert shift(d + by).estimate == estimate + by
    mirrored = shift(-d)
    assert mirrored.estimate == -estimate
    if low is None:
        assert mirrored == (-estimate, None, None)
    else:
        assert (mirrored.low, mirrored.high) == (-high, -low)
        assert low <= estimate <= high


@pytest.mark.parametrize("n", [8, 30, 70])
def test_intervals_hold_the_truth_as_often_as_they_say(n):
    rng = np.random.default_rng(1)
    covered = np.mean([low <= 0.7 <= high for _, low, high in (shift(rng.standard_t(4, size=n) + 0.7) for _ in range(800))])
    assert 0.935 <= covered <= 0.98  # exact level between 95.0 and 96.1 %; one standard error is 0.8 %


def test_4000_basins_take_little_memory():
    d = np.random.default_rng(1).normal(size=4000)
    averages = signed_rank._walsh_averages(d)
    assert averages.nbytes == 4 * 4000 * 4001
    estimate, low, high = shift(d)
    assert low < estimate < high < low + 0.1


# Effect


def test_rank_biserial_by_hand():
    assert rank_biserial([1.0, 2.0, -3.0, 4.0]) == pytest.approx((1 + 2 + 4 - 3) / 10)
    assert rank_biserial([0.0, 0.0, 2.0, -2.0, 5.0]) == pytest.approx((1.5 + 3 - 1.5) / 6)
    assert rank_biserial(DEPRESSION) == pytest.approx(2 * 40 / 45 - 1)
    assert rank_biserial([3.0]) == 1.0


@given(whole)
def test_outcomes_and_effect_mirror(d):
    d = np.array(d, dtype=float)
    assert sum(outcomes(d)) == d.size
    assert outcomes(-d) == outcomes(d)[::-1]
    effect = rank_biserial(d)
    assert (rank_biserial(-d) is None) if effect is None else rank_biserial(-d) == pytest.approx(-effect)
