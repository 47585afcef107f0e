from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from studyhub.errors import DataError
from studyhub.stats.table import direction_of, read_scores

CSV = """\
basin,arm,seed,NSE,note
01013500,a,1,0.5,"fine, here"
01013500,a,2,0.7,
01013500,b,1,0.4,
9,a,1,NA,
9,b,1,-inf,
10,c,1,words,
"""


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "scores.csv"
    path.write_text(CSV)
    return path


def read(path: Path, metric: str = "nse", arms: tuple[str, str] = ("a", "b"), period: str | None = None) -> pd.DataFrame:
    return read_scores(path, metric, arms, period).table


def refused(path: Path, *arguments, **named) -> str:
    with pytest.raises(DataError) as error:
        read(path, *arguments, **named)
    assert "\n" not in str(error.value)
    return str(error.value)


# What is read


def test_ids_are_text_and_scores_are_numbers(path):
    found = read_scores(path, "nse", ("a", "b"))
    assert found.metric == "NSE"
    assert found.table["basin"].tolist() == ["01013500"] * 3 + ["9", "9"]
    assert found.table["arm"].tolist() == ["a", "a", "b", "a", "b"]
    np.testing.assert_array_equal(found.table["NSE"], [0.5, 0.7, 0.4, np.nan, -np.inf])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_spreadsheets_write_csv_in_their_own_ways(path, delimiter):
    text = CSV.replace('"fine, here"', "").replace(",", delimiter).replace("basin", "Basin ").replace("\n", "\r\n") + "\r\n\r\n"
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(path)["basin"].tolist()[0] == "01013500"
    assert len(read(path)) == 5


def test_parquet_as_csv(path, tmp_path):
    parquet = tmp_path / "scores.parquet"
    table = pd.read_csv(path, dtype={"basin": str}).replace({"NSE": {"words": "0"}}).astype({"NSE": float})
    table.to_parquet(parquet)
    pd.testing.assert_frame_equal(read(parquet), read(path), check_dtype=False)
    table.set_index(["arm", "basin"]).to_parquet(parquet)
    pd.testing.assert_frame_equal(read(parquet), read(path), check_dtype=False)


def test_parquet_with_numbers_for_ids(tmp_path):
    rows = {"basin": [7, 8, 7, 8], "arm": pd.Categorical(["a", "a", "b", "b"]), "seed": [1.0, None, 2.0, 3.0], "nse": [1, 2, 3, 4]}
    pd.DataFrame(rows).to_parquet(tmp_path / "t.parquet")
    found = read(tmp_path / "t.parquet")
    assert found["basin"].tolist() == ["7", "8", "7", "8"]
    assert found["nse"].tolist() == [1.0, 2.0, 3.0, 4.0]


def test_a_period_is_chosen(path):
    path.write_text("basin,arm,period,nse\n1,a,test,0.1\n1,b,test,0.2\n1,a,later,0.3\n1,b,later,0.4\n1,c,third,0.4\n")
    assert read(path, period="later")["nse"].tolist() == [0.3, 0.4]
    assert "choose one with --period: test, later" in refused(path)
    assert "unknown period 'latter'; did you mean `later`?" in refused(path, period="latter")
    path.write_text("basin,arm,period,nse\n1,a,test,0.1\n1,b,test,0.2\n")
    assert len(read(path)) == 2


def test_folds_and_seeds_may_repeat_a_basin(path):
    path.write_text("basin,arm,fold,seed,nse\n1,a,1,1,0.1\n1,a,1,2,0.2\n1,a,2,1,0.3\n1,b,1,1,0\n")
    assert len(read(path)) == 4


# What is refused


def test_files_that_are_no_tables(tmp_path):
    assert "there is no such file" in refused(tmp_path / "none.csv")
    assert "ending in .csv or .parquet" in refused(tmp_path / "table.xlsx")
    assert "is a folder" in refused(tmp_path)
    (tmp_path / "scores.parquet").write_bytes(b"no Parquet")
    assert "such as" in refused(tmp_path) and "scores.parquet" in refused(tmp_path)
    assert "cannot be read as a table" in refused(tmp_path / "scores.parquet")
    (tmp_path / "t.csv").write_bytes(b"basin,arm,nse\n\xff\xfe,a,1\n")
    assert "cannot be read as a table" in refused(tmp_path / "t.csv")
    (tmp_path / "t.csv").write_text('basin,arm,nse\n"1,a,0.5\n')
    assert "cannot be read as a table" in refused(tmp_path / "t.csv")


@pytest.mark.parametrize("text", ["", "basin,arm,nse\n", "basin,arm,nse\n\n\n"])
def test_tables_without_rows(path, text):
    path.write_text(text)
    assert "no rows" in refused(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("basin,", "basins,", r"unknown column 'basin'; did you mean `basins`? Known: basins, arm, seed, NSE, note"),
        ("NSE", "KGE", "unknown column 'nse'; known: basin, arm, seed, KGE, note"),
        ("note", "NSE", "column 'NSE' stands twice"),
        ("01013500,b,1,0.4,", "01013500,b,1,0,4,", "row 3 below the header has 6 cells, the header 5"),
        ("01013500,b,1,0.4,", "01013500,b,1,0.4x,", "NSE must be a number, got '0.4x' (basin 01013500, arm b)"),
        ("01013500,a,2", "01013500,a,1", "the score of basin 01013500, arm a, seed 1 stands twice"),
        ("9,a,1", ",a,1", "every row must name its basin; row 4 below the header does not"),
        ("9,a,1", "9, ,1", "every row must name its arm; row 4 below the header does not"),
    ],
)
def test_tables_with_a_mistake(path, old, new, message):
    assert old in CSV
    path.write_text(CSV.replace(old, new))
    assert message in refused(path)


def test_arms_that_cannot_be_compared(path):
    assert "unknown arm 'A1'; did you mean `a`?" in refused(path, arms=("A1", "b"))
    assert "unknown arm 'lstm'; known: a, b, c" in refused(path, arms=("a", "lstm"))
    assert "better than itself" in refused(path, arms=("a", "a"))
    assert "must be a number, got 'words' (basin 10, arm c)" in refused(path, arms=("a", "c"))
    assert "no column 'period'" in refused(path, period="test")


# Directions


def test_directions_are_known_or_given():
    assert direction_of("KGE", None) == "larger"
    assert direction_of("low_rmse", None) == "smaller"
    assert direction_of("flv", None) == "zero"
    assert direction_of("flv", "smaller") == "smaller"
    assert direction_of("pbias", "zero") == "zero"
    with pytest.raises(DataError, match=r"pbias is none of nse, kge.*--direction"):
        direction_of("pbias", None)
