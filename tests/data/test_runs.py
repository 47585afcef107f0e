import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from studyhub.data.runs import runs


def test_by_hand():
    begins, lengths = runs(np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], dtype=bool))
    assert begins.tolist() == [0, 3, 6] and lengths.tolist() == [2, 1, 3]
    assert [len(part) for part in runs(np.zeros(0, dtype=bool))] == [0, 0]


@given(st.lists(st.booleans(), max_size=40))
def test_runs_are_the_days(days):
    begins, lengths = runs(np.array(days, dtype=bool))
    rebuilt = np.zeros(len(days), dtype=bool)
    for begin, length in zip(begins, lengths, strict=True):
        assert length > 0 and not rebuilt[max(begin - 1, 0) : begin + length].any()
        rebuilt[begin : begin + length] = True
    assert rebuilt.tolist() == days
