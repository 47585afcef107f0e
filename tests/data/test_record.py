from datetime import date

import numpy as np
import pytest

from studyhub.data.record import Record, day_of_year, days, require_complete
from studyhub.errors import DataError
from studyhub.study.settings import Period


@pytest.fixture
def record() -> Record:
    dates = days(Period(date(2000, 2, 27), date(2000, 3, 3)))
    prcp = np.arange(12, dtype=np.float32).reshape(2, 6)
    return Record(("a", "b"), dates, {"prcp": prcp}, np.array([[1.0, 2.0], [3.0, np.nan]]), ("slope", "area"))


def test_a_leap_day_is_a_day(record):
    assert len(record.dates) == 6
    part = record.during(Period(date(2000, 2, 29), date(2000, 3, 1)))
    assert [str(day) for day in part.dates] == ["2000-02-29", "2000-03-01"]
    np.testing.assert_array_equal(part.series["prcp"], [[2, 3], [8, 9]])


def test_day_of_year_in_leap_years_and_others():
    dates = np.array(["2000-02-29", "2000-12-31", "2001-03-01", "2001-12-31"], dtype="datetime64[D]")
    assert day_of_year(dates).tolist() == [60, 366, 60, 365]


def test_select_keeps_the_order_asked_for(record):
    chosen = record.select(("b", "a"))
    assert chosen.basins == ("b", "a")
    np.testing.assert_array_equal(chosen.series["prcp"][0], record.series["prcp"][1])
    np.testing.assert_array_equal(chosen.attribute(("area", "slope"))[1], [2.0, 1.0])


def test_what_is_not_there_is_named(record):
    with pytest.raises(DataError, match="no basins c"):
        record.select(("a", "c"))
    with pytest.raises(DataError, match="no attributes sand"):
        record.attribute(("sand",))
    with pytest.raises(DataError, match="no variable pet"):
        record.variable("pet")
    with pytest.raises(DataError, match=r"covers 2000-02-27\.\.2000-03-03, asked for 2000-02-01"):
        record.during(Period(date(2000, 2, 1), date(2000, 3, 1)))
    with pytest.raises(DataError, match="at least one day"):
        record.during(Period(date(2000, 3, 2), date(2000, 3, 1)))


def test_a_missing_day_is_named(record):
    require_complete(record, ("prcp",))
    record.series["prcp"][1, 2:4] = np.nan
    with pytest.raises(DataError, match=r"basin b has no prcp on 2000-02-29 \(2 missing days"):
        require_complete(record, ("prcp",))
