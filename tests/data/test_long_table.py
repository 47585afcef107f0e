from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from studyhub.data.long_table import read
from studyhub.errors import DataError
from studyhub.study.settings import Columns, Period

BASINS = ("01", "02", "13331500")
PERIOD = Period(date(2000, 1, 1), date(2000, 1, 4))


def frame(days: int = 10, start: str = "1999-12-28", basins: tuple[str, ...] = ("02", "01", "99")) -> pd.DataFrame:
    """Every basin's value on a day is 10 times its position, plus the day's number."""
    dates = pd.date_range(start, periods=days)
    return pd.concat(
        [pd.DataFrame({"basin": basin, "date": dates, "qsim": 10.0 * i + np.arange(days)}) for i, basin in enumerate(basins)],
        ignore_index=True,
    )


def saved(path: Path, table: pd.DataFrame) -> Path:
    table.to_csv(path, index=False) if path.suffix == ".csv" else table.to_parquet(path, index=False)
    return path


def days_as(kind: str, table: pd.DataFrame) -> pd.DataFrame:
    match kind:
        case "dates":
            return table.assign(date=table["date"].dt.date)
        case "texts":
            return table.assign(date=table["date"].dt.strftime("%Y-%m-%d"))
        case "categories":
            return table.assign(basin=table["basin"].astype("category"), date=table["date"].dt.strftime("%Y-%m-%d").astype("category"))
    return table


@pytest.mark.parametrize("kind", ["timestamps", "dates", "texts", "categories"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_values_land_on_their_basin_and_day_in_any_order(tmp_path, suffix, kind):
    table = frame().sample(frac=1, random_state=np.random.RandomState(1))
    found = read(saved(tmp_path / f"t.{suffix}", days_as(kind, table)), Columns(), BASINS, PERIOD)
    np.testing.assert_array_equal(found.qsim, [[14, 15, 16, 17], [4, 5, 6, 7], [np.nan] * 4])
    assert found.there.tolist() == [True, True, False]
    assert found.renamed == {}


def test_columns_have_the_names_that_the_study_says_and_others_do_no_harm(tmp_path):
    table = frame().rename(columns={"basin": "gauge_id", "date": "day", "qsim": "q_mm"}).assign(qsim=-1.0, basin=7)
    path = saved(tmp_path / "t.parquet", table)
    assert read(path, Columns("gauge_id", "day", "q_mm"), BASINS, PERIOD).qsim[0].tolist() == [14, 15, 16, 17]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_value_that_is_missing_is_none(tmp_path, suffix):
    table = frame()
    table.loc[(table["basin"] == "01") & (table["date"] == "2000-01-02"), "qsim"] = np.nan
    table = table[~((table["basin"] == "01") & (table["date"] == "2000-01-03"))]
    found = read(saved(tmp_path / f"t.{suffix}", table), Columns(), BASINS, PERIOD)
    np.testing.assert_array_equal(found.qsim[0], [14, np.nan, np.nan, 17])


def test_a_table_of_many_batches_is_read_whole(tmp_path):
    table = frame(days=400, basins=("01", "02"))
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pandas(table), path, row_group_size=37)
    found = read(path, Columns(), BASINS, Period(date(2000, 1, 1), date(2000, 12, 31)))
    np.testing.assert_array_equal(found.qsim[:2], np.add.outer([0, 10], np.arange(4, 370)))


def test_what_is_wrong_with_other_basins_and_days_is_not_looked_at(tmp_path):
    table = frame()
    table.loc[table["basin"] == "99", "qsim"] = -1.0
    table.loc[table["date"] < "2000-01-01", "qsim"] = np.inf
    assert np.isfinite(read(saved(tmp_path / "t.csv", table), Columns(), BASINS, PERIOD).qsim[:2]).all()


# Ids of basins


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids_that_lost_their_zeros_are_found_by_their_number_and_said(tmp_path, suffix):
    table = frame(basins=("2", "1", "13331500")).astype({"basin": "int64"})
    found = read(saved(tmp_path / f"t.{suffix}", table), Columns(), BASINS, PERIOD)
    assert found.there.all()
    assert found.qsim[:, 0].tolist() == [14, 4, 24]
    assert found.renamed == {"01": "1", "02": "2"}


def test_ids_with_their_zeros_are_text_in_a_csv(tmp_path):
    assert read(saved(tmp_path / "t.csv", frame()), Columns(), ("1", "01"), PERIOD).there.tolist() == [False, True]


def test_a_number_that_may_be_two_basins_is_refused(tmp_path):
    path = saved(tmp_path / "t.parquet", frame(basins=("1",)).astype({"basin": "int64"}))
    with pytest.raises(DataError, match=r"t\.parquet: basin 1 may be any of 1, 01; write the ids as text"):
        read(path, Columns(), ("1", "01"), PERIOD)


def test_a_table_of_other_basins_names_some_of_both_sides(tmp_path):
    path = saved(tmp_path / "t.csv", frame(basins=("x", "y")))
    with pytest.raises(DataError, match="has none of the study's basins, 01, 02, 13331500; its own are x, y"):
        read(path, Columns(), BASINS, PERIOD)


# Wrong tables


def wrong(column: str, value: object) -> pd.DataFrame:
    """One value of one basin and day replaced."""
    table = frame()
    place = (table["basin"] == "01") & (table["date"] == "2000-01-02")
    table = table.astype({"date": "str"}).astype({column: object})
    table.loc[place, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (wrong("qsim", -0.5), r"`qsim` needs discharge of at least 0 mm/d, basin 01 on 2000-01-02 has -0\.5; leave a missing value empty"),
        (wrong("qsim", np.inf), "basin 01 on 2000-01-02 has inf"),
        (wrong("qsim", "much"), "cannot be read as a table, .*invalid value 'much'"),
        (wrong("date", "2/1/2000"), "`date` needs a day such as 2000-01-31, got '2/1/2000'"),
        (wrong("date", "2000-02-30"), "got '2000-02-30'"),
        (wrong("date", "2000-01-02 06:00"), "needs days, one row for each, got 2000-01-02 06:00:00; average over the day"),
        (wrong("date", "2000-01-03"), "one row per basin and day is required, basin 01 on 2000-01-03 has two or more"),
        (wrong("basin", ""), "every row needs a value of `basin`"),
        (frame().rename(columns={"qsim": "q_sim"}), "no column `qsim`; did you mean `q_sim`"),
        (frame()[[]], "cannot be read as a table"),
    ],
)  # fmt: skip
def test_a_wrong_csv_is_one_message(tmp_path, table, words):
    path = saved(tmp_path / "t.csv", table)
    with pytest.raises(DataError, match=words) as caught:
        read(path, Columns(), BASINS, PERIOD)
    assert str(caught.value).startswith(f"{path}: ") and len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (frame().assign(basin=1.5), "column `basin` must hold basin ids as text, it holds double"),
        (frame().assign(date=20000101), "column `date` must hold days, it holds int64"),
        (frame().assign(qsim="1"), "column `qsim` must hold numbers, it holds"),
        (frame().assign(date=lambda t: t["date"] + pd.Timedelta("12h")), "needs days, one row for each, got 1999-12-28 12:00:00"),
        (frame().assign(date=lambda t: t["date"].dt.tz_localize("UTC")), r"needs days, one row for each, got .*\+00:00"),
        (frame().assign(basin=None).astype({"basin": "str"}), "every row needs a value of `basin`"),
        (frame(days=2, basins=("01", "01")).assign(date=pd.Timestamp("2000-01-01")), "basin 01 on 2000-01-01 has two or more"),
    ],
)  # fmt: skip
def test_a_wrong_parquet_is_one_message(tmp_path, table, words):
    with pytest.raises(DataError, match=words):
        read(saved(tmp_path / "t.parquet", table), Columns(), BASINS, PERIOD)


def test_two_rows_of_a_day_are_found_in_different_batches_too(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.Table.from_pandas(pd.concat([frame(), frame()])), path, row_group_size=30)
    with pytest.raises(DataError, match="basin 0. on 2000-01-01 has two or more"):
        read(path, Columns(), BASINS, PERIOD)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1 and no more", b"\xff\xfe\x00b\x00", b"\x1f\x8b\x08\x00" + bytes(range(256)), b"basin,date\n1"]
)
def test_what_is_no_table_is_one_printable_message(tmp_path, content):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read(path, Columns(), BASINS, PERIOD)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 400
