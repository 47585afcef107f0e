from datetime import date

import pytest

from studyhub.errors import SpecError
from studyhub.study.yaml import LARGEST, combined, load, parse


def test_scalars_are_those_of_yaml_1_2():
    values = parse("{a: 1e-3, b: no, c: 0o17, d: 1986-10-01, e: '01', f: ~, g: true}", "file").values
    assert values == {"a": 0.001, "b": "no", "c": 15, "d": date(1986, 10, 1), "e": "01", "f": None, "g": True}


def test_every_key_and_item_knows_its_line():
    document = parse("a:\n  b:\n    - x\n    - y: 1\nc: 2\n", "file")
    places = document.places
    assert (places["a",], places["a", "b"], places["a", "b", 1], places["a", "b", 1, "y"], places["c",]) == (1, 2, 4, 4, 5)


def test_an_error_points_at_the_nearest_written_place():
    document = parse("a:\n  b: 1\n", "study.yaml")
    assert str(document.error("is wrong", "a", "b", "c", 0)) == "study.yaml:2: `a.b.c.0`: is wrong"
    assert str(document.error("is wrong", "z")) == "study.yaml: `z`: is wrong"


def test_numbers_keep_their_text():
    assert parse("basins: [01013500]", "file").texts["basins", 0] == "01013500"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3", "f:3: `a`: written twice, on lines 1 and 3"),
        ("x:\n  a: {b: 1,\n    b: 2}", "f:3: `x.a.b`: written twice, on lines 2 and 3"),
        ("a: [1", "f:1: not readable as YAML"),
        ("a: 1\n\tb: 2", "f:2: not readable as YAML"),
        ("a: 1\n---\nb: 2", "f:2: not readable as YAML: expected a single document"),
        ("a: *b", "undefined alias"),
        ("a:\n  1: x", 'f:2: a key must be text, got 1 under `a`; put it in quotes: "1"'),
        ("? [a]\n: 1", "a key must be text, got a list or mapping"),
        ("<<: {a: 1}", "there is no merging here"),
        ("a: 1999-02-30", "f:1: `a`: not a possible value: 1999-02-30"),
        ("a: !!python/object/apply:os.system ['true']", "plain YAML values are required"),
        ("a: !mine 3", "plain YAML values are required, got the tag !mine"),
        ("a: !!binary aGk=", "plain YAML values are required"),
        ("&a [*a]", "nested too deeply"),
        ("[" * 1000, "nested too deeply"),
    ],
)
def test_what_is_not_plain_yaml_is_refused(text, words):
    with pytest.raises(SpecError) as caught:
        parse(text, "f")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_aliases_that_multiply_each_other_are_refused():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(SpecError, match=f"at most {LARGEST} values"):
        parse("\n".join(levels), "f")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "a study file is required, there is none"),
        (b"", "the file is empty"),
        (b"# only a comment\n", "the file is empty"),
        (b"- a\n- b\n", "a mapping of keys to values is required, got ['a', 'b']"),
        (b"a: \xe9\n", "text in UTF-8 is required, byte 3 is not"),
    ],
)
def test_a_file_that_holds_no_mapping_is_refused(tmp_path, content, words):
    path = tmp_path / "study.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        load(path)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_folder_is_no_study_file(tmp_path):
    with pytest.raises(SpecError, match="this is a folder"):
        load(tmp_path)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\r\n")
    assert load(path).values == {"a": 1}


def test_many_errors_become_one_with_the_first_few_lines():
    errors = [SpecError(f"message {number}", file="f", line=number) for number in range(1, 9)]
    joined = combined(errors)
    assert str(joined).splitlines() == [*(f"f:{n}: message {n}" for n in range(1, 6)), "... and 3 more"]
    assert (joined.file, joined.line) == ("f", 1)
    assert combined(errors[:1]) is errors[0]


def test_a_new_value_takes_the_place_of_the_old_and_its_lines():
    document = parse("a:\n  b: {c: 1}\n", "f")
    document.put({"d": 2}, "--set a.b={d: 2}", "a", "b")
    assert document.values == {"a": {"b": {"d": 2}}}
    assert ("a", "b", "c") not in document.places
    assert str(document.error("is wrong", "a", "b", "d")) == "--set a.b={d: 2}: `a.b.d`: is wrong"
