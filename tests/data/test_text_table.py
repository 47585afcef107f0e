import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studyhub.data.text_table import TextTable, read_head
from studyhub.errors import DataError


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.txt"

    def read(content: bytes, fields: int = 3, skip: int = 0) -> TextTable:
        path.write_bytes(content)
        return TextTable.read(path, skip, fields)

    return read


@pytest.fixture(scope="module")
def any_file(tmp_path_factory):
    return tmp_path_factory.mktemp("tables") / "t.txt"


PLAIN = st.decimals(-(10**9), 10**9, places=2).map(str) | st.integers(-(10**12), 10**12).map(str)
PLAIN |= st.decimals(0, 1, places=12).map("{:f}".format) | st.sampled_from([".5", "-.25", "7.", "-0.00", "0001", "-0"])
ODD = st.floats(allow_nan=False, allow_infinity=False).map(repr) | st.sampled_from(["+1.5", "1E3"])
APART = st.sampled_from([b" ", b"\t", b"   ", b" \t ", b"\v", b"\f"])
END = st.sampled_from([b"\n", b"\r\n", b" \n", b"\t\r\n"])


@given(rows=st.lists(st.tuples(PLAIN, PLAIN | ODD), min_size=1, max_size=6), apart=APART, end=END, last=st.booleans(), before=st.booleans())
def test_numbers_are_those_nearest_to_what_is_written(any_file, rows, apart, end, last, before):
    lines = [apart * before + apart.join(field.encode() for field in row) for row in rows]
    any_file.write_bytes(b"a header\n" + end.join(lines) + (end if last else b""))
    read = TextTable.read(any_file, 1, 2)
    for field in range(2):
        expected = np.array([float(row[field]) for row in rows])
        assert read.numbers(field).tobytes() == expected.tobytes()  # the sign of 0 too
        assert [read.text(row, field) for row in range(len(rows))] == [row[field] for row in rows]


@given(first=st.dates(), gaps=st.lists(st.integers(1, 800), max_size=20))
def test_days_are_those_of_the_calendar(any_file, first, gaps):
    days = np.datetime64(first) + np.cumsum([0, *gaps])
    days = days[days <= np.datetime64("9999-12-31")]
    any_file.write_text("".join(str(day).replace("-", " ") + "\n" for day in days))
    np.testing.assert_array_equal(TextTable.read(any_file, 0, 3).days(), days)


DATES = ["0 1 1", "10000 1 1", "2000 0 1", "2000 13 1", "2000 1 0", "2000 4 31", "2001 2 29", "1900 2 29", "2000 2 29.5"]
NUMBERS = ["x", "nan", "inf", "-", ".", "1.2.3", "1_000", "1,5", "--1", "1e", "1e999", "0x1F", "True", "1-2", "9" * 400]


@pytest.mark.parametrize("row", DATES)
def test_what_is_no_date_is_named(table, row):
    read = table(f"2000 2 29\n{row}\n".encode())
    with pytest.raises(DataError, match=rf"t.txt:2: a date is required, got {row}$"):
        read.days()


def test_days_that_do_not_follow_each_other(table):
    assert str(table(b"2000 2 28\n2000 2 29\n2000 3 1\n").contiguous_days()[-1]) == "2000-03-01"
    with pytest.raises(DataError, match=r"t.txt:4: the day after that of the line before is required, got 2000-03-01"):
        table(b"head\n\n2000 2 28\n2000 3 1\n", skip=2).contiguous_days()


@pytest.mark.parametrize("text", NUMBERS)
def test_what_is_no_number_is_named(table, text):
    read = table(f"1 2.5 3\n4 {text} 6\n".encode())
    assert read.numbers(0).tolist() == [1, 4]
    with pytest.raises(DataError, match=re.escape(f"t.txt:2: a number is required in field 2, got {text!r}")):
        read.numbers(1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1 2 3\n4 5\n6 7 8\n", ":2: 3 fields are required, got 2: '4 5'"),
        (b"1 2 3\n4 5 6 7\n8 9\n", ":2: 3 fields are required, got 4: '4 5 6 7'"),
        (b"1 2 3\n\n4 5 6\n", ":2: 3 fields are required, got 0"),
        (b"1 2 3\n4 5 6\n\n", ":3: 3 fields are required, got 0"),
        (b"1 2 3\r\n4 5\r\n", ":2: 3 fields are required, got 2"),
        (b"1 2 3\r4 5\r", ":2: 3 fields are required, got 2"),
        (b"1 2 3\n4 5 6\n7 8", ":3: 3 fields are required, got 2"),
        (b"\n\n", ":1: 3 fields are required, got 0"),
        (b"", ": at least one day is required, the file holds none"),
        (b"1 2 3\n4 5 \xe9\n", ":2: plain text is required"),
        (b"1 2 3\n4 5 6\n" + b"\0" * 100, ":3: plain text is required"),
        (b"1 2 3\n4 \0 6\n", ":2: plain text is required"),
        (b"\x1f\x8b\x08\x00 squeezed", ":1: plain text is required"),
    ],
)
def test_a_file_of_something_else_is_named(table, content, message):
    with pytest.raises(DataError, match=f"t.txt{message}"):
        table(content)


def test_nothing_behind_the_head(table):
    for content in (b"a\nb\n", b"a\nb", b"a\n", b""):
        with pytest.raises(DataError, match="t.txt: at least one day is required"):
            table(content, skip=2)


def test_where_a_field_is_written_so(table):
    read = table(b"M 01013500 AM\nMA 0101350 A\nA 010135001 M", 3)
    assert read.is_text(0, "M").tolist() == [True, False, False]
    assert read.is_text(1, "01013500").tolist() == [True, False, False]
    assert read.is_text(2, "M").tolist() == [False, False, True]
    assert not read.is_text(2, "Mxxxxxxxxxxxxxxxxxxxxxxxxxxx").any()


def test_the_head_of_a_file(tmp_path):
    path = tmp_path / "t.txt"
    path.write_bytes(b" 45.2 \r\nYear\n")
    assert read_head(path, 3) == ["45.2", "Year", ""]
    for read in (read_head, lambda path, lines: TextTable.read(path, lines, 1)):
        with pytest.raises(DataError, match="elsewhere.txt: cannot be read .No such file or directory"):
            read(tmp_path / "elsewhere.txt", 1)
