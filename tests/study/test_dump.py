from datetime import date

from hypothesis import given, settings
from hypothesis import strategies as st

from studyhub.study.dump import WIDTH, dump
from studyhub.study.yaml import parse

WORDS = st.text("aB01eβ é'\"#:-{}[],&*!|>%@`~?=.\\\n\t\x85\u2028\ufeff😀", max_size=8)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.dates(min_value=date(1000, 1, 1)),
    WORDS,
    st.sampled_from(["01013500", "1e3", "no", "Null", "true", "~", "2000-01-01", "0x1F", "", " ", "a: b", "- a", "<<", "---", "a b", "e1"]),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=8)


@settings(deadline=None, max_examples=200)
@given(st.dictionaries(WORDS | st.just("key"), VALUES, min_size=1, max_size=3))
def test_what_is_dumped_is_read_back(values):
    assert parse(dump(values), "file").values == values


def test_what_reads_as_a_number_or_a_truth_value_is_quoted():
    assert dump({"a": ["01013500", "1e3", "true", "null", "plain words"]}) == 'a: ["01013500", "1e3", "true", "null", plain words]\n'


def test_mappings_take_a_key_per_line_and_long_lists_an_item():
    assert dump({"a": {"b": 1, "c": {"d": [1, {"e": None}]}}, "f": {}}) == "a:\n  b: 1\n  c:\n    d: [1, {e: null}]\nf: {}\n"
    lines = dump({"basins": [f"{number:08}" for number in range(50)]}).splitlines()
    assert len(lines) == 51
    assert max(map(len, lines)) <= WIDTH
