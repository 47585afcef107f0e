import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from studyhub.stats.families import benjamini_hochberg, holm

families = st.lists(st.none() | st.floats(0, 1), max_size=12)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # R: p.adjust(p, "holm")
    assert holm([0.7, 0.4]) == [0.8, 0.8]
    assert holm([0.9, 0.6, 0.8]) == [1.0, 1.0, 1.0]


def test_a_claim_that_could_not_be_tested_makes_no_other_easier():
    assert holm([None, 0.02, None, 0.03]) == pytest.approx([None, 0.08, None, 0.09])
    assert holm([0.02, 0.03, 1.0, 1.0])[:2] == pytest.approx([0.08, 0.09])


def test_what_has_no_p_stays_without():
    assert benjamini_hochberg([0.02, None]) == [0.02, None]
    assert holm([]) == benjamini_hochberg([]) == []
    assert holm([None]) == benjamini_hochberg([None]) == [None]


@given(families)
def test_holm_keeps_the_order_and_stays_between_p_and_bonferroni(p):
    adjusted = holm(p)
    pairs = sorted((a, b) for a, b in zip(p, adjusted, strict=True) if a is not None)
    assert [b for _, b in pairs] == sorted(b for _, b in pairs)
    assert all(a <= b <= min(1.0, a * len(p)) for a, b in pairs)
    assert [a is None for a in p] == [b is None for b in adjusted]


@given(families)
def test_benjamini_hochberg_is_scipys_and_never_stricter_than_holm(p):
    there = [a for a in p if a is not None]
    found = [b for b in benjamini_hochberg(p) if b is not None]
    assert found == (stats.false_discovery_control(there).tolist() if there else [])
    assert all(b <= h + 1e-12 for b, h in zip(found, (h for h in holm(p) if h is not None), strict=True))
