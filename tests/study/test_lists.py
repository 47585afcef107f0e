"""Tables of basins: what comes in as it is, and what is refused with its line."""

from datetime import date
from pathlib import Path

import pytest

from studyhub.errors import DataError
from studyhub.study.lists import Frozen, Lists, Row, read_basins
from studyhub.study.settings import Period, Split

SPLIT = Split(Period(date(1990, 1, 1), date(1990, 12, 31)), Period(date(1992, 1, 1), date(1992, 12, 31)))
HEAD = "fold,role,basin,start,end\n"
TRAINED, TESTED = "1990-01-01,1990-12-31", "1992-01-01,1992-12-31"
LINES = f"A,train,01,{TRAINED}\nA,test,02,{TESTED}\nB,train,02,{TRAINED}\nB,test,01,{TESTED}\n"


@pytest.fixture
def write(tmp_path):
    def write(content: str | bytes) -> Path:
        path = tmp_path / "lists.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_a_published_list(write):
    frozen = Frozen.from_csv(write(HEAD + LINES))
    assert frozen.rows[0] == Row(1, "A", "train", "01", date(1990, 1, 1), date(1990, 12, 31))
    assert [(row.fold, row.name, row.role, row.basin) for row in frozen.rows[1:]] == [
        (1, "A", "test", "02"),
        (2, "B", "train", "02"),
        (2, "B", "test", "01"),
    ]
    assert frozen.periods("x") == {"train": SPLIT.train, "test": SPLIT.test}
    assert list(Lists(str(write(HEAD + LINES))).folds(("02", "01"), SPLIT)) == [(1, "A", ("01",), ("02",)), (2, "B", ("02",), ("01",))]


def test_the_order_of_rows_and_columns_spaces_a_mark_of_unicode_and_more_columns_do_not_matter(write):
    frozen = Frozen.from_csv(write(HEAD + LINES))
    mixed = "\ufeffbasin,more,role,end,start,fold\r\n" + "".join(
        f" {basin} ,x,{role},{end},{start},{fold}\r\n"
        for fold, role, basin, start, end in reversed([line.split(",") for line in LINES.splitlines()])
    )
    again = Frozen.from_csv(write(mixed))
    assert {(row.name, row.role, row.basin) for row in again.rows} == {(row.name, row.role, row.basin) for row in frozen.rows}
    assert Frozen.from_csv(write(again.to_csv())) == again
    assert len(again.hash) == 16 and again.hash == Frozen.from_csv(write(again.to_csv())).hash


def test_folds_that_count_from_0_are_put_in_their_order(write):
    frozen = Frozen.from_csv(write(HEAD + LINES.replace("B,", "0,").replace("A,", "10,")))
    assert dict.fromkeys((row.fold, row.name) for row in frozen.rows) == {(1, "0"): None, (2, "10"): None}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "columns fold, role, basin, start, end are required, it lacks fold, role, basin, start, end; it has none"),
        ("fold;role;basin;start;end\n", "it lacks fold, role, basin, start, end; it has fold;role;basin;start;end"),
        (HEAD + "A,train,01\n", "lists.csv:2: every row needs fold, role, basin, start, end; here is no start, end"),
        (HEAD + f"A,train,,{TRAINED}\n", "lists.csv:2: every row needs fold, role, basin, start, end; here is no basin"),
        (HEAD + f"A,valid,01,{TRAINED}\n", "lists.csv:2: a role is `train` or `test`, got 'valid'"),
        (
            HEAD + "A,train,01,1990-01-01,1990-12-32\n",
            "lists.csv:2: days such as 1989-10-01 are required, got '1990-01-01' and '1990-12-32'",
        ),
        (HEAD + "A,train,01,1990-12-31,1990-01-01\n", "lists.csv:2: an empty period: its first day 1990-12-31 comes after its last day"),
        (HEAD + LINES + f"A,train,01,{TRAINED}\n", "lists.csv:6: basin 01 stands twice as train of fold A; keep one"),
        (HEAD + 'A,"train\n', "lists.csv:"),
        (b"\xff\xfe", "text in UTF-8 is required, byte 0 is not"),
    ],
)
def test_what_is_no_list_is_refused_with_its_line(write, content, words):
    with pytest.raises(DataError) as caught:
        Frozen.from_csv(write(content))
    assert words in str(caught.value)


def test_a_role_has_one_period(write):
    def said(content: str, split: Split = SPLIT) -> str:
        path = write(HEAD + content)
        with pytest.raises(DataError) as caught:
            list(Lists(str(path)).folds(("01", "02"), split))
        return str(caught.value)

    other = LINES + "B,train,01,1991-01-01,1991-12-31\n"
    assert "all `train` rows must have one period: basin 01 in fold A has 1990-01-01..1990-12-31, basin 01 in fold B has 1991" in said(
        other
    )
    assert "rows of role `test` are required, there is none" in said(LINES.splitlines()[0])
    later = Split(SPLIT.train, Period(date(1993, 1, 1), date(1993, 12, 31)))
    assert "its `test` period is 1992-01-01..1992-12-31, the study's 1993-01-01..1993-12-31; take `split.test` out" in said(LINES, later)
    assert "1 of its basins are not among the study's: 09; known: 01, 02; look at" in said(LINES + f"A,train,09,{TRAINED}\n")


# Lists of basins


def test_a_list_of_basins_is_lines_or_a_first_column(write):
    expected = ("01013500", "1", "camelsgb_1001")
    assert read_basins(write("# 3 basins\n01013500\n\n1  # one\r\ncamelsgb_1001")) == expected
    assert read_basins(write("\ufeffgauge_id,area\n01013500,3\n'1',4\n\"camelsgb_1001\",5\n")) == expected
    assert read_basins(write("Gauge_ID;area\n01013500;3\n1;4\ncamelsgb_1001;5\n")) == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("# none\n", "basin ids are required, one a line, there is none"),
        ("01\n02\n01\n", "lists.csv:3: basin 01 stands on line 1 too; keep one"),
        (b"\xff", "text in UTF-8 is required"),
    ],
)
def test_what_is_no_list_of_basins(write, content, words):
    with pytest.raises(DataError, match=words):
        read_basins(write(content))


def test_no_file_and_a_folder(tmp_path):
    with pytest.raises(DataError, match="is required, there is none; a path starts from the folder where the command runs"):
        read_basins(tmp_path / "none.txt")
    with pytest.raises(DataError, match="cannot be read"):
        Frozen.from_csv(tmp_path)
