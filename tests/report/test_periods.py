from datetime import date

from drawings import hovers, texts

from studyhub.report import figures
from studyhub.report.figures import Observed


def observed(basin, first, last, **days):
    return Observed(basin, date(1990, 10, 1), date(1995, 9, 30), first, last, {int(year[1:]): count for year, count in days.items()})


WHOLE = observed("whole", date(1990, 10, 1), date(1993, 12, 31), y1990=92, y1991=365, y1992=366, y1993=365)
HOLED = observed("holed", date(1991, 2, 1), date(1995, 3, 1), y1991=334, y1992=20, y1994=365, y1995=60)


def test_basins_are_counted_in_each_year_by_the_share_of_its_days():
    figure = figures.years_observed([WHOLE, HOLED])
    full = "basins_observed_on_90_percent_of_days"
    assert figure.data.set_index("year")["basins"].to_dict() == {1990: 1, 1991: 2, 1992: 2, 1993: 1, 1994: 1, 1995: 1}
    # The data have 92 days of 1990, all observed, and 273 of 1995, of which 60 are.
    assert figure.data.set_index("year")[full].to_dict() == {1990: 1, 1991: 2, 1992: 1, 1993: 1, 1994: 1, 1995: 0}
    assert "1992: 2 basins, 1 on at least 90 % of the days" in hovers(figure)


def test_bars_reach_from_the_first_to_the_last_day_and_break_where_days_are_few():
    figure = figures.spans([HOLED, WHOLE])
    assert figure.data.astype(str).to_numpy().tolist() == [
        ["whole", "1990-10-01", "1993-12-31", "most days"],
        ["holed", "1991-02-01", "1991-12-31", "most days"],
        ["holed", "1992-01-01", "1993-12-31", "few days"],
        ["holed", "1994-01-01", "1995-03-01", "most days"],
    ]
    assert set(hovers(figure)) == {f"basin {b}: {first} to {last}, {often}" for b, first, last, often in figure.data.astype(str).to_numpy()}
    assert {"whole", "holed"} <= set(texts(figure))


def test_one_basin_of_a_few_days_is_drawn():
    day = date(1991, 5, 5)
    figure = figures.spans([observed("x", day, day, y1991=1)])
    assert figure.data.astype(str).to_numpy().tolist() == [["x", "1991-05-05", "1991-05-05", "most days"]]
    assert "1991-05-05" in texts(figure)


def test_many_basins_are_drawn_without_their_names():
    many = [observed(f"b{i:03d}", date(1990, 10, 1), date(1992, 1, i % 28 + 1), y1990=92, y1991=365, y1992=1) for i in range(150)]
    figure = figures.spans(many)
    assert not [text for text in texts(figure) if text.startswith("b0")]
    assert len(figure.data["basin"].unique()) == 150 and len(figure.svg) < 150_000


def test_lengths_of_records_add_up():
    figure = figures.lengths([0.2, 10.0, 10.5, 30.0])
    assert figure.data["basins"].sum() == 4 and (figure.data["to_years"] - figure.data["from_years"]).nunique() == 1
    assert "in 4 basins: 0.2 to 30.0, median 10.2" in figure.caption
